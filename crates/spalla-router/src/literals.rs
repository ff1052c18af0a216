//! What a regex can't match without: literals of which one stands in every text that it matches. And what it costs.

use crate::fold::folded;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Shorter ones stand in nearly every text.
const BYTES_MIN: usize = 3;
/// More would make the automaton larger without making it surer.
const CHOICES_MAX: usize = 8;

/// What a regex can't match without: one of these literals, folded, stands in every text that it matches.
pub(crate) type Choices = Vec<String>;

/// Returns the choices of which a regex needs each; none where there are none worth looking for. Any one of them is enough to tell
/// that a regex can't match, and which is the best depends on what other regexes need.
pub(crate) fn required(regex: &Hir) -> Vec<Choices> {
    let mut all = Vec::new();
    collect(regex, &mut all);
    all.retain(|choices| choices.iter().all(|literal| literal.len() >= BYTES_MIN));
    all
}

fn collect(regex: &Hir, all: &mut Vec<Choices>) {
    match regex.kind() {
        HirKind::Literal(literal) => all.extend(std::str::from_utf8(&literal.0).map(|text| vec![fold(text)])),
        HirKind::Capture(capture) => collect(&capture.sub, all),
        HirKind::Repetition(repetition) if repetition.min > 0 => collect(&repetition.sub, all),
        HirKind::Concat(parts) => parts.iter().for_each(|part| collect(part, all)),
        HirKind::Alternation(parts) => all.extend(united(parts)),
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => {}
    }
}

/// Of each alternative the longest is taken: one of them has to be there.
fn united(parts: &[Hir]) -> Option<Choices> {
    let mut united = Vec::new();
    for part in parts {
        let mut own = Vec::new();
        collect(part, &mut own);
        let shortest = |choices: &Choices| choices.iter().map(String::len).min();
        united.extend(own.into_iter().max_by_key(shortest)?);
        if united.len() > CHOICES_MAX {
            return None;
        }
    }
    united.sort_unstable();
    united.dedup();
    Some(united)
}

fn fold(literal: &str) -> String {
    folded(literal).into_owned()
}

/// Returns about how many states a regex has: what it costs for each byte of a text, at the worst.
pub(crate) fn cost(regex: &Hir) -> u64 {
    match regex.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        // Neighbouring ranges share their states.
        HirKind::Class(Class::Unicode(class)) => 1 + class.ranges().len() as u64 / 4,
        HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Capture(capture) => cost(&capture.sub).saturating_add(1),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            cost(&repetition.sub).saturating_mul(u64::from(times)).saturating_add(1)
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(cost).fold(0, u64::saturating_add)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pattern: &str) -> Vec<String> {
        let all = required(&regex_syntax::parse(pattern).unwrap());
        all.iter().map(|choices| choices.join("|")).collect()
    }

    #[test]
    fn every_part_that_has_to_be_there_is_found() {
        assert_eq!(of(r"\bDocker\s+(the\s+)?compose\b"), ["docker", "compose"]);
        assert_eq!(of(r"k8s[-_ ]?(v\d+|file|service)"), ["k8s"]);
        assert_eq!(of("(kubernetes)+ x"), ["kubernetes"]);
        assert_eq!(of(r"\b(jest|pytest|Mocha)\b"), ["jest|mocha|pytest"]);
        assert_eq!(of(r"(?:unit test|spec \w+ helper) run"), [" helper|unit test", " run"]);
    }

    #[test]
    fn what_may_be_missing_is_not_needed() {
        for pattern in
            ["(?i)docker", "a|kubernetes", r"\w+\s\d*", "(docker)?", "abc|abd|abe|abf|abg|abh|abi|abj|xyz"]
        {
            assert_eq!(of(pattern), [""; 0], "{pattern}");
        }
    }

    #[test]
    fn repeating_multiplies_the_cost() {
        let cost = |pattern: &str| cost(&regex_syntax::parse(pattern).unwrap());
        assert!(cost("a{10}") < cost("(a{10}){10}"));
        assert!(cost("((a{100}){100}){100}") > 1_000_000);
        assert!(cost(r"\bdocker\s+file\b") < 100, "{}", cost(r"\bdocker\s+file\b"));
    }
}
