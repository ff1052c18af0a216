//! What the command policy says of the steps, before the first of them is carried out: what is blocked ends the run,
//! and what a person has to confirm lets it wait without a worker.

use crate::questions::{heartbeat, insist};
use crate::run::{End, Failure, Run};
use spalla_domain::ApprovalId;
use spalla_domain::found_command::{Answer, COMMANDS_MAX, FoundCommand, Level, TEXT_BYTES_MAX};
use spalla_domain::recipe::{Recipe, Step};
use spalla_domain::retry::ErrorClass;
use spalla_policy::{Finding, Freedom, Policy, Script, confirmation_hash};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The home that commands have inside the sandbox.
const HOME: &str = "/run/spalla/home";

/// Holds the steps against the policy. `secrets` are the names of the values that they will get.
pub(super) async fn check(
    run: &Run<'_>,
    recipe: &Recipe,
    workspace: &Path,
    secrets: &[&str],
) -> Result<(), End> {
    check_as(run, recipe, (workspace, secrets), Freedom::Usual).await
}

/// Holds commands of an agent's definition against the policy, given how much the agent may do without asking.
pub(crate) async fn check_definition(
    run: &Run<'_>,
    commands: impl Iterator<Item = &String>,
    workspace: &Path,
    autonomy_permille: Option<u16>,
) -> Result<(), End> {
    let steps: Vec<Step> = commands.map(Step::shell).collect();
    if steps.is_empty() {
        return Ok(());
    }
    let recipe = Recipe { steps, ..Recipe::default() };
    check_as(run, &recipe, (workspace, &[]), Freedom::of(autonomy_permille)).await
}

/// Returns what the policy finds in one command that an agent wants to run, or ran; none where it could not be asked.
pub(crate) async fn of_agent(
    run: &Run<'_>,
    command: &str,
    workspace: &Path,
    freedom: Freedom,
) -> Option<Vec<FoundCommand>> {
    let judged = Judged {
        freedom,
        policy: Arc::clone(&run.options.command_policy),
        // Their command lines run bash, or a shell that understands less.
        shell: "bash".to_owned(),
        workspace: workspace.to_owned(),
        recipe: Recipe { steps: vec![Step::shell(command)], ..Recipe::default() },
        secrets: Vec::new(),
    };
    let found = tokio::task::spawn_blocking(move || judged.found()).await.ok().flatten()?;
    Some(found.into_iter().map(|command| FoundCommand { in_turn: true, ..command }).collect())
}

async fn check_as(
    run: &Run<'_>,
    recipe: &Recipe,
    (workspace, secrets): (&Path, &[&str]),
    freedom: Freedom,
) -> Result<(), End> {
    let judged = Judged {
        freedom,
        policy: Arc::clone(&run.options.command_policy),
        shell: run.options.shell.clone(),
        workspace: workspace.to_owned(),
        recipe: recipe.clone(),
        secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
    };
    // A script may be long, and others wait for this thread.
    let Ok(found) = tokio::task::spawn_blocking(move || judged.found()).await else {
        return Err(Failure::new(ErrorClass::System, "the command policy could not be asked").into());
    };
    let Some(found) = found else {
        let message =
            format!("more than {COMMANDS_MAX} commands of the steps are blocked or need a person's yes");
        return Err(denied(message));
    };
    if found.is_empty() {
        return Ok(());
    }
    for command in &found {
        run.log.remark_of(command.step, words_of(command)).await;
    }
    let worker = &run.options.worker_id;
    let report = || run.coordinator.report_commands(heartbeat(run), worker.clone(), found.clone());
    let answer = insist(run, "telling what the command policy found", report).await?;
    if let Some(blocked) = found.iter().find(|command| command.level == Level::Blocked) {
        return Err(denied(words_of(blocked)));
    }
    wait_for(run, answer).await
}

/// What is held against the policy.
struct Judged {
    freedom: Freedom,
    policy: Arc<Policy>,
    shell: String,
    workspace: PathBuf,
    recipe: Recipe,
    secrets: Vec<String>,
}

