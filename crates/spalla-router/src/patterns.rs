//! The regexes: compiled only when a literal of theirs is found, tried in the order of their priority, and bounded.
//!
//! The engine takes time in proportion to the text, whatever the regex; what is bounded besides is how large one may become, and
//! how much all of them together may do for one task.

use crate::fleet::{Number, Pattern};
use crate::hits::Postings;
use crate::keywords::Collected;
use crate::literals::{self, Choices};
use crate::problem::Problems;
use crate::quick;
use crate::score::Micro;
use foldhash::fast::RandomState;
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use std::collections::{BTreeMap, HashMap};
use std::sync::{PoisonError, RwLock};

/// How many different regexes there are at most.
pub(crate) const REGEXES_MAX: usize = 200_000;
/// The longest regex, in bytes.
pub(crate) const REGEX_BYTES_MAX: usize = 2_048;
/// How deep one may be nested.
const NESTING_MAX: u32 = 64;
/// The most states of a regex, about.
const COST_MAX: u64 = 12_000;
/// The most memory of a compiled regex, in bytes, and of what it keeps while it matches.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;
const CACHE_BYTES_MAX: usize = 256 * 1024;
/// How many regexes without a literal there are; they are tried on every task.
const UNAIDED_MAX: usize = 256;
/// The most states of all of them together.
const UNAIDED_COST_MAX: u64 = 16_000;
/// How many compiled regexes are kept.
const KEPT_MAX: usize = 512;
/// How much all regexes may do for one task, in states times bytes.
const WORK_MAX: u64 = 128 * 1024 * 1024;

/// All regexes, numbered in the order in which they are tried.
#[derive(Debug)]
pub(crate) struct Patterns {
    patterns: Vec<Pattern>,
    costs: Vec<u64>,
    unaided: Option<RegexSet>,
    /// The numbers of those in the set.
    unaided_numbers: Vec<u32>,
    compiled: RwLock<HashMap<u32, Option<Regex>>>,
    pub(crate) agents: Postings,
}

/// How far regexes may go.
pub(crate) struct Bounds<'a> {
    pub(crate) tried: usize,
    pub(crate) counted: usize,
    pub(crate) is_late: &'a dyn Fn() -> bool,
}

/// Why not all regexes were tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// There were too many, or they would have had too much to do.
    Work,
    /// The time was over.
    Time,
}

impl Patterns {
    /// Reads all regexes, and adds their literals to the texts that are looked for.
    pub(crate) fn build(
        regexes: BTreeMap<Pattern, Vec<Number>>,
        agents: u32,
        texts: &mut Collected,
        problems: &mut Problems,
    ) -> Self {
        let mut sorted: Vec<_> = regexes.into_iter().filter(|(_, numbers)| !numbers.is_empty()).collect();
        sorted.sort_by(|(one, _), (other, _)| {
            other.priority.cmp(&one.priority).then_with(|| one.pattern.cmp(&other.pattern))
        });
        let mut built = Self {
            patterns: Vec::new(),
            costs: Vec::new(),
            unaided: None,
            unaided_numbers: Vec::new(),
            compiled: RwLock::default(),
            agents: Postings::new(),
        };
        let mut read = Vec::with_capacity(sorted.len());
        for (pattern, numbers) in sorted {
            match self::read(&pattern.pattern) {
                Ok(found) => read.push((pattern, numbers, found)),
                Err(why) => problems.add(&pattern.pattern, why),
            }
        }
        let needed = needed(&read);
        let aid = |found: &Read| Aid {
            literals: best(&found.needs, &needed).cloned().unwrap_or_default(),
            cost: found.cost,
        };
        let aids: Vec<Aid> = read.iter().map(|(.., found)| aid(found)).collect();
        let mut unaided_cost = 0;
        for ((pattern, numbers, _), aid) in read.into_iter().zip(aids) {
            if let Err(why) = built.add(&pattern, numbers, agents, aid, &mut unaided_cost, (texts, problems))
            {
                problems.add(&pattern.pattern, why);
            }
        }
        built.unite(problems);
        built
    }

