//! Schedules on the wire.

use super::number::IdNumber;
use super::text::Text;
use super::{Body, present, words};
use serde::{Deserialize, Serialize};
use spalla_domain::schedule::{self, Patch, Schedule as DomainSchedule, Spec};
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
    /// Returns the schedule.
    pub(crate) fn into_spec(self) -> Spec {
        let patch = Patch {
            work_item_id: None,
            cron: None,
            timezone: self.timezone.map(Into::into),
            catch_up: self.catch_up.map(Into::into),
            overlap: self.overlap.map(Into::into),
            enabled: self.enabled,
        };
        patch.apply(Spec::new(WorkItemId(self.work_item_id.get()), String::from(self.cron)))
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

impl From<ScheduleChange> for Patch {
    fn from(change: ScheduleChange) -> Self {
        Self {
            work_item_id: change.work_item_id.map(|id| WorkItemId(id.get())),
            cron: change.cron.map(Into::into),
            timezone: change.timezone.map(Into::into),
            catch_up: change.catch_up.map(Into::into),
            overlap: change.overlap.map(Into::into),
            enabled: change.enabled,
        }
    }
}

/// What of a schedule can be said so that it can't be read, or never comes.
pub(crate) const TIMES: [&str; 2] = ["timezone", "cron"];

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
