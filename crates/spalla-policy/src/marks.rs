//! Characters of a private plane that carry, inside ordinary text, what a character alone can't say: that its value is
//! not known, that a star was not quoted. Foreign text never holds them: [`clean`] takes them out.

/// A stretch of text that can't be told before the script runs.
pub(crate) const UNKNOWN: char = '\u{f0030}';
/// A dollar sign that expands nothing.
pub(crate) const DOLLAR: char = '\u{f0031}';
/// Opens the number of a part that was taken out of the text.
pub(crate) const PART: char = '\u{f0032}';
/// Closes the number of a part.
pub(crate) const PART_END: char = '\u{f0033}';
/// An unquoted `*`, which the shell would expand to names of files.
pub(crate) const STAR: char = '\u{f0034}';
/// An unquoted `?`.
pub(crate) const ANY: char = '\u{f0035}';
/// An unquoted `[`.
pub(crate) const SET: char = '\u{f0036}';

const FIRST: char = '\u{f0030}';
const LAST: char = '\u{f003f}';

/// Returns foreign text without marks and without what shells drop: NUL, and the carriage return at a line's end.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\0' => {}
            '\r' if chars.peek() == Some(&'\n') => {}
            FIRST..=LAST => cleaned.push(char::REPLACEMENT_CHARACTER),
            char => cleaned.push(char),
        }
    }
    cleaned
}

/// Returns text as people read it: what is unknown is `…`, and nothing moves their terminal's cursor.
pub(crate) fn shown(text: &str) -> String {
    let shown = |char: char| match char {
        UNKNOWN => '…',
        DOLLAR => '$',
        STAR => '*',
        ANY => '?',
        SET => '[',
        char if char.is_control() || is_direction(char) => ' ',
        char => char,
    };
    text.chars().map(shown).collect()
}

/// Whether a character turns the direction of what follows.
fn is_direction(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether text holds something that can't be told before the script runs.
pub(crate) fn is_unknown(text: &str) -> bool {
    text.contains(UNKNOWN)
}

/// Whether text holds a pattern that the shell would expand to names of files.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains([STAR, ANY]) || text.split_once(SET).is_some_and(|(_, rest)| rest.contains(']'))
}

/// Returns a character as it stands when it is not quoted.
pub(crate) fn unquoted(char: char) -> char {
    match char {
        '*' => STAR,
        '?' => ANY,
        '[' => SET,
        char => char,
    }
}

/// Returns text as a program would be given it where no file matches its patterns.
pub(crate) fn plain(text: &str) -> String {
    let plain = |char: char| match char {
        DOLLAR => '$',
        STAR => '*',
        ANY => '?',
        SET => '[',
        char => char,
    };
    text.chars().map(plain).collect()
}
