//! What happens around a run: cancelling, losing the lease, a server that is away, the end of the worker.

use crate::fake::{Wanted, recipe};
use crate::site::Site;
use crate::tools::{lines_of, processes_with, until};
use spalla_domain::claim::Completion;
use spalla_domain::log::Stream;
use spalla_domain::retry::ErrorClass;

/// A step that says that it began and then waits until it is ended.
fn waiting(site: &Site) -> String {
    format!(
        "steps: ['echo $SPALLA_RUN_ID >> {0}; exec tail -f {0} > /dev/null', {{run: echo never, if: always()}}]",
        site.shared("started").display()
    )
}

/// Waits until so many steps have begun.
async fn started(site: &Site, count: usize) {
    lines_of(&site.shared("started"), count).await;
}

/// How many processes have the site's file among their arguments, whatever their ids inside.
fn living(site: &Site) -> usize {
    processes_with(site.shared("started").to_str().unwrap()).len()
}

fn message(completion: &Completion) -> (ErrorClass, String) {
    let error = completion.error.clone().unwrap();
    (error.class, error.message)
}

#[tokio::test]
async fn a_cancelled_run_ends_with_its_processes() {
    let site = Site::new();
    let run = site.fake.add(recipe(&waiting(&site)));
    let mut worker = site.start();
    started(&site, 1).await;
    site.fake.change(|state| state.runs.get_mut(&run).unwrap().cancel = true);
    let completion = site.fake.ended(run).await;
    assert_eq!(message(&completion), (ErrorClass::Failed, "the run was cancelled".into()));
    assert_eq!(living(&site), 0);
    assert_eq!(site.fake.lines(run, Stream::Stdout), [""; 0]);
    worker.stop().await;
}

#[tokio::test]
async fn a_lost_lease_ends_the_run_and_nothing_more_is_sent() {
    let site = Site::new();
    let run = site.fake.add(recipe(&waiting(&site)));
    let mut worker = site.start();
    started(&site, 1).await;
    site.fake.said(run, "step 1:").await;
    site.fake.take_away(run);
    let lines = site.fake.state().runs[&run].log.len();
    while worker.handle.status().running > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(living(&site), 0);
    worker.stop().await;
    let state = site.fake.state();
    assert_eq!((state.runs[&run].log.len(), state.runs[&run].completion.is_none()), (lines, true));
    assert_eq!(state.runs[&run].handed_back, 0);
}

