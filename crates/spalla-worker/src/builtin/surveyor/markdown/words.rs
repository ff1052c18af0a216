//! The words and forms of the Markdown report: numbers, places, tables, and foreign text made harmless.

use jiff::{Timestamp, tz::TimeZone};

use crate::builtin::surveyor::excerpt;
pub(super) use crate::builtin::surveyor::numbers::number;

/// A page as it is written.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
    in_list: bool,
}

impl Page {
    /// Adds a line; lines of one list or table stay together.
    pub(super) fn line(&mut self, line: &str) {
        let is_item = line.starts_with(['-', '|', ' ']) || line.starts_with(|c: char| c.is_ascii_digit());
        let continues = self.in_list && is_item;
        if !self.text.is_empty() && !continues {
            self.text.push('\n');
        }
        self.text.push_str(line);
        self.text.push('\n');
        self.in_list = is_item;
    }

    /// Adds a paragraph.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.in_list = false;
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// Adds the heading of a section.
    pub(super) fn heading(&mut self, title: &str) {
        self.paragraph(&format!("## {title}"));
    }

    /// Adds the heading of a part of a section.
    pub(super) fn subheading(&mut self, title: &str) {
        self.paragraph(&format!("### {title}"));
    }

    /// Adds a table of at most `rows_max` rows; columns whose title begins with `#` are numbers.
    pub(super) fn table(&mut self, titles: &[&str], rows: &[Vec<String>], rows_max: usize) {
        self.in_list = false;
        self.line(&format!(
            "| {} |",
            titles.iter().map(|title| title.trim_start_matches('#')).collect::<Vec<_>>().join(" | ")
        ));
        let rules: Vec<&str> =
            titles.iter().map(|title| if title.starts_with('#') { "---:" } else { "---" }).collect();
        self.line(&format!("| {} |", rules.join(" | ")));
        for row in rows.iter().take(rows_max) {
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
            self.line(&format!("| {} |", cells.join(" | ")));
        }
        self.more(rows.len(), rows_max);
    }

    /// Says how much a table or list has cut.
    pub(super) fn more(&mut self, all: usize, shown: usize) {
        if all > shown {
            self.paragraph(&format!("… and {} more in `report.json`.", number(all - shown)));
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// Writes a number of things whose plural ends in s.
pub(super) fn count(value: usize, thing: &str) -> String {
    count_of(value, thing, &format!("{thing}s"))
}

/// Writes a number of things.
pub(super) fn count_of(value: usize, one: &str, many: &str) -> String {
    if value == 1 { format!("1 {one}") } else { format!("{} {many}", number(value)) }
}

/// Writes a share.
pub(super) fn percent(part: usize, whole: usize) -> String {
    let tenths = part * 1_000 / whole.max(1);
    match tenths {
        0 if part > 0 => String::from("< 0.1 %"),
        tenths if tenths < 100 => format!("{}.{} %", tenths / 10, tenths % 10),
        tenths => format!("{} %", (tenths + 5) / 10),
    }
}

/// Writes a size.
pub(super) fn bytes(value: u64) -> String {
    match value {
        0..1_024 => format!("{value} bytes"),
        1_024..1_048_576 => format!("{} KiB", value >> 10),
        _ => format!("{} MiB", value >> 20),
    }
}

/// Writes a day.
pub(super) fn date(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).date().to_string()
}

/// Writes foreign text so that Markdown takes it for what it is.
pub(super) fn prose(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars().map(excerpt::harmless) {
        if matches!(character, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '~') {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

/// Writes foreign text as code.
pub(super) fn code(text: &str) -> String {
    let text: String = text.chars().map(excerpt::harmless).collect();
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') || text.is_empty() { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Writes a place in a file.
pub(super) fn place(file: &str, line: Option<u32>) -> String {
    match line {
        Some(line) => code(&format!("{file}:{line}")),
        None => code(file),
    }
}

/// Writes the first few of a list of names.
pub(super) fn some(names: &[String], shown: usize) -> String {
    let listed: Vec<String> = names.iter().take(shown).map(|name| code(name)).collect();
    let more = if names.len() > shown {
        format!(" and {} more", number(names.len() - shown))
    } else {
        String::new()
    };
    format!("{}{more}", listed.join(", "))
}

/// Writes a folder, the root by its own sign.
pub(super) fn folder(path: &str) -> String {
    code(if path.is_empty() { "." } else { path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_counts_are_written_for_people() {
        assert_eq!(
            [percent(1, 3), percent(1, 2_000), percent(1, 40), percent(0, 5)],
            ["33 %", "< 0.1 %", "2.5 %", "0.0 %"]
        );
        assert_eq!([count(1, "file"), count(2, "file")], ["1 file", "2 files"]);
    }

    #[test]
    fn foreign_text_cannot_become_markup() {
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(prose("[x](y) <b> *z*\n# h"), "\\[x\\](y) \\<b\\> \\*z\\* # h");
        let mut page = Page::default();
        page.table(&["A"], &[vec![code("x|y")], vec![String::from("z")]], 1);
        assert_eq!(page.finish(), "| A |\n| --- |\n| `x\\|y` |\n\n… and 1 more in `report.json`.\n");
    }
}
