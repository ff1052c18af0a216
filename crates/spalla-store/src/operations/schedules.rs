//! Schedules: bring a work item into the queue again and again, by a calendar.

use super::enqueue::{check_live, place};
use super::requeue::requeue;
use crate::command::{Delay, Reply, Requeued};
use crate::desk::{Answer, Desk};
use crate::document::{Document, KeptSchedule, Kind};
use crate::error::ExecuteError;
use crate::tx::{Result, Sequence, Tx};
use spalla_domain::event::Fact;
use spalla_domain::queue::Place;
use spalla_domain::schedule::{self, Calendar, Firing, Patch, Schedule, Skipped, Spec};
use spalla_domain::work_item::Status;
use spalla_domain::{Refusal, ScheduleId, Timestamp, WorkItemId};

/// A firing that waits for its item is looked at again after this long, in milliseconds.
const LOOK_AGAIN_MS: i64 = 1_000;

/// Makes a schedule.
pub(crate) async fn create<T: Tx>(desk: &mut Desk<'_, T>, spec: &Spec) -> Answer<Reply> {
    let now = desk.context.now;
    let calendar = spec.check(now)?;
    check_live(desk, spec.work_item_id).await?;
    let id = ScheduleId(desk.next_id(Sequence::Schedule).await?);
    let schedule = Schedule {
        id,
        spec: spec.clone(),
        considered_until: now,
        waiting: 0,
        created_at: now,
        updated_at: now,
    };
    keep(desk, schedule, &calendar)?;
    desk.facts(spec.work_item_id, None, vec![Fact::ScheduleCreated { schedule_id: id }]);
    Ok(Reply::Schedule(id))
}

/// Changes a schedule; the firings of the time before belong to how it was.
pub(crate) async fn update<T: Tx>(desk: &mut Desk<'_, T>, id: ScheduleId, patch: &Patch) -> Answer<Reply> {
    let kept = find(desk, id).await?;
    let spec = patch.clone().apply(kept.schedule.spec);
    let now = desk.context.now;
    let calendar = spec.check(now)?;
    check_live(desk, spec.work_item_id).await?;
    let waiting = if spec.enabled { kept.schedule.waiting } else { 0 };
    let item = spec.work_item_id;
    let schedule = Schedule { spec, considered_until: now, waiting, updated_at: now, ..kept.schedule };
    keep(desk, schedule, &calendar)?;
    desk.facts(item, None, vec![Fact::ScheduleChanged { schedule_id: id }]);
    Ok(Reply::Schedule(id))
}

/// Removes a schedule.
pub(crate) async fn remove<T: Tx>(desk: &mut Desk<'_, T>, id: ScheduleId) -> Answer<Reply> {
    let item = find(desk, id).await?.schedule.spec.work_item_id;
    desk.item(item).await?;
    desk.remove(Kind::Schedule, id.0);
    desk.facts(item, None, vec![Fact::ScheduleRemoved { schedule_id: id }]);
    Ok(Reply::Schedule(id))
}

async fn find<T: Tx>(desk: &mut Desk<'_, T>, id: ScheduleId) -> Answer<KeptSchedule> {
    let kept = desk.document(id.0).await?;
    Ok(kept.ok_or_else(|| Refusal::not_found("schedule", id))?)
}

fn keep<T: Tx>(desk: &mut Desk<'_, T>, schedule: Schedule, calendar: &Calendar) -> Result<()> {
    let now = desk.context.now;
    let next = calendar.next_after(now, 1).into_iter().next();
    let soon = (schedule.waiting > 0).then(|| now.plus_ms(LOOK_AGAIN_MS));
    let next_at = if schedule.spec.enabled { next.into_iter().chain(soon).min() } else { None };
    desk.keep(&KeptSchedule { schedule, next_at })
}

