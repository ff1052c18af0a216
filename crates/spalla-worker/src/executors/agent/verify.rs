//! The verifier: builds, lints and tests a project behind the walls as its files say, and reports. It needs no model.

use super::end_of;
use crate::builtin::verifier::{Step, Verification};
use crate::executors::recipe::{Verified, verify};
use crate::run::{End, Failure, Run};
use serde_json::{Value, json};
use spalla_domain::retry::ErrorClass;

/// Carries the run out. What fails in the project is what was asked to be found: the run itself fails only where nothing
/// could be verified.
pub(super) async fn execute(run: &Run<'_>) -> Result<End, End> {
    let report = run.scratchpads.report_folder(run).await.map_err(|error| end_of(run, error))?;
    let scratchpad = run.scratchpads.prepare(run).await.map_err(|error| end_of(run, error))?;
    run.log.keep_ends();
    let (steps, unverified) = match verify(run, &scratchpad).await? {
        Verified::Green(result) | Verified::Red(_, result) => (steps_of(run, &result), None),
        Verified::Unverified(why) => (Vec::new(), Some(why)),
    };
    let goal = run.assignment.prompt.clone().unwrap_or_else(|| run.assignment.title.clone());
    let verification = Verification { goal, commit: scratchpad.commit.clone(), steps, unverified };
    let paths = verification.write(&report).map_err(|error| {
        End::from(Failure::new(ErrorClass::System, format!("writing the report: {error}")))
    })?;
    run.log.say(format!("report: {}", paths.markdown.display())).await;
    run.log.say(verification.summary()).await;
    let result = json!({
        "summary": verification.summary(), "report": paths.markdown, "report_json": paths.json,
        "junit": paths.junit, "sarif": paths.sarif, "passed": verification.failed().count() == 0,
    });
    match verification.unverified {
        None => Ok(End::Succeeded { result }),
        Some(_) => {
            let failure = Failure::new(ErrorClass::Validation, verification.summary());
            Ok(End::Failed(Failure { result: Some(result), ..failure }))
        }
    }
}

fn steps_of(run: &Run<'_>, result: &Value) -> Vec<Step> {
    let steps = result["steps"].as_array().into_iter().flatten();
    let step = |(number, step): (u32, &Value)| Step {
        command: step["run"].as_str().unwrap_or_default().to_owned(),
        error: step["error"].as_str().map(str::to_owned),
        duration_ms: step["duration_ms"].as_u64().unwrap_or(0),
        skipped: step["skipped"].as_bool().unwrap_or(false),
        output: run.log.end_of(number),
    };
    (1..).zip(steps).map(step).collect()
}
