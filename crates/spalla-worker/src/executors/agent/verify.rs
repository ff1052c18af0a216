//! The verifier: builds, tests and lints a project behind the walls as its files say, and reports. It needs no model.

use super::end_of;
use crate::builtin::verifier::{Outcome, Step, Tests, Verdict, Verification, judge, wanted};
use crate::executors::recipe::{StepResult, examine};
use crate::run::{End, Failure, Run};
use crate::scratchpad::Scratchpad;
use serde_json::json;
use spalla_domain::retry::ErrorClass;
use std::path::Path;

/// Carries the run out. What fails in the project is what was asked to be found: the run itself fails only where nothing
/// could be verified.
pub(super) async fn execute(run: &Run<'_>) -> Result<End, End> {
    let report = run.scratchpads.report_folder(run).await.map_err(|error| end_of(run, error))?;
    let scratchpad = run.scratchpads.prepare(run).await.map_err(|error| end_of(run, error))?;
    run.log.keep_ends();
    let goal = run.assignment.prompt.clone().unwrap_or_else(|| run.assignment.title.clone());
    let examined = examine(run, &scratchpad, &wanted(&goal)).await?;
    let mut steps: Vec<Step> =
        (1..).zip(&examined.steps).map(|(number, step)| step_of(run, number, step)).collect();
    by_reports(run, &scratchpad, &mut steps).await;
    steps.iter_mut().filter_map(|step| step.tests.as_mut()).for_each(|tests| from_folder(tests, &scratchpad));
    judge(&mut steps);
    let verification = Verification {
        goal,
        commit: scratchpad.commit.clone(),
        steps,
        unknown: examined.unknown.iter().map(|verb| (*verb).to_owned()).collect(),
        unverified: examined.nothing,
    };
    let paths = verification.write(&report).map_err(|error| {
        End::from(Failure::new(ErrorClass::System, format!("writing the report: {error}")))
    })?;
    let summary = verification.summary();
    run.log.say(format!("report: {}", paths.markdown.display())).await;
    run.log.say(&summary).await;
    let verdict = verification.verdict();
    let result = json!({
        "summary": summary, "report": paths.markdown, "report_json": paths.json, "junit": paths.junit, "sarif": paths.sarif,
        "verdict": verdict.as_str(), "passed": verdict == Verdict::Green, "tests": verification.counts(),
    });
    match verdict {
        Verdict::Green | Verdict::Red => Ok(End::Succeeded { result }),
        Verdict::Unverified => {
            let failure = Failure::new(ErrorClass::Validation, summary);
            Ok(End::Failed(Failure { result: Some(result), ..failure }))
        }
    }
}

fn step_of(run: &Run<'_>, number: u32, step: &StepResult) -> Step {
    let outcome = match (&step.error, step.skipped) {
        (Some(error), _) => Outcome::Failed(error.clone()),
        (None, true) => Outcome::NotRun,
        (None, false) => Outcome::Passed,
    };
    Step {
        command: step.run.clone(),
        outcome,
        exit_code: step.exit_code,
        duration_ms: step.duration_ms,
        output: run.log.end_of(number),
        tests: run.log.tests_of(number),
    }
}

/// Places are told from the project's folder: where its copy lay is of no use to anybody.
fn from_folder(tests: &mut Tests, scratchpad: &Scratchpad) {
    for file in tests.failures.iter_mut().filter_map(|failure| failure.file.as_mut()) {
        let inside = Path::new(file.as_str()).strip_prefix(&scratchpad.folder).ok();
        if let Some(inside) = inside.and_then(Path::to_str).map(str::to_owned) {
            *file = inside;
        }
    }
}

/// Maven and Gradle write down more than they print: where there are reports, those count for the step that ran the tests.
async fn by_reports(run: &Run<'_>, scratchpad: &Scratchpad, steps: &mut [Step]) {
    let runs_tests = |step: &&mut Step| {
        let is_theirs = ["mvn", "gradle"].iter().any(|tool| step.command.contains(tool));
        is_theirs && step.command.ends_with(" test") && step.outcome != Outcome::NotRun
    };
    let Some(step) = steps.iter_mut().find(runs_tests) else { return };
    match run.look_for_test_reports(scratchpad).await {
        Ok(Some(tests)) => step.tests = Some(with_places(tests, step.tests.take())),
        Ok(None) => {}
        Err(why) => run.log.say(format!("reports of tests were not read: {why}")).await,
    }
}

/// Keeps what was printed where the reports name no failure.
fn with_places(mut tests: Tests, printed: Option<Tests>) -> Tests {
    if let Some(printed) = printed.filter(|_| tests.failures.is_empty()) {
        tests.failures = printed.failures;
    }
    tests
}
