//! When a limit is over, as services and their command lines say it in words.

use crate::pattern::compiled;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use regex::Regex;
use std::sync::LazyLock;

/// No limit that is believed lasts longer than this, in days.
const DAYS_MAX: i64 = 62;

static AFTER: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r#"(?i)(?:again (?:in|after)|retry (?:in|after):?|retry-after:?|retrydelay\\*"?:? ?\\*"?|resets? (?:in|after)|ratelimit-reset(?:-[a-z-]+)?\\*"?:? ?\\*"?|wait|available (?:in|after)) ?(?:about |another )?((?:\d+(?:\.\d+)?(?:ms|[dhms])){2,}\b|(?:\d+(?:\.\d+)? ?(?:days?|d|hours?|hrs?|h|minutes?|mins?|ms|m|seconds?|secs?|s)\b,? ?(?:and )?)+)"#,
    )
});
static PART: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r"(?i)(\d+(?:\.\d+)?) ?(days?|d|hours?|hrs?|h|minutes?|mins?|ms|m|seconds?|secs?|s)")
});
static SECONDS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r#"(?i)(?:retry[ _-]after|resets?_in_seconds|ratelimit-reset(?:-[a-z-]+)?)\\*"?:? ?\\*"?(\d{1,8})\b"#,
    )
});
static EPOCH: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r#"(?i)(?:limit reached\||(?:resets?_?at|ratelimit-reset(?:-[a-z-]+)?)\\*"?:? ?\\*"?)(\d{13}|\d{10})\b"#,
    )
});
static INSTANT: LazyLock<Regex> = LazyLock::new(|| {
    compiled(r"\b\d{4}-\d\d-\d\d(?:T| (?:at )?)\d\d:\d\d(?::\d\d(?:\.\d+)?)? ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)")
});
static CLOCK: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)(?:resets?|again|renews?|available|until)(?: (?:at|on))? (?:([a-z]{3})[a-z]*\.? (\d{1,2})(?:st|nd|rd|th)?,?(?: (\d{4}),?)?(?: at)? )?(\d{1,2})(?::(\d\d))? ?(am|pm)?(?: ?\(?((?:utc|gmt)(?:[+-]\d{1,2}(?::?\d\d)?)?|[a-z]+(?:/[a-z0-9_+-]+)+|p[sd]?t|m[sd]t|c[sd]t|e[sd]?t|cet|cest|bst|jst|aest|ist)\)?)?(?:\W|$)",
    )
});

/// Returns when a limit is over, if a text says so: a duration, a moment, seconds since 1970, or a time of day, which is
/// the next one; one without a zone is taken as UTC.
pub fn resets_at(text: &str, now: Timestamp) -> Option<Timestamp> {
    let found =
        duration(text).map(|wait| now.checked_add(wait)).or_else(|| moment(text, now).map(Ok))?.ok()?;
    let latest = now.checked_add(SignedDuration::from_hours(24 * DAYS_MAX)).ok()?;
    (found >= now && found <= latest).then_some(found)
}

fn duration(text: &str) -> Option<SignedDuration> {
    if let Some(after) = AFTER.captures(text) {
        let seconds: f64 = PART.captures_iter(&after[1]).filter_map(|part| seconds(&part[1], &part[2])).sum();
        return SignedDuration::try_from_secs_f64(seconds).ok();
    }
    let seconds = SECONDS.captures(text)?[1].parse().ok()?;
    Some(SignedDuration::from_secs(seconds))
}

fn seconds(count: &str, unit: &str) -> Option<f64> {
    let count: f64 = count.parse().ok()?;
    let unit = unit.to_ascii_lowercase();
    let factor = match unit.as_str() {
        "ms" => 0.001,
        unit if unit.starts_with('d') => 86_400.0,
        unit if unit.starts_with('h') => 3_600.0,
        unit if unit.starts_with('m') => 60.0,
        _ => 1.0,
    };
    Some(count * factor)
}

fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Some(epoch) = EPOCH.captures(text) {
        let number: i64 = epoch[1].parse().ok()?;
        let seconds = if epoch[1].len() == 13 { number / 1_000 } else { number };
        return Timestamp::from_second(seconds).ok();
    }
    if let Some(instant) = INSTANT.find(text) {
        let text = instant.as_str().replace(" at ", " ").replace("GMT", "UTC");
        return text.replace(" UTC", "Z").replace("UTC", "Z").parse().ok();
    }
    time_of_day(text, now)
}

/// A time of day, or a day of the year with one. A day without a year is the next such day.
fn time_of_day(text: &str, now: Timestamp) -> Option<Timestamp> {
    let clock = CLOCK.captures(text)?;
    let part = |number: usize| clock.get(number).map(|part| part.as_str());
    let (half, minute) = (part(6).map(str::to_ascii_lowercase), part(5));
    if half.is_none() && minute.is_none() {
        return None;
    }
    let hour: i8 = clock[4].parse().ok()?;
    let hour = match half.as_deref() {
        Some("am") => hour % 12,
        Some(_) => hour % 12 + 12,
        None => hour,
    };
    let time = Time::new(hour, minute.map_or(Ok(0), str::parse).ok()?, 0, 0).ok()?;
    let zone = part(7).map_or(Some(TimeZone::UTC), zone_of)?;
    let here = now.to_zoned(zone.clone());
    let (date, step) = match (part(1), part(2)) {
        (Some(month), Some(day)) => {
            let year = part(3).map_or(Ok(here.year()), str::parse).ok()?;
            (Date::new(year, month_of(month)?, day.parse().ok()?).ok()?, 1.year())
        }
        _ => (here.date(), 1.day()),
    };
    let said = date.to_datetime(time).to_zoned(zone).ok()?;
    let is_over = said.timestamp() < now && part(3).is_none();
    let next = if is_over { said.checked_add(step).ok()? } else { said };
    Some(next.timestamp())
}

