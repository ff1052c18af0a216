//! From the agents that something speaks for to an answer: who is left out, what counts against whom, and who is best.

use super::{Aside, Router};
use crate::answer::{Answer, Candidate, Match, Penalties, Stage, Terms};
use crate::fleet::Number;
use crate::fold::is_whole_word;
use crate::index::Known;
use crate::question::{Condition, Question};
use crate::score::Micro;
use crate::scratch::{Hit, Scratch, Touched};
use std::cmp::Reverse;

/// Of how many agents the details are read for one decision, at the most, to find some that fit.
const READ_MAX: usize = 512;
/// How many that fit are compared in every detail.
const COMPARED_MAX: usize = 64;
/// How many matches of a candidate are told.
const MATCHES_MAX: usize = 32;
/// What is thought of an agent of which nothing is known.
const MIDDLING: Micro = Micro::of_millionths(500_000);
/// What it costs that a task says what an agent is not for, once and at the most.
const CONFLICT: Micro = Micro::of_millionths(500_000);
const CONFLICTS_MAX: Micro = Micro::of_millionths(1_500_000);
/// What an open breaker costs; and, in full, business, failures and cost.
const BROKEN: Micro = Micro::of_millionths(1_000_000);
const BUSY: Micro = Micro::of_millionths(300_000);
const FAILING: Micro = Micro::of_millionths(300_000);
const DEAR: Micro = Micro::of_millionths(100_000);

/// An agent that may be chosen.
pub(super) struct Chosen {
    agent: Number,
    terms: Terms,
    score: Micro,
}

impl Router {
    /// Returns the best agents of those that were touched, the best first.
    pub(super) fn choose(&self, question: &Question, scratch: &Scratch, aside: &mut Aside) -> Vec<Chosen> {
        let mut rough: Vec<Chosen> = Vec::with_capacity(scratch.touched.len());
        let pointed = scratch.pointed();
        for touched in &scratch.touched {
            if self.is_wanted(question, touched.agent) {
                rough.push(self.rough(question, scratch, *touched, pointed));
            } else {
                aside.filtered += 1;
            }
        }
        let order = |one: &Chosen| (Reverse(one.score), one.agent);
        if rough.len() > READ_MAX {
            rough.select_nth_unstable_by_key(READ_MAX - 1, order);
            rough.truncate(READ_MAX);
        }
        rough.sort_unstable_by_key(order);
        let said = said(&scratch.hits);
        let mut chosen = Vec::with_capacity(rough.len().min(COMPARED_MAX));
        for one in rough {
            if chosen.len() == COMPARED_MAX {
                break;
            }
            let known = self.index.known(one.agent);
            if self.may(question, one.agent, known) {
                chosen.push(self.exact(scratch, &said, one, known));
            } else {
                aside.filtered += 1;
            }
        }
        chosen.sort_unstable_by_key(order);
        // The second says how sure the first is, also where only one is told.
        chosen.truncate(self.told(question).max(2));
        chosen
    }

    fn told(&self, question: &Question) -> usize {
        question.candidates.unwrap_or(self.options.candidates)
    }

    /// Tells whether an agent is what the question asks for, as far as the index knows.
    fn is_wanted(&self, question: &Question, agent: Number) -> bool {
        let entry = &self.index.entries[agent as usize];
        let constraints = &question.constraints;
        constraints.domain.as_ref().is_none_or(|domain| *domain == entry.domain)
            && !constraints.excluded.contains(&entry.id)
            && !self.condition(question, agent).is_down
    }

    /// Tells whether an agent's details let it do what the question needs.
    fn may(&self, question: &Question, agent: Number, known: &Known) -> bool {
        let details = &known.details;
        let has = |list: &[String], tool: &str| list.iter().any(|own| own.eq_ignore_ascii_case(tool));
        let has_all = details.tools_allowed.is_empty() || has(&details.tools_allowed, "*");
        let has_tool = |tool: &String| {
            let is_allowed = has_all || has(&details.tools_allowed, tool);
            is_allowed && !has(&details.tools_restricted, tool) && !has(&details.tools_restricted, "*")
        };
        question.constraints.tools.iter().all(has_tool)
            && question.constraints.memory_of.as_ref().is_none_or(|owner| self.may_read(owner, agent))
    }

    /// Tells whether an agent may read another one's memory: its own, or what the other shares with it.
    fn may_read(&self, owner: &str, agent: Number) -> bool {
        let entries = &self.index.entries;
        let own = &entries[agent as usize].id;
        let find = || entries.binary_search_by(|entry| entry.id.as_str().cmp(owner)).ok();
        let owner_of = |place: usize| self.index.known(Number::try_from(place).unwrap_or_default());
        owner == own || find().is_some_and(|place| owner_of(place).details.share_with.contains(own))
    }

    fn condition(&self, question: &Question, agent: Number) -> Condition {
        if question.conditions.is_empty() {
            return Condition::default();
        }
        question.conditions.get(&self.index.entries[agent as usize].id).copied().unwrap_or_default()
    }

