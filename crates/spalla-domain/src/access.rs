//! Who may do what: policies, the roles made of them, and the one rule that decides. Whatever no policy allows is
//! denied.

pub mod role;
pub mod token;

use crate::{ProjectId, RunId, WorkItemId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Reads the name back.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
use words;

words! {
    /// What something is done with.
    Resource {
        /// Everything.
        Any = "*",
        /// Projects.
        Project = "project",
        /// Visions and drafts of requirements.
        Requirements = "requirements",
        /// What projects may use, and what they used.
        Quota = "quota",
        /// Work items, their recipes and policies.
        WorkItem = "work_item",
        /// A person's yes or no.
        Approval = "approval",
        /// Runs.
        Run = "run",
        /// The lines of a run's log.
        Log = "log",
        /// The files that a run leaves.
        Artifact = "artifact",
        /// Questions to people.
        InfoRequest = "info_request",
        /// Messages between agents, and between agents and people.
        Message = "message",
        /// What people answered to them.
        Secret = "secret",
        /// The queue.
        Queue = "queue",
        /// Schedules.
        Schedule = "schedule",
        /// Scratchpads: they belong to no project.
        Scratchpad = "scratchpad",
        /// Sessions.
        Session = "session",
        /// Workers and resource pools.
        Worker = "worker",
        /// Events.
        Event = "event",
        /// Metrics.
        Metric = "metric",
        /// The audit.
        Audit = "audit",
        /// Tokens.
        Token = "token",
        /// Webhooks and what they were sent.
        Webhook = "webhook",
        /// The description of the interface.
        Document = "document",
    }
}

words! {
    /// What is done with it.
    Action {
        /// Everything.
        Any = "*",
        /// Shows and lists.
        Read = "read",
        /// Makes.
        Create = "create",
        /// Changes.
        Update = "update",
        /// Removes or puts away.
        Delete = "delete",
        /// Enqueues, starts, stops, pauses.
        Execute = "execute",
        /// Gives what is eligible a run.
        Tick = "tick",
        /// Says yes or no.
        Decide = "decide",
        /// Asks a person for values.
        Ask = "ask",
        /// Gives the values that a run asks for.
        Answer = "answer",
        /// Takes runs under a lease, keeps them, and gives them back.
        Claim = "claim",
        /// Says what a run does: logs, files, events.
        Report = "report",
        /// Says how a run ended.
        Complete = "complete",
    }
}

/// What has to be so for a policy to apply. A condition that is not there is met.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// It is one of these projects, or belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_ids: Option<BTreeSet<ProjectId>>,
    /// It is one of these work items, or belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_item_ids: Option<BTreeSet<WorkItemId>>,
    /// It is one of these runs, or belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_ids: Option<BTreeSet<RunId>>,
    /// It is a run, or belongs to one, that the caller's own worker holds or held last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub held: bool,
}

/// What is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// With what.
    pub resource: Resource,
    /// What.
    pub actions: BTreeSet<Action>,
    /// Where.
    #[serde(default)]
    pub conditions: Conditions,
}

/// Where something belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Target {
    /// The project.
    pub project_id: Option<ProjectId>,
    /// The work item.
    pub work_item_id: Option<WorkItemId>,
    /// The run.
    pub run_id: Option<RunId>,
    /// Whether the caller's own worker holds the run, or held it last.
    pub is_held: bool,
}

/// What came of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It may be done.
    Allowed,
    /// It may be done with other things of the kind: for the caller this one does not exist.
    Hidden,
    /// It may not be done.
    Denied,
}

/// The projects within which a caller may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projects {
    /// All there are and will be.
    All,
    /// These.
    Only(BTreeSet<ProjectId>),
}

impl Projects {
    /// Tells whether a project is among them.
    pub fn has(&self, id: ProjectId) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => ids.contains(&id),
        }
    }
}

impl Conditions {
    /// Tells whether all of them hold for one thing.
    pub fn are_met(&self, target: &Target) -> bool {
        is_among(self.project_ids.as_ref(), target.project_id)
            && is_among(self.work_item_ids.as_ref(), target.work_item_id)
            && is_among(self.run_ids.as_ref(), target.run_id)
            && (!self.held || target.is_held)
    }

    /// Tells whether they name more than projects, so that no list can go by them.
    const fn are_narrow(&self) -> bool {
        self.work_item_ids.is_some() || self.run_ids.is_some() || self.held
    }
}

/// What belongs nowhere is in no list, so that whoever is limited to some has no say in what concerns all.
fn is_among<T: Ord + Copy>(listed: Option<&BTreeSet<T>>, id: Option<T>) -> bool {
    listed.is_none_or(|listed| id.is_some_and(|id| listed.contains(&id)))
}

impl Policy {
    /// Tells whether it speaks of this at all.
    fn speaks_of(&self, resource: Resource, action: Action) -> bool {
        let is_it = self.resource == Resource::Any || self.resource == resource;
        is_it && (self.actions.contains(&Action::Any) || self.actions.contains(&action))
    }
}

/// Decides whether something may be done with one thing.
pub fn decide(policies: &[Policy], resource: Resource, action: Action, target: &Target) -> Decision {
    let mut decision = Decision::Denied;
    for policy in policies.iter().filter(|policy| policy.speaks_of(resource, action)) {
        if policy.conditions.are_met(target) {
            return Decision::Allowed;
        }
        decision = Decision::Hidden;
    }
    decision
}

/// Returns the projects of which something may be listed, or among which what a request names has to be; none where it
/// may not be done with whole projects at all.
pub fn projects(policies: &[Policy], resource: Resource, action: Action) -> Option<Projects> {
    let mut found: Option<BTreeSet<ProjectId>> = None;
    let fit = policies.iter().filter(|policy| policy.speaks_of(resource, action));
    for conditions in fit.map(|policy| &policy.conditions).filter(|conditions| !conditions.are_narrow()) {
        match &conditions.project_ids {
            None => return Some(Projects::All),
            Some(ids) => found.get_or_insert_default().extend(ids),
        }
    }
    found.map(Projects::Only)
}

/// Returns with what something may be done besides whole projects: the conditions that name single work items and runs.
pub fn besides(policies: &[Policy], resource: Resource, action: Action) -> Vec<Conditions> {
    let fit = policies.iter().filter(|policy| policy.speaks_of(resource, action));
    fit.map(|policy| &policy.conditions).filter(|conditions| conditions.are_narrow()).cloned().collect()
}

#[cfg(test)]
mod tests;
