//! What a command prints: plain lines, tables and JSON on standard output, with colours where they can be seen.

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Makes the choice hold for everything that is printed.
    pub(crate) fn choose(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// Tells whether standard error shows colours.
pub(crate) fn stderr_has_color() -> bool {
    let seen = anstream::AutoStream::choice(&io::stderr());
    seen != anstream::ColorChoice::Never
}

/// Tells whether a person can be asked: somebody reads the question and can type the answer.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Prints one line; it is on its way to the reader when this returns.
pub(crate) fn line(text: impl Display) -> Result<()> {
    let mut stdout = anstream::stdout();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).map_err(unreadable)
}

/// Prints a file as it is.
pub(crate) fn bytes(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout();
    io::copy(&mut &*bytes, &mut stdout).and_then(|_| stdout.flush()).map_err(unreadable)
}

/// Prints a value as JSON over several lines.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed(format!("writing the answer as JSON: {error}")))?;
    line(text)
}

/// Prints rows below their headings; the last column takes the room that is left.
pub(crate) fn table(headings: &[&str], rows: Vec<Vec<String>>) -> Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    table.add_rows(rows.into_iter().map(|row| row.into_iter().map(|cell| plain(&cell))));
    line(table.trim_fmt())
}

/// Prints the elements of a JSON list as a table of some of their members; what it says instead where there are none.
pub(crate) fn rows(list: &Value, columns: &[&str], empty: &str) -> Result<()> {
    if elements(list).is_empty() {
        return line(quiet(empty));
    }
    let row = |element: &Value| columns.iter().map(|column| cell(&element[column])).collect();
    table(columns, elements(list).iter().map(row).collect())
}

/// Prints the members of a JSON object, one per line; those without a value are left out.
pub(crate) fn members(object: &Value) -> Result<()> {
    let members = object.as_object().into_iter().flatten().filter(|(_, value)| !is_empty(value));
    let (texts, rest): (Vec<_>, Vec<_>) = members.partition(|(_, value)| cell(value).contains('\n'));
    let width = rest.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in rest {
        line(format_args!("{name:width$}  {}", plain(&cell(value))))?;
    }
    for (name, value) in texts {
        line(format_args!("{name}:"))?;
        cell(value).lines().try_for_each(|text| line(format_args!("  {}", plain(text))))?;
    }
    Ok(())
}

/// Tells whether a value says nothing: null, an empty list, or an object whose members all say nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Returns the elements of a JSON list; anything else has none.
pub(crate) fn elements(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

/// Returns a JSON value as it stands in a cell.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            list.iter().map(cell).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// Returns foreign text as it may be shown: without escape sequences and other characters that steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect()
}

/// Asks a person a question that has yes and no for answers; no answer is no.
pub(crate) fn confirm(question: &str) -> Result<bool> {
    let mut stderr = anstream::stderr();
    write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).map_err(unreadable)?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).map_err(unreadable)?;
    Ok(["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}

/// A reader that left early, such as `head`, has got what it wanted.
fn unreadable(error: io::Error) -> Failure {
    if error.kind() == io::ErrorKind::BrokenPipe {
        Failure::silent(Exit::Done)
    } else {
        Failure::failed(format!("writing to standard output: {error}"))
    }
}

/// Returns the text in the colour of a good end.
pub(crate) fn good(text: impl Display) -> impl Display {
    painted(AnsiColor::Green, text)
}

/// Returns the text in the colour of something to look at.
pub(crate) fn notable(text: impl Display) -> impl Display {
    painted(AnsiColor::Yellow, text)
}

/// Returns the text in the colour of a bad end.
pub(crate) fn bad(text: impl Display) -> impl Display {
    painted(AnsiColor::Red, text)
}

/// Returns the text as something that stands back.
pub(crate) fn quiet(text: impl Display) -> impl Display {
    let style = Style::new().dimmed();
    format!("{style}{text}{style:#}")
}

fn painted(color: AnsiColor, text: impl Display) -> impl Display {
    let style = Style::new().fg_color(Some(color.into()));
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn foreign_text_can_not_steer_the_terminal() {
        assert_eq!(plain("\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}a\tb\rc\n"), "red a\tb c ");
    }
}
