//! Takes out of a script what nests without end (`$(…)`, `${…}`, backquotes) and the bodies of here-documents, and leaves
//! numbered marks in their places. The parser that reads the rest then never recurses on foreign depth while it splits the
//! text into tokens, and each part is read on its own, at a depth that is counted.

use crate::marks::{self, DOLLAR, PART, PART_END};

/// The deepest that substitutions may nest in one text.
const DEPTH_MAX: usize = 24;
/// The most characters that are looked at for one text: trying an arithmetic reading first may look at some twice.
const STEPS_MAX: usize = 4_000_000;

/// What was taken out of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// A command whose output stands there.
    Command(String),
    /// An arithmetic expression, read like text in double quotes.
    Arithmetic(String),
    /// What stood between the braces of `${…}`.
    Parameter(String),
    /// The body of a here-document, and whether it is expanded.
    Here(String, bool),
}

/// Why a text can't be read.
pub(crate) type Unreadable = &'static str;

const UNCLOSED: Unreadable = "a quote, a bracket or a substitution is not closed";
const TOO_DEEP: Unreadable = "substitutions nest too deeply to be read";

/// Returns the text with marks in the places of its parts, which are appended to `parts`.
pub(crate) fn rewrite(text: &str, parts: &mut Vec<Part>) -> Result<String, Unreadable> {
    let mut scanner = Scanner::new(text, parts);
    scanner.command(false, 0)?;
    Ok(scanner.out)
}

/// Returns text as it is read between double quotes, with marks in the places of its parts.
pub(crate) fn rewrite_quoted(text: &str, parts: &mut Vec<Part>) -> Result<String, Unreadable> {
    let mut scanner = Scanner::new(text, parts);
    while let Some(char) = scanner.peek(0) {
        match char {
            '\\' => scanner.escape(),
            '$' | '`' => scanner.expansion(true, 0)?,
            _ => scanner.copy(),
        }
        scanner.count()?;
    }
    Ok(scanner.out)
}

struct Scanner<'a> {
    chars: Vec<char>,
    at: usize,
    out: String,
    parts: &'a mut Vec<Part>,
    /// Above zero, only the end of something is looked for: nothing is written.
    silent: usize,
    steps: usize,
    here: Vec<HereTag>,
}

struct HereTag {
    part: Option<usize>,
    tag: String,
    strips_tabs: bool,
}

