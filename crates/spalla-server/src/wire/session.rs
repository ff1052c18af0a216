//! Sessions on the wire.

use super::Body;
use super::claim::Usage;
use super::definition::ChosenDefinition;
use super::run::RunErrorView;
use super::sandbox::SandboxView;
use super::text::{Needle, Prose, Word};
use super::words;
use crate::sessions::Found;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use spalla_domain::session::{self, SessionStatus as Standing};
use spalla_domain::session_event::SessionChange;
use spalla_domain::{Timestamp, review};
use std::sync::Arc;
use utoipa::ToSchema;

/// What became of a session.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Change {
    /// It is pursued for the first time.
    Begun,
    /// Nothing more of it begins for now.
    Paused,
    /// It goes on.
    Resumed,
    /// Only a person brings it further.
    Waiting,
    /// A person, a decision, a conflict or an interruption ended it.
    Stopped,
    /// It came to its end: done, or failed for good.
    Ended,
}

impl From<Change> for SessionChange {
    fn from(change: Change) -> Self {
        match change {
            Change::Begun => Self::Begun,
            Change::Paused => Self::Paused,
            Change::Resumed => Self::Resumed,
            Change::Waiting => Self::Waiting,
            Change::Stopped => Self::Stopped,
            Change::Ended => Self::Ended,
        }
    }
}

/// What whoever pursues a session tells of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeBody {
    /// The session.
    #[schema(inline)]
    pub(crate) session_id: Needle,
    /// What became of it.
    #[schema(inline)]
    pub(crate) change: Change,
    /// Why.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) why: Option<Prose>,
}

impl Body for ChangeBody {}

/// Which session a wish is about.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ControlBody {
    /// The session; the newest when left out.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) session_id: Option<Needle>,
    /// Only this agent of it: its runs under way are held, let go on or ended, or its work is reviewed.
    #[serde(default)]
    #[schema(inline)]
    pub(crate) worker: Option<Word>,
    /// With `resume`: what reviewers hold is merged all the same, because a person has looked at it.
    #[serde(default)]
    pub(crate) overrule: Option<bool>,
}

impl Body for ControlBody {}

words! {
    /// Where a session stands.
    SessionStatus for Standing {
        /// It is pursued.
        Running = "running",
        /// A person, or a decision, holds it.
        Paused = "paused",
        /// It waits for a person's answer.
        Waiting = "waiting",
        /// All of it is done.
        Done = "done",
        /// Some of it is not, for good.
        Failed = "failed",
        /// A person, a decision or a conflict ended it.
        Stopped = "stopped",
    }
}

words! {
    /// What an item of a session is there for.
    SessionItemKind for session::ItemKind {
        /// An agent works.
        Work = "work",
        /// What an agent did is verified and becomes part of the session's branch.
        Merge = "merge",
        /// An agent gives its opinion of what another one did.
        Review = "review",
        /// An agent says in which pieces the goal is pursued.
        Plan = "plan",
    }
}

words! {
    /// What follows from a review.
    ReviewDecision for review::Decision {
        /// The workers are stopped, and a person is told.
        StopAndEscalate = "STOP_AND_ESCALATE",
        /// The worker is given the concerns and does it again.
        PauseAndClarify = "PAUSE_AND_CLARIFY",
        /// It goes on, watched.
        LogWarning = "LOG_WARNING",
        /// It goes on.
        Continue = "CONTINUE",
    }
}

words! {
    /// What a reviewer thinks.
    Opinion for review::Opinion {
        /// It is good.
        Approved = "approved",
        /// Something about it should be talked about.
        Concern = "concern",
        /// It must not become part of anything.
        Blocker = "blocker",
    }
}

