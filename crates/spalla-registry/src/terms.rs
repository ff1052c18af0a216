//! The words and phrases of one agent's file, by how much each stands out in it: in its name, its description, its headings,
//! its lists, or its prose. What a code block says is said to a machine.

use crate::stems::stem;
use crate::vocabulary;
use crate::words::{is_telling, tokens};
use std::collections::{BTreeMap, HashMap};

/// How much a word weighs by where it stands. What a name or a description says is prominent.
const NAME_WEIGHT: u32 = 4;
const DESCRIPTION_WEIGHT: u32 = 2;
const PLAIN_WEIGHT: u32 = 1;
/// How often a word has to stand in lists and prose to say something of an agent.
const PLAIN_MIN: u32 = 2;
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
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Term {
    /// What its forms share; of a phrase, of each word.
    pub(crate) stem: Box<str>,
    /// As it is written, the form first that stands out most.
    pub(crate) forms: Vec<Box<str>>,
    /// How much it stands out: in name, description and headings; and in all of the file. Logarithms of its weight.
    pub(crate) prominent: f64,
    pub(crate) anywhere: f64,
    pub(crate) kind: Kind,
}

/// What a term is to its agent, by which it is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The agent is called so.
    Name,
    /// It names a language, a framework or a tool.
    Known,
    /// It is any other word.
    Word,
    /// It is two words.
    Phrase,
}

/// How much a form weighs, in what is prominent and in everything.
type Weights = (u32, u32);

/// Collects the forms of a file's texts.
#[derive(Default)]
struct Collected<'a> {
    words: HashMap<&'a str, Weights>,
    phrases: HashMap<(&'a str, &'a str), Weights>,
}

/// Returns the terms of a file in the order of their stems.
pub(crate) fn terms(name: &str, description: &str, body: &str) -> Vec<Term> {
    let name = name.replace(['-', '_'], " ").to_lowercase();
    let (description, body) = (description.to_lowercase(), body.to_lowercase());
    let mut collected = Collected::default();
    collected.add(&name, NAME_WEIGHT, true, true);
    let named: Vec<&str> = tokens(&name).filter(|word| is_telling(word)).map(stem).collect();
    collected.add(&description, DESCRIPTION_WEIGHT, true, true);
    let mut is_code = false;
    for line in body.lines().take(LINES_MAX) {
        let line = line.trim();
        if line.starts_with("```") || line.starts_with("~~~") {
            is_code = !is_code;
        } else if !is_code {
            collected.line(&line[..line.floor_char_boundary(LINE_BYTES_MAX)]);
        }
    }
    collected.finish(&named)
}

impl<'a> Collected<'a> {
    fn line(&mut self, line: &'a str) {
        if line.starts_with('#') {
            return self.add(line, PLAIN_WEIGHT, true, true);
        }
        let item = line.strip_prefix(['-', '*', '+']).filter(|rest| rest.starts_with(' '));
        let has_phrases = item.is_some_and(|item| item.split_whitespace().count() <= ITEM_WORDS_MAX);
        self.add(line, PLAIN_WEIGHT, false, has_phrases);
    }

    fn add(&mut self, text: &'a str, weight: u32, is_prominent: bool, has_phrases: bool) {
        let add = |weights: &mut Weights| {
            weights.0 += if is_prominent { weight } else { 0 };
            weights.1 += weight;
        };
        if !has_phrases {
            return tokens(text).for_each(|word| add(self.words.entry(word).or_default()));
        }
        for part in text.split(DIVIDERS).flat_map(|part| part.split(". ")) {
            let mut before: Option<&str> = None;
            for word in tokens(part) {
                add(self.words.entry(word).or_default());
                if let Some(before) = before {
                    add(self.phrases.entry((before, word)).or_default());
                }
                before = Some(word);
            }
        }
    }

    fn finish(self, named: &[&str]) -> Vec<Term> {
        let mut words: BTreeMap<&str, Vec<(&str, Weights)>> = BTreeMap::new();
        for (word, weights) in self.words.into_iter().filter(|(word, _)| is_telling(word)) {
            words.entry(stem(word)).or_default().push((word, weights));
        }
        let mut phrases: BTreeMap<String, Vec<(String, Weights)>> = BTreeMap::new();
        for ((one, other), weights) in self.phrases {
            if is_telling(one) && is_telling(other) && one != other {
                let forms = phrases.entry(format!("{} {}", stem(one), stem(other))).or_default();
                forms.push((format!("{one} {other}"), weights));
            }
        }
        let words = words.into_iter().filter_map(|(stem, forms)| {
            let is_known = forms.iter().any(|(form, _)| vocabulary::is_name(form));
            let kind = match () {
                () if named.contains(&stem) => Kind::Name,
                () if is_known => Kind::Known,
                () => Kind::Word,
            };
            term(stem, forms, kind)
        });
        let phrases = phrases.into_iter().filter_map(|(stem, forms)| {
            let is_known = forms.iter().any(|(form, _)| vocabulary::is_name(form));
            term(&stem, forms, if is_known { Kind::Known } else { Kind::Phrase })
        });
        let mut terms: Vec<Term> = words.chain(phrases).collect();
        terms.sort_unstable_by(|one, other| one.stem.cmp(&other.stem));
        terms
    }
}

/// Makes a term; what stands in the prose once alone is none.
fn term<T: AsRef<str> + Ord>(stem: &str, mut forms: Vec<(T, Weights)>, kind: Kind) -> Option<Term> {
    let prominent: u32 = forms.iter().map(|(_, weights)| weights.0).sum();
    let anywhere: u32 = forms.iter().map(|(_, weights)| weights.1).sum();
    if prominent == 0 && anywhere < PLAIN_MIN && kind != Kind::Known {
        return None;
    }
    forms.sort_unstable_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
    let forms = forms.into_iter().take(FORMS_MAX).map(|(form, _)| form.as_ref().into()).collect();
    let often = |weight: u32| if weight == 0 { 0.0 } else { 1.0 + f64::from(weight).ln() };
    Some(Term { stem: stem.into(), forms, prominent: often(prominent), anywhere: often(anywhere), kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(description: &str, body: &str) -> Vec<(String, Kind)> {
        let told = |term: &Term| (term.forms[0].to_string(), term.kind);
        terms("Cloud-Expert", description, body).iter().map(told).collect()
    }

    #[test]
    fn forms_of_one_word_are_one_term_and_neighbours_are_a_phrase() {
        let found = found("Deploys services, and rolls deployments back.", "");
        let words = [
            "back",
            "deployments",
            "deployments back",
            "deploys services",
            "rolls",
            "rolls deployments",
            "services",
        ];
        for word in words {
            assert!(found.iter().any(|(form, _)| form == word), "{word}: {found:?}");
        }
        assert!(!found.iter().any(|(form, _)| form == "deploys"), "a form of the same word");
        assert!(!found.iter().any(|(form, _)| form == "services rolls"), "a comma divides");
        assert!(found.contains(&("cloud".into(), Kind::Name)));
    }

    #[test]
    fn prose_counts_from_twice_on_and_code_does_not() {
        let found = found("", "- use docker\n\nOnce alone. Twice is twice.\n```\nquux quux quux\n```\n");
        assert_eq!(found[1..], [("docker".into(), Kind::Known), ("twice".into(), Kind::Word)]);
    }
}
