//! Annotations of GitHub Actions: lines that its runner takes for commands. While agents speak, it takes none: what they print
//! is theirs.

use super::found::{Found, Level};
use super::gathered::{Gathered, Verdict};
use crate::clock::random_hex;
use crate::failure::Result;
use crate::output;

/// How many annotations of one kind GitHub shows of a step.
const SHOWN_MAX: usize = 10;
/// The longest message, in bytes.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;

/// A time in which the runner takes no commands. It ends with a word that nobody else knows.
#[derive(Debug)]
pub(crate) struct Quiet(Option<String>);

impl Quiet {
    /// Begins it, where GitHub Actions listens.
    pub(crate) fn begin(is_actions: bool) -> Result<Self> {
        if !is_actions {
            return Ok(Self(None));
        }
        let word = format!("spalla-{}", random_hex(2));
        output::line(format_args!("::stop-commands::{word}"))?;
        Ok(Self(Some(word)))
    }

    /// Ends it.
    pub(crate) fn end(self) -> Result<()> {
        match self.0 {
            Some(word) => output::line(format_args!("::{word}::")),
            None => Ok(()),
        }
    }
}

/// Returns the lines that annotate places: what failed first.
pub(super) fn lines(gathered: &Gathered) -> Vec<String> {
    let failed = gathered.cases().filter_map(|case| match &case.verdict {
        Verdict::Failed(why) | Verdict::Broken(why) => Some(Found {
            rule: case.name.clone(),
            level: Level::Error,
            message: why.clone(),
            file: case.place.as_ref().map(|(file, _)| file.clone()),
            line: case.place.as_ref().map(|(_, line)| *line),
            column: None,
        }),
        Verdict::Passed | Verdict::Skipped(_) => None,
    });
    let placed: Vec<&Found> = gathered.found.iter().filter(|found| found.file.is_some()).collect();
    let failed: Vec<Found> = failed.collect();
    let all = || placed.iter().copied().chain(&failed);
    let of = |level| all().filter(move |found| found.level == level).take(SHOWN_MAX).map(line);
    of(Level::Error).chain(of(Level::Warning)).collect()
}

fn line(found: &Found) -> String {
    let word = match found.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "notice",
    };
    let mut properties = Vec::new();
    if let Some(file) = &found.file {
        properties.push(format!("file={}", property(file)));
        properties.extend(found.line.map(|line| format!("line={line}")));
        properties.extend(found.column.map(|column| format!("col={column}")));
    }
    properties.push(format!("title={}", property(&found.rule)));
    let message = super::bounded(&found.message, MESSAGE_BYTES_MAX);
    format!("::{word} {}::{}", properties.join(","), data(&message))
}

/// Writes a message as GitHub's own toolkit does.
fn data(text: &str) -> String {
    plain(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Writes the value of a property as GitHub's own toolkit does.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Takes away what steers a terminal.
fn plain(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    text.chars().map(|c| if c.is_control() && !"\n\r\t".contains(c) { ' ' } else { c }).collect()
}