/// A session, as a line of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionEntry {
    /// Its name.
    id: String,
    /// Where it stands.
    status: SessionStatus,
    /// Whether a process pursues it now. One that is running and not pursued was left; `resume` goes on with it.
    is_pursued: bool,
    /// The person's words.
    goal: String,
    /// The folder that it is about.
    target: String,
    /// With how many agents it began: 1 all three, 5 none.
    tier: u8,
    /// The agents that it has.
    agents: Vec<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it came to its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// The project of its work items.
    project_id: Option<i64>,
    /// How many pieces of work it has. Merging and reviewing serve them and do not count.
    pieces: usize,
    /// How many of them are done.
    pieces_done: usize,
    /// What it used.
    usage: SessionUsage,
    /// Whether its work was brought into the target.
    is_applied: bool,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// What a list says of it.
    #[serde(flatten)]
    entry: SessionEntry,
    /// Where its reports, logs and events are.
    workspace: String,
    /// What the target was when it began; null for one that changes nothing.
    base: Option<SessionBase>,
    /// The name of its branch; null for one that changes nothing.
    branch: Option<String>,
    /// The repository that has the branch; null for one that changes nothing.
    repository: Option<String>,
    /// Whether its plan waits for a person, who agrees with it or changes it, before anything begins: `GET /api/session/plan`.
    waits_for_plan: bool,
    /// Its work, reviews and merges.
    items: Vec<SessionItem>,
    /// The pieces of the goal that nobody in it can do.
    left_out: Vec<LeftOut>,
    /// What was decided about changes.
    decisions: Vec<Decision>,
    /// The report for people.
    report: Option<String>,
    /// How its work was brought into the target.
    applied: Vec<Applied>,
    /// Which walls stood around its runs; of several the weakest counts.
    sandbox: Option<SandboxView>,
}

/// A piece of a goal that nobody in the session can do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeftOut {
    /// What it is called.
    title: String,
    /// Why not.
    reason: String,
}

/// What a target was when its session began.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionBase {
    /// Whether it is a git repository; a folder that is none was copied.
    is_git: bool,
    /// The commit, in the session's repository.
    commit: String,
    /// The branch that was checked out.
    branch: Option<String>,
}

/// How a session's work came into the target.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Applied {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The commit of the session's branch.
    commit: String,
    /// The commit that the target has since; null where it is no repository.
    target_commit: Option<String>,
}

/// What a session used. What nobody told stays null.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct SessionUsage {
    /// Tokens read by models.
    input_tokens: Option<u64>,
    /// Tokens written by models.
    output_tokens: Option<u64>,
    /// Both.
    total_tokens: Option<u64>,
    /// What it cost, in US dollars, as far as it is known.
    cost_usd: Option<f64>,
    /// How many runs of agents told nothing of what they used.
    unknown_runs: u32,
}

/// A piece of a session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionItem {
    /// Its name in the plan.
    key: String,
    /// What it is there for.
    kind: SessionItemKind,
    /// What it is called.
    title: String,
    /// Who does it.
    agent: String,
    /// Why they do it, where somebody chose.
    why: Option<String>,
    /// By which definition, and why that one; null where the agent is told the task alone.
    definition: Option<ChosenDefinition>,
    /// The keys of what has to be done before.
    depends_on: Vec<String>,
    /// By what its reviewers know that it is done.
    acceptance: Option<String>,
    /// The work item; null until it is made.
    work_item_id: Option<i64>,
    /// The work item's status, as it was when the record was written.
    status: Option<String>,
    /// Its runs so far.
    runs: Vec<SessionRun>,
}

/// A run of a session's piece.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionRun {
    /// The run.
    run_id: i64,
    /// Its ordinal among the item's attempts, from 1.
    attempt: u32,
    /// When it was first claimed.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// What it used.
    usage: Option<Usage>,
    /// What it produced, any JSON.
    result: Option<Value>,
    /// Why it failed.
    error: Option<RunErrorView>,
}

/// What was decided about a piece of work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Decision {
    /// The session.
    session_id: String,
    /// The key of the work.
    key: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What follows.
    decision: ReviewDecision,
    /// The rule that decided.
    rule: String,
    /// Whether no reviewer was there, so that rules alone decided.
    by_rules: bool,
    /// What was said of it, by whom.
    votes: Vec<Vote>,
}

/// What one reviewer said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Vote {
    /// Who.
    reviewer: String,
    /// What its word weighs: what the policy says, or else from 1 to nearly 2, by its scorecard.
    weight: f64,
    /// What it thinks; null where it failed, and counts as absent.
    verdict: Option<Opinion>,
    /// How bad it is, in its words.
    severity: Option<String>,
    /// Why.
    text: Option<String>,
    /// Why it is absent.
    absent: Option<String>,
}

