//! Schedules on the wire.

use super::number::IdNumber;
use super::text::Text;
use super::{Body, present, words};
use crate::problem::Problem;
use serde::{Deserialize, Serialize};
use spalla_domain::schedule::{self, Schedule as DomainSchedule, Spec};
use spalla_domain::{Timestamp, WorkItemId};
use utoipa::ToSchema;

/// How many of the next times are shown.
const NEXT_TIMES: usize = 5;

words! {
    /// What becomes of times at which nobody looked, such as while the server was down.
    CatchUp for schedule::CatchUp {
        /// They are forgotten.
        None = "none",
        /// The last of them is made up for.
        Last = "last",
        /// Each of them is made up for.
        All = "all",
    }
}

words! {
    /// What becomes of a time at which the work item has not come to its end.
    Overlap for schedule::Overlap {
        /// It is skipped.
        Skip = "skip",
        /// It waits until the item is free.
        Queue = "queue",
    }
}

/// A cron text; its fields are checked by whoever understands them.
type Cron = Text<1_000>;
/// The name of a time zone.
type Zone = Text<100>;

/// A schedule to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSchedule {
    /// What runs.
    #[schema(inline)]
    work_item_id: IdNumber,
    /// When: five fields, or six with the seconds first.
    #[schema(inline)]
    cron: Cron,
    /// The time zone by whose clock, such as `Europe/Berlin`; `UTC` when left out.
    #[schema(inline)]
    timezone: Option<Zone>,
    /// What becomes of times at which nobody looked; `none` when left out.
    catch_up: Option<CatchUp>,
    /// What becomes of a time at which the item is busy; `skip` when left out.
    overlap: Option<Overlap>,
    /// Whether it starts anything at all; true when left out.
    enabled: Option<bool>,
}

impl Body for NewSchedule {}

impl NewSchedule {
    /// Returns the schedule, if its time comes again.
    pub(crate) fn into_spec(self, now: Timestamp) -> Result<Spec, Problem> {
        let mut spec = Spec::new(WorkItemId(self.work_item_id.get()), String::from(self.cron));
        let change = ScheduleChange {
            work_item_id: None,
            cron: None,
            timezone: self.timezone,
            catch_up: self.catch_up,
            overlap: self.overlap,
            enabled: self.enabled,
        };
        change.apply(&mut spec);
        checked(spec, now)
    }
}

/// A change of a schedule; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleChange {
    /// What runs from now on.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = IdNumber, inline, required = false)]
    work_item_id: Option<IdNumber>,
    /// The new times.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Cron, inline, required = false)]
    cron: Option<Cron>,
    /// The new time zone.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Zone, inline, required = false)]
    timezone: Option<Zone>,
    /// What becomes of times at which nobody looked.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = CatchUp, required = false)]
    catch_up: Option<CatchUp>,
    /// What becomes of a time at which the item is busy.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Overlap, required = false)]
    overlap: Option<Overlap>,
    /// Whether it starts anything at all.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    enabled: Option<bool>,
}

impl Body for ScheduleChange {}

impl ScheduleChange {
    /// Returns what becomes of a schedule, if its time comes again.
    pub(crate) fn into_spec(self, mut spec: Spec, now: Timestamp) -> Result<Spec, Problem> {
        self.apply(&mut spec);
        checked(spec, now)
    }

    fn apply(self, spec: &mut Spec) {
        fn replace<T>(place: &mut T, new: Option<impl Into<T>>) {
            if let Some(new) = new {
                *place = new.into();
            }
        }
        replace(&mut spec.work_item_id, self.work_item_id.map(|id| WorkItemId(id.get())));
        replace(&mut spec.cron, self.cron);
        replace(&mut spec.timezone, self.timezone);
        replace(&mut spec.catch_up, self.catch_up);
        replace(&mut spec.overlap, self.overlap);
        replace(&mut spec.enabled, self.enabled);
    }
}

fn checked(spec: Spec, now: Timestamp) -> Result<Spec, Problem> {
    match spec.check(now) {
        Ok(_) => Ok(spec),
        Err(refusal) => {
            let path = if refusal.detail.starts_with("timezone") { "timezone" } else { "cron" };
            Err(Problem::from(refusal).naming(path))
        }
    }
}

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Schedule {
    /// Its id.
    id: i64,
    /// What runs.
    work_item_id: i64,
    /// When: five fields, or six with the seconds first.
    cron: String,
    /// The time zone by whose clock.
    timezone: String,
    /// What becomes of times at which nobody looked.
    catch_up: CatchUp,
    /// What becomes of a time at which the item is busy.
    overlap: Overlap,
    /// Whether it starts anything at all.
    enabled: bool,
    /// The next times, the earliest first; fewer than five where no more come, none while it is switched off.
    #[schema(value_type = Vec<String>)]
    next_times: Vec<Timestamp>,
    /// How many times wait for the item to be free.
    waiting: u32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When a client last changed it.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl Schedule {
    /// Shows a schedule with its times after a moment.
    pub(crate) fn new(schedule: DomainSchedule, now: Timestamp) -> Self {
        let DomainSchedule { id, spec, waiting, created_at, updated_at, .. } = schedule;
        let calendar = spec.calendar().ok().filter(|_| spec.enabled);
        Self {
            id: id.0,
            work_item_id: spec.work_item_id.0,
            cron: spec.cron,
            timezone: spec.timezone,
            catch_up: spec.catch_up.into(),
            overlap: spec.overlap.into(),
            enabled: spec.enabled,
            next_times: calendar.map(|calendar| calendar.next_after(now, NEXT_TIMES)).unwrap_or_default(),
            waiting,
            created_at,
            updated_at,
        }
    }
}
