//! One scenario from an empty place to its audit: processes are started, clients work, a death comes or does not, and
//! everything is started again until it has drained.

use super::audit;
use super::client::Client;
use super::site::{Site, Store};
use super::spawned::Spawned;
use super::trace::Passages;
use super::workload::{self, Told};
use std::fs;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

/// How long the work of a scenario may take, deaths included.
const LIMIT: Duration = Duration::from_secs(150);
/// The most commands of a scenario.
const COMMANDS_MAX: usize = 7;
/// A goal that a model is not needed for.
const GOAL: &str = "Analyze the codebase structure";
/// One that has the project built and tested.
const CHECKS: &str = "Run the tests and report";
/// Two of the first kind.
const GOALS: &str = "1. List the dependencies.\n2. Analyze the codebase structure.\n";

/// What is asked of the processes.
#[derive(Debug, Clone)]
pub(super) enum Arming {
    /// Nothing.
    None,
    /// To write down what they pass.
    Trace,
    /// That one of them dies.
    Death {
        /// At which point.
        point: String,
        /// At which passage.
        nth: u64,
        /// Which of them.
        process: usize,
    },
}

/// What goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Everything that clients do with a server and the worker in it; the server dies.
    Server,
    /// The same server with more rows than its log should hold.
    Bulk,
    /// A run of a worker of its own that prints while its server does not answer; the worker dies.
    Noisy,
    /// A worker of its own; the worker dies.
    Remote,
    /// The same where steps survive their worker, and the next one takes them up.
    Surviving,
    /// Goals in plain words, each with a server of its own; the command dies.
    Orchestrate,
    /// A goal for a running server; the command dies.
    Joined,
    /// A goal for agents, whose change is brought into the target; the command dies.
    Session,
    /// The same for a folder that is no repository.
    Copy,
    /// Scratchpads of a repository and of a folder, from their making to their removal; the command dies.
    Scratchpad,
    /// Agents of files, published twice and exported; the command dies.
    Agents,
    /// The demo.
    Demo,
}

/// How a scenario went.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) died: bool,
    pub(super) violations: Vec<String>,
    pub(super) passages: Passages,
}

impl Kind {
    /// Every kind, those first that pass the most.
    pub(super) const ALL: [Self; 12] = [
        Self::Server,
        Self::Bulk,
        Self::Noisy,
        Self::Remote,
        Self::Surviving,
        Self::Orchestrate,
        Self::Joined,
        Self::Session,
        Self::Copy,
        Self::Scratchpad,
        Self::Agents,
        Self::Demo,
    ];

    /// Tells whether it passes whatever a store has.
    pub(super) fn is_main(self) -> bool {
        self == Self::Server
    }

