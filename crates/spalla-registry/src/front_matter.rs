//! Divides an agent's file into its front matter and its body, without losing a byte.

use crate::problem::{Problem, Severity};

/// The largest file that is read, in bytes: ten times the longest that is known.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A file in its parts; `head` and `body` together are the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts<'a> {
    /// Everything before the body: a byte order mark, the two fences, and what stands between them.
    pub head: &'a str,
    /// What stands between the fences; none where the file has no front matter.
    pub yaml: Option<&'a str>,
    /// The line of the file at which `yaml` begins.
    pub yaml_line: u64,
    /// What follows the closing fence.
    pub body: &'a str,
    /// Whether the closing fence is missing, and an empty line was taken for it.
    pub is_open: bool,
}

/// Reads bytes as text that an agent's file may have; the error says where it is none.
pub fn text<'a>(path: &str, bytes: &'a [u8]) -> Result<&'a str, Problem> {
    let wrong = |code, at: usize, message: String, mend: &str| {
        let before = &bytes[..at];
        let line = before.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() as u64 + 1;
        Problem::new(path, Severity::Error, code, message).at(line, column).mend(mend)
    };
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format!("the file has more than {FILE_BYTES_MAX} bytes, which are not read");
        return Err(wrong("too-large", 0, message, "move long material into a file of its own"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let byte = bytes.get(at).copied().unwrap_or_default();
        wrong("not-utf8", at, format!("the byte {byte:#04x} is not UTF-8"), "save the file as UTF-8")
    })?;
    if text.trim_start_matches('\u{feff}').starts_with("---\r") && !text.contains('\n') {
        let message = "its lines end with carriage returns alone".to_owned();
        return Err(wrong("line-ends", 3, message, "save it with line feeds"));
    }
    match text.find('\0') {
        Some(at) => Err(wrong("nul", at, "a NUL byte stands here".to_owned(), "remove it: an agent is text")),
        None => Ok(text),
    }
}

/// Divides a file.
pub fn divide(text: &str) -> Parts<'_> {
    let none = Parts { head: "", yaml: None, yaml_line: 1, body: text, is_open: false };
    let Some((start, first_line)) = after_opening(text) else { return none };
    let mut at = start;
    for line in text[start..].split_inclusive('\n') {
        let end = at + line.len();
        if is_fence(line) || is_end(line) {
            let yaml = Some(&text[start..at]);
            return Parts {
                head: &text[..end],
                yaml,
                yaml_line: first_line,
                body: &text[end..],
                is_open: false,
            };
        }
        at = end;
    }
    without_end(text, start, first_line).unwrap_or(none)
}

/// Returns where the front matter begins, and at which line; empty lines before the fence are passed over.
fn after_opening(text: &str) -> Option<(usize, u64)> {
    let mut at = text.len() - text.trim_start_matches('\u{feff}').len();
    for (number, line) in (1..).zip(text[at..].split_inclusive('\n')) {
        at += line.len();
        if is_fence(line) {
            return Some((at, number + 1));
        }
        if !line.trim().is_empty() {
            return None;
        }
    }
    None
}

/// A front matter whose end was forgotten goes to the first empty line, if its first line has a key.
fn without_end(text: &str, start: usize, first_line: u64) -> Option<Parts<'_>> {
    let rest = &text[start..];
    let has_key = rest.lines().next().is_some_and(|line| {
        line.split_once(':').is_some_and(|(key, _)| !key.is_empty() && key.chars().all(is_key_letter))
    });
    if !has_key {
        return None;
    }
    let mut at = start;
    for line in rest.split_inclusive('\n') {
        if line.trim().is_empty() {
            break;
        }
        at += line.len();
    }
    let yaml = Some(&text[start..at]);
    Some(Parts { head: &text[..at], yaml, yaml_line: first_line, body: &text[at..], is_open: true })
}

/// YAML may also end so.
fn is_end(line: &str) -> bool {
    line.strip_prefix("...").is_some_and(|rest| rest.trim().is_empty())
}

fn is_fence(line: &str) -> bool {
    line.trim_end() == "---"
}

/// Tells whether a letter may stand in a key of a front matter.
pub(crate) fn is_key_letter(letter: char) -> bool {
    letter.is_alphanumeric() || "_-.".contains(letter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_body_are_the_file_to_the_byte() {
        for text in [
            "---\nname: a\n---\nbody\n",
            "---\r\nname: a\r\n---\r\nbody",
            "\u{feff}---\nname: a\n--- \n\n---\nbody",
            "\n\n---\nname: a\n---",
            "---\nname: a\ntools: b\n\nYou are\n",
            "# no front matter\n\n---\n\ntext",
            "---",
            "",
        ] {
            let parts = divide(text);
            assert_eq!(format!("{}{}", parts.head, parts.body), text);
        }
    }

    #[test]
    fn a_rule_in_a_document_is_no_front_matter() {
        assert_eq!(divide("# Title\n\n---\na: b\n---\n").yaml, None);
        assert_eq!(divide("---\nJust words.\n").yaml, None);
        assert_eq!(divide("\u{feff}---\na: b\n---\nx").yaml, Some("a: b\n"));
        let open = divide("---\na: b\n\nx");
        assert!(open.is_open && open.yaml == Some("a: b\n") && open.yaml_line == 2);
        assert_eq!(divide("\n---\na: b\n---\n").yaml_line, 3);
    }

    #[test]
    fn what_is_no_text_is_told_with_its_place() {
        let wrong = text("a.md", b"ab\nc\xffd").unwrap_err();
        assert_eq!(wrong.to_string(), "a.md:2:2: the byte 0xff is not UTF-8; save the file as UTF-8");
        let wrong = text("a.md", b"a\0").unwrap_err();
        assert_eq!((wrong.line, wrong.column, wrong.code), (1, 2, "nul"));
        let large = vec![b'a'; 1024 * 1024 + 1];
        assert_eq!(text("a.md", &large).unwrap_err().code, "too-large");
    }
}
