//! What a session came to, as cases with their ends and places with what was found there.

use super::TEXT_BYTES_MAX;
use super::bounded;
use super::found::{self, Found};
use crate::exit::Exit;
use serde_json::Value;
use spalla_domain::session::{ItemKind, Session, SessionItem, SessionRun};

/// How many cases one suite has at most.
const CASES_MAX: usize = 2_000;
/// How many places are told of at most: what GitHub takes of one file.
const FOUND_MAX: usize = 5_000;

/// All that CI is told.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Gathered {
    /// The session's name; empty where it came to none.
    pub(crate) session: String,
    /// The person's words.
    pub(crate) goal: String,
    /// How the program ends.
    pub(crate) exit: u8,
    /// How it ended, in a word.
    pub(crate) status: String,
    /// The branch; none where nothing was to be changed.
    pub(crate) branch: Option<String>,
    /// The cases: of the session first, then of what was built and tested.
    pub(crate) suites: Vec<Suite>,
    /// The places.
    pub(crate) found: Vec<Found>,
    /// How many tokens were used, where that is known.
    pub(crate) tokens: Option<u64>,
}

/// Cases that belong together.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Suite {
    /// What they have in common.
    pub(crate) name: String,
    /// When the first one began, in milliseconds since 1970.
    pub(crate) began_at: Option<i64>,
    /// The cases.
    pub(crate) cases: Vec<Case>,
}

/// Something that was to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Case {
    /// Who did it.
    pub(crate) class: String,
    /// What it is.
    pub(crate) name: String,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: u64,
    /// What came of it.
    pub(crate) verdict: Verdict,
    /// Where it failed, as far as that is known.
    pub(crate) place: Option<(String, u32)>,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was done.
    Passed,
    /// It was not, and why.
    Failed(String),
    /// It could not be tried, and why.
    Broken(String),
    /// It was left out, and why.
    Skipped(String),
}

impl Gathered {
    /// Gathers what a session came to.
    pub(crate) fn of(session: &Session, exit: Exit) -> Self {
        let began_at =
            session.items.iter().flat_map(|item| &item.runs).filter_map(|run| run.started_at).min();
        let items = session.items.iter().map(|item| case_of(session, item));
        let left_out = session.left_out.iter().map(|left| Case {
            class: "spalla".to_owned(),
            name: left.title.clone(),
            duration_ms: 0,
            verdict: Verdict::Broken(bounded(&left.reason, TEXT_BYTES_MAX)),
            place: None,
        });
        let own = Suite {
            name: format!("spalla {}", session.id),
            began_at: began_at.map(|at| at.ms()),
            cases: items.chain(left_out).take(CASES_MAX).collect(),
        };
        let mut gathered = Self {
            session: session.id.clone(),
            goal: session.goal.clone(),
            exit: exit.code(),
            status: session.status.as_str().to_owned(),
            branch: session.base.is_some().then(|| session.branch()),
            suites: vec![own],
            found: Vec::new(),
            tokens: session.usage().total_tokens,
        };
        for item in &session.items {
            for run in item.runs.last().into_iter().filter(|run| run.result.is_some()) {
                gathered.add_run(item, run);
            }
        }
        gathered.found.truncate(FOUND_MAX);
        gathered
    }

    /// Gathers what there is to tell where no session came about.
    pub(crate) fn of_failure(goal: &str, why: &str, exit: Exit) -> Self {
        let case = Case {
            class: "spalla".to_owned(),
            name: "begin".to_owned(),
            duration_ms: 0,
            verdict: Verdict::Broken(bounded(why, TEXT_BYTES_MAX)),
            place: None,
        };
        let suite = Suite { name: "spalla".to_owned(), began_at: None, cases: vec![case] };
        let status = "not begun".to_owned();
        Self { goal: goal.to_owned(), exit: exit.code(), status, suites: vec![suite], ..Self::default() }
    }

    /// Adds what the newest run of an item built, tested or found.
    fn add_run(&mut self, item: &SessionItem, run: &SessionRun) {
        let result = run.result.as_ref().unwrap_or(&Value::Null);
        let began_at = run.started_at.map(|at| at.ms());
        let mut suites = Vec::new();
        for member in ["verified", "red"] {
            let cases = result[member]["steps"]
                .as_array()
                .map(|steps| steps.iter().map(found::case_of_step).collect());
            suites.extend(cases.map(|cases| Suite {
                name: format!("checks of {}", item.title),
                began_at,
                cases,
            }));
        }
        let report = result["report_json"].as_str().and_then(found::read_report).unwrap_or(Value::Null);
        suites.extend(found::suites_of_verification(&report, began_at));
        for mut suite in suites {
            suite.cases.truncate(CASES_MAX);
            if !suite.cases.is_empty() {
                self.suites.push(suite);
            }
        }
        self.found.extend(found::places_of_result(result, &report));
    }

    /// Returns all cases.
    pub(crate) fn cases(&self) -> impl Iterator<Item = &Case> {
        self.suites.iter().flat_map(|suite| &suite.cases)
    }
}

fn case_of(session: &Session, item: &SessionItem) -> Case {
    let kind = match item.kind {
        ItemKind::Work => "work",
        ItemKind::Merge => "merge",
        ItemKind::Review => "review",
        ItemKind::Plan => "plan",
    };
    let took = item.runs.iter().filter_map(|run| Some(run.ended_at?.ms() - run.started_at?.ms()));
    let error = item.runs.last().and_then(|run| run.error.as_ref()).map(|error| error.message.clone());
    let why = bounded(&error.unwrap_or_default(), TEXT_BYTES_MAX);
    let said = |otherwise: &str| if why.is_empty() { otherwise.to_owned() } else { why.clone() };
    let verdict = match item.status.as_deref() {
        Some("succeeded") => Verdict::Passed,
        Some("failed") => Verdict::Failed(said("it failed")),
        Some("blocked") => Verdict::Skipped(said("what it waited for failed")),
        Some("cancelled" | "archived") => Verdict::Skipped(said("it was stopped")),
        Some(other) => Verdict::Broken(said(&format!("it was left {other}"))),
        None => Verdict::Skipped(format!("it never began: the session is {}", session.status.as_str())),
    };
    Case {
        class: format!("spalla.{kind}.{}", item.agent),
        name: if item.title.is_empty() { item.key.clone() } else { item.title.clone() },
        duration_ms: u64::try_from(took.sum::<i64>()).unwrap_or(0),
        verdict,
        place: None,
    }
}