    /// Returns the commands that end by themselves, where it has any.
    fn commands(self, site: &Site) -> Vec<Vec<String>> {
        let (checkout, workspace) = (site.checkout(), site.path("workspace").display().to_string());
        let checked = site.path("checked").display().to_string();
        let reports = site.path("reports").display().to_string();
        let own = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>();
        let orchestrate = ["orchestrate", "--target", &checkout, "--yes"];
        match self {
            Self::Server | Self::Bulk | Self::Noisy | Self::Remote | Self::Surviving => Vec::new(),
            Self::Orchestrate => vec![
                own(&[&orchestrate[..], &["--no-dashboard", "--workspace", &workspace, GOALS]].concat()),
                own(&[&orchestrate[..], &["--no-dashboard", GOAL]].concat()),
                own(&["run", "--ci", "--report-dir", &reports, "--target", &checked, CHECKS]),
            ],
            Self::Joined => vec![own(&[&orchestrate[..], &[GOAL]].concat())],
            Self::Session | Self::Copy => {
                let target = site.path("target").display().to_string();
                // In the copy who works is reviewed by the other one; in the repository the first one met its limit.
                let names = if self == Self::Copy { "codex,claude,talker" } else { "claude,codex" };
                let agents =
                    ["orchestrate", "--agents", names, "--target", &target, "--no-dashboard", "--yes"];
                let last: &[&str] = if self == Self::Copy { &["review"] } else { &["resume"] };
                vec![
                    own(&[&agents[..], &["Write hello.txt"]].concat()),
                    own(&["session", "apply", "latest", "--yes"]),
                    own(&[&["session"], last, &["latest"]].concat()),
                ]
            }
            Self::Scratchpad => {
                let at = |name: &str| site.path(name).display().to_string();
                let create = ["scratchpad", "create"];
                let export = ["scratchpad", "export", "latest", "--force"];
                vec![
                    own(&[&create[..], &["copied", "--target", &at("plain")]].concat()),
                    own(&[&create[..], &["checked out", "--target", &checkout]].concat()),
                    own(&["scratchpad", "pause", "latest"]),
                    own(&["scratchpad", "resume", "latest"]),
                    own(&[&export[..], &[&at("export")]].concat()),
                    own(&[&export[..], &["--patch", &at("patch")]].concat()),
                    own(&["scratchpad", "clean"]),
                ]
            }
            Self::Agents => {
                let (source, out) = (site.path("agents-source"), site.path("published"));
                let (source, out) = (source.display().to_string(), out.display().to_string());
                let convert = ["convert", "--source", &source, "--out", &out];
                let exported = site.path("exported").display().to_string();
                let export = ["agents", "export", "--agents", &out, "--to", "claude", "--out", &exported];
                vec![own(&convert), own(&convert), own(&export)]
            }
            Self::Demo => vec![own(&["demo", "--data", &site.path("data").display().to_string()])],
        }
    }
}

/// Plays a scenario in a place of its own, which is kept where something is wrong with it.
pub(super) async fn play(kind: Kind, store: Store, binary: &Path, arming: &Arming) -> anyhow::Result<Played> {
    let mut site = Site::make(binary, store)?;
    site.lets_steps_survive = kind == Kind::Surviving;
    let mut played = Played::default();
    if kind.commands(&site).is_empty() {
        serve(kind, &site, arming, &mut played).await?;
    } else {
        command(kind, &site, arming, &mut played).await?;
    }
    played.died |= site.witness().exists();
    played.violations.extend(audit::left_over(&site).await);
    played.violations.extend(audit::of_history(&site).await?);
    if matches!(arming, Arming::Trace) {
        let names = |process| fs::read_to_string(site.trace(process)).unwrap_or_default();
        played.passages =
            (0..COMMANDS_MAX).map(|process| names(process).lines().map(str::to_owned).collect()).collect();
    }
    if !played.violations.is_empty() {
        played.violations.push(format!("what is left is in {}", site.keep().display()));
    }
    Ok(played)
}

/// Plays one whose processes live on until they are told to go.
async fn serve(kind: Kind, site: &Site, arming: &Arming, played: &mut Played) -> anyhow::Result<()> {
    let client = Client::new(site.url())?;
    let is_remote = matches!(kind, Kind::Noisy | Kind::Remote | Kind::Surviving);
    let (flags, of_server): (&[&str], _) =
        if is_remote { (&["--no-worker"], &Arming::None) } else { (&["--concurrency", "3"], arming) };
    let mut server = Spawned::start(site, site.server(flags), of_server, 0)?;
    let mut worker = None;
    if is_remote {
        client.get("/health").await?;
        let args = ["worker", "--server", &site.url(), "--concurrency", "3"].map(str::to_owned);
        worker = Some(Spawned::start(site, args.into(), arming, 0)?);
    }
    let mut told = Told::default();
    let wrong = {
        let work = tokio::time::timeout(LIMIT, workload::drive(kind, &client, site, &mut told));
        tokio::select! {
            done = work => done.unwrap_or_else(|_| Err(anyhow::anyhow!("it was not done within {LIMIT:?}"))).err(),
            ended = server.tend() => Some(anyhow::anyhow!(ended?)),
            ended = tend(&mut worker) => Some(anyhow::anyhow!(ended?)),
        }
    };
    played.violations.extend(wrong.map(|error| format!("{error:#}")));
    let has_died =
        server.died || worker.as_ref().is_some_and(|worker| worker.died) || site.witness().exists();
    if has_died && played.violations.is_empty() {
        // Death may come when all is done: whoever died is still to be started again.
        tokio::select! {
            found = audit::of_server(&client, site, &told) => played.violations.extend(found),
            ended = server.tend() => played.violations.push(ended?),
            ended = tend(&mut worker) => played.violations.push(ended?),
        }
    }
    if let Some(worker) = &mut worker {
        played.violations.extend(worker.stop().await?);
    }
    played.violations.extend(server.stop().await?);
    if !has_died && played.violations.is_empty() {
        audit_again(&client, site, &told, played).await?;
    }
    Ok(())
}

