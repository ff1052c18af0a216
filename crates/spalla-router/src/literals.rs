//! What a regex can't match without: literals of which one stands in every text that it matches. And what it costs.

use crate::fold::folded;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Shorter ones stand in nearly every text.
const BYTES_MIN: usize = 3;
/// More would make the automaton larger without making it surer.
const CHOICES_MAX: usize = 8;

/// Returns literals, folded, of which one is in every text that a regex matches; none where there are none worth it.
/// One long literal is preferred to several, and several to short ones.
pub(crate) fn required(regex: &Hir) -> Option<Vec<String>> {
    let found = best(regex)?;
    let mut found: Vec<String> = found.into_iter().map(|literal| folded(&literal).into_owned()).collect();
    found.sort_unstable();
    found.dedup();
    (shortest(&found) >= BYTES_MIN).then_some(found)
}

fn best(regex: &Hir) -> Option<Vec<String>> {
    match regex.kind() {
        HirKind::Literal(literal) => Some(vec![std::str::from_utf8(&literal.0).ok()?.to_owned()]),
        HirKind::Capture(capture) => best(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => best(&repetition.sub),
        HirKind::Concat(parts) => parts.iter().filter_map(best).max_by_key(|choices| worth(choices)),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(best(part)?);
                if all.len() > CHOICES_MAX {
                    return None;
                }
            }
            Some(all)
        }
        HirKind::Empty | HirKind::Class(_) | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// Orders choices: few are better than many as soon as they are long enough.
fn worth(choices: &[String]) -> (bool, std::cmp::Reverse<usize>, usize) {
    let shortest = shortest(choices);
    (shortest >= BYTES_MIN, std::cmp::Reverse(choices.len()), shortest)
}

fn shortest(choices: &[String]) -> usize {
    choices.iter().map(String::len).min().unwrap_or_default()
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

    fn of(pattern: &str) -> Option<Vec<String>> {
        required(&regex_syntax::parse(pattern).unwrap())
    }

    #[test]
    fn the_one_long_literal_is_taken() {
        assert_eq!(of(r"\bDocker\s+(the\s+)?compose\b").unwrap(), ["compose"]);
        assert_eq!(of(r"k8s[-_ ]?(v\d+|file|service)").unwrap(), ["k8s"]);
        assert_eq!(of("(?:fix|mend) the tests+").unwrap(), [" the test"]);
        assert_eq!(of("(kubernetes)+").unwrap(), ["kubernetes"]);
    }

    #[test]
    fn choices_are_taken_where_there_is_no_one() {
        assert_eq!(of(r"\b(jest|pytest|Mocha)\b").unwrap(), ["jest", "mocha", "pytest"]);
        assert_eq!(of("(?i)docker"), None);
        assert_eq!(of("a|kubernetes"), None);
        assert_eq!(of(r"\w+\s\d*"), None);
        assert_eq!(of("(docker)?"), None);
        assert_eq!(of("abc|abd|abe|abf|abg|abh|abi|abj|abk|abl"), None);
    }

    #[test]
    fn repeating_multiplies_the_cost() {
        let cost = |pattern: &str| cost(&regex_syntax::parse(pattern).unwrap());
        assert!(cost("a{10}") < cost("(a{10}){10}"));
        assert!(cost("((a{100}){100}){100}") > 1_000_000);
        assert!(cost(r"\bdocker\s+file\b") < 100, "{}", cost(r"\bdocker\s+file\b"));
    }
}
