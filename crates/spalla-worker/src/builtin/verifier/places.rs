//! Finds the places that compilers and linters name in what they print, each with what they say of it.

use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Places kept of one command.
const PLACES_MAX: usize = 200;

/// A place that a tool complained about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The file, as the tool writes it.
    pub(super) file: String,
    /// The line, from one.
    pub(super) line: u32,
    /// The column, from one; none where the tool names none.
    pub(super) column: Option<u32>,
    /// What the tool says.
    pub(super) message: String,
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("constant pattern")
}

/// `src/a.c:3:23: error: …`, as most tools write it, and `src/a.ts(3,23): error …`.
static INLINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"^(?:\[\w+\] )?([\w@~+./\\-]+\.\w+)(?::\[?|[(\[])(\d+)(?:[:,](\d+))?[)\]]?:? (?:- )?(\S.*)$")
});
/// Rust's and ruff's: what is wrong first, the place below.
static ARROW: LazyLock<Regex> = LazyLock::new(|| pattern(r"^ *--> (.+?):(\d+):(\d+)$"));
static HEADLINE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^((?:error|warning)(?:\[\w+\])?: .+|[A-Z]{1,4}\d{3,4} .+)$"));

/// Finds the places in a command's last lines, each once, in their order.
pub(super) fn find(output: &[String]) -> Vec<Place> {
    let mut places = Vec::new();
    let mut known = BTreeSet::new();
    let mut headline = String::new();
    for line in output {
        let line = line.trim_end();
        if let Some(found) = HEADLINE.captures(line) {
            headline = found[1].to_owned();
            continue;
        }
        let (found, message) = match (ARROW.captures(line), INLINE.captures(line)) {
            (Some(found), _) => (found, headline.clone()),
            (None, Some(found)) => {
                let message = found[4].to_owned();
                (found, message)
            }
            (None, None) => continue,
        };
        let place = Place {
            file: found[1].to_owned(),
            line: found[2].parse().unwrap_or(1),
            column: found.get(3).and_then(|column| column.as_str().parse().ok()),
            message,
        };
        if places.len() < PLACES_MAX && known.insert(place.clone()) {
            places.push(place);
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_as_tools_name_them() {
        let output = "# example.org/x/c\nc/c.go:3:23: undefined: x\nerror[E0425]: cannot find value `x`\n --> src/lib.rs:7:9\n  |\n\
                      F401 [*] `os` imported but unused\n --> a.py:1:8\nsrc/a.ts(4,2): error TS2304: Cannot find name 'y'.\n\
                      lib/b.py:10:1: E302 expected 2 blank lines\n[ERROR] src/main/java/A.java:[3,5] cannot find symbol\n\
                      at Object.<anonymous> (x.js:1:2)\n12:30: noon\n";
        let lines: Vec<String> = output.lines().map(str::to_owned).collect();
        let told: Vec<String> = find(&lines)
            .iter()
            .map(|place| format!("{}:{} {}", place.file, place.line, place.message))
            .collect();
        assert_eq!(
            told,
            [
                "c/c.go:3 undefined: x",
                "src/lib.rs:7 error[E0425]: cannot find value `x`",
                "a.py:1 F401 [*] `os` imported but unused",
                "src/a.ts:4 error TS2304: Cannot find name 'y'.",
                "lib/b.py:10 E302 expected 2 blank lines",
                "src/main/java/A.java:3 cannot find symbol",
            ]
        );
    }
}
