//! A file seen three ways: its code alone, its comments alone, and everything but the comments.
//!
//! Every view has the length and the line ends of the text, so an offset in one is an offset in all.

use super::syntax::{Quirk, Quote, Syntax};

/// What a byte of a file belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Code,
    Comment,
    Text,
}

/// The views of one file.
#[derive(Debug)]
pub(crate) struct Views<'a> {
    /// The file as it is.
    pub text: &'a str,
    /// Without comments and without the insides of strings.
    pub code: String,
    /// Comments only.
    pub comments: String,
    /// Without comments, strings kept.
    pub uncommented: String,
    line_starts: Vec<usize>,
    classes: Vec<Class>,
}

impl<'a> Views<'a> {
    /// Splits a text by the comment and string forms of its language.
    pub(crate) fn new(text: &'a str, syntax: &Syntax) -> Self {
        let classes = Scanner::new(text, syntax).run();
        let view = |kept: &[Class]| keep(text, &classes, kept);
        Self {
            text,
            code: view(&[Class::Code]),
            comments: view(&[Class::Comment]),
            uncommented: view(&[Class::Code, Class::Text]),
            line_starts: line_starts(text),
            classes,
        }
    }

    /// Returns the number, from one, of the line an offset lies in.
    pub(crate) fn line_of(&self, offset: usize) -> u32 {
        let line = self.line_starts.partition_point(|start| *start <= offset);
        u32::try_from(line).unwrap_or(u32::MAX)
    }

    /// Returns the offsets at which a line, counted from one, begins and ends.
    fn bounds(&self, line: u32) -> (usize, usize) {
        let index = (line as usize).saturating_sub(1);
        let start = self.line_starts.get(index).copied().unwrap_or(self.text.len());
        let end = self.line_starts.get(index + 1).copied().unwrap_or(self.text.len());
        (start, end)
    }

    /// Returns a line of the text, counted from one.
    pub(crate) fn line(&self, line: u32) -> &'a str {
        let (start, end) = self.bounds(line);
        self.text[start..end].trim_end_matches(['\n', '\r'])
    }

    /// Returns the comments of a line, counted from one.
    pub(crate) fn comment_line(&self, line: u32) -> &str {
        let (start, end) = self.bounds(line);
        &self.comments[start..end]
    }

    /// Says whether an offset lies in code, neither comment nor string.
    pub(crate) fn is_code(&self, offset: usize) -> bool {
        self.classes.get(offset) == Some(&Class::Code)
    }

    /// Returns how many lines there are.
    pub(crate) fn line_count(&self) -> u32 {
        let last_is_empty = self.text.is_empty() || self.text.ends_with('\n');
        let lines = self.line_starts.len() - usize::from(last_is_empty);
        u32::try_from(lines).unwrap_or(u32::MAX)
    }

    /// Says of each line whether it holds code, only comments, or nothing.
    pub(crate) fn line_sorts(&self) -> Vec<LineSort> {
        (1..=self.line_count()).map(|line| self.sort_of(line)).collect()
    }

    fn sort_of(&self, line: u32) -> LineSort {
        let (start, end) = self.bounds(line);
        if !self.uncommented[start..end].trim().is_empty() {
            LineSort::Code
        } else if self.comments[start..end].trim().is_empty() {
            LineSort::Blank
        } else {
            LineSort::Comment
        }
    }
}

/// What a line is counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineSort {
    Code,
    Comment,
    Blank,
}

fn line_starts(text: &str) -> Vec<usize> {
    let after_ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(after_ends).collect()
}

/// Blanks out every byte whose class is not kept; line ends stay.
fn keep(text: &str, classes: &[Class], kept: &[Class]) -> String {
    let is_kept = [Class::Code, Class::Comment, Class::Text].map(|class| kept.contains(&class));
    let bytes = text.bytes().zip(classes);
    let view: Vec<u8> = bytes
        .map(|(byte, class)| if byte == b'\n' || is_kept[*class as usize] { byte } else { b' ' })
        .collect();
    // Classes change only at ASCII characters, so no character is ever cut; were one, an empty view is the
    // safe one.
    String::from_utf8(view).unwrap_or_else(|_| " ".repeat(text.len()))
}

/// The longest regular expression literal looked for; it bounds the cost of a slash that opens none.
const REGEX_BYTES_MAX: usize = 1_000;

/// Walks a text once and classes its bytes.
struct Scanner<'s> {
    bytes: &'s [u8],
    syntax: &'s Syntax,
    classes: Vec<Class>,
    at: usize,
    /// Bytes that may begin a comment, a string or a quirk; all others are code.
    may_open: [bool; 256],
    /// The last byte of code that was not blank: it tells a regular expression from a division.
    last_code: u8,
}

