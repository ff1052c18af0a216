//! A shell word, split into what is quoted and what is not, with its braces expanded. What its variables and commands stand
//! for is found in `expand`.

use crate::marks::{self, DOLLAR, PART, PART_END};

/// The most words that braces make of one.
const BRACES_MAX: usize = 128;
/// The longest word whose braces are expanded, in pieces.
const BRACES_WORD_MAX: usize = 2048;
/// The deepest that braces may nest.
const BRACE_DEPTH_MAX: usize = 16;

/// One piece of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Atom {
    /// A character, and whether it is quoted.
    Char(char, bool),
    /// Quotes with nothing between them: the word exists.
    Empty,
    /// A variable or special parameter by name, and whether it is quoted.
    Variable(String, bool),
    /// A part that was taken out of the text, and whether it is quoted.
    Part(usize, bool),
}

/// Splits a word.
pub(crate) fn split(word: &str) -> Vec<Atom> {
    let mut splitter = Splitter { chars: word.chars().collect(), at: 0, atoms: Vec::new() };
    splitter.word();
    splitter.atoms
}

/// Splits text that is read as between double quotes.
pub(crate) fn split_quoted(text: &str) -> Vec<Atom> {
    let mut splitter = Splitter { chars: text.chars().collect(), at: 0, atoms: Vec::new() };
    splitter.quoted(None);
    splitter.atoms
}

struct Splitter {
    chars: Vec<char>,
    at: usize,
    atoms: Vec<Atom>,
}

