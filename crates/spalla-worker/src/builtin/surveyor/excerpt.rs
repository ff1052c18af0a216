//! Quotes a piece of a foreign text: short, on one line, without secrets and without characters that deceive.

use super::secrets;

/// Longest quotation, in characters.
const EXCERPT_CHARS_MAX: usize = 140;

/// Longest quotation of text for people, in characters.
const LONG_CHARS_MAX: usize = 400;

/// Longest quotation of what stands before something, in characters.
const END_CHARS_MAX: usize = 60;

/// Returns a line fit to be quoted in a report.
pub(crate) fn of(line: &str) -> String {
    quote(line, EXCERPT_CHARS_MAX)
}

/// Returns a text for people, on one line.
pub(crate) fn long(text: &str) -> String {
    quote(&text.split_whitespace().collect::<Vec<_>>().join(" "), LONG_CHARS_MAX)
}

/// Returns the end of what stands before something on its line.
pub(crate) fn end_of(before: &str) -> String {
    let window = &before[before.ceil_char_boundary(before.len().saturating_sub(4_000))..];
    let plain: String = secrets::redact(window.trim_start()).chars().map(harmless).collect();
    let length = plain.chars().count();
    plain.chars().skip(length.saturating_sub(END_CHARS_MAX)).collect()
}

fn quote(line: &str, chars_max: usize) -> String {
    // Redaction comes before the cut, or half a secret would no longer be recognised.
    let window = &line[..line.floor_char_boundary(4_000)];
    let plain: String = secrets::redact(window.trim()).chars().map(harmless).collect();
    cut(&plain, chars_max)
}

/// Replaces characters that end a line, steer a terminal, or turn the direction of writing.
pub(crate) fn harmless(character: char) -> char {
    match character {
        '\t' | '\n' | '\r' => ' ',
        c if c.is_control() || is_deceptive(c) => '\u{fffd}',
        c => c,
    }
}

/// Characters that change how text is shown without being seen.
pub(crate) fn is_deceptive(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}')
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((at, _)) => format!("{}…", text[..at].trim_end()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_is_one_short_harmless_line() {
        assert_eq!(of("  a\tb\u{1b}[31m\u{202e}c  "), "a b\u{fffd}[31m\u{fffd}c");
        assert_eq!(of(&"x".repeat(500)).chars().count(), EXCERPT_CHARS_MAX + 1);
    }

    #[test]
    fn secret_across_the_cut_is_taken_out_first() {
        let token = format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
        let line = format!("{}{token}", "x ".repeat(60));
        assert!(!of(&line).contains("ghp_"));
    }
}
