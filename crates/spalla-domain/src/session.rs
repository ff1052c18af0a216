//! A session: one goal from its plan to the branch that a person is handed. Its record is a file beside its repository, so
//! that it is read and applied without a server.
//!
//! ```text
//! <data>/sessions/<id>/session.json       the record
//! <data>/sessions/<id>/repo.git           a bare repository; its HEAD is the session's branch
//!     refs/heads/spalla/<id>              what was merged so far
//!     refs/spalla/base                    what the target had when the session began
//!     refs/spalla/changes/item-<id>       what a work item changed, as one commit
//! ```

use crate::Timestamp;
use crate::chosen::ChosenDefinition;
use crate::claim::{RunError, Usage};
use crate::plan::{Part, Wishes};
use crate::review::{Decision, Verdict};
use crate::sandbox::Attested;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The name of what the target had when the session began, in the session's repository.
pub const BASE_REF: &str = "refs/spalla/base";
/// Beneath which name the repository keeps what work items changed.
pub const CHANGES_PREFIX: &str = "refs/spalla/changes/item-";

/// The built-in agent that verifies what another one did, and makes it part of the session's branch.
pub const INTEGRATOR: &str = "integrator";
/// What the label of a merging item begins with; the id of the item whose change is merged follows.
pub const MERGES_LABEL: &str = "merges:";

/// The label of an item that plans its session.
pub const PLANS_LABEL: &str = "plans:session";
/// The label of an item that only says what it thinks.
pub const ANSWERS_LABEL: &str = "answers:session";
/// The label of an item that may find that there is nothing left to change.
pub const RESTS_LABEL: &str = "rests:session";
/// What the label of a reviewing item begins with; the id of the item whose change is reviewed follows.
pub const REVIEWS_LABEL: &str = "reviews:";
/// What the label of an item begins with that looks at another one's work while it goes on; what follows is its id, and after a
/// `@` the commit on which it began, where that is known.
pub const LOOKS_LABEL: &str = "looks:";

/// A session as its record keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its name: `orch_` and the moment at which it began.
    pub id: String,
    /// The person's words.
    pub goal: String,
    /// The folder that it is about, as an absolute path.
    pub target: String,
    /// Where its reports, logs and events are, as an absolute path.
    pub workspace: String,
    /// With how many agents it works, as far as they can be called: 1 all three, 5 none.
    pub tier: u8,
    /// The agents that it has.
    pub agents: Vec<String>,
    /// Who says which agent takes a piece.
    #[serde(default, skip_serializing_if = "Selector::is_usual")]
    pub selector: Selector,
    /// Where it stands.
    pub status: SessionStatus,
    /// When it began.
    pub created_at: Timestamp,
    /// When it came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The project whose repository is the session's; none for a session that changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<i64>,
    /// What the target was; none for a session that changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// The plan that a person is still to agree with, or to change: until then nothing of it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// Its work.
    pub items: Vec<SessionItem>,
    /// The pieces of the goal that nobody here can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// What was decided about changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<SessionDecision>,
    /// The reviews that people asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// The looks at work that goes on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<Look>,
    /// The report for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// When its work was brought into the target, and as what.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<Applied>,
    /// Whether what is merged is brought into the target at once.
    #[serde(default, skip_serializing_if = "is_not")]
    pub in_place: bool,
    /// How a server was asked for it; such a session is pursued by the server, which goes on with it when it starts again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_server: Option<Request>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_not(switch: &bool) -> bool {
    !switch
}

/// Who says which agent takes a piece that names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Selector {
    /// How work is spread among agents.
    #[default]
    Heuristic,
    /// What the piece is most like of what agents are good at.
    Tiny,
}

impl Selector {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Who splits a goal into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decomposer {
    /// The marks of a list in the goal.
    #[default]
    Heuristic,
    /// An agent of the session, which looks at the target first.
    Llm,
    /// The static model that is built in.
    Tiny,
    /// The strongest planner there is.
    Cloud,
}

/// A plan that waits for a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The plan, in the form of a plan file; none as long as an agent makes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Value>,
    /// How its pieces go on.
    pub pattern: String,
}

/// How a server was asked for a session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Request {
    /// What the client sent so that asking again begins nothing twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// A digest of what was asked, in hexadecimal digits: the same key with another wish is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// A review that a person asked for, of what is changed by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// The agent whose work is to be reviewed; everybody's where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
}

/// A look of the reviewers at a piece of work that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// The key of the work.
    pub work: String,
    /// Its ordinal among the looks at that work, from 1.
    pub number: u32,
    /// The run that is looked at.
    pub run_id: i64,
    /// When it was asked for.
    pub at: Timestamp,
    /// Why.
    pub why: Trigger,
    /// What the agent said.
    pub text: String,
    /// The commit on which the work began, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

impl Look {
    /// Returns the key under which it is decided.
    pub fn key(&self) -> String {
        format!("{}.look-{}", self.work, self.number)
    }
}