    fn add(
        &mut self,
        pattern: &Pattern,
        numbers: Vec<Number>,
        agents: u32,
        aid: Aid,
        unaided_cost: &mut u64,
        (texts, problems): (&mut Collected, &mut Problems),
    ) -> Result<(), String> {
        if self.patterns.len() == REGEXES_MAX {
            return Err(format!("there are {REGEXES_MAX} regexes already"));
        }
        let number = u32::try_from(self.patterns.len()).map_err(|error| error.to_string())?;
        let Aid { literals, cost } = aid;
        let is_aided =
            !literals.is_empty() && literals.iter().all(|literal| texts.literal(literal, number, problems));
        if !is_aided {
            let (count, sum) = (self.unaided_numbers.len(), *unaided_cost + cost);
            if count == UNAIDED_MAX || sum > UNAIDED_COST_MAX {
                return Err(
                    "it has no word that a task must have, and there are too many of that kind".into()
                );
            }
            *unaided_cost = sum;
            self.unaided_numbers.push(number);
        }
        let worth = worth(pattern.priority);
        self.agents.push(numbers.into_iter().map(|agent| (agent, worth)).collect(), agents);
        self.patterns.push(pattern.clone());
        self.costs.push(cost);
        Ok(())
    }

    /// Puts the regexes without a literal into one.
    fn unite(&mut self, problems: &mut Problems) {
        while !self.unaided_numbers.is_empty() {
            let texts = self.unaided_numbers.iter().map(|number| &self.patterns[*number as usize].pattern);
            let set = RegexSetBuilder::new(texts)
                .case_insensitive(true)
                .nest_limit(NESTING_MAX)
                .size_limit(8 * COMPILED_BYTES_MAX)
                .dfa_size_limit(4 * CACHE_BYTES_MAX)
                .build();
            match set {
                Ok(set) => return self.unaided = Some(set),
                // The last one is tried last.
                Err(error) => {
                    let last = self.unaided_numbers.pop().map(|number| &self.patterns[number as usize]);
                    let text = last.map_or("", |pattern| &pattern.pattern);
                    problems.add(text, format!("it does not fit beside the others: {error}"));
                }
            }
        }
    }

    /// Finds which regexes match a text. `likely` are those of which a literal was found; what comes back in it are those that
    /// match, in the order of their priority.
    pub(crate) fn matching(&self, text: &str, likely: &mut Vec<u32>, bounds: &Bounds<'_>) -> Option<Stopped> {
        let mut work = 0_u64;
        let mut sure = Vec::new();
        if let Some(set) = &self.unaided {
            let cost: u64 = self.unaided_numbers.iter().map(|number| self.costs[*number as usize]).sum();
            work += cost * text.len() as u64;
            sure.extend(set.matches(text).iter().map(|at| self.unaided_numbers[at]));
        }
        likely.extend_from_slice(&sure);
        likely.sort_unstable();
        likely.dedup();
        let (mut tried, mut kept, mut stopped) = (0, 0, None);
        for at in 0..likely.len() {
            let number = likely[at];
            if kept == bounds.counted {
                break;
            }
            let is_sure = sure.binary_search(&number).is_ok();
            if !is_sure && stopped.is_none() {
                work += self.costs[number as usize] * text.len() as u64;
                tried += 1;
                stopped = if tried > bounds.tried || work > WORK_MAX {
                    Some(Stopped::Work)
                } else {
                    (bounds.is_late)().then_some(Stopped::Time)
                };
            }
            if !is_sure && (stopped.is_some() || !self.matches(number, text)) {
                continue;
            }
            likely[kept] = number;
            kept += 1;
        }
        likely.truncate(kept);
        stopped
    }

    fn matches(&self, number: u32, text: &str) -> bool {
        self.compiled(number).is_some_and(|regex| regex.is_match(text))
    }

    /// Returns where a regex first matches.
    pub(crate) fn place(&self, number: u32, text: &str) -> usize {
        self.compiled(number).and_then(|regex| regex.find(text)).map_or(0, |found| found.start())
    }

