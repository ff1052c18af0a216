//! Sentences and titles: where one piece of work ends and the next begins, whether words ask for anything, and how they
//! read as an imperative.

use super::words::Category;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// The words by which an imperative is known. What is missing here is read as the name of a thing.
const VERBS: &str = "achieve adapt add address adjust adopt allow analyse analyze announce apply archive arrange assess assign \
    audit authenticate automate backfill benchmark bootstrap build bump cache calculate call capture catch change check \
    choose clean clear collect combine compare compile complete compute configure connect consolidate containerise \
    containerize convert copy correct cover create cut debug decide define delete deliver deploy deprecate describe \
    design detect determine develop disable display document download draft draw drop emit enable encrypt enforce ensure \
    establish estimate evaluate expand explain explore export expose extend extract fetch filter find finish fix format \
    gather generate get give group guard handle harden help hide host identify implement import improve include index \
    inform initialise initialize insert inspect install instrument integrate introduce investigate keep launch learn let \
    limit link lint list load localise localize log lower maintain make manage map measure merge migrate mock model \
    modernise modernize monitor move notify offer open optimise optimize organise organize package parse pin plan polish \
    port prepare present prevent print process profile protect prototype prove provide provision publish push put read \
    rebuild record redesign reduce refactor refine register reject release remove rename render repair replace report \
    reproduce require research reset resolve respond restore restrict restructure return reuse review revise rewrite \
    rotate route run sanitise sanitize save scaffold scale scan schedule search secure seed select send separate serve \
    set setup ship show sign simplify sketch sort specify speed split stabilise stabilize stage standardise standardize \
    start stop store stream streamline stub submit support switch sync tag teach test tidy track train transform \
    translate trigger tune turn unify update upgrade upload use validate verify wire work wrap write";

/// The words of duty and leave that make a sentence ask for something.
const MODALS: &str = "must|should|shall|will|needs? to|ha(?:s|ve) to|can|could|may";

static KNOWN: LazyLock<BTreeSet<&str>> = LazyLock::new(|| VERBS.split_whitespace().collect());

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"))
}

static SEQUENCE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)(?:[,;]\s*(?:and\s+)?(?:then|afterwards|finally|after that,?)|\s+and\s+(?:then|finally|afterwards))\s+",
    )
});
static STARTS_AFTER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:then|next|afterwards|after (?:that|this)|finally|lastly|once (?:that|this) is done)\b[,\s]",
    )
});
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:(?:phase|step|stage|milestone|sprint|part|week|day|iteration)\s+)?\d{1,3}(?:\.\d{1,3}){0,3}\s*(?:[.:)–—-]\s*|\s+|$)",
    )
});
static CONNECTIVE: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:(?:and|also|please|additionally|furthermore|moreover|then|so|now|next|finally|lastly|afterwards|after (?:that|this)|once (?:that|this) is done|in addition|first(?:ly)?|second(?:ly)?|third(?:ly)?)(?:,\s*|\s+)|(?:to-?do|task|goal|requirement|feature|action|step \d+)\s*[:–—-]\s*)",
    )
});
static WISH: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:let['’]?s|(?:i|we|you|they)(?:['’]d| would) like to|(?:i|we|you) want to|(?:i|we|you|they) (?:need|have|ought) to|(?:i|we|you|they) (?:must|should|shall|will|can|could)|(?:i|we)['’]ll|it(?: is|['’]s) (?:necessary|required|important) to|(?:the|our) goal is to|we are going to|make sure to|be sure to)\s+",
    )
});
static NEED: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:(?:i|we|you|they) (?:want|need|require)|(?:i|we) would like|there (?:must|should|shall|will|needs? to) be|there has to be)\s+",
    )
});
static DUTY: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"(?i)^([^,;:]{{1,80}}?)\s+({MODALS})\s+(not\s+|never\s+)?(\S.*)$")));
static WANT: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"(?i)^(?:(?:i|we|you|they) want|(?:i|we)(?:['’]d| would) like)\s+(\S.{0,60}?)\s+to\s+(\S.*)$")
});
/// Where a deployment follows in the same breath as what is deployed.
static AND_DEPLOY: LazyLock<Regex> = LazyLock::new(|| regex(r"(?i),?\s+and\s+(?:deploy|roll\s+out)\s"));
static STATEMENT: LazyLock<Regex> =
    LazyLock::new(|| regex(r"(?i)^\S+(?:\s+\S+){0,5}?\s+(?:is|are|has|have|does|do|was|were)\s+\S"));
