//! One goal from its plan to its report: makes the work items, follows them, and says how it ended.

use super::Piece;
use super::follow::{Followed, Follower};
use super::report::{self, Reported};
use super::workspace::Workspace;
use crate::control::{Control, NewItem};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::signals::Signals;
use spalla_domain::work_item::Executor;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

/// The built-in agent that needs no model.
const AGENT: &str = "surveyor";
/// How long stopped work has to end after an interruption.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// What a person sees while it works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// Only one JSON object at the end is printed.
    pub(crate) json: bool,
    /// Only what matters is printed.
    pub(crate) quiet: bool,
}

impl Screen {
    /// Prints a line that matters.
    pub(crate) fn say(&self, text: impl Display) -> Result<()> {
        if self.json { Ok(()) } else { output::line(text) }
    }

    /// Prints a line about the progress.
    pub(crate) fn progress(&self, text: impl Display) -> Result<()> {
        if self.quiet { Ok(()) } else { self.say(text) }
    }
}

/// A goal that is pursued.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session<'a> {
    /// The person's words.
    pub(crate) goal: &'a str,
    /// The folder it is about.
    pub(crate) target: &'a Path,
    /// Where report and log go.
    pub(crate) workspace: &'a Workspace,
    /// What the person sees.
    pub(crate) screen: Screen,
}

impl Session<'_> {
    /// Pursues the goal to its end, or until a signal comes.
    pub(crate) async fn pursue(
        self,
        control: &Control,
        pieces: Vec<Piece>,
        signals: &mut Signals,
    ) -> Result<Exit> {
        tracing::info!(session = self.workspace.session(), goal = self.goal, target = %self.target.display(), "the session begins");
        let items = self.create(control, &pieces).await?;
        let mut follower = Follower::new(control, &self.screen, items);
        let interrupted = tokio::select! {
            followed = follower.follow() => followed.map(|()| false)?,
            name = signals.next() => {
                self.screen.progress(format_args!("{name}: stopping what is under way"))?;
                true
            }
        };
        if interrupted {
            self.stop(control, &mut follower, signals).await;
        }
        let exit = if interrupted { Exit::Interrupted } else { exit_of(follower.items(), &pieces) };
        self.finish(follower.items(), &pieces, exit)
    }

    async fn create(&self, control: &Control, pieces: &[Piece]) -> Result<Vec<Followed>> {
        let target = self.target.to_str();
        let target = target
            .ok_or_else(|| Failure::usage(format!("the target {} is not UTF-8", self.target.display())))?;
        let name = self.target.file_name().map_or_else(|| target.into(), |name| name.to_string_lossy());
        let project_id = control.project(&name, target).await?;
        let mut items = Vec::new();
        for piece in pieces.iter().filter(|piece| piece.needs_model.is_none()) {
            let item = NewItem {
                project_id,
                title: piece.item.title.clone(),
                prompt: Some(piece.item.prompt.clone()),
                executor: Executor::Agent,
                agent: Some(AGENT.into()),
                recipe: None,
                depends_on: Vec::new(),
            };
            items.push(Followed::new(control.create(&item).await?, item.title));
        }
        for item in &items {
            control.enqueue(item.id).await?;
        }
        Ok(items)
    }

    /// Stops what is under way and waits a little for its end; a second signal cuts that short.
    async fn stop(&self, control: &Control, follower: &mut Follower<'_>, signals: &mut Signals) {
        for id in follower.items().iter().map(|item| item.id).collect::<Vec<_>>() {
            if let Err(failure) = control.stop(id).await {
                tracing::warn!("stopping work item {id}: {failure}");
            }
        }
        tokio::select! {
            followed = tokio::time::timeout(STOP_LIMIT, follower.follow()) => {
                if !matches!(followed, Ok(Ok(()))) {
                    tracing::warn!("what was stopped has not ended yet");
                }
            }
            _ = signals.next() => {}
        }
    }

    /// Writes the report and says where it is.
    fn finish(&self, items: &[Followed], pieces: &[Piece], exit: Exit) -> Result<Exit> {
        let reported = Reported { session: self, items, pieces, exit };
        let paths = report::write(&reported)?;
        tracing::info!(status = exit.code(), "the session ends");
        if self.screen.json {
            output::json(&reported.as_json(&paths))?;
            return Ok(exit);
        }
        output::line(format_args!("session: {}", self.workspace.session()))?;
        output::line(format_args!("report: {}", paths.markdown.display()))?;
        Ok(exit)
    }
}

/// Returns how the program ends: as its worst item did, and never well when something was left out.
fn exit_of(items: &[Followed], pieces: &[Piece]) -> Exit {
    let left_out = pieces.iter().any(|piece| piece.needs_model.is_some()).then_some(Exit::Failed);
    let ends: Vec<Exit> = items.iter().map(Followed::exit).chain(left_out).collect();
    let worst = [Exit::Failed, Exit::TimedOut, Exit::Stopped, Exit::Waits];
    worst.into_iter().find(|exit| ends.contains(exit)).unwrap_or(Exit::Done)
}
