//! Keys of the clouds that a work item speaks of: what the run's environment lacks is asked of a person in one info
//! request, and reaches the steps as variables, or as private files that go with the run.

use crate::credentials::Credentials;
use crate::programs;
use crate::questions::{Answer, answered, ask};
use crate::run::{End, Failure, Run};
use spalla_domain::InfoRequestId;
use spalla_domain::cloud::{Cloud, hinted, missing};
use spalla_domain::info_request::InfoField;
use spalla_domain::retry::ErrorClass;

/// Returns what a person will be asked for.
pub(super) fn wanted(run: &Run<'_>) -> Vec<InfoField> {
    let clouds = hinted(&run.assignment.title, &run.assignment.labels);
    missing(&clouds, |name| run.options.child_env.contains_key(name))
}

/// Gets what the steps need. The files live as long as what is returned.
pub(crate) async fn prepare(run: &Run<'_>) -> Result<Option<Credentials>, End> {
    let clouds = hinted(&run.assignment.title, &run.assignment.labels);
    if clouds.is_empty() {
        return Ok(None);
    }
    for cloud in &clouds {
        say_programs(run, *cloud).await;
    }
    let fields = wanted(run);
    if fields.is_empty() {
        return Ok(None);
    }
    let names: Vec<&str> = clouds.iter().map(|cloud| cloud.as_str()).collect();
    let reason = format!("\"{}\" works with {}", run.assignment.title, names.join(", "));
    let answer = ask(run, &reason, &fields).await?;
    let credentials = keep(run, &clouds, &answer).map_err(|error| {
        End::from(Failure::new(ErrorClass::System, format!("keeping the answered values: {error}")))
    })?;
    Ok(Some(credentials))
}

/// Gets once more what the steps of a run have that an earlier worker left, and masks it; nothing is said, since all that
/// was said is in the log. Says why where that can't be.
pub(super) async fn prepare_again(run: &Run<'_>, id: InfoRequestId) -> Result<(), String> {
    let clouds = hinted(&run.assignment.title, &run.assignment.labels);
    let answer = match answered(run, id).await {
        Ok(Some(answer)) => answer,
        Ok(None) => return Err(format!("info request {id} has no answer any more")),
        Err(End::Failed(failure)) => return Err(failure.error.message),
        Err(_) => return Err("the run was told to end".to_owned()),
    };
    let kept = keep(run, &clouds, &answer).map_err(|error| format!("keeping the answered values: {error}"));
    kept.map(|credentials| run.bear(credentials))
}

async fn say_programs(run: &Run<'_>, cloud: Cloud) {
    let found = |program: &&&str| programs::find(program, &run.options.child_env).is_some();
    let programs = cloud.programs();
    let there: Vec<&str> = programs.iter().filter(found).copied().collect();
    let said = match there.as_slice() {
        [] => format!("none of {} was found: steps that call one will fail", programs.join(", ")),
        there => format!("{} found", there.join(", ")),
    };
    run.log.say(format!("the work item speaks of {}: {said}", cloud.as_str())).await;
}

fn keep(run: &Run<'_>, clouds: &[Cloud], answer: &Answer) -> std::io::Result<Credentials> {
    let mut credentials = Credentials::open(run.credentials_place())?;
    for (name, value) in answer {
        let file = clouds.iter().filter_map(|cloud| cloud.file()).find(|file| file.field == name);
        match file {
            Some(file) => credentials.put_file(file.variable, name, value)?,
            None => credentials.put_variable(name, value),
        }
    }
    run.log.mask(answer);
    Ok(credentials)
}