static DETAIL: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"(?i)^(?:with|without|for|in|on|by|via|using|including|such as|like|e\.g\.|i\.e\.|from|at|as|to|no|only|not|and|or|because|so that|per|within|under|over)\b",
    )
});

/// Splits a paragraph into its sentences. Lines that all begin with a capital are sentences by themselves.
pub(super) fn sentences(raw: &str) -> Vec<String> {
    let lines: Vec<&str> = raw.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let starts_new = |line: &&str| line.starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit());
    if lines.len() > 1 && lines.iter().all(starts_new) {
        return lines.into_iter().flat_map(|line| split(&super::outline::clean(line))).collect();
    }
    split(&super::outline::clean(raw))
}

/// Splits a line at full stops that end a sentence: before a capital or a digit, not after a shortened word.
fn split(line: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, c) in line.char_indices() {
        let end = at + c.len_utf8();
        let rest = line[end..].trim_start();
        let is_spaced = rest.len() < line.len() - end;
        let is_end = match c {
            '.' | '!' | '?' => {
                is_spaced && !rest.starts_with(char::is_lowercase) && !is_shortened(&line[start..at])
            }
            ';' => is_spaced,
            '。' | '！' | '？' | '；' => true,
            _ => false,
        };
        if is_end {
            parts.push(line[start..end].trim().to_owned());
            start = end;
        }
    }
    parts.push(line[start..].trim().to_owned());
    parts.retain(|part| part.chars().any(char::is_alphanumeric));
    parts
}

fn is_shortened(before: &str) -> bool {
    let word = before.rsplit(char::is_whitespace).next().unwrap_or_default().trim_start_matches('(');
    let word = word.to_lowercase();
    ["e.g", "i.e", "etc", "vs", "mr", "mrs", "dr", "no", "approx", "incl", "resp", "cf"]
        .contains(&word.as_str())
        || (word.chars().count() == 1 && word.chars().all(char::is_alphabetic))
}

/// Splits `build it, then deploy it` where a verb follows; each part comes after the one before it.
pub(super) fn clauses(text: &str) -> Vec<String> {
    let is_conditional = ["if ", "when ", "whenever "].iter().any(|word| has_prefix(text, word));
    let mut parts = Vec::new();
    let mut start = 0;
    for found in SEQUENCE.find_iter(text).filter(|_| !is_conditional) {
        if is_verb(first_word(&text[found.end()..])) && found.start() > start {
            parts.push(text[start..found.start()].trim().to_owned());
            start = found.end();
        }
    }
    let rest = &text[start..];
    let grants =
        ["let", "allow", "enable", "make"].iter().any(|verb| first_word(rest).eq_ignore_ascii_case(verb));
    match AND_DEPLOY.find(rest).filter(|_| is_verb(first_word(rest)) && !grants) {
        Some(found) if rest[..found.start()].contains(' ') => {
            let and = found.as_str().find("and").or_else(|| found.as_str().find("AND")).unwrap_or(0);
            parts.push(rest[..found.start()].trim().to_owned());
            parts.push(rest[found.start() + and + 3..].trim().to_owned());
        }
        _ => parts.push(rest.trim().to_owned()),
    }
    parts
}

/// Tells whether words say that they come after what was said before them.
pub(super) fn starts_after(text: &str) -> bool {
    STARTS_AFTER.is_match(text)
}

/// Tells whether a heading has a place in a sequence: `2. Rollout`, `Phase 1: Basics`.
pub(super) fn is_numbered(text: &str) -> bool {
    NUMBER.is_match(text)
}

/// Returns a heading without its number, unless nothing else is there.
pub(super) fn without_number(text: &str) -> &str {
    match NUMBER.find(text).map(|found| text[found.end()..].trim()) {
        Some(rest) if rest.chars().any(char::is_alphanumeric) => rest,
        _ => text,
    }
}

/// Tells whether words only name a thing: few, and none of them an imperative.
pub(super) fn is_name(text: &str) -> bool {
    text.split_whitespace().count() <= 3 && !is_verb(first_word(text))
}

/// Tells whether words go on with what they stand under.
pub(super) fn is_detail(text: &str) -> bool {
    DETAIL.is_match(text) || (text.starts_with(|c: char| c.is_lowercase()) && !is_verb(first_word(text)))
}

/// Tells whether words ask for something to be done: an imperative, a wish or a duty.
pub(super) fn asks(text: &str) -> bool {
    let text = bare(super::order::leading(text).1);
    is_verb(first_word(text)) || WISH.is_match(text) || NEED.is_match(text) || DUTY.is_match(text)
}