impl<'a> Scanner<'a> {
    fn new(text: &str, parts: &'a mut Vec<Part>) -> Self {
        let chars = text.chars().collect();
        Self { chars, at: 0, out: String::new(), parts, silent: 0, steps: 0, here: Vec::new() }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn put(&mut self, char: char) {
        if self.silent == 0 {
            self.out.push(char);
        }
    }

    /// Copies one character; a dollar sign that comes this way expands nothing.
    fn copy(&mut self) {
        if let Some(char) = self.peek(0) {
            self.put(if char == '$' { DOLLAR } else { char });
            self.at += 1;
        }
    }

    fn count(&mut self) -> Result<(), Unreadable> {
        self.steps += 1;
        if self.steps > STEPS_MAX { Err("it is too large to be read") } else { Ok(()) }
    }

    /// Copies a backslash and what it quotes; a line that goes on is joined.
    fn escape(&mut self) {
        if self.peek(1) == Some('\n') {
            self.at += 2;
            return;
        }
        self.copy();
        self.copy();
    }

    /// Reads commands, up to the bracket that closes them or to the end of the text.
    fn command(&mut self, is_nested: bool, depth: usize) -> Result<(), Unreadable> {
        let mut brackets = Brackets::default();
        let mut is_word_start = true;
        while let Some(char) = self.peek(0) {
            self.count()?;
            let starts_word = std::mem::replace(&mut is_word_start, is_separator(char));
            if starts_word {
                brackets.word(&self.chars, self.at);
            }
            match char {
                '\\' => {
                    is_word_start = starts_word && self.peek(1) == Some('\n');
                    self.escape();
                }
                '\'' => self.single_quotes()?,
                '"' => self.double_quotes(depth)?,
                '$' if self.peek(1) == Some('\'') => self.ansi_quotes()?,
                '$' | '`' => self.expansion(false, depth)?,
                '#' if starts_word => self.comment(),
                '<' if self.peek(1) == Some('<') && brackets.arithmetic == 0 => self.here_operator()?,
                '\n' => {
                    self.copy();
                    self.here_bodies();
                }
                '(' => {
                    brackets.open(self.peek(1) == Some('('));
                    self.copy();
                }
                ')' => {
                    if brackets.closes_all() && is_nested {
                        return Ok(());
                    }
                    self.copy();
                }
                _ => self.copy(),
            }
        }
        if is_nested { Err(UNCLOSED) } else { Ok(()) }
    }

    fn comment(&mut self) {
        while self.peek(0).is_some_and(|char| char != '\n') {
            self.at += 1;
        }
    }

    fn single_quotes(&mut self) -> Result<(), Unreadable> {
        self.copy();
        while let Some(char) = self.peek(0) {
            self.copy();
            if char == '\'' {
                return Ok(());
            }
        }
        Err(UNCLOSED)
    }

    fn ansi_quotes(&mut self) -> Result<(), Unreadable> {
        self.put('$');
        self.at += 1;
        self.copy();
        while let Some(char) = self.peek(0) {
            self.copy();
            match char {
                '\\' => self.copy(),
                '\'' => return Ok(()),
                _ => {}
            }
        }
        Err(UNCLOSED)
    }

    fn double_quotes(&mut self, depth: usize) -> Result<(), Unreadable> {
        self.copy();
        while let Some(char) = self.peek(0) {
            self.count()?;
            match char {
                '"' => {
                    self.copy();
                    return Ok(());
                }
                '\\' => self.escape(),
                '$' | '`' => self.expansion(true, depth)?,
                _ => self.copy(),
            }
        }
        Err(UNCLOSED)
    }

    /// Reads what a dollar sign or a backquote begins.
    fn expansion(&mut self, is_quoted: bool, depth: usize) -> Result<(), Unreadable> {
        if depth >= DEPTH_MAX {
            return Err(TOO_DEEP);
        }
        match (self.peek(0), self.peek(1)) {
            (Some('`'), _) => self.backquotes(),
            (_, Some('(')) => self.bracketed(depth),
            (_, Some('{')) => self.braced(is_quoted, depth),
            (_, Some(next)) if is_parameter(next) || (next == '"' && !is_quoted) => {
                self.put('$');
                self.at += 1;
                if next != '"' {
                    self.copy();
                }
                Ok(())
            }
            _ => {
                self.copy();
                Ok(())
            }
        }
    }

    fn part(&mut self, part: Part) {
        if self.silent == 0 {
            let number = self.parts.len().to_string();
            self.out.push(PART);
            self.out.push_str(&number);
            self.out.push(PART_END);
            self.parts.push(part);
        }
    }

    fn slice(&self, from: usize, to: usize) -> String {
        self.chars[from.min(to)..to].iter().collect()
    }

    fn backquotes(&mut self) -> Result<(), Unreadable> {
        self.at += 1;
        let mut text = String::new();
        while let Some(char) = self.peek(0) {
            self.at += 1;
            match (char, self.peek(0)) {
                ('`', _) => {
                    self.part(Part::Command(text));
                    return Ok(());
                }
                ('\\', Some(next @ ('`' | '\\' | '$'))) => {
                    text.push(next);
                    self.at += 1;
                }
                _ => text.push(char),
            }
        }
        Err(UNCLOSED)
    }

    fn bracketed(&mut self, depth: usize) -> Result<(), Unreadable> {
        let start = self.at + 2;
        if self.peek(2) == Some('(') {
            self.at += 3;
            if self.silently(|scanner| scanner.arithmetic(depth + 1)).is_ok() {
                let text = self.slice(start + 1, self.at);
                self.at += 2;
                self.part(Part::Arithmetic(text));
                return Ok(());
            }
        }
        self.at = start;
        self.silently(|scanner| scanner.command(true, depth + 1))?;
        let text = self.slice(start, self.at);
        self.at += 1;
        self.part(Part::Command(text));
        Ok(())
    }

    /// Looks for the end of something without writing anything; what it finds of here-documents is its own.
    fn silently(&mut self, look: impl FnOnce(&mut Self) -> Result<(), Unreadable>) -> Result<(), Unreadable> {
        self.silent += 1;
        let here = std::mem::take(&mut self.here);
        let found = look(self);
        self.here = here;
        self.silent -= 1;
        found
    }

    /// Looks for the two brackets that close an arithmetic expression.
    fn arithmetic(&mut self, depth: usize) -> Result<(), Unreadable> {
        let mut open = 0_usize;
        while let Some(char) = self.peek(0) {
            self.count()?;
            match char {
                '\\' => self.escape(),
                '\'' => self.single_quotes()?,
                '"' => self.double_quotes(depth)?,
                '$' | '`' => self.expansion(true, depth)?,
                ')' if open == 0 && self.peek(1) == Some(')') => return Ok(()),
                ')' if open == 0 => return Err(UNCLOSED),
                _ => {
                    open = if char == '(' { open + 1 } else { open - usize::from(char == ')') };
                    self.copy();
                }
            }
        }
        Err(UNCLOSED)
    }

    fn braced(&mut self, is_quoted: bool, depth: usize) -> Result<(), Unreadable> {
        self.at += 2;
        let start = self.at;
        self.silently(|scanner| scanner.parameter(is_quoted, depth + 1))?;
        let text = self.slice(start, self.at);
        self.at += 1;
        self.part(Part::Parameter(text));
        Ok(())
    }

    /// Looks for the brace that closes `${…}`.
    fn parameter(&mut self, is_quoted: bool, depth: usize) -> Result<(), Unreadable> {
        while let Some(char) = self.peek(0) {
            self.count()?;
            match char {
                '}' => return Ok(()),
                '\\' => self.escape(),
                '\'' if !is_quoted => self.single_quotes()?,
                '"' => self.double_quotes(depth)?,
                '$' | '`' => self.expansion(is_quoted, depth)?,
                _ => self.copy(),
            }
        }
        Err(UNCLOSED)
    }

    /// Reads `<<` or `<<-` and its tag, and leaves a here-string with a mark; `<<<` stays.
    fn here_operator(&mut self) -> Result<(), Unreadable> {
        if self.peek(2) == Some('<') {
            (0..3).for_each(|_| self.copy());
            return Ok(());
        }
        self.at += 2;
        let strips_tabs = self.peek(0) == Some('-');
        self.at += usize::from(strips_tabs);
        while matches!(self.peek(0), Some(' ' | '\t')) {
            self.at += 1;
        }
        let (tag, is_quoted) = self.here_tag()?;
        let is_written = self.silent == 0;
        "<<<".chars().for_each(|char| self.put(char));
        let part = is_written.then_some(self.parts.len());
        self.part(Part::Here(String::new(), !is_quoted));
        self.put(' ');
        self.here.push(HereTag { part, tag, strips_tabs });
        Ok(())
    }

    fn here_tag(&mut self) -> Result<(String, bool), Unreadable> {
        let mut tag = String::new();
        let (mut is_quoted, mut quote) = (false, None);
        while let Some(char) = self.peek(0) {
            match (quote, char) {
                (None, '\n' | ' ' | '\t' | ';' | '&' | '|' | '<' | '>' | '(' | ')') => break,
                (None, '\'' | '"') => (quote, is_quoted) = (Some(char), true),
                (None | Some('"'), '\\') => {
                    is_quoted = true;
                    self.at += 1;
                    tag.extend(self.peek(0));
                }
                (Some(open), char) if open == char => quote = None,
                _ => tag.push(char),
            }
            self.at += 1;
        }
        if tag.is_empty() && !is_quoted {
            Err("a here-document has no end mark")
        } else {
            Ok((tag, is_quoted))
        }
    }

    /// Takes the bodies of the here-documents of the line that just ended.
    fn here_bodies(&mut self) {
        for here in std::mem::take(&mut self.here) {
            let mut body = String::new();
            while self.at < self.chars.len() {
                let end = self.chars[self.at..].iter().position(|&char| char == '\n');
                let end = end.map_or(self.chars.len(), |length| self.at + length);
                let line = self.slice(self.at, end);
                self.at = (end + 1).min(self.chars.len());
                let line = if here.strips_tabs { line.trim_start_matches('\t') } else { &line };
                if line == here.tag {
                    break;
                }
                body.push_str(line);
                body.push('\n');
            }
            if let Some(Part::Here(text, _)) = here.part.and_then(|part| self.parts.get_mut(part)) {
                *text = body;
            }
        }
    }
}

/// The brackets that are open, and the `case`s, whose patterns close one that was never opened.
#[derive(Default)]
struct Brackets {
    open: usize,
    arithmetic: usize,
    cases: usize,
}

impl Brackets {
    fn open(&mut self, is_double: bool) {
        self.open += 1;
        if is_double && self.arithmetic == 0 {
            self.arithmetic = self.open;
        }
    }