#[tokio::test]
async fn a_run_that_is_taken_again_is_carried_out_once_under_the_newest_token() {
    let site = Site::new();
    let run = site.fake.add(recipe(&waiting(&site)));
    let mut worker = site.start_with(|options| {
        options.concurrency = 2;
        options.ttl_ms = 1_000_000;
        options.heartbeat_interval_ms = 300_000;
    });
    started(&site, 1).await;
    // Between two programs a process has no arguments for a moment.
    until("it waits", || (living(&site) == 1).then_some(())).await;
    // The lease ended and nobody told the worker, which asks for more.
    site.fake.change(|state| state.runs.get_mut(&run).unwrap().is_held = false);
    started(&site, 2).await;
    until("the first one has ended", || (living(&site) == 1).then_some(())).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_log_that_is_refused_ends_the_run_before_any_heartbeat() {
    let site = Site::new();
    let run = site.fake.add(recipe(&format!(
        "steps: ['echo >> {}; while :; do echo line; sleep 0.01; done']",
        site.shared("started").display()
    )));
    let mut worker = site.start_with(|options| {
        options.ttl_ms = 1_000_000;
        options.heartbeat_interval_ms = 300_000;
    });
    started(&site, 1).await;
    site.fake.said(run, "line").await;
    site.fake.take_away(run);
    while worker.handle.status().running > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(living(&site), 0);
    assert_eq!(site.fake.state().refused_calls, 1, "after the first refusal nothing is sent");
    worker.stop().await;
}

#[tokio::test]
async fn a_paused_run_holds_before_its_next_step() {
    let site = Site::new();
    let go = site.shared("go");
    let run = site.fake.add(recipe(&format!(
        "steps: ['while [ ! -e {} ]; do sleep 0.01; done', echo second]",
        go.display()
    )));
    site.fake.change(|state| state.runs.get_mut(&run).unwrap().pause = true);
    let mut worker = site.start();
    site.fake.until("it was told", |state| (state.beats > 2).then_some(())).await;
    std::fs::write(&go, "").unwrap();
    site.fake.said(run, "paused: the next step waits").await;
    assert_eq!(site.fake.lines(run, Stream::Stdout), [""; 0]);
    site.fake.change(|state| state.runs.get_mut(&run).unwrap().pause = false);
    assert!(site.fake.ended(run).await.success);
    assert_eq!(site.fake.lines(run, Stream::Stdout), ["second"]);
    worker.stop().await;
}

#[tokio::test]
async fn a_server_that_was_away_gets_every_line_once_and_the_end() {
    let site = Site::new();
    let (go, printed) = (site.shared("go"), site.shared("printed"));
    let run = site.fake.add(recipe(&format!(
        "steps: ['echo first; while [ ! -e {} ]; do sleep 0.01; done; seq 1 40000; echo > {}']",
        go.display(),
        printed.display()
    )));
    // So little memory that nearly all of it has to wait on disk.
    let mut worker = site.start_with(|options| options.limits.spool_memory_bytes = 100_000);
    site.fake.said(run, "first").await;
    site.fake.change(|state| state.away = true);
    std::fs::write(&go, "").unwrap();
    // Nobody takes the lines, and the command is not held up.
    lines_of(&printed, 1).await;
    until("it is noticed", || (!worker.handle.status().connected).then_some(())).await;
    site.fake.change(|state| {
        state.away = false;
        state.lost_answers = 3;
    });
    assert!(site.fake.ended(run).await.success);
    let numbers = (1..=40_000).map(|n: u32| n.to_string());
    let expected: Vec<String> = std::iter::once("first".into()).chain(numbers).collect();
    assert!(site.fake.lines(run, Stream::Stdout) == expected, "lines are lost or doubled");
    worker.stop().await;
}

#[tokio::test]
async fn an_end_whose_answer_was_lost_counts_once() {
    let site = Site::new();
    let first = site.fake.add(recipe("steps: [\"true\"]"));
    let mut worker = site.start();
    site.fake.ended(first).await;
    let run = site.fake.add(Wanted { item: 2, ..recipe("steps: [\"true\"]") });
    site.fake.said(run, "executes the run").await;
    site.fake.change(|state| state.lost_answers = 2);
    assert!(site.fake.ended(run).await.success);
    site.fake.until("the answers arrive again", |state| (state.lost_answers == 0).then_some(())).await;
    let third = site.fake.add(Wanted { item: 3, ..recipe("steps: [\"true\"]") });
    assert!(site.fake.ended(third).await.success);
    worker.stop().await;
}

#[tokio::test]
async fn a_result_that_the_server_does_not_take_becomes_a_failure_that_says_so() {
    let site = Site::new();
    site.fake.change(|state| state.result_bytes_max = Some(10));
    let run = site.fake.add(recipe("steps: [\"true\"]"));
    let mut worker = site.start();
    let completion = site.fake.ended(run).await;
    let expected = "the server did not accept how the run ended: too large";
    assert_eq!(message(&completion), (ErrorClass::System, expected.into()));
    worker.stop().await;
}

#[tokio::test]
async fn several_runs_go_on_at_once_and_never_more_than_allowed() {
    let site = Site::new();
    let meet = format!(
        "steps: ['echo >> {0}; until [ $(wc -l < {0}) -ge 3 ]; do sleep 0.01; done']",
        site.shared("met").display()
    );
    let runs: Vec<_> = (1..=12).map(|item| site.fake.add(Wanted { item, ..recipe(&meet) })).collect();
    let mut worker = site.start_with(|options| options.concurrency = 3);
    for run in runs {
        assert!(site.fake.ended(run).await.success);
    }
    assert_eq!(site.fake.state().held_at_once, 3);
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_that_drains_finishes_what_it_has_and_takes_no_more() {
    let site = Site::new();
    let go = site.shared("go");
    let run = site
        .fake
        .add(recipe(&format!("steps: ['while [ ! -e {} ]; do sleep 0.01; done; echo done']", go.display())));
    let mut worker = site.start_with(|options| options.concurrency = 2);
    site.fake.said(run, "step 1:").await;
    worker.handle.drain();
    let later = site.fake.add(Wanted { item: 2, ..recipe("steps: [echo later]") });
    std::fs::write(&go, "").unwrap();
    worker.gone().await;
    let state = site.fake.state();
    assert!(state.runs[&run].completion.as_ref().unwrap().success);
    assert!(state.runs[&later].completion.is_none() && !state.runs[&later].is_held);
}

#[tokio::test]
async fn what_is_not_done_within_the_grace_is_handed_back_without_its_processes() {
    let site = Site::new();
    let run = site.fake.add(recipe(&waiting(&site)));
    let mut worker = site.start_with(|options| options.drain_grace_ms = 50);
    started(&site, 1).await;
    worker.handle.drain();
    worker.gone().await;
    assert_eq!(living(&site), 0);
    {
        let state = site.fake.state();
        let row = &state.runs[&run];
        assert_eq!((row.handed_back, row.completion.is_none(), row.is_held), (1, true, false));
        assert!(row.log.last().unwrap().text.contains("the run is handed back"), "{:?}", row.log.last());
    }
    // Somebody else takes it, and its lines follow those of the first.
    let mut other = site.start();
    until("it runs again", || (lines_of_now(&site) >= 2).then_some(())).await;
    other.stop().await;
    assert_eq!(site.fake.state().runs[&run].handed_back, 2);
}

fn lines_of_now(site: &Site) -> usize {
    std::fs::read_to_string(site.shared("started")).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn an_idle_worker_goes_at_once() {
    let site = Site::new();
    let mut worker = site.start_with(|options| options.poll_wait_ms = 3_600_000);
    site.fake.until("anything", |_| Some(())).await;
    worker.handle.drain();
    tokio::time::timeout(std::time::Duration::from_secs(10), worker.gone()).await.unwrap();
}
