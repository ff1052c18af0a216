//! `spalla orchestrate`: pursues a goal in a folder with what this machine has, and reports.

mod follow;
mod reach;
mod report;
mod session;
mod workspace;

pub(super) use follow::{Followed, Follower, seconds};
pub(super) use session::{Screen, Session};
pub(super) use workspace::Workspace;

use super::block_on_all_cores;
use crate::cli::{Global, path_flag};
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use crate::output;
use crate::programs;
use crate::signals::Signals;
use clap::Args;
use reach::Reach;
use spalla_domain::plan::{self, PlanItem};
use spalla_worker::builtin::surveyor::goal_needs_model;
use std::path::{Path, PathBuf};

/// Pursues a goal and reports.
#[derive(Debug, Args)]
pub(crate) struct Orchestrate {
    /// What is to be done, in your own words; a list is split into its items, anything else stays one piece
    #[arg(allow_hyphen_values = true, value_parser = goal)]
    goal: String,
    /// The folder it is about [default: the current folder]
    #[arg(long, value_name = "DIR")]
    target: Option<PathBuf>,
    /// Where report and log go [default: ORCHESTRATOR_WORKSPACE, then a new folder in the data folder]
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// The port of the page while it works [default: 8000, or the next that is free]
    #[arg(long, value_name = "N", conflicts_with = "no_dashboard")]
    port: Option<u16>,
    /// Opens no port at all
    #[arg(long)]
    no_dashboard: bool,
    /// Does not ask before it starts
    #[arg(long)]
    yes: bool,
    /// Prints one JSON object at the end instead of prose
    #[arg(long)]
    json: bool,
}

/// The programs of the agents that people know; this version drives none of them.
const AGENT_PROGRAMS: [&str; 3] = ["claude", "codex", "gemini"];

impl Orchestrate {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let mut flags = Vec::new();
        if let Some(workspace) = &self.workspace {
            flags.push(path_flag("orchestrate.workspace", "--workspace", workspace)?);
        }
        let config = global.config(flags)?;
        let target = self.target.clone().unwrap_or_else(|| PathBuf::from("."));
        let target = target.canonicalize().map_err(file("finding the target", &target))?;
        if !target.is_dir() {
            return Err(Failure::usage(format!("the target {} is no folder", target.display()))
                .mend("name one with --target DIR"));
        }
        let plan = plan::heuristic(&self.goal).map_err(|refusal| match refusal.mend {
            Some(mend) => Failure::usage(refusal.detail).mend(mend),
            None => Failure::usage(refusal.detail),
        })?;
        let screen = Screen { json: self.json, quiet: global.is_quiet() };
        let pieces = introduce(&screen, &target, plan.items)?;
        if !self.yes && output::can_ask() && !output::confirm("Go ahead?")? {
            return Err(Failure::new(Exit::Stopped, "nothing was started"));
        }
        block_on_all_cores(self.pursue(global, &config, &target, (pieces, screen)))
    }

    async fn pursue(
        self,
        global: &Global,
        config: &Config,
        target: &Path,
        (pieces, screen): (Vec<Piece>, Screen),
    ) -> Result<Exit> {
        let mut signals = Signals::listen()?;
        let workspace = Workspace::make(&config.settings)?;
        let mut telemetry = global.telemetry(config, "warn");
        telemetry.file = Some((workspace.log_file()?, config.settings.orchestrate.log_level.clone()));
        crate::telemetry::start(telemetry)?;
        let mut reach = Reach::find(&config.settings, self.port, !self.no_dashboard).await?;
        reach.introduce(&screen)?;
        let session = Session { goal: &self.goal, target, workspace: &workspace, screen };
        let control = reach.control();
        let exit = tokio::select! {
            exit = session.pursue(&control, pieces, &mut signals) => exit,
            failure = reach.broken() => Err(failure),
        };
        reach.leave(matches!(exit, Ok(Exit::Interrupted)), &mut signals).await;
        exit
    }
}

/// A piece of the plan with what speaks against it.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// The title and the person's words.
    pub(super) item: PlanItem,
    /// Why it can't be done without a model; none means that the surveyor can do it.
    pub(super) needs_model: Option<&'static str>,
}

/// Says with which means the goal is pursued, and what the plan is. A plan of which nothing can be done is an error.
pub(super) fn introduce(screen: &Screen, target: &Path, items: Vec<PlanItem>) -> Result<Vec<Piece>> {
    screen.say("tier 5: solo — no agent CLI is used; the built-in surveyor does the work, it only reads")?;
    let installed: Vec<&str> =
        AGENT_PROGRAMS.into_iter().filter(|name| programs::find(name).is_some()).collect();
    if !installed.is_empty() {
        screen.say(format_args!(
            "note: {} can be called here, but this version does not drive agent CLIs",
            installed.join(", ")
        ))?;
    }
    screen.say(format_args!("target: {}", target.display()))?;
    let piece = |item: PlanItem| Piece { needs_model: goal_needs_model(&item.prompt), item };
    let pieces: Vec<Piece> = items.into_iter().map(piece).collect();
    screen.say("plan:")?;
    for (number, piece) in (1..).zip(&pieces) {
        let means = piece.needs_model.map_or_else(|| "surveyor".to_owned(), |why| format!("left out: {why}"));
        screen.say(format_args!("  {number}. {} ({means})", output::plain(&piece.item.title)))?;
    }
    match pieces.iter().find_map(|piece| piece.needs_model) {
        Some(why) if pieces.iter().all(|piece| piece.needs_model.is_some()) => {
            let what = if pieces.len() == 1 {
                format!("this goal needs a model: {why}")
            } else {
                "every item of this goal needs a model".into()
            };
            Err(Failure::usage(what).mend("this version works without one; ask for something that can be measured, such as \"Analyze the codebase structure\""))
        }
        _ => Ok(pieces),
    }
}

/// Takes a goal that is a list, which begins with a hyphen, and no misspelt flag.
fn goal(text: &str) -> std::result::Result<String, String> {
    let is_flag = text.starts_with('-') && !text.contains(char::is_whitespace);
    if is_flag {
        Err("there is no such flag, and a goal has more than one word".to_owned())
    } else {
        Ok(text.to_owned())
    }
}