impl Splitter {
    fn next(&mut self) -> Option<char> {
        let char = self.chars.get(self.at).copied();
        self.at += 1;
        char
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn put(&mut self, char: char, is_quoted: bool) {
        self.atoms.push(Atom::Char(if char == DOLLAR { '$' } else { char }, is_quoted));
    }

    fn word(&mut self) {
        while let Some(char) = self.next() {
            match char {
                '\\' => {
                    if let Some(next) = self.next() {
                        self.put(next, true);
                    }
                }
                '\'' => self.single(),
                '"' => {
                    self.atoms.push(Atom::Empty);
                    self.quoted(Some('"'));
                }
                '$' if self.peek() == Some('\'') => {
                    self.at += 1;
                    self.ansi();
                }
                '$' if self.peek() == Some('"') => {}
                '$' => self.variable(false),
                PART => self.part(false),
                char => self.put(char, false),
            }
        }
    }

    fn single(&mut self) {
        self.atoms.push(Atom::Empty);
        while let Some(char) = self.next().filter(|&char| char != '\'') {
            self.put(char, true);
        }
    }

    fn quoted(&mut self, end: Option<char>) {
        while let Some(char) = self.next() {
            match char {
                char if Some(char) == end => return,
                '\\' => match self.peek() {
                    Some(next @ ('"' | '\\' | '`' | '$' | DOLLAR)) => {
                        self.at += 1;
                        self.put(next, true);
                    }
                    _ => self.put('\\', true),
                },
                '$' => self.variable(true),
                PART => self.part(true),
                char => self.put(char, true),
            }
        }
    }

    fn variable(&mut self, is_quoted: bool) {
        let mut name = String::new();
        match self.peek() {
            Some(char) if char == '_' || char.is_ascii_alphabetic() => {
                while let Some(char) = self.peek().filter(|char| *char == '_' || char.is_ascii_alphanumeric())
                {
                    name.push(char);
                    self.at += 1;
                }
            }
            Some(char) if char.is_ascii_digit() || "@*#?-$!".contains(char) => {
                name.push(char);
                self.at += 1;
            }
            _ => return self.put('$', is_quoted),
        }
        self.atoms.push(Atom::Variable(name, is_quoted));
    }

    fn part(&mut self, is_quoted: bool) {
        let mut number = String::new();
        while let Some(char) = self.next().filter(|&char| char != PART_END) {
            number.push(char);
        }
        if let Ok(number) = number.parse() {
            self.atoms.push(Atom::Part(number, is_quoted));
        }
    }

    fn ansi(&mut self) {
        self.atoms.push(Atom::Empty);
        while let Some(char) = self.next() {
            match char {
                '\'' => return,
                '\\' => {
                    let char = self.ansi_escape();
                    self.atoms.extend(char.map(|char| Atom::Char(char, true)));
                }
                char => self.put(char, true),
            }
        }
    }

    fn ansi_escape(&mut self) -> Option<char> {
        let (char, used) = escape(&self.chars[self.at.min(self.chars.len())..]);
        self.at += used;
        char
    }
}

/// Reads what follows a backslash in `$'…'`, `printf` and `echo -e`: the character and how much of the text it took.
pub(crate) fn escape(text: &[char]) -> (Option<char>, usize) {
    let Some(&first) = text.first() else { return (Some('\\'), 0) };
    let number = |from: usize, digits: usize, radix: u32| {
        let digits = text[from..].iter().take(digits).take_while(|char| char.is_digit(radix)).count();
        let text: String = text[from..from + digits].iter().collect();
        let char = u32::from_str_radix(&text, radix).ok().and_then(char::from_u32);
        (char.filter(|&char| char != '\0'), from + digits)
    };
    match first {
        'n' => (Some('\n'), 1),
        't' => (Some('\t'), 1),
        'r' => (Some('\r'), 1),
        'a' => (Some('\u{7}'), 1),
        'b' => (Some('\u{8}'), 1),
        'f' => (Some('\u{c}'), 1),
        'v' => (Some('\u{b}'), 1),
        'e' | 'E' => (Some('\u{1b}'), 1),
        'x' => number(1, 2, 16),
        'u' => number(1, 4, 16),
        'U' => number(1, 8, 16),
        'c' => (text.get(1).and_then(|char| char::from_u32(u32::from(*char) & 0x1f)), 2),
        '0'..='7' => number(0, if first == '0' { 4 } else { 3 }, 8),
        char => (Some(marks::plain(&char.to_string()).chars().next().unwrap_or(char)), 1),
    }
}

/// Expands the unquoted braces of a word; too many of them stay as they are.
pub(crate) fn braces(word: Vec<Atom>) -> Vec<Vec<Atom>> {
    let mut words = Vec::new();
    if word.len() > BRACES_WORD_MAX {
        return vec![word];
    }
    if expand_braces(&word, 0, &mut words).is_some() { words } else { vec![word] }
}

fn expand_braces(word: &[Atom], depth: usize, words: &mut Vec<Vec<Atom>>) -> Option<()> {
    let found = if depth < BRACE_DEPTH_MAX { find_braces(word) } else { None };
    let Some((open, choices, close)) = found else {
        words.push(word.to_vec());
        return (words.len() <= BRACES_MAX).then_some(());
    };
    for choice in choices {
        let rest = [&word[..open], &choice, &word[close + 1..]].concat();
        expand_braces(&rest, depth + 1, words)?;
    }
    Some(())
}

/// Finds the first braces that offer a choice: where they open, the choices and where they close.
fn find_braces(word: &[Atom]) -> Option<(usize, Vec<Vec<Atom>>, usize)> {
    for (open, _) in word.iter().enumerate().filter(|(_, atom)| **atom == Atom::Char('{', false)) {
        let mut commas = vec![open];
        let mut depth = 0_usize;
        for (place, atom) in word.iter().enumerate().skip(open + 1) {
            match atom {
                Atom::Char('{', false) => depth += 1,
                Atom::Char('}', false) if depth > 0 => depth -= 1,
                Atom::Char(',', false) if depth == 0 => commas.push(place),
                Atom::Char('}', false) => {
                    if commas.len() > 1 {
                        commas.push(place);
                        let between = |pair: &[usize]| word[pair[0] + 1..pair[1]].to_vec();
                        return Some((open, commas.windows(2).map(between).collect(), place));
                    }
                    if let Some(choices) = sequence(&word[open + 1..place]) {
                        return Some((open, choices, place));
                    }
                    break;
                }
                _ => {}
            }
        }
    }
    None
}

/// Expands `a..e` and `1..9`.
fn sequence(between: &[Atom]) -> Option<Vec<Vec<Atom>>> {
    let text: Option<String> = between
        .iter()
        .map(|atom| if let Atom::Char(char, false) = atom { Some(*char) } else { None })
        .collect();
    let text = text?;
    let (from, to) = text.split_once("..")?;
    let atoms = |text: String| text.chars().map(|char| Atom::Char(char, false)).collect::<Vec<_>>();
    if let (Ok(from), Ok(to)) = (from.parse::<i32>(), to.parse::<i32>()) {
        let many = usize::try_from(from.abs_diff(to)).ok()?;
        if many >= BRACES_MAX {
            return None;
        }
        let range: Vec<i32> = if from <= to { (from..=to).collect() } else { (to..=from).rev().collect() };
        return Some(range.into_iter().map(|number| atoms(number.to_string())).collect());
    }
    let mut ends = [from, to].map(|end| Some(end.chars().next()?).filter(|_| end.chars().count() == 1));
    let (from, to) = (ends[0].take()?, ends[1].take()?);
    (from.is_ascii() && to.is_ascii() && from <= to)
        .then(|| (from..=to).map(|char| atoms(char.to_string())).collect())
}