/// Why reviewers look at work that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// The agent says that a part is done.
    Milestone,
    /// The agent says that something stands in its way.
    Blocker,
    /// The agent asks for it.
    Asked,
    /// Nothing was heard of it for long.
    Silence,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// It is pursued.
    Running,
    /// A person, or a decision, holds it.
    Paused,
    /// It waits for a person's answer.
    Waiting,
    /// All of it is done.
    Done,
    /// Some of it is not, for good.
    Failed,
    /// A person, a decision or a conflict ended it.
    Stopped,
}

impl SessionStatus {
    /// Returns its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }
}

/// What the target was when the session began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// Whether it is a git repository; a folder that is none was copied.
    pub is_git: bool,
    /// The commit, in the session's repository.
    pub commit: String,
    /// The branch that was checked out; none for a copy, and where HEAD was no branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// A piece of a session's work, or the merging of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionItem {
    /// Its name in the plan.
    pub key: String,
    /// What it is there for.
    pub kind: ItemKind,
    /// What it is called.
    pub title: String,
    /// What the agent is told.
    pub prompt: String,
    /// Who does it.
    pub agent: String,
    /// Why they do it, where somebody chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The model that is asked for; none is the agent's own choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The keys of what has to be done before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// By what its reviewers know that it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<String>,
    /// How long a run of it may take, in milliseconds; none is as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
    /// The agent's definition by which it is done, and why that one; none where its agent is told the task alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Box<ChosenDefinition>>,
    /// How it is carried out.
    #[serde(default, skip_serializing_if = "Wishes::is_empty")]
    pub wishes: Wishes,
    /// What it is in a pattern of work.
    #[serde(default, skip_serializing_if = "Part::is_plain")]
    pub part: Part,
    /// What nobody else knows of its label, by which the work item is found again after a crash; none until it is about to be made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The work item; none until it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_item_id: Option<i64>,
    /// The work item's status, as it was when the record was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Its runs so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<SessionRun>,
}

/// A piece of a goal that nobody in the session can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What it is called.
    pub title: String,
    /// Why not.
    pub reason: String,
}

/// What an item of a session is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemKind {
    /// An agent works.
    Work,
    /// What an agent did is verified and becomes part of the session's branch.
    Merge,
    /// An agent gives its opinion of what another one did.
    Review,
    /// An agent says in which pieces the goal is pursued.
    Plan,
}

/// A run of a session's item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionRun {
    /// The run.
    pub run_id: i64,
    /// Its ordinal among the item's attempts.
    pub attempt: u32,
    /// When it was first claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Which walls stood around its commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<Attested>,
    /// What it produced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

/// What was decided about a piece of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionDecision {
    /// The key of the work.
    pub key: String,
    /// When.
    pub at: Timestamp,
    /// What follows.
    pub decision: Decision,
    /// The rule that decided.
    pub rule: String,
    /// What was said of it, by whom.
    pub votes: Vec<Vote>,
    /// Whether no reviewer was there, so that rules alone decided.
    #[serde(default)]
    pub by_rules: bool,
}

/// What one reviewer said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Who.
    pub reviewer: String,
    /// What the word weighs.
    #[serde(default = "usual_weight", skip_serializing_if = "is_usual_weight")]
    pub weight: f64,
    /// What; none where the reviewer failed, and counts as absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Why it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
}

const fn usual_weight() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_usual_weight(weight: &f64) -> bool {
    (weight - usual_weight()).abs() < f64::EPSILON
}

/// How a session's work came into the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// When.
    pub at: Timestamp,
    /// The commit of the session's branch.
    pub commit: String,
    /// The commit that the target has since; none where it is no repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_commit: Option<String>,
}

/// What a session used. What nobody told stays unknown, and is never taken for zero.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct UsageTotal {
    /// Tokens read by models.
    pub input_tokens: Option<u64>,
    /// Tokens written by models.
    pub output_tokens: Option<u64>,
    /// Both.
    pub total_tokens: Option<u64>,
    /// What it cost, in US dollars, as far as it is known.
    pub cost_usd: Option<f64>,
    /// How many runs of agents told nothing of what they used.
    pub unknown_runs: u32,
}

impl Session {
    /// Returns the name of its branch.
    pub fn branch(&self) -> String {
        branch_of(&self.id)
    }

    /// Returns the key of the work that an item reviews, or looks at while it goes on.
    pub fn reviewed_by<'a>(&'a self, item: &'a SessionItem) -> Option<&'a str> {
        let looked_at = || {
            let is_of =
                |look: &&Look| item.key.strip_prefix(&look.key()).is_some_and(|rest| rest.starts_with('.'));
            self.looks.iter().find(is_of).map(|look| &look.work)
        };
        item.depends_on.first().or_else(looked_at).map(String::as_str)
    }

    /// Returns the plan that a person is to agree with, or to change, before anything begins.
    pub fn proposed(&self) -> Option<&Value> {
        self.proposal.as_ref()?.plan.as_ref()
    }

