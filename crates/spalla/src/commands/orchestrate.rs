//! `spalla orchestrate`: pursues a goal in a folder with what this machine has, and reports.

mod ci;
mod reach;
mod resume;

pub(super) use ci::CiArgs;
pub(super) use resume::{resume, review, wish};

use super::block_on_all_cores;
use crate::cli::{Global, path_flag};
use crate::config::{Config, Settings};
use crate::data_folder::DataFolder;
use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use crate::output;
use crate::routing::Serving;
use crate::sessions::{
    self, Agents, Begun, Decomposer, Goal, Pattern, Planned, Pursuit, Revision, Screen, SessionFolder, Split,
    Workspace, introduce, one_by_one, proposal_of, refuse_second, settle, trusted,
};
use crate::signals::Signals;
use clap::{Args, ValueEnum};
use reach::Reach;
use spalla_domain::session::Selector;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a plan is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Revised {
    /// In the person's editor
    Editor,
    /// On the page, or over HTTP
    Page,
}

/// Pursues a goal and reports.
#[derive(Debug, Args)]
pub(crate) struct Orchestrate {
    /// What is to be done, in your own words; a list is split into its items, anything else stays one piece
    #[arg(allow_hyphen_values = true, value_parser = goal_text)]
    pub(super) goal: String,
    /// The folder it is about [default: the current folder]
    #[arg(long, value_name = "DIR")]
    pub(super) target: Option<PathBuf>,
    /// Where report and log go [default: ORCHESTRATOR_WORKSPACE, then a new folder in the data folder]
    #[arg(long, value_name = "DIR")]
    pub(super) workspace: Option<PathBuf>,
    /// The port of the page while it works [default: 8000, or the next that is free]
    #[arg(long, value_name = "N", conflicts_with = "no_dashboard")]
    pub(super) port: Option<u16>,
    /// Opens no port at all
    #[arg(long)]
    pub(super) no_dashboard: bool,
    /// The agents that work, the first in front: codex, claude, gemini, or one of your own [default: those that are installed and logged in]
    #[arg(long, value_name = "A,B,…", value_delimiter = ',')]
    pub(super) agents: Vec<String>,
    /// A plan as JSON, instead of one that is made from the goal
    #[arg(long, value_name = "FILE")]
    pub(super) plan: Option<PathBuf>,
    /// How the pieces of the plan go on: parallel, sequential, pipeline; tournament:N tries of each, of which the best is merged;
    /// debate before each; map-reduce:FILES, divided among the agents and brought together
    #[arg(long, default_value_t, value_name = "P")]
    pub(super) pattern: Pattern,
    /// Who splits the goal into pieces
    #[arg(long, value_enum, default_value_t, conflicts_with = "plan", value_name = "WHO")]
    pub(super) decomposer: Decomposer,
    /// Who says which agent takes a piece that names none: heuristic, as balance.strategy spreads them; tiny, by what it is like
    #[arg(long, default_value = "heuristic", value_parser = selector, value_name = "heuristic|tiny")]
    pub(super) selector: Selector,
    /// Has you change the plan before anything begins: in your editor (VISUAL, EDITOR), or on the page while the session waits
    #[arg(long, value_enum, value_name = "WHERE", num_args = 0..=1, require_equals = true, default_missing_value = "editor")]
    pub(super) revise_plan: Option<Revised>,
    /// Works in the target itself: one piece after another, and what is merged is brought there at once. Asks once
    #[arg(long)]
    pub(super) in_place: bool,
    /// Fails a run at the first tool that its agent's definition does not list
    #[arg(long)]
    pub(super) strict_tools: bool,
    /// Does not ask before it starts
    #[arg(long)]
    pub(super) yes: bool,
    /// Prints one JSON object at the end instead of prose
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) ci: CiArgs,
}

