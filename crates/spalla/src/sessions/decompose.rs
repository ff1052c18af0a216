//! An agent as the planner: it looks at what there is, changes nothing, and says in which pieces the goal is pursued. Where it
//! gives no plan, also when asked again, the goal is split as it is written.

use super::advance::item;
use super::agents::Agents;
use super::pattern::Pattern;
use clap::ValueEnum;
use spalla_domain::plan::{self, PlanItem, Wishes};
use spalla_domain::session::{ItemKind, Session, SessionItem};

/// The key of the item that plans.
const KEY: &str = "plan";
/// Who plans where it is there: architecture and design are its role.
const PLANNER: &str = "gemini";
/// Under which name the wished order stands among what the planner is given.
const PATTERN: &str = "pattern";

/// Who splits a goal into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Decomposer {
    /// The marks of a list in the goal
    #[default]
    Heuristic,
    /// An agent of the session, which looks at the target first
    Llm,
}

/// Returns the item in which an agent plans; none where there is no agent.
pub(crate) fn planning(goal: &str, agents: &Agents, pattern: &Pattern) -> Option<SessionItem> {
    let planner = agents.names.iter().find(|name| *name == PLANNER).or_else(|| agents.names.first())?;
    let prompt = format!(
        "You plan work that other agents carry out, each in a copy of this working tree. You can look at everything and change \
         nothing. The goal is:\n\n{goal}\n\nSplit it only into pieces that can be done, reviewed and merged apart: a plan is no \
         longer than it must be, and one piece is a good plan. Pieces that change the same places build on each other. Each \
         prompt is all that its agent is told: it says everything that is needed, in the words of the goal.\n\nAnswer with one \
         JSON object and nothing else: {{\"items\": [{{\"key\": \"a-short-name\", \"title\": \"…\", \"prompt\": \"…\", \
         \"depends_on\": [\"the keys of what has to be merged before\"], \"acceptance\": \"by what a reviewer knows that it \
         is done\"}}]}}."
    );
    let mut planning = item(KEY.to_owned(), ItemKind::Plan, "plan".to_owned(), prompt, planner);
    if *pattern != Pattern::Parallel {
        planning.wishes.parameters.insert(PATTERN.to_owned(), pattern.to_string().into());
    }
    Some(planning)
}

/// What the planning came to.
pub(super) struct Decomposed {
    /// The plan.
    pub(super) items: Vec<PlanItem>,
    /// The order that was wished when it began.
    pub(super) pattern: Pattern,
    /// Why it is not the planner's; none where it is.
    pub(super) instead: Option<String>,
}

/// Returns the plan once the planner is done; none before, and once the pieces are there.
pub(super) fn decomposed(session: &Session) -> Option<Decomposed> {
    let planning = session.items.iter().find(|item| item.kind == ItemKind::Plan)?;
    let is_laid_out = session.items.iter().any(|item| item.kind == ItemKind::Work);
    let is_over = matches!(
        planning.status.as_deref(),
        Some("succeeded" | "failed" | "cancelled" | "archived" | "blocked")
    );
    if is_laid_out || !is_over {
        return None;
    }
    let run = planning.runs.last();
    let told = run.and_then(|run| run.result.as_ref()).map(|result| result["plan"].to_string());
    let why = || {
        let error = run.and_then(|run| run.error.as_ref()).map(|error| error.message.clone());
        error.unwrap_or_else(|| "it gave no plan".to_owned())
    };
    let planned = told.ok_or_else(why).and_then(|text| plan::read(&text, &[]).map_err(|_| why()));
    let pattern = planning.wishes.parameters.get(PATTERN).and_then(|name| name.as_str());
    let pattern = pattern.and_then(|name| name.parse().ok()).unwrap_or_default();
    match planned {
        Ok(plan) => {
            let items = plan.items.into_iter().map(as_asked).collect();
            Some(Decomposed { items, pattern, instead: None })
        }
        Err(why) => {
            let items = plan::heuristic(&session.goal).ok()?.items;
            Some(Decomposed { items, pattern, instead: Some(why) })
        }
    }
}

/// Leaves of an item what the planner was asked for: who does it, and how, is not for a model to say.
fn as_asked(item: PlanItem) -> PlanItem {
    PlanItem { agent: None, timeout_ms: None, wishes: Wishes::default(), ..item }
}