impl<'s> Scanner<'s> {
    fn new(text: &'s str, syntax: &'s Syntax) -> Self {
        let bytes = text.as_bytes();
        let blocks = syntax.block_comments.iter().map(|(open, _)| *open);
        let quotes = syntax.quotes.iter().map(|quote| quote.delimiter);
        let quirks =
            ["r", "'", "/"].iter().filter(|_| matches!(syntax.quirk, Quirk::Rust | Quirk::JavaScript));
        let mut may_open = [false; 256];
        for open in syntax.line_comments.iter().copied().chain(blocks).chain(quotes).chain(quirks.copied()) {
            may_open[usize::from(open.as_bytes()[0])] = true;
        }
        Self { bytes, syntax, classes: vec![Class::Code; bytes.len()], at: 0, may_open, last_code: b'\n' }
    }

    fn run(mut self) -> Vec<Class> {
        if self.syntax.line_comments.is_empty() && self.syntax.block_comments.is_empty() {
            return self.classes;
        }
        while self.at < self.bytes.len() {
            let byte = self.bytes[self.at];
            let may_open = self.may_open[usize::from(byte)];
            if may_open && (self.block_comment() || self.line_comment() || self.string() || self.quirk()) {
                continue;
            }
            if !byte.is_ascii_whitespace() {
                self.last_code = byte;
            }
            self.at += 1;
        }
        self.classes
    }

    fn rest_starts_with(&self, text: &str) -> bool {
        self.bytes[self.at..].starts_with(text.as_bytes())
    }

    /// Gives the bytes up to `end` a class and moves there.
    fn mark(&mut self, end: usize, class: Class) {
        let end = end.min(self.bytes.len());
        self.classes[self.at..end].fill(class);
        self.at = end;
    }

    fn line_end(&self, from: usize) -> usize {
        let rest = &self.bytes[from..];
        rest.iter().position(|byte| *byte == b'\n').map_or(self.bytes.len(), |length| from + length)
    }

    fn line_comment(&mut self) -> bool {
        let syntax = self.syntax;
        let Some(_) = syntax.line_comments.iter().find(|mark| self.rest_starts_with(mark)) else {
            return false;
        };
        let before = self.at.checked_sub(1).map_or(b'\n', |at| self.bytes[at]);
        let stands_apart = before.is_ascii_whitespace() || matches!(before, b';' | b'(' | b')');
        if syntax.quirk == Quirk::HashAfterBlank && !stands_apart {
            return false;
        }
        // The colons of a URL are no comment where comments open with two colons or slashes.
        if before == b':' {
            return false;
        }
        let end = self.line_end(self.at);
        self.mark(end, Class::Comment);
        true
    }

    fn block_comment(&mut self) -> bool {
        let syntax = self.syntax;
        let pairs = syntax.block_comments;
        let Some((open, close)) = pairs.iter().find(|(open, _)| self.rest_starts_with(open)) else {
            return false;
        };
        let end = self.block_end(open.as_bytes(), close.as_bytes());
        self.mark(end, Class::Comment);
        true
    }