    /// Tells whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Returns a regex as it was written.
    pub(crate) fn text(&self, number: u32) -> &str {
        &self.patterns[number as usize].pattern
    }

    /// Compiles every regex, and tells of those that become too large: they match nothing.
    pub(crate) fn lint(&self, problems: &mut Problems) {
        for pattern in &self.patterns {
            if let Err(error) = compile(&pattern.pattern) {
                problems.add(&pattern.pattern, error.to_string());
            }
        }
    }

    /// Compiles a regex when it is first needed. One that becomes too large matches nothing.
    fn compiled(&self, number: u32) -> Option<Regex> {
        let kept = self.compiled.read().unwrap_or_else(PoisonError::into_inner).get(&number).cloned();
        if let Some(kept) = kept {
            return kept;
        }
        let regex = compile(self.text(number)).ok();
        let mut all = self.compiled.write().unwrap_or_else(PoisonError::into_inner);
        // Whoever needs them again makes them again: a bound on memory is worth more than the time.
        if all.len() >= KEPT_MAX {
            all.clear();
        }
        all.insert(number, regex.clone());
        regex
    }
}

/// From a half for priority 0 to one for 100.
fn worth(priority: i64) -> Micro {
    Micro::of_millionths((100 + priority.clamp(0, 100)) * 5_000)
}

/// What was read of a regex: what it needs, and its cost.
struct Read {
    needs: Vec<Choices>,
    cost: u64,
}

/// The literals by which a regex is found, none where it is tried always; and its cost.
struct Aid {
    literals: Choices,
    cost: u64,
}

/// Returns how many regexes need each literal.
fn needed(read: &[(Pattern, Vec<Number>, Read)]) -> HashMap<&str, u32, RandomState> {
    let mut needed = HashMap::default();
    for literal in read.iter().flat_map(|(.., found)| found.needs.iter().flatten()) {
        *needed.entry(literal.as_str()).or_default() += 1;
    }
    needed
}

/// Returns the choices that are met the least: those that few regexes need, then few, then long ones. A word that many regexes need
/// would have all of them tried whenever it is said.
fn best<'a>(needs: &'a [Choices], needed: &HashMap<&str, u32, RandomState>) -> Option<&'a Choices> {
    let often = |choices: &Choices| {
        choices.iter().map(|one| needed.get(one.as_str()).copied().unwrap_or_default()).sum::<u32>()
    };
    let shortest = |choices: &Choices| choices.iter().map(String::len).min();
    needs.iter().min_by_key(|choices| (often(choices), choices.len(), std::cmp::Reverse(shortest(choices))))
}

fn read(pattern: &str) -> Result<Read, String> {
    if pattern.len() > REGEX_BYTES_MAX {
        return Err(format!("it has {} bytes, at most {REGEX_BYTES_MAX}", pattern.len()));
    }
    if let Some(quick) = quick::read(pattern) {
        let needs = quick.literals.into_iter().map(|literal| vec![literal]).collect();
        return Ok(Read { needs, cost: quick.cost });
    }
    let parsed = regex_syntax::ParserBuilder::new().nest_limit(NESTING_MAX).build().parse(pattern);
    let parsed = parsed.map_err(|error| in_a_line(&error))?;
    if parsed.properties().minimum_len() == Some(0) {
        return Err("it matches every task".into());
    }
    let cost = literals::cost(&parsed);
    if cost > COST_MAX {
        return Err(format!("it has about {cost} states, at most {COST_MAX}"));
    }
    Ok(Read { needs: literals::required(&parsed), cost })
}

