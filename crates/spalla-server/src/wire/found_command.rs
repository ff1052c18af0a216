//! What the command policy found in the steps of a run, on the wire.

use super::number::{Number, Ordinal};
use super::object::objects;
use super::text::{Text, WorkerName};
use super::{BATCH_BYTES_MAX, Body, present, words};
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use spalla_domain::found_command::{self, COMMANDS_MAX, TEXT_BYTES_MAX};
use spalla_domain::{Fence, WorkerId};
use utoipa::ToSchema;

words! {
    /// What is done about a command.
    CommandLevel for found_command::Level {
        /// It is run, and recorded.
        Watched = "watched",
        /// It is run once a person has said yes to exactly this.
        Confirm = "confirm",
        /// It is never run.
        Blocked = "blocked",
    }
}

/// The number of a step, from 1.
type Step = Number<1, { u32::MAX as i64 }>;
/// A command, a rule or a reason.
type Words = Text<TEXT_BYTES_MAX>;
/// Hexadecimal digits.
type Digest = Text<64>;

/// A command that a rule of the policy is about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FoundCommand {
    /// The number of the step.
    #[schema(inline)]
    step: Step,
    /// What is done about it.
    level: CommandLevel,
    /// A digest of the command, its folder, the policy and the names of the secrets that it gets: 64 hexadecimal
    /// digits. What a person says yes to is exactly this.
    #[schema(value_type = String, min_length = 64, max_length = 64, pattern = "^[0-9A-Fa-f]{64}$")]
    digest: Digest,
    /// The command.
    #[schema(inline)]
    command: Words,
    /// The folder that it runs in, from the workspace's top.
    #[schema(inline)]
    folder: Words,
    /// The rule.
    #[schema(inline)]
    rule: Words,
    /// What the rule says.
    #[schema(inline)]
    reason: Words,
    /// Whether an agent asks in the middle of its work; a no is told to it, and keeps nothing from starting later.
    #[serde(default)]
    in_turn: bool,
}

impl From<FoundCommand> for found_command::FoundCommand {
    fn from(found: FoundCommand) -> Self {
        Self {
            step: found.step.small(),
            level: found.level.into(),
            digest: found.digest.into(),
            command: found.command.into(),
            folder: found.folder.into(),
            rule: found.rule.into(),
            reason: found.reason.into(),
            in_turn: found.in_turn,
        }
    }
}

/// What the policy found in the steps of a run, before any of them is carried out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommandReport {
    /// Who holds the run; `agent_id` is accepted too.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    worker_id: Option<WorkerName>,
    /// Another name of `worker_id`.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = WorkerName, inline, required = false)]
    agent_id: Option<WorkerName>,
    /// The token of the lease.
    #[schema(inline)]
    fencing_token: Ordinal,
    /// What was found.
    #[serde(deserialize_with = "objects")]
    #[schema(max_items = 500)]
    commands: Vec<FoundCommand>,
}

impl Body for CommandReport {
    const BYTES_MAX: usize = BATCH_BYTES_MAX;
}

/// The number that the schema above writes out has to be the domain's.
const _: () = assert!(COMMANDS_MAX == 500);

impl CommandReport {
    /// Returns the token, who reports, and what.
    pub(crate) fn into_parts(self) -> Result<(Fence, WorkerId, Vec<found_command::FoundCommand>), Problem> {
        let worker = super::worker::holder(self.worker_id, self.agent_id)?;
        let found = self.commands.into_iter().map(Into::into).collect();
        Ok((Fence(self.fencing_token.get()), worker, found))
    }
}

/// Which approvals the commands wait for. Where there is one, the run is to be given back.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommandAnswer {
    /// Approvals that nobody has decided.
    pending: Vec<i64>,
    /// Approvals that somebody refused.
    rejected: Vec<i64>,
}

impl From<found_command::Answer> for CommandAnswer {
    fn from(answer: found_command::Answer) -> Self {
        let numbers = |ids: Vec<spalla_domain::ApprovalId>| ids.into_iter().map(|id| id.0).collect();
        Self { pending: numbers(answer.pending), rejected: numbers(answer.rejected) }
    }
}
