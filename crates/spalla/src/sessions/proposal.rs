//! Plans that are settled while their sessions are pursued: one that an agent makes, and one that a person is to see before anything
//! of it begins, on the page or over HTTP. That one stands in the record, and what they send in its place in a file beside, so that
//! the record stays that of the one process that pursues the session.

use super::agents::Agents;
use super::decompose::Decomposed;
use super::folder::SessionFolder;
use super::pattern::{Pattern, in_order};
use super::plan::{Piece, items_of, left_out_of, of_text};
use super::pursuit::Pursuit;
use super::screen::Screen;
use super::settle::{Revision, settle};
use crate::control::Control;
use crate::failure::{Failure, Result, file};
use crate::output;
use crate::saved::Saved;
use serde_json::Value;
use spalla_domain::plan::{Plan, PlanItem, written};
use spalla_domain::session::{Proposal, Session, SessionStatus};
use spalla_domain::session_event::SessionChange;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The file of the plan that a person agreed with, in a session's folder.
const AGREED: &str = "plan.json";

/// Makes a proposal of a plan.
pub(crate) fn proposal_of(items: Vec<PlanItem>, pattern: &Pattern) -> Proposal {
    let text = written(&Plan { items: in_order(items, pattern) });
    Proposal { plan: serde_json::from_str(&text).ok(), pattern: pattern.to_string() }
}

/// Reads a plan for a session, as a person sends it; says what is wrong with it.
pub(super) fn pieces_of(
    (text, session): (&str, &Session),
    agents: &Agents,
    (screen, revision): (Screen, Revision),
) -> Result<Vec<Piece>> {
    let items = of_text(text, agents).map_err(|wrong| Failure::usage(format!("plan: {wrong}")))?;
    let pattern = session.proposal.as_ref().and_then(|proposal| proposal.pattern.parse().ok());
    let pattern: Pattern = pattern.unwrap_or_default();
    settle(&screen, items, agents, (&pattern, revision), Path::new(&session.target))
}

/// Leaves the plan that a person agreed with for whoever pursues the session.
pub(super) fn leave(folder: &SessionFolder, plan: &str) -> Result<()> {
    let mut saved = Saved::begin(&folder.beside(AGREED))?;
    saved.write(plan.as_bytes())?;
    saved.finish()
}

/// Returns the plan that a person agreed with.
pub(super) fn agreed(folder: &SessionFolder) -> Result<Option<String>> {
    let path = folder.beside(AGREED);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file("reading the plan", &path)(error)),
    }
}

impl Pursuit {
    /// Lays out what an agent planned, as far as the person agrees.
    pub(super) fn lay_out(&mut self, decomposed: Decomposed) -> Result<()> {
        let screen = self.screen;
        if let Some(why) = &decomposed.instead {
            let why = output::plain(why);
            screen.say(format_args!("no plan came of it ({why}); the goal is split as it is written"))?;
        }
        if self.session.proposal.is_some() {
            self.session.proposal = Some(proposal_of(decomposed.items, &decomposed.pattern));
            return self.folder.write(&self.session);
        }
        let (agents, wishes) = (self.agents(), (&decomposed.pattern, self.revision));
        let target = Path::new(&self.session.target);
        // A person may think about it for as long as they like.
        let settled =
            tokio::task::block_in_place(|| settle(&screen, decomposed.items, &agents, wishes, target));
        let pieces = settled.inspect_err(|_| {
            self.session.status = SessionStatus::Stopped;
            let _ = self.folder.write(&self.session);
        })?;
        self.session.items.extend(items_of(&pieces));
        self.session.left_out.extend(left_out_of(&pieces));
        self.folder.write(&self.session)
    }

    /// Takes note of whether a person has to agree with the plan first, and tells it where that is news; tells whether they have to.
    pub(super) async fn waits_for_plan(&mut self, control: &Control) -> Result<bool> {
        if self.session.proposed().is_none() {
            return Ok(false);
        }
        if !self.is_patient {
            // Nobody can send one: whoever goes on with it agrees with the one that is there.
            return self.settle_plan(None).map(|()| false);
        }
        if self.session.status != SessionStatus::Waiting {
            self.session.status = SessionStatus::Waiting;
            self.folder.write(&self.session)?;
            let why = "its plan waits for a person, who agrees with it or changes it";
            let id = &self.session.id;
            self.screen.say(format_args!("{why}: on the page, at /plan?session_id={id}"))?;
            self.tell(control, SessionChange::Waiting, Some(why)).await;
        }
        Ok(true)
    }

    /// Lets the pieces of the plan begin that a person sent, or of the one that was proposed.
    pub(super) fn settle_plan(&mut self, sent: Option<&str>) -> Result<()> {
        let Some(proposed) = self.session.proposed().map(Value::to_string) else { return Ok(()) };
        let text = sent.unwrap_or(&proposed);
        let (agents, seen) = (self.agents(), (self.screen, self.revision));
        // A person may think about it for as long as they like.
        let pieces = tokio::task::block_in_place(|| pieces_of((text, &self.session), &agents, seen))?;
        self.session.proposal = None;
        self.session.status = SessionStatus::Running;
        self.session.items.extend(items_of(&pieces));
        self.session.left_out.extend(left_out_of(&pieces));
        self.folder.write(&self.session)
    }

    /// Returns the agents of the session, as plans are made for them.
    pub(super) fn agents(&self) -> Agents {
        let (names, balance) = (self.session.agents.clone(), self.balance.clone());
        let (definitions, selector) = (self.definitions.clone(), self.session.selector);
        Agents { names, balance, definitions, selector, ..Agents::default() }
    }
}
