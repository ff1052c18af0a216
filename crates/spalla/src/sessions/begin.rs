//! Begins a session: its folder, its repository, its workspace and its first record.

use super::agents::Agents;
use super::folder::SessionFolder;
use super::plan::{Piece, items_of, left_out_of, needs_repository};
use super::pursuit::{Means, Pursuit};
use super::screen::Screen;
use super::settle::Revision;
use super::target;
use super::workspace::Workspace;
use crate::clock::SystemClock;
use crate::clock::stamp;
use crate::config::Settings;
use crate::failure::{Failure, Result};
use crate::git;
use spalla_domain::session::{LeftOut, Proposal, Request, Session, SessionItem, SessionStatus};
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
    /// What the person does with a plan that an agent makes.
    pub(crate) revision: Revision,
    /// Whether what is merged is brought into the target at once.
    pub(crate) in_place: bool,
    /// How a server was asked for it, where one was.
    pub(crate) by_server: Option<Request>,
}

/// What a session begins with to do.
pub(crate) enum Planned {
    /// The pieces of its plan.
    Pieces(Vec<Piece>),
    /// An agent plans first.
    First(Box<SessionItem>),
    /// A person is to agree with the plan first.
    Held(Proposal),
}

impl Planned {
    fn needs_repository(&self) -> bool {
        match self {
            Self::Pieces(pieces) => needs_repository(pieces),
            Self::First(_) | Self::Held(_) => true,
        }
    }

    fn items(&self) -> Vec<SessionItem> {
        match self {
            Self::Pieces(pieces) => items_of(pieces),
            Self::First(planning) => vec![(**planning).clone()],
            Self::Held(_) => Vec::new(),
        }
    }

    fn left_out(&self) -> Vec<LeftOut> {
        match self {
            Self::Pieces(pieces) => left_out_of(pieces),
            Self::First(_) | Self::Held(_) => Vec::new(),
        }
    }

    /// Returns what a person is to agree with, now or once an agent has made it.
    fn proposal(&self, revision: Revision) -> Option<Proposal> {
        match self {
            Self::Held(proposal) => Some(proposal.clone()),
            Self::First(_) if revision == Revision::OnPage => {
                Some(Proposal { plan: None, pattern: String::new() })
            }
            Self::First(_) | Self::Pieces(_) => None,
        }
    }
}

impl Begun<'_> {
    /// Begins the session.
    pub(crate) async fn begin(&self, plan: Planned, agents: &Agents) -> Result<(Pursuit, Workspace)> {
        let Self { settings, goal, target, screen, revision, .. } = *self;
        let path = target.to_str();
        let path =
            path.ok_or_else(|| Failure::usage(format!("the target {} is not UTF-8", target.display())))?;
        let needs_repository = plan.needs_repository();
        // What can't be used is said before anything of the session is there.
        if needs_repository {
            git::head_of(target).await?;
        }
        Workspace::make_named(settings)?;
        let (folder, id) = SessionFolder::make(&settings.data, &stamp())?;
        let workspace = Workspace::make(settings, &id)?;
        let base = match needs_repository {
            false => None,
            true => {
                // Nobody is told where nobody looks on, and git asks the folder's own filters.
                if screen != Screen::Nobody && git::has_uncommitted(target).await {
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
            selector: agents.selector,
            status: SessionStatus::Running,
            created_at: SystemClock.now(),
            ended_at: None,
            project_id: None,
            base,
            proposal: plan.proposal(revision),
            items: plan.items(),
            left_out: plan.left_out(),
            decisions: Vec::new(),
            asked: Vec::new(),
            looks: Vec::new(),
            report: None,
            applied: Vec::new(),
            in_place: self.in_place,
            by_server: self.by_server.clone(),
        };
        folder.write(&session)?;
        let (definitions, is_patient) = (agents.definitions.clone(), screen == Screen::Nobody);
        let means = Means { settings, screen, revision, definitions, is_patient };
        let pursuit = Pursuit::new((folder, session), means)?;
        Ok((pursuit, workspace))
    }
}