impl Judged {
    /// Returns what the policy finds in all steps, the gravest first; none where more has to be told of than can be.
    fn found(&self) -> Option<Vec<FoundCommand>> {
        let steps = (1_u32..).zip(&self.recipe.steps);
        let mut found: Vec<_> = steps.flat_map(|(number, step)| self.found_in(number, step)).collect();
        found.sort_by_key(|command| (std::cmp::Reverse(command.level), command.step));
        // A yes is one to the step as a whole, whatever it is needed for.
        found.dedup_by(|next, kept| {
            next.level == Level::Confirm && next.step == kept.step && kept.level == next.level
        });
        if found.get(COMMANDS_MAX).is_some_and(|command| command.level > Level::Watched) {
            return None;
        }
        // What is only recorded may be too much to record.
        found.truncate(COMMANDS_MAX);
        Some(found)
    }

    fn found_in(&self, number: u32, step: &Step) -> Vec<FoundCommand> {
        let folder = step.cwd.as_deref().unwrap_or(".");
        let variables: Vec<_> = self.recipe.env_of(step).into_iter().collect();
        let script = Script {
            text: &step.run,
            shell: &self.shell,
            folder: &self.workspace.join(folder),
            workspace: &self.workspace,
            home: Path::new(HOME),
            variables: &variables,
        };
        let secrets: Vec<&str> = self.secrets.iter().map(String::as_str).collect();
        // What it is given, and whom it reaches, are part of what a person says yes to.
        let whole =
            serde_json::json!([step.run, self.shell, variables, self.recipe.network_of(step)]).to_string();
        let digest = confirmation_hash(&whole, Path::new(folder), self.policy.digest(), &secrets);
        let of = |finding: Finding| {
            let level = level_of(self.freedom.level(&finding))?;
            let Finding { rule, command, reason, .. } = finding;
            // What a person says yes to is the step as a whole.
            let (command, reason) = match level {
                Level::Confirm => (step.run.as_str(), format!("{command}: {reason}")),
                Level::Watched | Level::Blocked => (&*command, reason),
            };
            Some(FoundCommand {
                step: number,
                level,
                digest: digest.clone(),
                command: cut(command),
                folder: cut(folder),
                rule: cut(&rule),
                reason: cut(&reason),
                in_turn: false,
            })
        };
        self.policy.judge(&script).findings.into_iter().filter_map(of).collect()
    }
}

const fn level_of(level: spalla_policy::Level) -> Option<Level> {
    match level {
        spalla_policy::Level::Allowed => None,
        spalla_policy::Level::Watched => Some(Level::Watched),
        spalla_policy::Level::Confirm => Some(Level::Confirm),
        spalla_policy::Level::Blocked => Some(Level::Blocked),
    }
}

fn cut(text: &str) -> String {
    // Postgres can't keep a NUL, which no shell runs either.
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].replace('\0', " ")
}

/// Says what becomes of a command, and why.
pub(crate) fn words_of(command: &FoundCommand) -> String {
    let FoundCommand { step, command: text, rule, reason, level, .. } = command;
    let done = match level {
        Level::Watched => "is watched",
        Level::Confirm => "needs a person's yes",
        Level::Blocked => "is blocked",
    };
    format!("step {step}: `{text}` {done} by the command policy (rule {rule}): {reason}")
}

/// Lets the run go on, or wait for what nobody has decided.
async fn wait_for(run: &Run<'_>, answer: Answer) -> Result<(), End> {
    let listed = |ids: &[ApprovalId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if !answer.rejected.is_empty() {
        return Err(denied(format!("approval {} was refused", listed(&answer.rejected))));
    }
    if answer.pending.is_empty() {
        return Ok(());
    }
    let pending = listed(&answer.pending);
    run.log.say(format!("the run is given back until somebody decides on approval {pending}")).await;
    Err(End::Held)
}

fn denied(message: String) -> End {
    Failure::new(ErrorClass::Denied, message).into()
}