/// Makes an imperative on one line of words that ask for something or name a thing.
pub(super) fn imperative(text: &str, category: Category, is_sentence: bool) -> String {
    let text = text.trim_end_matches(['.', ',', ';', ':', '!', ' ']).trim();
    let said = bare(text);
    // Nothing is made of words in other languages but a title: their grammar is not known here.
    if !said.starts_with(|c: char| c.is_ascii_alphabetic())
        || said.chars().any(|c| c.is_alphabetic() && !c.is_ascii())
    {
        return capital(text);
    }
    if let Some(found) = WISH.find(said) {
        return imperative(said[found.end()..].trim_start_matches("be able to "), category, is_sentence);
    }
    if let Some(want) = WANT.captures(said) {
        return by_duty(&want[1], "must", false, &want[2]);
    }
    if let Some(found) = NEED.find(said) {
        return format!("Add {}", &said[found.end()..]);
    }
    let first = first_word(said);
    if is_verb(first) {
        return capital(said);
    }
    if let Some(duty) = DUTY.captures(said) {
        return by_duty(&duty[1], &duty[2].to_lowercase(), duty.get(3).is_some(), &duty[4]);
    }
    if let Some(verb) = base_of(first).filter(|_| said.contains(' ')) {
        return format!("{}{}", capital(&verb), &said[first.len()..]);
    }
    if STATEMENT.is_match(said)
        || (is_sentence && said.split_whitespace().take(6).skip(1).any(|w| base_of(w).is_some()))
    {
        return format!("Make sure {}", uncapital(said));
    }
    let verb = match category {
        Category::Test | Category::Docs => "Write",
        Category::Deploy | Category::Infra => "Set up",
        Category::Build | Category::Design => "Implement",
    };
    // The name of a thing keeps its capital: it may be a name.
    let joins =
        ["a", "an", "the", "some", "all", "each", "every", "any", "our", "my", "more", "this", "these"];
    let is_joined = joins.iter().any(|word| first.eq_ignore_ascii_case(word));
    format!("{verb} {}", if is_joined { uncapital(said) } else { said.to_owned() })
}

fn by_duty(who: &str, modal: &str, is_not: bool, what: &str) -> String {
    let who = uncapital(who);
    let is_plural = who.ends_with('s') && !who.ends_with("ss");
    let what_bare = what.strip_prefix("be able to ").filter(|_| !is_not);
    let be = what.strip_prefix("be ");
    match (is_not, what_bare, be) {
        (_, Some(what), _) => format!("Let {who} {what}"),
        (true, _, Some(what)) => {
            format!("Make sure {who} {} not {what}", if is_plural { "are" } else { "is" })
        }
        (true, ..) => format!("Make sure {who} {} not {what}", if is_plural { "do" } else { "does" }),
        (false, _, Some(what)) => format!("Make sure {who} {} {what}", if is_plural { "are" } else { "is" }),
        (false, ..) if ["it", "this", "that"].contains(&who.as_str()) => capital(what),
        (false, ..) if ["can", "could", "may"].contains(&modal) => format!("Let {who} {what}"),
        (false, ..) => format!("Make {who} {what}"),
    }
}

/// Returns the words without what only joins them to others.
fn bare(text: &str) -> &str {
    let mut text = text.trim();
    for _ in 0..4 {
        let Some(found) = CONNECTIVE.find(text) else { break };
        let rest = text[found.end()..].trim_start();
        let joins = found.as_str().trim_end().ends_with([',', ':', '-', '–', '—'])
            || is_verb(first_word(rest))
            || WISH.is_match(rest)
            || DUTY.is_match(rest);
        if rest.is_empty() || !joins {
            break;
        }
        text = rest;
    }
    text
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '-').unwrap_or(text.len())]
}

fn is_verb(word: &str) -> bool {
    let word = word.to_lowercase();
    KNOWN.contains(word.as_str())
}

/// Returns the verb of which a word is the third person: `supports`, `stores`, `publishes`, `applies`.
fn base_of(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    let bases = [word.strip_suffix('s'), word.strip_suffix("es")];
    let found = bases.into_iter().flatten().find(|base| is_verb(base)).map(str::to_owned);
    found.or_else(|| word.strip_suffix("ies").map(|stem| format!("{stem}y")).filter(|base| is_verb(base)))
}

fn has_prefix(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Writes the first word small where it is an ordinary one: no abbreviation, no name with capitals inside.
pub(super) fn uncapital(text: &str) -> String {
    let word = text.split_whitespace().next().unwrap_or_default().trim_end_matches([',', ':', ')']);
    let is_ordinary =
        word == "A" || (word.chars().count() > 1 && word.chars().skip(1).all(char::is_lowercase));
    if !is_ordinary {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}