impl Orchestrate {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let mut flags = Vec::new();
        if let Some(workspace) = &self.workspace {
            flags.push(path_flag("orchestrate.workspace", "--workspace", workspace)?);
        }
        flags.extend(self.ci.overrides()?);
        let config = global.config(flags)?;
        let watched = self.ci.begin(&config.settings, &self.goal)?;
        let (ended, session) = match self.carry_out(global, &config) {
            Ok((exit, session)) => (Ok(exit), session),
            Err(failure) => (Err(failure), None),
        };
        match watched {
            Some(watched) => watched.end(ended, session.as_ref()),
            None => ended,
        }
    }

    /// Pursues the goal to its end; returns how it ended, and the folder of its session.
    fn carry_out(mut self, global: &Global, config: &Config) -> Result<(Exit, Option<SessionFolder>)> {
        let target = self.target.clone().unwrap_or_else(|| PathBuf::from("."));
        let target = target.canonicalize().map_err(file("finding the target", &target))?;
        if !target.is_dir() {
            return Err(Failure::usage(format!("the target {} is no folder", target.display()))
                .mend("name one with --target DIR"));
        }
        let has_page = !self.no_dashboard || DataFolder::at(&config.settings.data).server().is_some();
        if self.revise_plan == Some(Revised::Page) && !has_page {
            return Err(Failure::usage("--revise-plan=page: with --no-dashboard there is no page")
                .mend("leave --no-dashboard out, or use --revise-plan=editor"));
        }
        if self.in_place {
            self.pattern = one_by_one(&self.pattern)?;
            refuse_second(&config.settings.data, &target)?;
            self.consent(&target)?;
        }
        let screen = if self.json { Screen::Program } else { Screen::Person { is_quiet: global.is_quiet() } };
        let agents = match self.agents.is_empty() {
            true => Agents::found(&config.settings)?,
            false => Agents::named(&config.settings, &self.agents)?,
        };
        let agents = Agents { selector: self.selector, ..agents };
        let mut settings = config.settings.clone();
        settings.policy.strict_tools |= self.strict_tools;
        let agents = agents.by(&Arc::new(Serving::open(&settings)?));
        let weighed = agents.weighed(trusted(&config.settings));
        let agents = block_on_all_cores(async { Ok(weighed.await) })?;
        introduce(&screen, &target, &agents)?;
        let plan = self.planned(&config.settings, &screen, &agents, &target)?;
        block_on_all_cores(self.pursue(global, config, &target, (plan, agents, screen)))
    }

    /// Makes the plan, or the item in which an agent makes it.
    fn planned(
        &self,
        settings: &Settings,
        screen: &Screen,
        agents: &Agents,
        target: &Path,
    ) -> Result<Planned> {
        let items = match &self.plan {
            Some(path) => sessions::of_file(path, agents)?,
            None => {
                let (text, pattern) = (&self.goal, &self.pattern);
                match (Goal { settings, screen: *screen, text, agents, pattern }).split(self.decomposer)? {
                    Split::Items(items) => items,
                    Split::First(planning) => return Ok(Planned::First(planning)),
                }
            }
        };
        let (pattern, revision) = (&self.pattern, self.revision());
        if revision == Revision::OnPage {
            return Ok(Planned::Held(proposal_of(items, pattern)));
        }
        settle(screen, items, agents, (pattern, revision), target).map(Planned::Pieces)
    }

    /// Asks whether what comes of it may go into the target while it goes on, unless that was said.
    fn consent(&self, target: &Path) -> Result<()> {
        if self.yes || self.ci.is_on() {
            return Ok(());
        }
        if !output::can_ask() {
            return Err(Failure::usage(
                "--in-place: nobody can be asked here whether the target may be changed",
            )
            .mend("say --yes, or leave --in-place out and look at the change first"));
        }
        let target = target.to_string_lossy();
        if output::confirm(&format!(
            "What is merged goes into {} at once. Go ahead?",
            output::plain(&target)
        ))? {
            return Ok(());
        }
        Err(Failure::new(Exit::Stopped, "nothing was started"))
    }

    fn revision(&self) -> Revision {
        match (self.revise_plan, self.yes || self.ci.is_on()) {
            (Some(Revised::Editor), _) => Revision::Edit,
            (Some(Revised::Page), _) => Revision::OnPage,
            (None, true) => Revision::None,
            (None, false) => Revision::Confirm,
        }
    }

    async fn pursue(
        self,
        global: &Global,
        config: &Config,
        target: &Path,
        (plan, agents, screen): (Planned, Agents, Screen),
    ) -> Result<(Exit, Option<SessionFolder>)> {
        let mut signals = Signals::listen()?;
        let log = global.listen_for_session(config, "warn")?;
        config.tell_idle();
        // First the server: where none can be had, nothing of the session stays behind.
        let mut reach = Reach::find(&config.settings, self.port, !self.no_dashboard).await?;
        reach.introduce(&screen)?;
        let revision = self.revision();
        let (mut pursuit, workspace) = match self.begin(config, target, (plan, &agents, screen)).await {
            Ok(begun) => begun,
            Err(failure) => {
                reach.leave(true, &mut signals).await;
                return Err(failure);
            }
        };
        workspace.open_log(&log)?;
        let is_asked = revision == Revision::OnPage || output::can_ask();
        pursuit.is_patient = !self.ci.is_on() && is_asked && reach.has_page();
        pursuit.red_fails = self.ci.is_on();
        let folder = pursuit.folder.clone();
        let control = reach.control();
        let exit = tokio::select! {
            exit = pursuit.pursue(&control, &mut signals) => exit,
            failure = reach.broken() => Err(failure),
        };
        reach.leave(matches!(exit, Ok(Exit::Interrupted | Exit::Waits)), &mut signals).await;
        exit.map(|exit| (exit, Some(folder)))
    }
}

impl Orchestrate {
    async fn begin(
        &self,
        config: &Config,
        target: &Path,
        (plan, agents, screen): (Planned, &Agents, Screen),
    ) -> Result<(Pursuit, Workspace)> {
        let (settings, revision) = (&config.settings, self.revision());
        let (in_place, by_server) = (self.in_place, None);
        let begun = Begun { settings, goal: &self.goal, target, screen, revision, in_place, by_server };
        begun.begin(plan, agents).await
    }
}

/// Reads who chooses among agents.
fn selector(text: &str) -> std::result::Result<Selector, String> {
    match text {
        "heuristic" => Ok(Selector::Heuristic),
        "tiny" => Ok(Selector::Tiny),
        _ => Err("it is heuristic or tiny".to_owned()),
    }
}

/// Takes a goal that is a list, which begins with a hyphen, and no misspelt flag.
pub(super) fn goal_text(text: &str) -> std::result::Result<String, String> {
    let is_flag = text.starts_with('-') && !text.contains(char::is_whitespace);
    if is_flag {
        Err("there is no such flag, and a goal has more than one word".to_owned())
    } else {
        Ok(text.to_owned())
    }
}
