//! Decides on commands of an agent whose definition says how much it may do without asking. What the command policy has
//! nothing against is run, what it blocks is not, and about the rest a person is asked while the agent waits.

use super::review;
use crate::executors::recipe::{command_of_agent, words_of_command};
use crate::questions::{LOOK_EVERY, heartbeat, insist, pause};
use crate::run::{End, Run};
use spalla_adapter::listen::{AskedCommand, Permission};
use spalla_adapter::tools::Used;
use spalla_domain::ApprovalId;
use spalla_domain::found_command::{Answer, FoundCommand, Level};
use spalla_policy::Freedom;
use std::path::Path;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is said to have failed where it does.
const TELLING: &str = "telling what the command policy found in an agent's command";

/// Decides on a command that the agent asks about; it waits as long as a person does, but for nobody once it is gone.
pub(super) async fn decide(run: &Run<'_>, asked: &AskedCommand, gone: &CancellationToken) -> Permission {
    let decided = tokio::select! {
        decided = judged(run, asked) => decided,
        () = gone.cancelled() => return Permission::Refused("nobody waits for it any more".into()),
    };
    match decided {
        Ok(permission) => permission,
        Err(End::Failed(failure)) => {
            run.log.say(format!("an agent's command is not run: {}", failure.error.message)).await;
            Permission::Refused("nobody could be asked about it".into())
        }
        Err(_) => Permission::Refused("the run ends".into()),
    }
}

async fn judged(run: &Run<'_>, asked: &AskedCommand) -> Result<Permission, End> {
    let freedom = freedom_of(run);
    let Some(command) = asked.used.input.as_deref() else {
        return Ok(match freedom {
            Freedom::Much => Permission::Granted,
            // A person could not tell either what they say yes to.
            Freedom::Little | Freedom::Usual => {
                Permission::Refused("it was not told which command it is".into())
            }
        });
    };
    let found = command_of_agent(run, command, Path::new(&asked.folder), freedom).await;
    let Some(mut found) = found else {
        return Ok(Permission::Refused("the command policy could not be asked about it".into()));
    };
    for command in &mut found {
        mask(run, command);
        run.log.remark(words_of_command(command)).await;
    }
    let gravest = found.iter().map(|command| command.level).max();
    let needs_person = gravest == Some(Level::Confirm);
    if needs_person && review::subject(run).is_some() {
        // Who answers is not waited for.
        return Ok(Permission::Refused("it needs a person's yes, and nobody is asked in a review".into()));
    }
    if found.is_empty() {
        return Ok(Permission::Granted);
    }
    let answer = report(run, &found).await?;
    match found.iter().find(|command| command.level == Level::Blocked) {
        Some(blocked) => Ok(Permission::Refused(words_of_command(blocked))),
        None => until_decided(run, &found, answer).await,
    }
}

/// What a person reads, and the audit keeps, shows nothing that opens something; a yes is bound to a hash of what is run.
fn mask(run: &Run<'_>, found: &mut FoundCommand) {
    for text in [&mut found.command, &mut found.folder, &mut found.reason] {
        *text = run.log.masked(std::mem::take(text));
    }
}

async fn report(run: &Run<'_>, found: &[FoundCommand]) -> Result<Answer, End> {
    let worker = &run.options.worker_id;
    let tell = || run.coordinator.report_commands(heartbeat(run), worker.clone(), found.to_vec());
    insist(run, TELLING, tell).await
}

/// Waits until somebody decides, for which the run keeps its worker: the agent stands in the middle of its work.
async fn until_decided(run: &Run<'_>, found: &[FoundCommand], mut answer: Answer) -> Result<Permission, End> {
    let since = Instant::now();
    let listed = |ids: &[ApprovalId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let has_waited = !answer.pending.is_empty();
    if has_waited {
        let pending = listed(&answer.pending);
        run.log.say(format!("the agent waits until somebody decides on approval {pending}")).await;
    }
    while answer.rejected.is_empty() && !answer.pending.is_empty() {
        let looked = match pause(run, LOOK_EVERY).await {
            Ok(()) => report(run, found).await,
            Err(end) => Err(end),
        };
        answer = match looked {
            Ok(answer) => answer,
            Err(end) => {
                run.held_since(since);
                return Err(end);
            }
        };
    }
    if has_waited {
        run.held_since(since);
    }
    Ok(match answer.rejected.is_empty() {
        true => Permission::Granted,
        false => Permission::Refused(format!("approval {} was refused", listed(&answer.rejected))),
    })
}

/// Returns the gravest thing that the policy finds in a command that was run without a question.
pub(super) async fn unasked(run: &Run<'_>, used: &Used, workspace: &Path) -> Option<FoundCommand> {
    run.policy()?.autonomy_permille?;
    let command = used.input.as_deref().filter(|_| used.is_shell())?;
    let found = command_of_agent(run, command, workspace, freedom_of(run)).await?;
    found.into_iter().max_by_key(|command| command.level)
}

fn freedom_of(run: &Run<'_>) -> Freedom {
    Freedom::of(run.policy().and_then(|policy| policy.autonomy_permille))
}