/// The parser draws a picture of several lines; the last says what is wrong.
fn in_a_line(error: &regex_syntax::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .case_insensitive(true)
        .nest_limit(NESTING_MAX)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(CACHE_BYTES_MAX)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(patterns: &[(&str, i64)]) -> (Patterns, Problems) {
        let (mut texts, mut problems) = (Collected::default(), Problems::default());
        let regexes = patterns.iter().zip(0..).map(|((pattern, priority), agent)| {
            (Pattern { pattern: (*pattern).to_owned(), priority: *priority }, vec![agent])
        });
        let built = Patterns::build(regexes.collect(), 9, &mut texts, &mut problems);
        (built, problems)
    }

    fn matching(
        patterns: &Patterns,
        text: &str,
        tried: usize,
        counted: usize,
    ) -> (Vec<String>, Option<Stopped>) {
        let mut likely: Vec<u32> = (0..u32::try_from(patterns.patterns.len()).unwrap()).collect();
        let stopped = patterns.matching(text, &mut likely, &Bounds { tried, counted, is_late: &|| false });
        (likely.iter().map(|number| patterns.text(*number).to_owned()).collect(), stopped)
    }

    #[test]
    fn the_highest_priority_comes_first_and_only_so_many_count() {
        let (patterns, problems) = build(&[("docker", 10), ("dock[a-z]+", 90), (r"\w+er", 50), ("helm", 99)]);
        assert_eq!(problems.count, 0);
        let all = ["dock[a-z]+", r"\w+er", "docker"].map(str::to_owned).to_vec();
        assert_eq!(matching(&patterns, "a DOCKER file", 64, 16), (all.clone(), None));
        assert_eq!(matching(&patterns, "a DOCKER file", 64, 2), (all[..2].to_vec(), None));
        assert_eq!(matching(&patterns, "a docker file", 1, 16), (all[1..2].to_vec(), Some(Stopped::Work)));
    }

    #[test]
    fn when_the_time_is_over_what_was_found_stays() {
        let (patterns, _) = build(&[("docker", 1), (r"\w+er", 2)]);
        let mut likely = vec![0, 1];
        let bounds = Bounds { tried: 64, counted: 16, is_late: &|| true };
        assert_eq!(patterns.matching("docker", &mut likely, &bounds), Some(Stopped::Time));
        assert_eq!(likely, [0], "the one that is tried on every task");
    }

    #[test]
    fn what_can_not_be_used_is_told_in_a_line() {
        let deep = "(".repeat(100) + "abc" + &")".repeat(100);
        let long = "abc".repeat(1_000);
        let bad =
            ["(?=x)y", "(unclosed", "a*", "((abc{1,100}){1,100}){1,100}", &deep, &long, r"(?P<x>\p{Nope})"];
        let (patterns, problems) = build(&bad.map(|pattern| (pattern, 1)));
        assert_eq!((patterns.patterns.len(), problems.count), (0, bad.len()));
        for problem in &problems.told {
            assert!(!problem.why.is_empty() && !problem.why.contains('\n'), "{problem:?}");
        }
    }

    #[test]
    fn a_regex_that_becomes_too_large_matches_nothing_and_lint_tells() {
        let (patterns, problems) = build(&[(r"abc\w{55}", 1)]);
        assert_eq!(problems.count, 0, "{problems:?}");
        let mut linted = Problems::default();
        patterns.lint(&mut linted);
        assert_eq!(linted.count, usize::from(compile(r"abc\w{55}").is_err()));
    }

    #[test]
    fn regexes_without_a_literal_are_bounded() {
        let many: Vec<String> = (0..300).map(|number| format!("[ab][{number}]{{2}}")).collect();
        let (patterns, problems) =
            build(&many.iter().map(|pattern| (pattern.as_str(), 1)).collect::<Vec<_>>());
        assert_eq!((patterns.unaided_numbers.len(), problems.count), (UNAIDED_MAX, 300 - UNAIDED_MAX));
    }

    #[test]
    fn compiled_regexes_are_forgotten_when_there_are_many() {
        let many: Vec<String> = (0..KEPT_MAX + 50).map(|number| format!("word{number}x")).collect();
        let (patterns, _) = build(&many.iter().map(|pattern| (pattern.as_str(), 1)).collect::<Vec<_>>());
        for number in 0..patterns.patterns.len() {
            assert!(patterns.compiled(u32::try_from(number).unwrap()).is_some());
        }
        assert!(patterns.compiled.read().unwrap().len() <= KEPT_MAX);
    }
}