/// Short names of zones, each with a place where that time is kept.
const ZONES: [(&str, &str); 16] = [
    ("pt", "America/Los_Angeles"),
    ("pst", "America/Los_Angeles"),
    ("pdt", "America/Los_Angeles"),
    ("mst", "America/Denver"),
    ("mdt", "America/Denver"),
    ("cst", "America/Chicago"),
    ("cdt", "America/Chicago"),
    ("et", "America/New_York"),
    ("est", "America/New_York"),
    ("edt", "America/New_York"),
    ("cet", "Europe/Berlin"),
    ("cest", "Europe/Berlin"),
    ("bst", "Europe/London"),
    ("jst", "Asia/Tokyo"),
    ("aest", "Australia/Sydney"),
    ("ist", "Asia/Kolkata"),
];

/// Returns a zone by its name, or by its distance from UTC.
fn zone_of(name: &str) -> Option<TimeZone> {
    if let Some((_, zone)) = ZONES.iter().find(|(short, _)| name.eq_ignore_ascii_case(short)) {
        return TimeZone::get(zone).ok();
    }
    let name = name.to_owned();
    let Some(distance) =
        name.get(..3).filter(|start| ["utc", "gmt"].contains(&start.to_ascii_lowercase().as_str()))
    else {
        return TimeZone::get(&name).ok();
    };
    let (sign, digits) = match name[distance.len()..].split_at_checked(1) {
        None => return Some(TimeZone::UTC),
        Some(("-", digits)) => (-1, digits),
        Some((_, digits)) => (1, digits),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() > 2 => digits.split_at(digits.len() - 2),
        None => (digits, "0"),
    };
    let seconds = hours.parse::<i32>().ok()? * 3_600 + minutes.parse::<i32>().ok()? * 60;
    Some(TimeZone::fixed(jiff::tz::Offset::from_seconds(sign * seconds).ok()?))
}

fn month_of(name: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let found = MONTHS.iter().position(|month| name.eq_ignore_ascii_case(month))?;
    i8::try_from(found + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<String> {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        resets_at(text, now).map(|at| at.to_string())
    }

    #[test]
    fn the_end_of_a_limit_is_read_as_it_is_said() {
        for (text, wanted) in [
            ("You've hit your usage limit. Try again in 2 days 3 hours 4 minutes.", "2026-11-22T13:04:00Z"),
            ("Please retry in 43.5s.", "2026-11-20T10:00:43.5Z"),
            (r#"{"retryDelay": "90s"}"#, "2026-11-20T10:01:30Z"),
            ("Rate limit reached, please try again in 20ms", "2026-11-20T10:00:00.02Z"),
            ("retry-after: 120", "2026-11-20T10:02:00Z"),
            ("x-ratelimit-reset-requests: 1m12s, x-ratelimit-remaining-tokens: 0", "2026-11-20T10:01:12Z"),
            (r#""X-RateLimit-Reset":"1795176000000""#, "2026-11-20T12:00:00Z"),
            ("RateLimit-Reset: 30", "2026-11-20T10:00:30Z"),
            (r#""resets_in_seconds":3600"#, "2026-11-20T11:00:00Z"),
            ("Claude AI usage limit reached|1795176000", "2026-11-20T12:00:00Z"),
            (r#""resets_at": 1795176000"#, "2026-11-20T12:00:00Z"),
            ("5-hour limit reached ∙ resets 3pm", "2026-11-20T15:00:00Z"),
            ("limit reached, resets 9:30am (UTC)", "2026-11-21T09:30:00Z"),
            ("resets 1pm (Europe/Berlin)", "2026-11-20T12:00:00Z"),
            ("try again at 2026-11-21 08:00 UTC", "2026-11-21T08:00:00Z"),
            ("quota resets at 2026-11-20T18:00:00+02:00", "2026-11-20T16:00:00Z"),
            ("Your quota will reset after 8h44m7s.", "2026-11-20T18:44:07Z"),
            (r#"{\"retryDelay\": \"34.5s\"}"#, "2026-11-20T10:00:34.5Z"),
            ("or try again at Nov 20th, 2026 10:12 AM.", "2026-11-20T10:12:00Z"),
            ("weekly limit reached ∙ resets Nov 23, 3pm (Europe/Berlin)", "2026-11-23T14:00:00Z"),
            ("resets January 2 at 9:30am (UTC)", "2027-01-02T09:30:00Z"),
            ("Retry in: 12s", "2026-11-20T10:00:12Z"),
            ("Access resets at 10:57 PM GMT-3.", "2026-11-21T01:57:00Z"),
            ("available again at 18:30 UTC+05:30", "2026-11-20T13:00:00Z"),
            ("Access resets at 3:00 PM PST.", "2026-11-20T23:00:00Z"),
            ("resets 6pm (ET)", "2026-11-20T23:00:00Z"),
            ("try again at 4:00 PM today", "2026-11-20T16:00:00Z"),
            ("You will regain access on 2026-12-01 at 00:00 UTC.", "2026-12-01T00:00:00Z"),
        ] {
            assert_eq!(at(text).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_says_no_moment_or_one_that_can_not_be_is_none() {
        for text in [
            "Quota exceeded. Check your plan and billing details.",
            "exceeded retry limit, last status: 429 Too Many Requests",
            "usage limit reached|1600000000",
            "try again in 400 days",
            "try again in 3 months",
            "try again at Nov 19th, 2026 10:12 AM.",
            "try again in 99999999999999999999 seconds",
            "resets 25:00",
            "resets 7",
            "",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }
}
