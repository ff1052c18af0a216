//! Who splits a goal into pieces beside the heuristic. An agent as the planner: it looks at what there is, changes nothing, and says in which pieces the goal is pursued. Where it
//! gives no plan, also when asked again, the goal is split as it is written.

use super::advance::item;
use super::agents::Agents;
use super::cloud::Smart;
use super::meaning::Meaning;
use super::pattern::Pattern;
use crate::failure::{Failure, Result};
use clap::ValueEnum;
use spalla_domain::Refusal;
use spalla_domain::plan::{self, PlanItem, Wishes};
use spalla_domain::session::{self, ItemKind, Session, SessionItem};

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
    /// The static model that is built in: the marks of a list, and sentences that want different things
    Tiny,
    /// The strongest planner that the settings (models.smart) or an adapter name
    Cloud,
}

impl From<session::Decomposer> for Decomposer {
    fn from(wanted: session::Decomposer) -> Self {
        match wanted {
            session::Decomposer::Heuristic => Self::Heuristic,
            session::Decomposer::Llm => Self::Llm,
            session::Decomposer::Tiny => Self::Tiny,
            session::Decomposer::Cloud => Self::Cloud,
        }
    }
}

/// Splits a goal by the static model that is built in, for a session with these agents.
pub(crate) fn tiny(goal: &str, agents: &Agents) -> Result<Vec<PlanItem>> {
    let meaning = Meaning::load()?;
    let plan = plan::tiny(goal, &|one, other| meaning.like(one, other)).map_err(refused)?;
    // Who is not there has nothing to do; whoever is takes it.
    let here =
        |item: PlanItem| PlanItem { agent: item.agent.filter(|name| agents.names.contains(name)), ..item };
    Ok(plan.items.into_iter().map(here).collect())
}

/// Says what is wrong with a goal.
pub(crate) fn refused(refusal: Refusal) -> Failure {
    match refusal.mend {
        Some(mend) => Failure::usage(refusal.detail).mend(mend),
        None => Failure::usage(refusal.detail),
    }
}

/// Returns the item in which an agent plans, one with a model where that is named; none where there is no agent.
pub(crate) fn planning(
    goal: &str,
    agents: &Agents,
    pattern: &Pattern,
    smart: Option<&Smart>,
) -> Option<SessionItem> {
    let usual = || agents.names.iter().find(|name| *name == PLANNER).or_else(|| agents.names.first());
    let planner = smart.map(|smart| &smart.agent).or_else(usual)?;
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
    planning.model = smart.map(|smart| smart.model.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Goals with how many pieces a person would make of each, and what each piece waits for.
    const GOALS: [(&str, &[&[&str]]); 26] = [
        ("Add a --json flag to the list command and update its help text", &[&[]]),
        ("Rename the class Foo and update all callers", &[&[]]),
        (
            "Fix the crash when the file is empty. It happens in src/read.rs. Make sure that the tests pass.",
            &[&[]],
        ),
        ("Write a parser for dates and add tests for the parser", &[&[]]),
        ("Implement user registration with e-mail confirmation. Store passwords hashed. Use argon2.", &[&[]]),
        ("Move the config loading into its own module and remove the old loader", &[&[]]),
        ("Refactor the scheduler. Split the big function. Remove dead code from the scheduler.", &[&[]]),
        ("Add a login form, validate the e-mail address and show errors below the fields", &[&[]]),
        ("Speed up the search query and add an index on the users table", &[&[]]),
        (
            "Create a REST endpoint for orders. Add pagination to the endpoint. Write tests for the orders endpoint.",
            &[&[]],
        ),
        ("Upgrade the web framework to version 5 and fix the compile errors", &[&[]]),
        ("Build a tool that reads a CSV file, converts the columns and writes a JSON file", &[&[]]),
        ("Add dark mode. Add a toggle for dark mode to the settings page.", &[&[]]),
        ("Add caching to the API client; set the TTL to five minutes", &[&[]]),
        ("Add rate limiting to the API. Limit each client to 100 requests per minute.", &[&[]]),
        ("Why does the build fail on Windows?", &[&[]]),
        ("Add a dark theme to the settings page. Migrate the database from MySQL to Postgres.", &[&[], &[]]),
        (
            "Fix the crash on startup. Write a guide for contributors. Add a French translation of the menu.",
            &[&[], &[], &[]],
        ),
        ("Upgrade the CI pipeline to Node 22, and write documentation for the payment API", &[&[], &[]]),
        ("Translate the user interface to German; also fix the memory leak in the image cache", &[&[], &[]]),
        ("Design a schema for invoices. Then implement an export of reports to PDF.", &[&[], &["1"]]),
        ("Add a search box to the header, then remove the unused payment provider", &[&[], &["1"]]),
        (
            "Review the authentication code for security problems. Add a progress bar to the upload dialog.",
            &[&[], &[]],
        ),
        ("- Write a parser for dates\n- Write tests for the date parser", &[&[], &["1"]]),
        (
            "1. Design the data model for invoices\n2. Implement the invoice data model\n3. Document the deployment",
            &[&[], &["1"], &[]],
        ),
        (
            "Create a REST endpoint for orders. Add a dark theme to the settings page. Write tests for the orders endpoint.",
            &[&[], &[], &["1"]],
        ),
    ];

    #[test]
    fn the_static_model_makes_the_pieces_that_a_person_would() {
        let agents = Agents::default();
        for (goal, wanted) in GOALS {
            let items = tiny(goal, &agents).unwrap();
            let waits: Vec<_> = items.iter().map(|item| item.depends_on.clone()).collect();
            assert_eq!(waits, wanted, "{goal}");
            assert!(
                items.len() > 1 || items[0].prompt == goal,
                "one piece has the person's own words: {goal}"
            );
            assert_eq!(items, tiny(goal, &agents).unwrap(), "the same goal is always split alike");
        }
    }
}
