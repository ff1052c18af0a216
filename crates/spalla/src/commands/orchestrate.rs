//! `spalla orchestrate`: pursues a goal in a folder with what this machine has, and reports.

mod reach;
mod resume;

pub(super) use resume::{resume, review, wish};

use super::block_on_all_cores;
use crate::cli::{Global, path_flag};
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use crate::output;
use crate::sessions::{self, Agents, Begun, Piece, Screen, introduce};
use crate::signals::Signals;
use clap::Args;
use reach::Reach;
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
    /// The agents that work, the first in front: codex, claude, gemini [default: those that are installed and logged in]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    agents: Vec<String>,
    /// A plan as JSON, instead of one that is made from the goal
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Does not ask before it starts
    #[arg(long)]
    yes: bool,
    /// Prints one JSON object at the end instead of prose
    #[arg(long)]
    json: bool,
}

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
        let plan = spalla_domain::plan::heuristic(&self.goal).map_err(|refusal| match refusal.mend {
            Some(mend) => Failure::usage(refusal.detail).mend(mend),
            None => Failure::usage(refusal.detail),
        })?;
        let screen = if self.json { Screen::Program } else { Screen::Person { is_quiet: global.is_quiet() } };
        let agents = if self.agents.is_empty() { Agents::found()? } else { Agents::named(&self.agents)? };
        let items = match &self.plan {
            Some(path) => sessions::of_file(path, &agents)?,
            None => plan.items,
        };
        let pieces = introduce(&screen, &target, items, &agents)?;
        if !self.yes && output::can_ask() && !output::confirm("Go ahead?")? {
            return Err(Failure::new(Exit::Stopped, "nothing was started"));
        }
        block_on_all_cores(self.pursue(global, &config, &target, (pieces, agents, screen)))
    }

    async fn pursue(
        self,
        global: &Global,
        config: &Config,
        target: &Path,
        (pieces, agents, screen): (Vec<Piece>, Agents, Screen),
    ) -> Result<Exit> {
        let mut signals = Signals::listen()?;
        let begun = Begun { settings: &config.settings, goal: &self.goal, target, screen };
        let (pursuit, workspace) = begun.begin(pieces, &agents).await?;
        let mut telemetry = global.telemetry(config, "warn");
        telemetry.file = Some((workspace.log_file()?, config.settings.orchestrate.log_level.clone()));
        crate::telemetry::start(telemetry)?;
        let mut reach = Reach::find(&config.settings, self.port, !self.no_dashboard).await?;
        reach.introduce(&screen)?;
        let control = reach.control();
        let exit = tokio::select! {
            exit = pursuit.pursue(&control, &mut signals) => exit,
            failure = reach.broken() => Err(failure),
        };
        reach.leave(matches!(exit, Ok(Exit::Interrupted)), &mut signals).await;
        exit
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