    /// Adds up what its runs used.
    pub fn usage(&self) -> UsageTotal {
        let mut total = UsageTotal::default();
        let add = |sum: &mut Option<u64>, more: Option<u64>| {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or(0).saturating_add(more));
            }
        };
        let of_agents = self.items.iter().filter(|item| item.kind != ItemKind::Merge);
        for run in of_agents.flat_map(|item| &item.runs) {
            let Some(usage) = &run.usage else {
                total.unknown_runs += u32::from(run.ended_at.is_some());
                continue;
            };
            add(&mut total.input_tokens, usage.input_tokens);
            add(&mut total.output_tokens, usage.output_tokens);
            add(&mut total.total_tokens, usage.input_tokens);
            add(&mut total.total_tokens, usage.output_tokens);
            if let Some(cost) = usage.cost_usd {
                total.cost_usd = Some(total.cost_usd.unwrap_or(0.0) + cost);
            }
        }
        total
    }

    /// Returns the walls of its runs together: of several the weakest counts.
    pub fn sandbox(&self) -> Option<Attested> {
        let mut of_runs = self.items.iter().flat_map(|item| &item.runs).filter_map(|run| run.sandbox.clone());
        let mut all = of_runs.next()?;
        of_runs.for_each(|attested| all.join(attested));
        Some(all)
    }
}

/// Returns the name of a session's branch.
pub fn branch_of(session: &str) -> String {
    format!("spalla/{session}")
}

/// What the label of a work item begins with that says of which session it is a part.
pub const SESSION_LABEL: &str = "session:";

/// Returns the session that a work item with these labels is a part of.
pub fn session_of(labels: &[String]) -> Option<&str> {
    let mut named = labels.iter().filter_map(|label| label.strip_prefix(SESSION_LABEL));
    named.find(|session| is_session_id(session))
}

/// Tells whether a label is one by which sessions know their own items.
pub fn is_of_sessions(label: &str) -> bool {
    let of_kinds = [MERGES_LABEL, REVIEWS_LABEL, LOOKS_LABEL, "plans:", "answers:", "rests:"];
    ["piece:", "session:"].iter().chain(&of_kinds).any(|start| label.starts_with(start))
}

/// Tells whether a text can be the name of a session: a name of a folder and of a branch, and no way out of either.
pub fn is_session_id(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !text.is_empty() && text.len() <= 100 && !text.starts_with('-') && text.bytes().all(is_word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(usage: Option<Usage>) -> SessionRun {
        let ended_at = Some(Timestamp::from_ms(1));
        SessionRun {
            run_id: 1,
            attempt: 1,
            started_at: None,
            ended_at,
            usage,
            sandbox: None,
            result: None,
            error: None,
        }
    }

    fn session(items: Vec<SessionItem>) -> Session {
        Session {
            id: "orch_1".into(),
            goal: "g".into(),
            target: "/t".into(),
            workspace: "/w".into(),
            tier: 4,
            agents: vec!["codex".into()],
            selector: Selector::default(),
            status: SessionStatus::Running,
            created_at: Timestamp::from_ms(0),
            ended_at: None,
            project_id: None,
            base: None,
            proposal: None,
            items,
            left_out: vec![],
            decisions: vec![],
            asked: vec![],
            looks: vec![],
            report: None,
            applied: vec![],
            in_place: false,
            by_server: None,
        }
    }

    fn item(kind: ItemKind, runs: Vec<SessionRun>) -> SessionItem {
        let (key, title, prompt, agent) = Default::default();
        SessionItem {
            key,
            kind,
            title,
            prompt,
            agent,
            why: None,
            model: None,
            depends_on: vec![],
            acceptance: None,
            timeout_ms: None,
            definition: None,
            wishes: Wishes::default(),
            part: Part::default(),
            tag: None,
            work_item_id: None,
            status: None,
            runs,
        }
    }

    #[test]
    fn a_label_says_of_which_session_an_item_is_a_part() {
        let labels = |all: &[&str]| all.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>();
        assert_eq!(session_of(&labels(&["a", "session:orch_1"])), Some("orch_1"));
        assert_eq!(session_of(&labels(&["session:../x", "session:", "sessions:a"])), None);
    }

    #[test]
    fn usage_adds_what_is_known_and_counts_what_is_not() {
        let usage = Usage { input_tokens: Some(100), output_tokens: Some(7), cost_usd: None };
        let total = session(vec![
            item(ItemKind::Work, vec![run(Some(usage.clone())), run(None)]),
            item(ItemKind::Merge, vec![run(None)]),
            item(ItemKind::Review, vec![run(Some(usage))]),
        ])
        .usage();
        assert_eq!((total.total_tokens, total.cost_usd, total.unknown_runs), (Some(214), None, 1));
        assert_eq!(session(vec![]).usage().total_tokens, None);
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let session = session(vec![item(ItemKind::Work, vec![run(None)])]);
        let text = serde_json::to_string(&session).unwrap();
        assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), session);
    }

    #[test]
    fn a_name_leads_nowhere() {
        assert!(is_session_id("orch_20260101_120000_2"));
        for bad in ["", "..", "a/b", "-x", "a b", "a\0", "é", &"x".repeat(101)] {
            assert!(!is_session_id(bad), "{bad}");
        }
    }
}