    /// Closes one; whether none was open.
    fn closes_all(&mut self) -> bool {
        if self.open == 0 {
            return self.cases == 0;
        }
        self.open -= 1;
        if self.open < self.arithmetic {
            self.arithmetic = 0;
        }
        false
    }

    fn word(&mut self, chars: &[char], at: usize) {
        let is = |word: &str| {
            let end = at + word.len();
            word.chars().eq(chars[at..].iter().copied().take(word.len()))
                && chars.get(end).is_none_or(|&char| is_separator(char))
        };
        if is("esac") {
            self.cases = self.cases.saturating_sub(1);
        } else if is("case") && is_command_place(&chars[..at]) {
            self.cases += 1;
        }
    }
}

/// Whether a command may begin after this text.
fn is_command_place(before: &[char]) -> bool {
    let end = before.iter().rposition(|char| !matches!(char, ' ' | '\t')).map_or(0, |last| last + 1);
    let Some(last) = before[..end].last() else { return true };
    if matches!(last, '\n' | ';' | '&' | '|' | '(' | ')' | '{' | '!') {
        return true;
    }
    let start = before[..end].iter().rposition(|&char| is_separator(char)).map_or(0, |place| place + 1);
    let word: String = before[start..end].iter().take(8).collect();
    matches!(word.as_str(), "then" | "do" | "else" | "if" | "elif" | "while" | "until" | "time")
}

fn is_separator(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')')
}

/// Whether a character after a dollar sign makes it an expansion.
fn is_parameter(char: char) -> bool {
    char == '_'
        || char.is_ascii_alphanumeric()
        || matches!(char, '@' | '*' | '#' | '?' | '-' | '$' | '!')
        || char == marks::UNKNOWN
}
