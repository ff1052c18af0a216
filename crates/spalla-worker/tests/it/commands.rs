//! What the command policy does to a run: it ends it, lets it wait without a worker, or only tells of it.

use crate::fake::recipe;
use crate::site::Site;
use spalla_domain::found_command::{FoundCommand, Level};
use spalla_domain::log::Stream;
use spalla_domain::retry::ErrorClass;
use spalla_policy::Policy;
use std::sync::Arc;

const PUSH: &str = "steps: ['echo first', 'git push origin main || echo pushed']";

fn told(found: &[FoundCommand]) -> Vec<(u32, Level, &str)> {
    found.iter().map(|command| (command.step, command.level, command.command.as_str())).collect()
}

#[tokio::test]
async fn a_blocked_command_ends_the_run_before_its_first_step() {
    let site = Site::new();
    let run = site.fake.add(recipe("steps: ['echo first', 'cd / && rm -rf *']"));
    let mut worker = site.start();
    let completion = site.fake.ended(run).await;
    worker.stop().await;
    let error = completion.error.unwrap();
    assert_eq!(error.class, ErrorClass::Denied);
    assert!(
        error.message.starts_with("step 2: `rm -rf *` is blocked by the command policy"),
        "{}",
        error.message
    );
    assert_eq!(site.fake.lines(run, Stream::Stdout), [""; 0]);
    assert_eq!(told(&site.fake.state().found), [(2, Level::Blocked, "rm -rf *")]);
}

#[tokio::test]
async fn a_command_that_needs_a_yes_gives_the_run_back_and_goes_on_after_it() {
    let site = Site::new();
    let run = site.fake.add(recipe(PUSH));
    let mut worker = site.start();
    site.fake.until("the run is given back", |state| (state.runs[&run].handed_back == 1).then_some(())).await;
    assert_eq!(site.fake.lines(run, Stream::Stdout), [""; 0], "nothing was carried out");
    assert_eq!(told(&site.fake.state().found), [(2, Level::Confirm, "git push origin main || echo pushed")]);
    site.fake.change(|state| state.said = Some(true));
    let completion = site.fake.ended(run).await;
    worker.stop().await;
    assert!(completion.success, "{completion:?}");
    assert_eq!(site.fake.lines(run, Stream::Stdout), ["first", "pushed"]);
    let digests: Vec<String> = site.fake.state().found.iter().map(|found| found.digest.clone()).collect();
    assert_eq!((digests.len(), &digests[0]), (2, &digests[1]), "the same yes counts");
}

#[tokio::test]
async fn a_command_that_a_person_refused_ends_the_run() {
    let site = Site::new();
    let run = site.fake.add(recipe(PUSH));
    site.fake.change(|state| state.said = Some(false));
    let mut worker = site.start();
    let error = site.fake.ended(run).await.error.unwrap();
    worker.stop().await;
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::Denied, "approval 7 was refused"));
}

#[tokio::test]
async fn a_watched_command_runs_and_is_told_of() {
    let site = Site::new();
    let run = site.fake.add(recipe("steps: ['sudo -n true || echo as always']"));
    let mut worker = site.start();
    let completion = site.fake.ended(run).await;
    worker.stop().await;
    assert!(completion.success, "{completion:?}");
    assert_eq!(site.fake.state().found[0].level, Level::Watched);
}

#[tokio::test]
async fn the_operators_policy_is_the_one_that_counts() {
    for (policy, is_blocked) in [("classic", true), ("none", false)] {
        let site = Site::new();
        let run = site.fake.add(recipe("steps: ['mkdir made && rm -rf made']"));
        let mut worker = site.start_with(|options| {
            options.command_policy = Arc::new(Policy::preset(policy).unwrap());
        });
        let completion = site.fake.ended(run).await;
        worker.stop().await;
        assert_eq!(completion.success, !is_blocked, "{policy}: {completion:?}");
        assert_eq!(site.fake.state().found.is_empty(), !is_blocked);
    }
}
