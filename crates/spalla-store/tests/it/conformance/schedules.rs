//! Schedules: an item comes into the queue by its calendar, once for each time, and not while it is busy.

use crate::fixture::Fixture;
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::schedule::{CatchUp, Overlap, Patch, Spec};
use spalla_domain::work_item::Status;
use spalla_domain::{ScheduleId, WorkItemId};
use spalla_store::Command;
use spalla_store::command::Reply;
use spalla_store::document::{KeptSchedule, Kind};

crate::fixture::claims!(
    a_schedule_brings_its_item_into_the_queue_again_and_again,
    a_time_at_which_the_item_is_busy_is_skipped_or_waits,
    times_at_which_nobody_looked_are_forgotten_or_caught_up,
    a_schedule_that_is_switched_off_or_removed_fires_no_more,
    a_schedule_that_cannot_be_read_is_refused,
    changes_that_meet_are_both_kept,
    the_clock_knows_when_a_schedule_fires_next,
);

const HOUR_MS: i64 = 3_600_000;

fn hourly(id: WorkItemId) -> Spec {
    Spec::new(id, "0 * * * *")
}

async fn create(f: &Fixture, spec: Spec) -> ScheduleId {
    match f.granted(Command::CreateSchedule(spec)).await {
        Reply::Schedule(id) => id,
        other => panic!("{other:?}"),
    }
}

/// Lets time pass until the next full hour.
async fn pass_to_the_hour(f: &Fixture) {
    f.pass_ms(HOUR_MS - f.now().ms() % HOUR_MS).await;
}

async fn fired(f: &Fixture, id: WorkItemId) -> usize {
    f.facts(id).await.iter().filter(|fact| matches!(fact, Fact::ScheduleFired { .. })).count()
}

async fn a_schedule_brings_its_item_into_the_queue_again_and_again(f: Fixture) {
    let [id] = f.open_items().await;
    create(&f, hourly(id)).await;
    assert_eq!(f.status(id).await, Status::Open);
    for times in 1..=3 {
        pass_to_the_hour(&f).await;
        assert_eq!((f.status(id).await, fired(&f, id).await), (Status::Queued, times));
        f.run_next(true).await;
    }
}

async fn a_time_at_which_the_item_is_busy_is_skipped_or_waits(f: Fixture) {
    let [skips, waits] = f.queued().await;
    create(&f, hourly(skips)).await;
    create(&f, Spec { overlap: Overlap::Queue, ..hourly(waits) }).await;
    pass_to_the_hour(&f).await;
    assert_eq!([fired(&f, skips).await, fired(&f, waits).await], [0, 0]);
    f.run_next(true).await;
    f.run_next(true).await;
    f.pass_ms(2_000).await;
    assert_eq!([f.status(skips).await, f.status(waits).await], [Status::Succeeded, Status::Queued]);
}

async fn times_at_which_nobody_looked_are_forgotten_or_caught_up(f: Fixture) {
    let [forgets, catches_up] = f.open_items().await;
    create(&f, hourly(forgets)).await;
    create(&f, Spec { catch_up: CatchUp::Last, ..hourly(catches_up) }).await;
    f.pass_ms(5 * HOUR_MS + HOUR_MS / 2).await;
    assert_eq!([fired(&f, forgets).await, fired(&f, catches_up).await], [0, 1]);
}

async fn a_schedule_that_is_switched_off_or_removed_fires_no_more(f: Fixture) {
    let [off, removed] = f.open_items().await;
    let (one, two) = (create(&f, hourly(off)).await, create(&f, hourly(removed)).await);
    f.granted(Command::UpdateSchedule { id: one, patch: Patch { enabled: Some(false), ..Patch::default() } })
        .await;
    f.granted(Command::RemoveSchedule { id: two }).await;
    pass_to_the_hour(&f).await;
    assert_eq!([f.status(off).await, f.status(removed).await], [Status::Open; 2]);
    assert_eq!(f.refused(Command::RemoveSchedule { id: two }).await, Code::NotFound);
}

async fn changes_that_meet_are_both_kept(f: Fixture) {
    let [id] = f.open_items().await;
    let schedule = create(&f, hourly(id)).await;
    let change = |patch| Command::UpdateSchedule { id: schedule, patch }.into();
    let other = f.second_server().await;
    let patches = [
        Patch { cron: Some("30 * * * *".into()), ..Patch::default() },
        Patch { overlap: Some(Overlap::Queue), ..Patch::default() },
        Patch { catch_up: Some(CatchUp::All), ..Patch::default() },
    ];
    let [one, two, three] = patches;
    let here = f.store.execute_all(vec![change(one), change(two)]);
    let (here, there) =
        tokio::join!(here, other.execute(Command::UpdateSchedule { id: schedule, patch: three }));
    assert!(here.into_iter().chain([there]).all(|outcome| outcome.is_ok()));
    let kept = f.store.read().document(Kind::Schedule, schedule.0).await.unwrap().unwrap();
    let spec = kept.read::<KeptSchedule>().unwrap().schedule.spec;
    let all = Spec { overlap: Overlap::Queue, catch_up: CatchUp::All, ..Spec::new(id, "30 * * * *") };
    assert_eq!(spec, all);
    let nonsense = Patch { cron: Some("61 * * * *".into()), ..Patch::default() };
    assert_eq!(f.refused(Command::UpdateSchedule { id: schedule, patch: nonsense }).await, Code::Invalid);
}

async fn a_schedule_that_cannot_be_read_is_refused(f: Fixture) {
    let [id] = f.open_items().await;
    let bad = [
        Spec::new(id, "61 * * * *"),
        Spec::new(id, "0 0 30 2 *"),
        Spec { timezone: "Mars/Base".into(), ..hourly(id) },
    ];
    for spec in bad {
        assert_eq!(f.refused(Command::CreateSchedule(spec)).await, Code::Invalid);
    }
    assert_eq!(f.refused(Command::CreateSchedule(hourly(WorkItemId(99)))).await, Code::NotFound);
}

async fn the_clock_knows_when_a_schedule_fires_next(mut f: Fixture) {
    let [id] = f.open_items().await;
    let schedule = create(&f, hourly(id)).await;
    f.restart().await;
    f.keep_time().await;
    let kept: KeptSchedule =
        f.store.read().document(Kind::Schedule, schedule.0).await.unwrap().unwrap().read().unwrap();
    assert_eq!(f.store.next_moment(), kept.next_at);
    assert!(kept.next_at.is_some_and(|at| at > f.now()));
}