/// Lets a schedule fire whose time has come. Returns whether it brought its item into the queue.
pub(crate) async fn come_due<T: Tx>(desk: &mut Desk<'_, T>, document: &Document) -> Result<bool> {
    let KeptSchedule { mut schedule, .. } = document.read()?;
    let now = desk.context.now;
    let calendar = match schedule.spec.calendar() {
        Ok(calendar) => calendar,
        Err(refusal) => {
            tracing::warn!(schedule = schedule.id.0, %refusal, "a schedule can't be read any more and rests");
            desk.keep(&KeptSchedule { schedule, next_at: None })?;
            return Ok(false);
        }
    };
    let due = schedule::due(&schedule.spec, &calendar, schedule.considered_until, now);
    schedule.considered_until = schedule.considered_until.max(now);
    let mut has_fired = false;
    if due.firings.is_empty() && schedule.waiting > 0 {
        has_fired = fire_waiting(desk, &mut schedule).await?;
    }
    for at in due.firings {
        has_fired |= fire(desk, &mut schedule, at).await?;
    }
    keep(desk, schedule, &calendar)?;
    Ok(has_fired)
}

async fn fire_waiting<T: Tx>(desk: &mut Desk<'_, T>, schedule: &mut Schedule) -> Result<bool> {
    match schedule::decide(&schedule.spec, status(desk, schedule.spec.work_item_id).await?, 0) {
        Firing::Fire => {
            schedule.waiting -= 1;
            start(desk, schedule, desk.context.now).await
        }
        Firing::Queue => Ok(false),
        Firing::Skip(_) => {
            schedule.waiting = 0;
            Ok(false)
        }
    }
}

async fn fire<T: Tx>(desk: &mut Desk<'_, T>, schedule: &mut Schedule, at: Timestamp) -> Result<bool> {
    let item = status(desk, schedule.spec.work_item_id).await?;
    match schedule::decide(&schedule.spec, item, schedule.waiting) {
        Firing::Fire => start(desk, schedule, at).await,
        Firing::Queue => {
            schedule.waiting += 1;
            Ok(false)
        }
        Firing::Skip(why) => {
            skip(desk, schedule, at, &words(why));
            Ok(false)
        }
    }
}

fn words(why: Skipped) -> String {
    match why {
        Skipped::Disabled => "it is switched off",
        Skipped::Archived => "its work item or the project is archived",
        Skipped::Overlap => "its work item has not come to its end",
        Skipped::TooManyWaiting => "too many firings wait already",
    }
    .to_owned()
}

async fn start<T: Tx>(desk: &mut Desk<'_, T>, schedule: &Schedule, at: Timestamp) -> Result<bool> {
    let id = schedule.spec.work_item_id;
    let is_open = matches!(desk.item(id).await.map(|item| item.place == Place::Open), Ok(true));
    let entered = if is_open {
        place(desk, id, None, None).await
    } else {
        requeue(desk, Requeued::WorkItem(id), None, Delay::Ms(0)).await
    };
    match entered {
        Ok(_) => {
            desk.facts(id, None, vec![Fact::ScheduleFired { schedule_id: schedule.id, due_at: at }]);
            Ok(true)
        }
        Err(ExecuteError::Refused(refusal)) => {
            skip(desk, schedule, at, &refusal.detail);
            Ok(false)
        }
        Err(ExecuteError::Store(error)) => Err(error),
    }
}

fn skip<T: Tx>(desk: &mut Desk<'_, T>, schedule: &Schedule, at: Timestamp, reason: &str) {
    let skipped = Fact::ScheduleSkipped { schedule_id: schedule.id, due_at: at, reason: reason.to_owned() };
    desk.facts(schedule.spec.work_item_id, None, vec![skipped]);
}

/// Returns the state of an item; what can't be started any more counts as archived.
async fn status<T: Tx>(desk: &mut Desk<'_, T>, id: WorkItemId) -> Result<Status> {
    match check_live(desk, id).await {
        Ok(()) => {}
        Err(ExecuteError::Refused(_)) => return Ok(Status::Archived),
        Err(ExecuteError::Store(error)) => return Err(error),
    }
    match desk.item(id).await {
        Ok(item) => Ok(item.place.status()),
        Err(ExecuteError::Refused(_)) => Ok(Status::Archived),
        Err(ExecuteError::Store(error)) => Err(error),
    }
}
