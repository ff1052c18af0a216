//! Begins a session: its folder, its repository, its workspace and its first record.

use super::agents::Agents;
use super::plan::{Piece, items_of, needs_repository};
use super::session::{Pursuit, Screen};
use super::target;
use super::workspace::Workspace;
use crate::clock::{SystemClock, stamp};
use crate::config::Settings;
use crate::failure::{Failure, Result};
use crate::git;
use crate::session_folder::SessionFolder;
use spalla_domain::session::{Session, SessionStatus};
use spalla_store::Clock as _;
use std::path::Path;

/// What a session begins with.
pub(crate) struct Begun<'a> {
    /// The settings.
    pub(crate) settings: &'a Settings,
    /// The person's words.
    pub(crate) goal: &'a str,
    /// The folder that it is about.
    pub(crate) target: &'a Path,
    /// What the person sees.
    pub(crate) screen: Screen,
}

impl Begun<'_> {
    /// Begins the session.
    pub(crate) async fn begin(&self, pieces: Vec<Piece>, agents: &Agents) -> Result<(Pursuit, Workspace)> {
        let Self { settings, goal, target, screen } = *self;
        let path = target.to_str();
        let path =
            path.ok_or_else(|| Failure::usage(format!("the target {} is not UTF-8", target.display())))?;
        let (folder, id) = SessionFolder::make(&settings.data, &stamp())?;
        let workspace = Workspace::make(settings, &id)?;
        let base = match needs_repository(&pieces) {
            false => None,
            true => {
                if git::has_uncommitted(target).await {
                    screen.say("note: the target has changes that are not committed; the session works on its last commit")?;
                }
                Some(target::take(&folder, &id, target).await?)
            }
        };
        let session = Session {
            id,
            goal: goal.to_owned(),
            target: path.to_owned(),
            workspace: workspace.path().to_string_lossy().into_owned(),
            tier: agents.tier().number,
            agents: agents.names.clone(),
            status: SessionStatus::Running,
            created_at: SystemClock.now(),
            ended_at: None,
            project_id: None,
            base,
            items: items_of(&pieces),
            decisions: Vec::new(),
            report: None,
            applied: Vec::new(),
        };
        folder.write(&session)?;
        let left_out = pieces.into_iter().filter(|piece| piece.needs_model.is_some()).collect();
        Ok((Pursuit { folder, session, left_out, screen }, workspace))
    }
}
