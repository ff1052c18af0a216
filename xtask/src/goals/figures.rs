//! The figures of a bench, and their medians over the rounds.

use anyhow::Context;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Ourselves, in the lines.
pub(crate) const OURS: &str = "spalla";
/// What a hand-written loop reached: a limit, not a peer.
pub(crate) const RAW: &str = "raw";
/// Postgres's own tool: a check on the loops, not a peer either.
const PGBENCH: &str = "pgbench";

#[derive(Deserialize)]
struct Line {
    peer: String,
    version: String,
    store: String,
    metric: String,
    value: f64,
    unit: String,
}

/// What was measured of one metric of one peer on one store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Measured {
    /// The unit of its values.
    pub(crate) unit: String,
    /// The peer's version.
    pub(crate) version: String,
    ascending: Vec<f64>,
}

impl Measured {
    /// Returns the median over the rounds; of an even number, the mean of the middle two.
    pub(crate) fn median(&self) -> f64 {
        let middle = self.ascending.len() / 2;
        match self.ascending.as_slice() {
            [] => f64::NAN,
            values if values.len() % 2 == 1 => values[middle],
            values => f64::midpoint(values[middle - 1], values[middle]),
        }
    }

    /// Returns the smallest and the largest value.
    pub(crate) fn range(&self) -> (f64, f64) {
        let of = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        (of(self.ascending.first()), of(self.ascending.last()))
    }

    /// Returns how many rounds there were.
    pub(crate) fn rounds(&self) -> usize {
        self.ascending.len()
    }
}

/// The store, the metric and the peer: in this order they read best.
pub(crate) type Key = (String, String, String);

/// All figures.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<Key, Measured>);

impl Figures {
    /// Reads files of JSON lines.
    pub(crate) fn read(files: &[PathBuf]) -> anyhow::Result<Self> {
        let mut figures = Self::default();
        for file in files {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
            figures.add(&text).with_context(|| format!("reading {}", file.display()))?;
        }
        Ok(figures)
    }

    /// Adds lines of JSON; what else a tool printed between them is passed over.
    pub(crate) fn add(&mut self, text: &str) -> anyhow::Result<()> {
        for (index, line) in text.lines().enumerate().filter(|(_, line)| line.starts_with('{')) {
            let line: Line =
                serde_json::from_str(line).with_context(|| format!("line {} is no figure", index + 1))?;
            let Line { peer, version, store, metric, value, unit } = line;
            let empty = Measured { unit, version, ascending: vec![] };
            let values = &mut self.0.entry((store, metric, peer)).or_insert(empty).ascending;
            values.push(value);
            values.sort_by(f64::total_cmp);
        }
        Ok(())
    }

    /// Returns everything in the order of store, metric and peer.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Key, &Measured)> {
        self.0.iter()
    }

    /// Returns what one peer reached.
    pub(crate) fn of(&self, peer: &str, store: &str, metric: &str) -> Option<&Measured> {
        self.0.get(&(store.to_owned(), metric.to_owned(), peer.to_owned()))
    }

    /// Returns what every real peer reached on a store, by its name.
    pub(crate) fn of_peers<'a>(
        &'a self,
        store: &'a str,
        metric: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Measured)> {
        let is_peer = |name: &str| ![OURS, RAW, PGBENCH].contains(&name);
        self.0
            .iter()
            .filter(move |((s, m, peer), _)| s == store && m == metric && is_peer(peer))
            .map(|((_, _, peer), measured)| (peer.as_str(), measured))
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    fn line(peer: &str, value: f64) -> String {
        format!(
            r#"{{"peer":"{peer}","version":"1","store":"postgres","metric":"drain","value":{value},"unit":"jobs/s","round":1}}"#
        )
    }

    #[test]
    fn one_slow_round_does_not_move_the_median() {
        let mut figures = Figures::default();
        let lines = [9.0, 1.0, 10.0].map(|value| line("a", value)).join("\n");
        figures.add(&lines).unwrap();
        let measured = figures.of("a", "postgres", "drain").unwrap();
        assert!((measured.median() - 9.0).abs() < f64::EPSILON);
        assert_eq!((measured.range(), measured.rounds()), ((1.0, 10.0), 3));
    }

    #[test]
    fn limits_and_ourselves_are_no_peers() {
        let mut figures = Figures::default();
        let lines = ["spalla", "raw", "pgbench", "a"].map(|peer| line(peer, 1.0)).join("\n");
        figures.add(&lines).unwrap();
        let peers: Vec<&str> = figures.of_peers("postgres", "drain").map(|(peer, _)| peer).collect();
        assert_eq!(peers, ["a"]);
    }

    #[test]
    fn a_line_that_is_no_figure_is_named() {
        let error = Figures::default().add("\n{\"peer\":1}\n").unwrap_err();
        assert_eq!(error.to_string(), "line 2 is no figure");
    }
}
