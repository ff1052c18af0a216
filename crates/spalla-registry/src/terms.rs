//! The words and phrases of one agent's file, by how much each stands out in it: in its name, its description, its headings,
//! its lists, or its prose. What a code block says is said to a machine.

use crate::stems::stem;
use crate::vocabulary;
use crate::words::{is_telling, words};
use std::collections::BTreeMap;

/// How much a word weighs by where it stands.
const NAME_WEIGHT: u32 = 16;
const DESCRIPTION_WEIGHT: u32 = 6;
const HEADING_WEIGHT: u32 = 2;
const ITEM_WEIGHT: u32 = 1;
const PROSE_WEIGHT: u32 = 1;
/// How far a prompt is read, in lines, and how much of one line, in bytes.
const LINES_MAX: usize = 2_000;
const LINE_BYTES_MAX: usize = 2_000;
/// The longest item of a list whose neighbours make phrases, in words: a longer one is prose.
const ITEM_WORDS_MAX: usize = 6;
/// How many forms of one word are kept, those first that stand out most.
const FORMS_MAX: usize = 3;
/// What divides phrases.
const DIVIDERS: &[char] =
    &[',', ';', ':', '(', ')', '[', ']', '{', '}', '|', '/', '"', '—', '–', '!', '?', '*', '`', '<', '>'];

/// A word, in all its forms, or a phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    /// What its forms share; of a phrase, of each word.
    pub(crate) stem: Box<str>,
    /// As it is written, the form first that stands out most.
    pub(crate) forms: Vec<Box<str>>,
    /// How much it stands out.
    pub(crate) weight: u32,
    /// Whether the agent is called so.
    pub(crate) is_name: bool,
    /// Whether it is two words.
    pub(crate) is_phrase: bool,
    /// Whether it names a language, a framework or a tool.
    pub(crate) is_known: bool,
}

/// Collects terms.
#[derive(Debug, Default)]
struct Collected {
    forms: BTreeMap<String, BTreeMap<String, u32>>,
    names: std::collections::BTreeSet<String>,
}

/// Returns the terms of a file in the order of their stems.
pub(crate) fn terms(name: &str, description: &str, body: &str) -> Vec<Term> {
    let mut collected = Collected::default();
    let name = name.replace(['-', '_'], " ");
    collected.add(&name, NAME_WEIGHT, true);
    for word in words(&name).filter(|word| is_telling(word)) {
        collected.names.insert(stem(&word).to_owned());
    }
    collected.add(description, DESCRIPTION_WEIGHT, true);
    let mut is_code = false;
    for line in body.lines().take(LINES_MAX) {
        let line = line.trim();
        if line.starts_with("```") || line.starts_with("~~~") {
            is_code = !is_code;
        } else if !is_code {
            collected.line(&line[..line.floor_char_boundary(LINE_BYTES_MAX)]);
        }
    }
    collected.finish()
}

impl Collected {
    fn line(&mut self, line: &str) {
        if line.starts_with('#') {
            return self.add(line, HEADING_WEIGHT, true);
        }
        let item = line.strip_prefix(['-', '*', '+']).filter(|rest| rest.starts_with(' '));
        match item {
            Some(item) if item.split_whitespace().count() <= ITEM_WORDS_MAX => {
                self.add(item, ITEM_WEIGHT, true)
            }
            Some(item) => self.add(item, ITEM_WEIGHT, false),
            None => self.add(line, PROSE_WEIGHT, false),
        }
    }

    fn add(&mut self, text: &str, weight: u32, has_phrases: bool) {
        for part in text.split(DIVIDERS).flat_map(|part| part.split(". ")) {
            let mut before: Option<String> = None;
            for word in words(part) {
                if !is_telling(&word) {
                    before = None;
                    continue;
                }
                if let Some(before) = before.filter(|_| has_phrases) {
                    let key = format!("{} {}", stem(&before), stem(&word));
                    *self.forms.entry(key).or_default().entry(format!("{before} {word}")).or_default() +=
                        weight;
                }
                *self.forms.entry(stem(&word).to_owned()).or_default().entry(word.clone()).or_default() +=
                    weight;
                before = Some(word);
            }
        }
    }

    fn finish(self) -> Vec<Term> {
        let Self { forms, names } = self;
        let term = |(stem, forms): (String, BTreeMap<String, u32>)| {
            let weight = forms.values().sum();
            let is_known = forms.keys().any(|form| vocabulary::is_name(form));
            let mut sorted: Vec<(String, u32)> = forms.into_iter().collect();
            sorted.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
            let forms = sorted.into_iter().take(FORMS_MAX).map(|(form, _)| form.into()).collect();
            Term {
                is_name: names.contains(&stem),
                is_phrase: stem.contains(' '),
                stem: stem.into(),
                forms,
                weight,
                is_known,
            }
        };
        forms.into_iter().map(term).collect()
    }
}
