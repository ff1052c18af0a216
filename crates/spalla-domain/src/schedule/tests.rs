//! When schedules fire, around the turns of clocks too, and what becomes of late firings.

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    serde_json::from_value(text.into()).unwrap()
}

fn calendar(cron: &str, zone: &str) -> Calendar {
    Calendar::parse(cron, zone).unwrap()
}

/// The next times, in UTC without the date's year and the fraction.
fn next(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let times = calendar(cron, zone).next_after(at(after), count);
    times.iter().map(|time| time.to_string()[5..19].to_owned()).collect()
}

fn spec(cron: &str) -> Spec {
    Spec::new(WorkItemId(1), cron)
}

#[test]
fn a_schedule_is_read_with_its_defaults() {
    let read: Spec = serde_json::from_str(r#"{"work_item_id": 1, "cron": "@daily"}"#).unwrap();
    assert_eq!(read, spec("@daily"));
    assert_eq!((read.timezone.as_str(), read.catch_up, read.overlap), ("UTC", CatchUp::None, Overlap::Skip));
    assert_eq!([CatchUp::parse("all"), CatchUp::parse("some")], [Some(CatchUp::All), None]);
}

#[test]
fn the_next_times_are_those_of_the_zone() {
    let day = "2026-01-05T08:30:00Z";
    assert_eq!(next("30 9 * * MON-FRI", "UTC", day, 2), ["01-05T09:30:00", "01-06T09:30:00"]);
    assert_eq!(next("30 9 * * *", "Europe/Berlin", day, 2), ["01-06T08:30:00", "01-07T08:30:00"]);
    assert_eq!(next("*/20 * * * *", "Asia/Kathmandu", day, 2), ["01-05T08:35:00", "01-05T08:55:00"]);
    assert_eq!(next("15 0 8 * * *", "UTC", day, 1), ["01-06T08:00:15"]);
    assert_eq!(next("0 0 29 2 *", "UTC", day, 1), ["02-29T00:00:00"]);
    assert_eq!(calendar("@hourly", "UTC").next_after(at(day), 1_000).len(), NEXT_MAX);
}

#[test]
fn a_time_that_the_clock_skips_fires_at_the_first_moment_after() {
    // In New York the clock goes from 02:00 to 03:00, at 07:00 UTC.
    let day = "2026-03-08T00:00:00-05:00";
    let zone = "America/New_York";
    assert_eq!(next("30 2 * * *", zone, day, 2), ["03-08T07:00:00", "03-09T06:30:00"]);
    assert_eq!(next("15,45 2 * * *", zone, day, 2), ["03-08T07:00:00", "03-09T06:15:00"]);
    assert_eq!(next("0 2,3 * * *", zone, day, 2), ["03-08T07:00:00", "03-09T06:00:00"]);
    assert_eq!(next("30 * * * *", zone, "2026-03-08T06:00:00Z", 2), ["03-08T06:30:00", "03-08T07:30:00"]);
    // Samoa left out the whole of 30 December 2011.
    assert_eq!(next("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", 1), ["12-30T10:00:00"]);
}

#[test]
fn a_time_that_the_clock_shows_twice_fires_once() {
    // In New York the clock goes from 02:00 back to 01:00, at 06:00 UTC.
    let day = "2026-11-01T00:00:00-04:00";
    let zone = "America/New_York";
    assert_eq!(next("30 1 * * *", zone, day, 2), ["11-01T05:30:00", "11-02T06:30:00"]);
    assert_eq!(next("30 1,2 * * *", zone, day, 2), ["11-01T05:30:00", "11-01T07:30:00"]);
    assert_eq!(next("30 1 * * *", zone, "2026-11-01T06:10:00Z", 1), ["11-02T06:30:00"]);
    // Every hour means every hour there is.
    let hourly = next("30 * * * *", zone, "2026-11-01T05:00:00Z", 3);
    assert_eq!(hourly, ["11-01T05:30:00", "11-01T06:30:00", "11-01T07:30:00"]);
}

#[test]
fn what_is_wrong_with_a_cron_text_is_told_by_its_field() {
    let wrong = |cron: &str, zone: &str| Calendar::parse(cron, zone).unwrap_err().detail;
    for (cron, part) in [
        ("61 * * * *", "\"61\" as minute, which is 0 to 59"),
        ("* 24 * * *", "\"24\" as hour"),
        ("* * 32 * *", "\"32\" as day of the month"),
        ("* * * FOO *", "\"FOO\" as month"),
        ("* * * * 9", "\"9\" as day of the week"),
        ("61 * * * * *", "\"61\" as second"),
        ("5/0 * * * *", "\"5/0\" as minute"),
        ("* * *", "has 3 fields"),
        ("* * * * * * 2030", "has 7 fields"),
        ("", "has 0 fields"),
        ("@often", "is not one of @yearly"),
    ] {
        assert!(wrong(cron, "UTC").contains(part), "{cron}: {}", wrong(cron, "UTC"));
    }
    assert!(wrong("* * * * *", "Mars/Olympus").contains("timezone \"Mars/Olympus\""));
}

#[test]
fn a_time_that_never_comes_is_refused() {
    let now = at("2026-01-05T08:30:00Z");
    assert!(spec("0 0 30 2 *").check(now).unwrap_err().detail.contains("never comes"));
    assert!(spec("0 0 29 2 *").check(now).is_ok());
}

#[test]
fn late_firings_are_caught_up_as_the_policy_says() {
    let due_by = |catch_up, since: &str, now: &str| {
        let spec = Spec { catch_up, ..spec("0 * * * *") };
        let due = due(&spec, &spec.calendar().unwrap(), at(since), at(now));
        (due.firings.iter().map(|time| time.to_string()[11..16].to_owned()).collect::<Vec<_>>(), due.left_out)
    };
    let (since, late, on_time) = ("2026-01-05T08:30:00Z", "2026-01-05T11:10:00Z", "2026-01-05T11:00:30Z");
    assert_eq!(due_by(CatchUp::None, since, late), (vec![], true));
    assert_eq!(due_by(CatchUp::None, since, on_time), (vec!["11:00".to_owned()], true));
    assert_eq!(due_by(CatchUp::Last, since, late), (vec!["11:00".to_owned()], true));
    assert_eq!(
        due_by(CatchUp::All, since, late),
        (["09:00", "10:00", "11:00"].map(str::to_owned).to_vec(), false)
    );
    assert_eq!(due_by(CatchUp::All, "2026-01-05T11:00:00Z", late), (vec![], false));
    assert_eq!(due_by(CatchUp::All, late, since), (vec![], false));
    let (year, left_out) = due_by(CatchUp::All, "2025-01-05T08:30:00Z", late);
    assert_eq!((year.len(), left_out, year.last().map(String::as_str)), (CATCH_UP_MAX, true, Some("11:00")));
}

#[test]
fn a_schedule_that_is_switched_off_is_never_due() {
    let off = Spec { enabled: false, catch_up: CatchUp::All, ..spec("* * * * *") };
    let due = due(&off, &off.calendar().unwrap(), Timestamp::from_ms(0), Timestamp::from_ms(600_000));
    assert_eq!(due, Due::default());
}

#[test]
fn a_firing_meets_its_item_as_it_stands() {
    use Firing::{Fire, Queue, Skip};
    let skip = spec("* * * * *");
    let queue = Spec { overlap: Overlap::Queue, ..skip.clone() };
    for (status, skipping, queueing) in [
        (Status::Open, Fire, Fire),
        (Status::Succeeded, Fire, Fire),
        (Status::Failed, Fire, Fire),
        (Status::Cancelled, Fire, Fire),
        (Status::Queued, Skip(Skipped::Overlap), Queue),
        (Status::Blocked, Skip(Skipped::Overlap), Queue),
        (Status::Running, Skip(Skipped::Overlap), Queue),
        (Status::Archived, Skip(Skipped::Archived), Skip(Skipped::Archived)),
    ] {
        assert_eq!((decide(&skip, status, 0), decide(&queue, status, 0)), (skipping, queueing), "{status:?}");
    }
    assert_eq!(decide(&queue, Status::Open, 1), Queue);
    assert_eq!(decide(&queue, Status::Running, WAITING_MAX), Skip(Skipped::TooManyWaiting));
    assert_eq!(decide(&Spec { enabled: false, ..queue }, Status::Open, 0), Skip(Skipped::Disabled));
}

const ZONES: [&str; 6] = [
    "UTC",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
    "America/Scoresbysund",
];
const CRONS: [&str; 8] = [
    "30 2 * * *",
    "*/7 * * * *",
    "0 0,2,3 * * *",
    "15 */5 * * SUN",
    "0 12 L * *",
    "30 0 * * *",
    "59 23 30 * *",
    "0 1-3 * 3,10 *",
];

proptest! {
    #[test]
    fn times_only_grow_and_are_the_same_from_either_side(
        cron in 0..CRONS.len(), zone in 0..ZONES.len(), start in 1_200_000_000..2_000_000_000_i64, days in 1..400_i64,
    ) {
        let calendar = calendar(CRONS[cron], ZONES[zone]);
        let start = Timestamp::from_ms(start * 1_000);
        let end = start.plus_ms(days * 86_400_000);
        let mut forward = Vec::new();
        let mut last = start;
        while forward.len() < 40 {
            let Some(next) = calendar.next_after(last, 1).first().copied() else { break };
            prop_assert!(next > last);
            if next > end { break }
            forward.push(next);
            last = next;
        }
        let until = if forward.len() < 40 { end } else { last };
        prop_assert_eq!(calendar.last_within(start, until, 100), forward);
    }

    #[test]
    fn no_text_upsets_the_reader(cron in "[0-9*/,\\-LW#? @A-Za-z+]{0,30}", zone in ".{0,20}") {
        let _ = Calendar::parse(&cron, &zone);
        if let Ok(calendar) = Calendar::parse(&cron, "Europe/Berlin") {
            prop_assert!(calendar.next_after(Timestamp::from_ms(1_700_000_000_000), 3).len() <= 3);
        }
    }
}
