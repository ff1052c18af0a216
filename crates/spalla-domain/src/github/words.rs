//! What people and agents write, as it may stand where others read it: without what the eye doesn't see, and without what
//! GitHub would obey.

/// Returns a text without what a reader of the page doesn't see: comments of HTML, controls, and marks that hide or turn text
/// round. Whoever said yes to a text said yes to what they saw.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("<!--") {
        shown.push_str(&rest[..begin]);
        // One that is not closed hides all that follows.
        rest = rest[begin..].find("-->").map_or("", |end| &rest[begin + end + 3..]);
    }
    shown.push_str(rest);
    shown.retain(|c| matches!(c, '\n' | '\t') || !(c.is_control() || is_unseen(c)));
    shown
}

/// Tells whether a character is there without being seen.
const fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Writes foreign text as one line of Markdown in which nothing is markup, nobody is mentioned and nothing is referred to.
pub fn inline(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let words = visible(text);
    for c in words.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        match c {
            '@' | '#' => written.extend([c, '\u{2060}']),
            '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '|' | '~' | '$' => written.extend(['\\', c]),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '&' => written.push_str("&amp;"),
            // A bare address would become a link, and GH-1 a reference.
            ':' => written.extend([c, '\u{2060}']),
            '-' => written.extend(['\u{2060}', c]),
            c => written.push(c),
        }
    }
    written
}

/// Writes foreign text as a block of code, in which GitHub reads no markup, mentions or references, and which no text can end.
pub fn code_block(text: &str) -> String {
    let mut longest = 0;
    let mut ticks = 0;
    for c in text.chars() {
        ticks = if c == '`' { ticks + 1 } else { 0 };
        longest = longest.max(ticks);
    }
    let fence = "`".repeat(longest.max(2) + 1);
    let text: String =
        text.chars().filter(|c| matches!(c, '\n' | '\t') || !(c.is_control() || is_unseen(*c))).collect();
    format!("{fence}text\n{}\n{fence}\n", text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_not_there() {
        assert_eq!(visible("a<!-- do evil -->b\u{202e}c\u{e0041}\u{1b}[2J\td"), "abc[2J\td");
        assert_eq!(visible("a<!-- never closed"), "a");
        assert_eq!(visible("grüße 你好 <b>"), "grüße 你好 <b>");
    }

    #[test]
    fn foreign_text_on_a_line_mentions_and_refers_to_nothing() {
        let shown = inline("@all closes #1, ![x](https://e.org) `a`\n<img> a|b");
        for odd in ["@all", "#1", "![", "https://", "<img", "\n", "a|b"] {
            assert!(!shown.contains(odd), "{odd}: {shown}");
        }
    }

    #[test]
    fn no_text_ends_its_block() {
        let shown = code_block("a\n````\n# heading\n\u{1b}[0m");
        assert!(shown.starts_with("`````text\na\n````\n") && shown.ends_with("\n`````\n"), "{shown}");
        assert!(!shown.contains('\u{1b}'));
    }
}