    /// Scores an agent by what the index knows.
    fn rough(&self, question: &Question, scratch: &Scratch, touched: Touched, pointed: Micro) -> Chosen {
        let (options, agent) = (&self.options, touched.agent);
        let domain = scratch.affinity(self.index.domain_of[agent as usize], pointed);
        let condition = self.condition(question, agent);
        let broken = if condition.is_broken { BROKEN } else { Micro::ZERO };
        let load = broken
            + BUSY.times(condition.busy)
            + FAILING.times(condition.failing)
            + DEAR.times(condition.cost);
        let terms = Terms {
            files: options.keyword_weight.times(touched.files),
            keyword: options.keyword_weight.times(touched.keyword),
            regex: options.regex_weight.times(touched.regex),
            domain: options.domain_weight.times(domain),
            semantic: options.keyword_weight.times(touched.semantic),
            reward: options.reward_weight.times(self.learned(agent).unwrap_or(MIDDLING)),
            penalties: Penalties { policy: condition.policy, load, conflicts: Micro::ZERO },
        };
        Chosen { agent, terms, score: terms.total() }
    }

    /// Adds what an agent's details say.
    fn exact(&self, scratch: &Scratch, said: &[u32], rough: Chosen, known: &Known) -> Chosen {
        let mut terms = rough.terms;
        terms.keyword =
            terms.keyword - self.options.keyword_weight.times(self.missing(said, rough.agent, known));
        let reward = self.learned(rough.agent).or(known.details.prior).unwrap_or(MIDDLING);
        terms.reward = self.options.reward_weight.times(reward);
        let conflicts = known.negatives.iter().filter(|word| says(&scratch.folded, word));
        terms.penalties.conflicts = conflicts.map(|_| CONFLICT).sum::<Micro>().min(CONFLICTS_MAX);
        Chosen { agent: rough.agent, terms, score: terms.total() }
    }

    /// Returns how much less the keywords of the task say for an agent than they would if each told most of it.
    fn missing(&self, said: &[u32], agent: Number, known: &Known) -> Micro {
        let of = |number: &u32| {
            let place = known.less.binary_search_by_key(number, |(number, _)| *number).ok()?;
            Some(self.index.texts.agents.worth_of(*number, agent).times(known.less[place].1))
        };
        if known.less.is_empty() { Micro::ZERO } else { said.iter().filter_map(of).sum() }
    }

    pub(super) fn answer(
        &self,
        question: &Question,
        scratch: &Scratch,
        chosen: Vec<Chosen>,
        mut aside: Aside,
    ) -> Answer {
        for one in &chosen {
            if let Some(why) = &self.index.known(one.agent).unreadable {
                let id = &self.index.entries[one.agent as usize].id;
                aside.notes.push(format!("the details of {id} can't be read: {why}"));
            }
        }
        let margin = chosen.first().zip(chosen.get(1)).map(|(best, second)| best.score - second.score);
        let told = self.told(question);
        let candidates: Vec<Candidate> =
            chosen.into_iter().take(told).map(|one| self.candidate(question, scratch, one)).collect();
        Answer {
            stage: candidates.first().map_or(Stage::Rules, |best| stage(&best.terms)),
            candidates,
            margin,
            ambiguous: margin.is_some_and(|margin| margin < self.options.ambiguous_below),
            touched: aside.touched,
            filtered: aside.filtered,
            cut: aside.cut.into_iter().collect(),
            notes: aside.notes,
            index: self.index.version.clone(),
            weights: self.weights.version.clone(),
            standing: question.standing.clone(),
        }
    }

    fn candidate(&self, question: &Question, scratch: &Scratch, one: Chosen) -> Candidate {
        let entry = &self.index.entries[one.agent as usize];
        let own = scratch.hits.iter().filter(|hit| self.has(**hit, one.agent)).take(MATCHES_MAX);
        Candidate {
            id: entry.id.clone(),
            domain: entry.domain.clone(),
            score: one.score,
            terms: one.terms,
            matched: own.map(|hit| self.matched(question, scratch, *hit)).collect(),
        }
    }

    fn has(&self, hit: Hit, agent: Number) -> bool {
        match hit {
            Hit::Glob { number, .. } => self.index.globs.agents.has(number, agent),
            Hit::Keyword { number, .. } => self.index.texts.agents.has(number, agent),
            Hit::Regex { number } => self.index.patterns.agents.has(number, agent),
        }
    }

    fn matched(&self, question: &Question, scratch: &Scratch, hit: Hit) -> Match {
        let (by, trigger, at) = match hit {
            Hit::Glob { number, file } => (Stage::Files, self.index.globs.text(number), file as usize),
            Hit::Keyword { number, at } => {
                let origin = scratch.places.get(at as usize).copied().unwrap_or(at);
                (Stage::Keywords, self.index.texts.word(number), origin as usize)
            }
            Hit::Regex { number } => {
                let seen = question.seen(&self.options);
                let seen = &seen[..seen.floor_char_boundary(self.options.regex_prompt_bytes)];
                (Stage::Regex, self.index.patterns.text(number), self.index.patterns.place(number, seen))
            }
        };
        Match { by, trigger: trigger.to_owned(), at }
    }
}

fn stage(terms: &Terms) -> Stage {
    let says = |term: Micro| term > Micro::ZERO;
    match terms {
        terms if says(terms.files) => Stage::Files,
        terms if says(terms.keyword) => Stage::Keywords,
        terms if says(terms.regex) => Stage::Regex,
        terms if says(terms.semantic) => Stage::Semantic,
        _ => Stage::Rules,
    }
}

/// Returns the keywords that a task has.
fn said(hits: &[Hit]) -> Vec<u32> {
    let keyword = |hit: &Hit| match hit {
        Hit::Keyword { number, .. } => Some(*number),
        Hit::Glob { .. } | Hit::Regex { .. } => None,
    };
    hits.iter().filter_map(keyword).collect()
}

/// Tells whether a folded text has a word of its own somewhere.
fn says(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, found)| is_whole_word(text, start, start + found.len()))
}
