//! Tables of Markdown.

use super::comparison::{Against, Comparison, Goal, Verdict};
use super::figures::Figures;
use super::rows::Row;
use std::fmt::Write as _;

/// Returns each goal with our figure, theirs, the ratio, and whether it was met.
pub(crate) fn goals(rows: &[Row], figures: &Figures) -> String {
    let mut text = String::from(
        "| # | what | metric | our figure | beside | their figure | ratio | goal | |\n\
         | --- | --- | --- | ---: | --- | ---: | ---: | --- | --- |\n",
    );
    for row in rows {
        for (index, comparison) in row.comparisons.iter().enumerate() {
            let (number, what) = match index {
                0 => (row.number.to_string(), row.what),
                _ => (String::new(), ""),
            };
            let metric = comparison.ours.metric;
            let _ = writeln!(text, "| {number} | {what} | {metric} | {}", cells(comparison, figures));
        }
    }
    text
}

/// Returns every median with its range, the number of rounds, and the version.
pub(crate) fn medians(figures: &Figures) -> String {
    let mut text = String::from(
        "| store | metric | of | version | median | unit | range | rounds |\n\
         | --- | --- | --- | --- | ---: | --- | --- | ---: |\n",
    );
    for ((store, metric, peer), measured) in figures.all() {
        let (median, unit, version) = (shown(measured.median()), &measured.unit, &measured.version);
        let (least, most) = measured.range();
        let range = format!("{} … {}", shown(least), shown(most));
        let rounds = measured.rounds();
        let _ = writeln!(
            text,
            "| {store} | {metric} | {peer} | {version} | {median} | {unit} | {range} | {rounds} |"
        );
    }
    text
}

fn cells(comparison: &Comparison, figures: &Figures) -> String {
    let unit = figures.of("spalla", comparison.ours.store, comparison.ours.metric);
    let unit = unit.map_or("", |measured| measured.unit.as_str());
    let ours =
        comparison.our_value(figures).map_or("–".to_owned(), |value| format!("{} {unit}", shown(value)));
    let theirs = comparison.theirs(figures);
    let value = theirs.as_ref().map_or("–".to_owned(), |theirs| shown(theirs.value));
    let name = theirs.map(|theirs| theirs.name);
    let ratio = comparison.ratio(figures).map_or("–".to_owned(), |ratio| format!("{ratio:.2}x"));
    let (beside, goal) = (beside(comparison, name.as_deref()), goal(comparison.goal));
    format!("{ours} | {beside} | {value} | {ratio} | {goal} | {} |", verdict(comparison.verdict(figures)))
}

/// Says whose figure it is, and of which metric and store where those are not ours.
fn beside(comparison: &Comparison, name: Option<&str>) -> String {
    let ours = comparison.ours;
    let name = name.unwrap_or("none");
    let (mut text, place) = match comparison.against {
        Against::BestPeer(place) => (format!("best peer ({name})"), place),
        Against::BestOf(_) => (format!("leanest Node peer ({name})"), ours),
        Against::Peer(peer, place) => (peer.to_owned(), place),
        Against::Raw(place) => ("raw".to_owned(), place),
        Against::RawEach(place) => ("one commit of raw".to_owned(), place),
        Against::Fixed(_, unit) => (format!("a fixed limit in {unit}"), ours),
    };
    for (theirs, ours) in [(place.metric, ours.metric), (place.store, ours.store)] {
        if theirs != ours {
            let _ = write!(text, ", {theirs}");
        }
    }
    text
}

fn goal(goal: Goal) -> String {
    match goal {
        Goal::AtLeast(least) => format!("≥ {least}x"),
        Goal::AtMost(most) => format!("≤ {most}x"),
        Goal::Told(_) => String::new(),
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::Missed => "MISSED",
        Verdict::Told => "",
        Verdict::Unmeasured => "not measured",
    }
}

/// Large numbers without a fraction, and with their thousands apart; small ones with three digits that tell something.
fn shown(value: f64) -> String {
    match value.abs() {
        large if large >= 1_000.0 => thousands(value.round()),
        middle if middle >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::rows::ROWS;
    use super::{goals, medians, shown};
    use crate::goals::figures::Figures;

    #[test]
    fn numbers_read_easily() {
        assert_eq!([12_345.6, 999.4, 45.67, 0.123].map(shown), ["12,346", "999", "45.7", "0.12"]);
    }

    #[test]
    fn the_goals_have_the_numbers_from_one_to_fourteen() {
        let numbers: Vec<u8> = ROWS.iter().map(|row| row.number).collect();
        assert_eq!(numbers, (1..=14).collect::<Vec<u8>>());
    }

    #[test]
    fn a_goal_says_whose_figure_it_is_compared_with() {
        let mut figures = Figures::default();
        for (peer, metric, value) in
            [("spalla", "drain", 9_000), ("raw", "drain_c4", 20_000), ("pg-boss", "drain", 3_000)]
        {
            let line = format!(
                r#"{{"peer":"{peer}","version":"1","store":"postgres","metric":"{metric}","value":{value},"unit":"jobs/s"}}"#
            );
            figures.add(&line).unwrap();
        }
        let table = goals(&ROWS[..1], &figures);
        let lines: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| 1 | Postgres: drain | drain | 9,000 jobs/s | best peer (pg-boss) | 3,000 | 3.00x | ≥ 1.7x | met |",
                "|  |  | drain | 9,000 jobs/s | graphile-worker | – | – | ≥ 2x | not measured |",
                "|  |  | drain | 9,000 jobs/s | raw, drain_c4 | 20,000 | 0.45x | ≥ 0.5x | MISSED |",
            ]
        );
        assert_eq!(medians(&figures).lines().count(), 5);
    }
}
