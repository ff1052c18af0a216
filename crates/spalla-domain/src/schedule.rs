//! A schedule: when a work item runs again and again, in which time zone, and what becomes of the times at which nobody
//! looked, or at which the item was still busy.

mod calendar;
#[cfg(test)]
mod tests;

pub use calendar::Calendar;

use crate::problem::Code;
use crate::work_item::Status;
use crate::{Refusal, ScheduleId, Timestamp, WorkItemId};
use serde::{Deserialize, Serialize};

/// A firing that is looked at within this time is on time, in milliseconds: a restart of the server takes less.
pub const LATE_MS: i64 = 60_000;
/// The most firings that are caught up at once.
pub const CATCH_UP_MAX: usize = 1_000;
/// The most firings of one schedule that wait for their item.
pub const WAITING_MAX: u32 = 1_000;
/// The most times that are foretold at once.
pub const NEXT_MAX: usize = 100;

/// What becomes of firings at which nobody looked, such as while the server was down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CatchUp {
    /// They are forgotten.
    #[default]
    None,
    /// The last of them fires late.
    Last,
    /// Each of them fires late, up to [`CATCH_UP_MAX`], the newest.
    All,
}

/// What becomes of a firing while its item has not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overlap {
    /// It is skipped.
    #[default]
    Skip,
    /// It waits until the item is free.
    Queue,
}

macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// Returns the name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Reads the name back.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

names!(CatchUp { None = "none", Last = "last", All = "all" });
names!(Overlap { Skip = "skip", Queue = "queue" });

/// What a client says of a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// What runs.
    pub work_item_id: WorkItemId,
    /// When: five fields, or six with the seconds first.
    pub cron: String,
    /// The time zone by whose clock, such as `Europe/Berlin`.
    #[serde(default = "utc")]
    pub timezone: String,
    /// What becomes of firings at which nobody looked.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// What becomes of a firing while the item is busy.
    #[serde(default)]
    pub overlap: Overlap,
    /// Whether it fires at all.
    #[serde(default = "enabled")]
    pub enabled: bool,
}

fn utc() -> String {
    "UTC".to_owned()
}

const fn enabled() -> bool {
    true
}

impl Spec {
    /// Makes a schedule that says when and leaves the rest to its defaults.
    pub fn new(work_item_id: WorkItemId, cron: impl Into<String>) -> Self {
        let (catch_up, overlap) = (CatchUp::default(), Overlap::default());
        Self { work_item_id, cron: cron.into(), timezone: utc(), catch_up, overlap, enabled: true }
    }

    /// Reads when it fires.
    pub fn calendar(&self) -> Result<Calendar, Refusal> {
        Calendar::parse(&self.cron, &self.timezone)
    }

    /// Checks what a client said: that it can be read, and that its time comes again.
    pub fn check(&self, now: Timestamp) -> Result<Calendar, Refusal> {
        let calendar = self.calendar()?;
        if calendar.next_after(now, 1).is_empty() {
            let detail = format!("cron {:?} never comes after {now}", self.cron);
            return Err(
                Refusal::new(Code::Invalid, detail).mend("look at its day of the month and its month")
            );
        }
        Ok(calendar)
    }
}

/// What a client changes of a schedule; what is none stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Patch {
    /// What runs from now on.
    pub work_item_id: Option<WorkItemId>,
    /// The new times.
    pub cron: Option<String>,
    /// The new time zone.
    pub timezone: Option<String>,
    /// What becomes of firings at which nobody looked.
    pub catch_up: Option<CatchUp>,
    /// What becomes of a firing while the item is busy.
    pub overlap: Option<Overlap>,
    /// Whether it fires at all.
    pub enabled: Option<bool>,
}

impl Patch {
    /// Returns the schedule with the change applied.
    #[must_use]
    pub fn apply(self, old: Spec) -> Spec {
        Spec {
            work_item_id: self.work_item_id.unwrap_or(old.work_item_id),
            cron: self.cron.unwrap_or(old.cron),
            timezone: self.timezone.unwrap_or(old.timezone),
            catch_up: self.catch_up.unwrap_or(old.catch_up),
            overlap: self.overlap.unwrap_or(old.overlap),
            enabled: self.enabled.unwrap_or(old.enabled),
        }
    }
}

/// A schedule as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// What a client says of it.
    pub spec: Spec,
    /// Up to when its firings were looked at; from its creation on.
    pub considered_until: Timestamp,
    /// How many firings wait for their item.
    pub waiting: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a client last changed it.
    pub updated_at: Timestamp,
}

/// The firings whose time has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Their times, the earliest first.
    pub firings: Vec<Timestamp>,
    /// Whether earlier ones were left out, by the policy or because they are more than [`CATCH_UP_MAX`].
    pub left_out: bool,
}

/// Returns the firings after `last_considered` and up to now. Of those that are on time the last fires, whatever the
/// policy: an item can't run twice at once.
pub fn due(spec: &Spec, calendar: &Calendar, last_considered: Timestamp, now: Timestamp) -> Due {
    if !spec.enabled {
        return Due::default();
    }
    let (since, count) = match spec.catch_up {
        CatchUp::None => (last_considered.max(now.plus_ms(-LATE_MS)), 1),
        CatchUp::Last => (last_considered, 1),
        CatchUp::All => (last_considered, CATCH_UP_MAX),
    };
    let firings = calendar.last_within(since, now, count);
    let earliest = firings.first().map_or(now, |first| first.plus_ms(-1));
    let left_out = !calendar.last_within(last_considered, earliest, 1).is_empty();
    Due { firings, left_out }
}

/// What becomes of a firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Firing {
    /// Its item is put into the queue.
    Fire,
    /// It waits until its item is free.
    Queue,
    /// Nothing becomes of it.
    Skip(Skipped),
}

/// Why a firing was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skipped {
    /// The schedule is switched off.
    Disabled,
    /// The item or its project is put away.
    Archived,
    /// The item has not come to its end.
    Overlap,
    /// Too many firings wait already.
    TooManyWaiting,
}

/// Decides what becomes of a firing. An item that came to its end in whatever way is run again: a cancelled run is one
/// firing that a person did not want, and `enabled` ends them all.
pub fn decide(spec: &Spec, item: Status, waiting: u32) -> Firing {
    let is_free = match item {
        Status::Archived => return Firing::Skip(Skipped::Archived),
        Status::Open | Status::Succeeded | Status::Failed | Status::Cancelled => true,
        Status::Queued | Status::Blocked | Status::Running => false,
    };
    match spec.overlap {
        _ if !spec.enabled => Firing::Skip(Skipped::Disabled),
        _ if is_free && waiting == 0 => Firing::Fire,
        Overlap::Skip if is_free => Firing::Fire,
        Overlap::Skip => Firing::Skip(Skipped::Overlap),
        Overlap::Queue if waiting >= WAITING_MAX => Firing::Skip(Skipped::TooManyWaiting),
        Overlap::Queue => Firing::Queue,
    }
}
