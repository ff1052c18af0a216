//! When a schedule fires: a cron pattern on the clock of a time zone.
//!
//! A pattern that fixes its hours means the clock on the wall: an hour that is skipped fires at the first moment after
//! it, and one that comes twice fires once. A pattern for every hour, or every so many, means time that passes: it fires
//! in each hour there is.

use crate::problem::Code;
use crate::{Refusal, Timestamp};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use std::sync::LazyLock;

/// The longest cron text, in bytes: a field can list every value it has.
const CRON_BYTES_MAX: usize = 1_000;

/// The fields of a cron text with what may stand there; the first may be left out.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of the month", "1 to 31, L for the last, 15W for the weekday nearest the 15th"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day of the week", "0 to 7 or SUN to SAT, MON#1 for the first Monday, FRIL for the last Friday"),
];

/// The zones are part of the program: what a schedule means does not depend on the machine.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A pattern and a time zone that could be read.
#[derive(Debug, Clone)]
pub struct Calendar {
    cron: Cron,
    zone: TimeZone,
    /// Whether it means the clock on the wall.
    fixes_hours: bool,
}

impl Calendar {
    /// Reads a cron text of five fields, or six with the seconds first, and the name of a time zone.
    pub fn parse(cron: &str, timezone: &str) -> Result<Self, Refusal> {
        let invalid = |detail: String| Refusal::new(Code::Invalid, detail);
        let zone = ZONES.get(timezone).map_err(|_| {
            invalid(format!("timezone {timezone:?} is not known"))
                .mend("name one such as UTC or Europe/Berlin")
        })?;
        if cron.len() > CRON_BYTES_MAX {
            return Err(invalid(format!("cron has {} bytes; at most {CRON_BYTES_MAX} are read", cron.len())));
        }
        let fields: Vec<&str> = cron.split_whitespace().collect();
        let hours = match fields.as_slice() {
            [name] if name.starts_with('@') => {
                let names = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"];
                if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                    return Err(invalid(format!("cron {name:?} is not one of {}", names.join(", "))));
                }
                if name.eq_ignore_ascii_case("@hourly") { "*" } else { "0" }
            }
            [_, hours, _, _, _] | [_, _, hours, _, _, _] => hours,
            _ => {
                let detail =
                    format!("cron {cron:?} has {} fields, not 5, or 6 with the seconds first", fields.len());
                return Err(
                    invalid(detail).mend("write minute, hour, day of the month, month, day of the week")
                );
            }
        };
        let read = parser().parse(cron).map_err(|error| invalid(wrong_field(&fields, &error.to_string())))?;
        Ok(Self { cron: read, zone, fixes_hours: !hours.contains(['*', '/']) })
    }

    /// Returns the next times after a moment, at most [`super::NEXT_MAX`]; fewer when no more come.
    pub fn next_after(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        let next = |at: &Timestamp| self.next(*at);
        std::iter::successors(self.next(after), next).take(count.min(super::NEXT_MAX)).collect()
    }

    /// Returns the last times after `since` and up to `until`, at most `count`, the earliest first.
    pub fn last_within(&self, since: Timestamp, until: Timestamp, count: usize) -> Vec<Timestamp> {
        let previous = |at: &Timestamp| self.last_until(at.plus_ms(-1));
        let mut times: Vec<Timestamp> = std::iter::successors(self.last_until(until), previous)
            .take_while(|at| *at > since)
            .take(count)
            .collect();
        times.reverse();
        times
    }

    fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let after = jiff::Timestamp::from_millisecond(after.ms()).ok()?;
        if !self.fixes_hours {
            let start = after.to_zoned(self.zone.clone());
            return Some(moment(self.cron.find_next_occurrence(&start, false).ok()?.timestamp()));
        }
        let mut local = self.zone.to_datetime(after);
        loop {
            local = self.cron.find_next_occurrence(&local, false).ok()?;
            let at = self.instant(local)?;
            if at > after {
                return Some(moment(at));
            }
        }
    }

    fn last_until(&self, until: Timestamp) -> Option<Timestamp> {
        // Times are whole seconds; the search starts at one.
        let until = jiff::Timestamp::from_second(until.ms().div_euclid(1_000)).ok()?;
        if !self.fixes_hours {
            let start = until.to_zoned(self.zone.clone());
            return Some(moment(self.cron.find_previous_occurrence(&start, true).ok()?.timestamp()));
        }
        let mut start = self.latest_shown(until);
        let mut inclusive = true;
        loop {
            start = self.cron.find_previous_occurrence(&start, inclusive).ok()?;
            inclusive = false;
            let at = self.instant(start)?;
            if at <= until {
                return Some(moment(at));
            }
        }
    }

    /// Returns the latest time that the clock has shown: more than it shows now when it was put back a while ago.
    fn latest_shown(&self, until: jiff::Timestamp) -> DateTime {
        let now = self.zone.to_datetime(until);
        let turned = self.zone.preceding(until).next().map(|turn| turn.timestamp());
        match turned.filter(|turned| until.duration_since(*turned) < TURNED_BACK_MAX) {
            Some(turned) => now.max(self.zone.to_datetime(turned - SECOND)),
            None => now,
        }
    }

    /// Returns the moment at which the clock shows a time: the first of two, or the end of the gap in which it is.
    fn instant(&self, local: DateTime) -> Option<jiff::Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { after, .. } => {
                let before_gap = after.to_timestamp(local).ok()?;
                self.zone
                    .following(before_gap)
                    .map(|turn| turn.timestamp())
                    .find(|at| self.zone.to_datetime(*at) > local)
            }
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
        }
    }
}

const SECOND: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);
/// No clock was ever put back further than by a day.
const TURNED_BACK_MAX: jiff::SignedDuration = jiff::SignedDuration::from_hours(25);

fn parser() -> CronParser {
    CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build()
}

fn moment(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_ms(at.as_millisecond())
}

/// Says which field of a cron text can't be read: the one that can't even alone.
fn wrong_field(fields: &[&str], error: &str) -> String {
    let names = &FIELDS[FIELDS.len().saturating_sub(fields.len())..];
    for (at, (field, (name, allowed))) in fields.iter().zip(names).enumerate() {
        let alone: Vec<&str> =
            (0..fields.len()).map(|other| if other == at { *field } else { "*" }).collect();
        if let Err(error) = parser().parse(&alone.join(" ")) {
            return format!("cron has {field:?} as {name}, which is {allowed}: {error}");
        }
    }
    format!("cron can't be read: {error}")
}