    fn block_end(&self, open: &[u8], close: &[u8]) -> usize {
        let mut at = self.at + open.len();
        let mut depth = 1;
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            if rest.starts_with(close) {
                depth -= 1;
                at += close.len();
                if depth == 0 {
                    return at;
                }
            } else if self.syntax.nested_comments && rest.starts_with(open) {
                depth += 1;
                at += open.len();
            } else {
                at += 1;
            }
        }
        at
    }

    fn string(&mut self) -> bool {
        let syntax = self.syntax;
        let Some(quote) = syntax.quotes.iter().find(|quote| self.rest_starts_with(quote.delimiter)) else {
            return false;
        };
        let end = self.string_end(self.at + quote.delimiter.len(), *quote);
        let documents = syntax.quirk == Quirk::Python && quote.multiline && self.opens_a_statement();
        self.mark(end, if documents { Class::Comment } else { Class::Text });
        self.last_code = b'"';
        true
    }

    /// Returns the offset after the closing delimiter, or where the string must end for want of one.
    fn string_end(&self, from: usize, quote: Quote) -> usize {
        let delimiter = quote.delimiter.as_bytes();
        let mut at = from;
        while at < self.bytes.len() {
            match self.bytes[at] {
                b'\\' if quote.escapes => at += 2,
                b'\n' if !quote.multiline => return at,
                _ if self.bytes[at..].starts_with(delimiter) => return at + delimiter.len(),
                _ => at += 1,
            }
        }
        self.bytes.len()
    }

    fn opens_a_statement(&self) -> bool {
        let before = self.bytes[..self.at].iter().rev().take_while(|byte| **byte != b'\n');
        before.copied().all(|byte| byte.is_ascii_whitespace())
            && !matches!(self.last_code, b'=' | b'(' | b',' | b'[' | b'+')
    }

    fn quirk(&mut self) -> bool {
        match self.syntax.quirk {
            Quirk::Rust => self.rust_raw_string() || self.rust_character(),
            Quirk::JavaScript => self.javascript_regex(),
            _ => false,
        }
    }

    fn rust_raw_string(&mut self) -> bool {
        let before = self.at.checked_sub(1).map_or(b' ', |at| self.bytes[at]);
        let in_word = before.is_ascii_alphanumeric() && before != b'b' || before == b'_';
        if self.bytes[self.at] != b'r' || in_word {
            return false;
        }
        let hashes = self.bytes[self.at + 1..].iter().take_while(|byte| **byte == b'#').count();
        let open = self.at + 1 + hashes;
        if self.bytes.get(open) != Some(&b'"') {
            return false;
        }
        let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
        let rest = &self.bytes[open + 1..];
        let length = rest.windows(close.len()).position(|window| window == close);
        let end = length.map_or(self.bytes.len(), |length| open + 1 + length + close.len());
        self.mark(end, Class::Text);
        true
    }

    /// A quote opens a character when it closes right after one; otherwise it is a lifetime.
    fn rust_character(&mut self) -> bool {
        if self.bytes[self.at] != b'\'' {
            return false;
        }
        let rest = &self.bytes[self.at + 1..];
        let length = match rest.first() {
            Some(b'\\') => rest.iter().skip(2).take(10).position(|byte| *byte == b'\'').map(|n| n + 2),
            Some(_) => rest.iter().skip(1).take(4).position(|byte| *byte == b'\'').map(|n| n + 1),
            None => None,
        };
        let one_character = |n: usize| std::str::from_utf8(&rest[..n]).is_ok_and(|s| s.chars().count() == 1);
        match length {
            Some(n) if rest[0] == b'\\' || one_character(n) => {
                self.mark(self.at + n + 2, Class::Text);
                true
            }
            _ => false,
        }
    }

    fn javascript_regex(&mut self) -> bool {
        let may_open = b"\n(,=:[!&|?{};+".contains(&self.last_code);
        if self.bytes[self.at] != b'/' || !may_open {
            return false;
        }
        let end = self.bytes.len().min(self.at + REGEX_BYTES_MAX);
        let mut in_set = false;
        let mut at = self.at + 1;
        while at < end {
            match self.bytes[at] {
                b'\n' => return false,
                b'\\' => at += 1,
                b'[' => in_set = true,
                b']' => in_set = false,
                b'/' if !in_set => {
                    self.mark(at + 1, Class::Text);
                    self.last_code = b'"';
                    return true;
                }
                _ => {}
            }
            at += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::syntax;
    use super::*;

    fn code(text: &str, syntax: &Syntax) -> String {
        Views::new(text, syntax).code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn rust_code_is_told_from_comments_strings_and_lifetimes() {
        let text =
            "fn f<'a>(x: &'a str) { /* a /* b */ c */ let q = '\"'; let r = br#\"un\"safe\"#; } // end\n";
        assert_eq!(code(text, &syntax::RUST), "fn f<'a>(x: &'a str) { let q = ; let r = b ; }");
    }

    #[test]
    fn python_documentation_counts_as_comment_and_a_plain_string_does_not() {
        let text = "def f():\n    \"\"\"TODO: say more.\"\"\"\n    x = \"\"\"a # b\"\"\"  # why\n";
        let views = Views::new(text, &syntax::PYTHON);
        assert!(views.comments.contains("TODO: say more."));
        assert!(views.comments.contains("# why") && !views.comments.contains("a # b"));
        assert_eq!(views.line_sorts(), [LineSort::Code, LineSort::Comment, LineSort::Code]);
    }

    #[test]
    fn shell_hash_inside_a_word_opens_no_comment() {
        assert_eq!(code("echo ${x#y} a#b # c\n", &syntax::HASH), "echo ${x#y} a#b");
    }

    #[test]
    fn javascript_regex_with_a_quote_does_not_open_a_string() {
        assert_eq!(
            code("const q = /[\"'/]/g; call(a / b);\n", &syntax::JAVASCRIPT),
            "const q = g; call(a / b);"
        );
    }

    #[test]
    fn stray_quote_spoils_one_line_at_most() {
        assert_eq!(code("it's\nx = 1\n", &syntax::HASH), "it x = 1");
    }

    #[test]
    fn views_keep_offsets_with_characters_of_several_bytes() {
        let text = "let a = \"é\"; // ü\nlet b = 1;\n";
        let views = Views::new(text, &syntax::RUST);
        assert_eq!(views.code.len(), text.len());
        assert_eq!(views.line_of(views.code.find("let b").expect("present")), 2);
        assert_eq!(views.line(2), "let b = 1;");
    }

    #[test]
    fn unclosed_forms_end_with_the_file() {
        for text in ["/* open", "r#\"open", "\"open", "'", "'\\", "\\"] {
            assert_eq!(Views::new(text, &syntax::RUST).code.len(), text.len(), "{text}");
        }
    }
}