/// Starts a worker again whenever it dies as ordered, where there is one.
async fn tend(worker: &mut Option<Spawned<'_>>) -> anyhow::Result<String> {
    match worker {
        Some(worker) => worker.tend().await,
        None => std::future::pending().await,
    }
}

/// Plays one of commands that end by themselves. One that died is called again, and has to succeed.
async fn command(kind: Kind, site: &Site, arming: &Arming, played: &mut Played) -> anyhow::Result<()> {
    let client = Client::new(site.url())?;
    let mut server = None;
    if kind == Kind::Joined {
        server = Some(Spawned::start(site, site.server(&[]), &Arming::None, 0)?);
        // What the command joins is announced after it answers.
        client.get("/health").await?;
        audit::announced(site).await;
    }
    if matches!(kind, Kind::Session | Kind::Copy) {
        site.make_target(kind == Kind::Session)?;
    }
    match kind {
        Kind::Scratchpad => site.make_plain()?,
        Kind::Agents => site.make_agents()?,
        _ => {}
    }
    for (number, args) in kind.commands(site).into_iter().enumerate() {
        if kind == Kind::Scratchpad && number == 2 {
            site.work_in_scratchpads()?;
        }
        if kind == Kind::Agents && number == 1 {
            site.change_agents()?;
        }
        if kind == Kind::Session && number == 1 {
            site.go_on_in_target()?;
        }
        let mut called = Spawned::start(site, args.clone(), arming, number)?;
        let mut status = called.wait(LIMIT).await?;
        if called.died {
            status = again(site, &args, number).await?;
        }
        if !status.is_some_and(|status| status.success()) {
            let status = status.map_or_else(|| "not at all".to_owned(), |status| status.to_string());
            played.violations.push(format!("{} ended with {status}", args[0]));
        }
    }
    if let Some(server) = &mut server {
        played.violations.extend(server.stop().await?);
    }
    if matches!(kind, Kind::Session | Kind::Copy) {
        played.violations.extend(site.wrong_in_target(kind == Kind::Session));
    }
    if kind == Kind::Scratchpad {
        played.violations.extend(site.wrong_in_scratchpads());
    }
    if kind == Kind::Agents {
        played.violations.extend(site.wrong_in_agents());
    }
    if played.violations.is_empty() {
        audit_again(&client, site, &Told::default(), played).await?;
    }
    Ok(())
}

/// Calls a command again that died. A session that has its record is gone on with, and not begun anew.
async fn again(site: &Site, args: &[String], number: usize) -> anyhow::Result<Option<ExitStatus>> {
    if args[0] == "orchestrate" && args[1] == "--agents" {
        let resume = ["session", "resume", "latest"].map(str::to_owned).to_vec();
        let status = Spawned::start(site, resume, &Arming::None, number)?.wait(LIMIT).await?;
        // There is none yet.
        if status.is_none_or(|status| status.code() != Some(2)) {
            return Ok(status);
        }
    }
    Spawned::start(site, args.to_vec(), &Arming::None, number)?.wait(LIMIT).await
}

/// Starts a server on what is left, lets it drain, and audits it.
async fn audit_again(client: &Client, site: &Site, told: &Told, played: &mut Played) -> anyhow::Result<()> {
    let mut server = Spawned::start(site, site.server(&[]), &Arming::None, 0)?;
    tokio::select! {
        found = audit::of_server(client, site, told) => played.violations.extend(found),
        ended = server.tend() => played.violations.push(format!("after the restart {}", ended?)),
    }
    played.violations.extend(server.stop().await?);
    Ok(())
}
