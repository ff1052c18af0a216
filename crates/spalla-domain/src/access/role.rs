//! The roles: policies that come under one name.

use super::{Action, Conditions, Policy, Resource, words};
use crate::{ProjectId, RunId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

words! {
    /// What somebody is let in as.
    Role {
        /// Sees.
        Viewer = "viewer",
        /// Sees, and gets work done.
        Operator = "operator",
        /// Sees, and says yes or no.
        Approver = "approver",
        /// Does everything.
        Admin = "admin",
        /// Carries runs out: what a worker's token is.
        Worker = "worker",
    }
}

/// What everybody sees who sees anything. The audit, tokens, webhooks, scratchpads and what people answered are not among
/// it.
const SEEN: [Resource; 16] = [
    Resource::Project,
    Resource::Requirements,
    Resource::Quota,
    Resource::WorkItem,
    Resource::Approval,
    Resource::Run,
    Resource::Log,
    Resource::Artifact,
    Resource::InfoRequest,
    Resource::Message,
    Resource::Queue,
    Resource::Schedule,
    Resource::Session,
    Resource::Worker,
    Resource::Event,
    Resource::Metric,
];

impl Role {
    /// Returns what the role allows, within these projects or within all.
    pub fn policies(self, projects: Option<&BTreeSet<ProjectId>>) -> Vec<Policy> {
        let conditions = Conditions { project_ids: projects.cloned(), ..Conditions::default() };
        let mut policies = match self {
            Self::Worker => return worker(&conditions),
            Self::Admin => vec![allow(Resource::Any, &[Action::Any], &conditions)],
            Self::Viewer | Self::Operator | Self::Approver => {
                SEEN.iter().map(|resource| allow(*resource, &[Action::Read], &conditions)).collect()
            }
        };
        // How the interface is described belongs to no project.
        policies.push(allow(Resource::Document, &[Action::Read], &Conditions::default()));
        let more: &[(Resource, &[Action])] = match self {
            Self::Operator => &OPERATED,
            Self::Approver => {
                &[(Resource::Approval, &[Action::Decide]), (Resource::Requirements, &[Action::Decide])]
            }
            Self::Viewer | Self::Admin | Self::Worker => &[],
        };
        policies.extend(more.iter().map(|(resource, actions)| allow(*resource, actions, &conditions)));
        policies
    }
}

/// What an operator does. Saying yes is not among it, nor are quotas: whoever gets work done does not lift what holds it.
const OPERATED: [(Resource, &[Action]); 13] = [
    (Resource::Project, &[Action::Create, Action::Update]),
    (Resource::Requirements, &[Action::Create, Action::Update]),
    (Resource::WorkItem, &[Action::Create, Action::Update, Action::Delete, Action::Execute]),
    (Resource::Approval, &[Action::Create]),
    (Resource::Run, &[Action::Execute, Action::Complete]),
    (Resource::Log, &[Action::Report]),
    (Resource::Artifact, &[Action::Report]),
    (Resource::InfoRequest, &[Action::Answer]),
    (Resource::Message, &[Action::Create, Action::Update]),
    (Resource::Queue, &[Action::Execute, Action::Tick]),
    (Resource::Schedule, &[Action::Create, Action::Update, Action::Delete]),
    (Resource::Scratchpad, &[Action::Read, Action::Create, Action::Update, Action::Execute]),
    (Resource::Session, &[Action::Create, Action::Execute]),
];

/// A worker takes runs, and sees and says something of those alone that it holds or held last.
fn worker(conditions: &Conditions) -> Vec<Policy> {
    let held = Conditions { held: true, ..conditions.clone() };
    vec![
        allow(Resource::Run, &[Action::Claim], conditions),
        allow(Resource::Queue, &[Action::Tick], conditions),
        allow(Resource::Document, &[Action::Read], &Conditions::default()),
        allow(Resource::Run, &[Action::Read, Action::Complete], &held),
        allow(Resource::Log, &[Action::Read, Action::Report], &held),
        allow(Resource::Event, &[Action::Report], &held),
        allow(Resource::Artifact, &[Action::Read, Action::Report], &held),
        allow(Resource::InfoRequest, &[Action::Read, Action::Ask], &held),
        allow(Resource::Secret, &[Action::Read], &held),
    ]
}

/// Returns what the agent of one run may do: report on its run, ask, send and read messages of its own, read its project,
/// and make work items there, which somebody else has to queue. It never says yes, ends no run, and sees nothing of other runs.
pub fn of_run(project_id: ProjectId, run_id: RunId) -> Vec<Policy> {
    let run = Conditions { run_ids: Some([run_id].into()), ..Conditions::default() };
    let project = Conditions { project_ids: Some([project_id].into()), ..Conditions::default() };
    vec![
        allow(Resource::Document, &[Action::Read], &Conditions::default()),
        allow(Resource::Project, &[Action::Read], &project),
        allow(Resource::Requirements, &[Action::Read], &project),
        allow(Resource::WorkItem, &[Action::Read, Action::Create], &project),
        allow(Resource::Run, &[Action::Read], &run),
        allow(Resource::Log, &[Action::Read, Action::Report], &run),
        allow(Resource::Event, &[Action::Report], &run),
        allow(Resource::Artifact, &[Action::Read, Action::Report], &run),
        allow(Resource::InfoRequest, &[Action::Read, Action::Ask], &run),
        // Of the project's messages it is shown those from and to its own agent.
        allow(Resource::Message, &[Action::Read, Action::Create, Action::Update], &project),
        allow(Resource::Secret, &[Action::Read], &run),
    ]
}

fn allow(resource: Resource, actions: &[Action], conditions: &Conditions) -> Policy {
    Policy { resource, actions: actions.iter().copied().collect(), conditions: conditions.clone() }
}