impl From<&Found> for SessionEntry {
    fn from(found: &Found) -> Self {
        let record = &found.session;
        let work = || record.items.iter().filter(|item| item.kind == session::ItemKind::Work);
        let done = work().filter(|item| item.status.as_deref() == Some("succeeded"));
        Self {
            id: record.id.clone(),
            status: record.status.into(),
            is_pursued: found.is_pursued,
            goal: record.goal.clone(),
            target: record.target.clone(),
            tier: record.tier,
            agents: record.agents.clone(),
            created_at: record.created_at,
            ended_at: record.ended_at,
            project_id: record.project_id,
            pieces: work().count(),
            pieces_done: done.count(),
            usage: record.usage().into(),
            is_applied: !record.applied.is_empty(),
        }
    }
}

impl From<Found> for Session {
    fn from(found: Found) -> Self {
        let entry = SessionEntry::from(&found);
        let Found { session: record, repository, .. } = found;
        let record = Arc::unwrap_or_clone(record);
        let branch = record.base.is_some().then(|| record.branch());
        let sandbox = record.sandbox().map(SandboxView::from);
        let decisions = record.decisions.iter().map(|decision| Decision::of(&record.id, decision)).collect();
        Self {
            entry,
            workspace: record.workspace,
            base: record.base.map(|base| SessionBase {
                is_git: base.is_git,
                commit: base.commit,
                branch: base.branch,
            }),
            branch,
            repository: repository.map(|path| path.to_string_lossy().into_owned()),
            waits_for_plan: record.proposal.is_some_and(|proposal| proposal.plan.is_some()),
            items: record.items.into_iter().map(Into::into).collect(),
            left_out: record.left_out.into_iter().map(Into::into).collect(),
            decisions,
            report: record.report,
            applied: record.applied.into_iter().map(Into::into).collect(),
            sandbox,
        }
    }
}

impl From<session::UsageTotal> for SessionUsage {
    fn from(total: session::UsageTotal) -> Self {
        Self {
            input_tokens: total.input_tokens,
            output_tokens: total.output_tokens,
            total_tokens: total.total_tokens,
            cost_usd: total.cost_usd,
            unknown_runs: total.unknown_runs,
        }
    }
}

impl From<session::LeftOut> for LeftOut {
    fn from(left_out: session::LeftOut) -> Self {
        Self { title: left_out.title, reason: left_out.reason }
    }
}

impl From<session::Applied> for Applied {
    fn from(applied: session::Applied) -> Self {
        Self { at: applied.at, commit: applied.commit, target_commit: applied.target_commit }
    }
}

impl From<session::SessionItem> for SessionItem {
    fn from(item: session::SessionItem) -> Self {
        Self {
            key: item.key,
            kind: item.kind.into(),
            title: item.title,
            agent: item.agent,
            why: item.why,
            definition: item.definition.map(|chosen| ChosenDefinition::shown(*chosen)),
            depends_on: item.depends_on,
            acceptance: item.acceptance,
            work_item_id: item.work_item_id,
            status: item.status,
            runs: item.runs.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<session::SessionRun> for SessionRun {
    fn from(run: session::SessionRun) -> Self {
        Self {
            run_id: run.run_id,
            attempt: run.attempt,
            started_at: run.started_at,
            ended_at: run.ended_at,
            usage: run.usage.map(Into::into),
            result: run.result,
            error: run.error.map(Into::into),
        }
    }
}

impl Decision {
    /// Shows a decision of a session.
    pub(crate) fn of(session_id: &str, decision: &session::SessionDecision) -> Self {
        Self {
            session_id: session_id.to_owned(),
            key: decision.key.clone(),
            at: decision.at,
            decision: decision.decision.into(),
            rule: decision.rule.clone(),
            by_rules: decision.by_rules,
            votes: decision.votes.iter().map(Vote::from).collect(),
        }
    }
}

impl From<&session::Vote> for Vote {
    fn from(vote: &session::Vote) -> Self {
        let verdict = vote.verdict.as_ref();
        Self {
            reviewer: vote.reviewer.clone(),
            weight: vote.weight,
            verdict: verdict.map(|verdict| verdict.verdict.into()),
            severity: verdict.and_then(|verdict| verdict.severity.clone()),
            text: verdict.map(|verdict| verdict.text.clone()),
            absent: vote.absent.clone(),
        }
    }
}
