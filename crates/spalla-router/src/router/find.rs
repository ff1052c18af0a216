//! The stages: each notes in the scratch which agents something speaks for, and how much.

use super::{Aside, Router};
use crate::answer::Cut;
use crate::fold::fold_into;
use crate::patterns::{Bounds, Stopped};
use crate::question::{FILES_MAX, Question};
use crate::scratch::{Hit, Scratch};

/// How many places of a task are looked at at which some text was found: more than there are bytes, unless texts are parts of
/// each other over and over.
const FOUND_MAX: usize = 256 * 1024;
/// How many agents are looked at for keywords, each as often as a keyword of it was found. The rarest keywords come first.
const POSTINGS_MAX: u64 = 32 * 1024;

impl Router {
    /// Stages 0 to 2: files, keywords, regexes.
    pub(super) fn find_triggers(
        &self,
        question: &Question,
        is_late: &dyn Fn() -> bool,
        scratch: &mut Scratch,
        aside: &mut Aside,
    ) {
        self.find_files(question, scratch, aside);
        let seen = question.seen(&self.options);
        if seen.len() < question.task.len() {
            aside.cut.insert(Cut::Prompt);
        }
        // The end of what regexes see, in the folded text; letters may grow or shrink when they are folded.
        let regex_text = &seen[..seen.floor_char_boundary(self.options.regex_prompt_bytes)];
        self.find_texts(seen, regex_text.len(), scratch, aside);
        if regex_text.len() < seen.len() && !self.index.patterns.is_empty() {
            aside.cut.insert(Cut::RegexPrompt);
        }
        self.find_regexes(regex_text, is_late, scratch, aside);
        self.count_hits(scratch, aside);
    }

    fn find_files(&self, question: &Question, scratch: &mut Scratch, aside: &mut Aside) {
        if question.files.len() > FILES_MAX {
            aside.cut.insert(Cut::Files);
        }
        let mut found = Vec::new();
        let mut met = std::collections::BTreeSet::new();
        for (file, path) in (0_u32..).zip(question.files.iter().take(FILES_MAX)) {
            self.index.globs.find(path, &mut found);
            for glob in found.drain(..) {
                if met.insert(glob) {
                    scratch.hits.push(Hit::Glob { number: u32::try_from(glob).unwrap_or(u32::MAX), file });
                }
            }
        }
    }

    /// Each keyword counts once, where it is first found.
    fn find_texts(&self, seen: &str, regex_end: usize, scratch: &mut Scratch, aside: &mut Aside) {
        let (mut folded, mut places) =
            (std::mem::take(&mut scratch.folded), std::mem::take(&mut scratch.places));
        fold_into(seen, &mut folded, &mut places);
        let mut left = FOUND_MAX;
        let origin = |place: usize| places.get(place).map_or(place, |place| *place as usize);
        self.index.texts.find(&folded, |found| {
            // A keyword that is a part of a longer word here may be a word of its own further on.
            if let Some(number) = found.keyword.filter(|_| scratch.is_new(2 * found.text)) {
                let at = u32::try_from(found.start).unwrap_or(u32::MAX);
                scratch.hits.push(Hit::Keyword { number, at });
            }
            let is_seen = !found.regexes.is_empty() && origin(found.start) < regex_end;
            if is_seen && scratch.is_new(2 * found.text + 1) {
                scratch.regexes.extend_from_slice(found.regexes);
            }
            left -= 1;
            left > 0
        });
        if left == 0 {
            aside.cut.insert(Cut::Keywords);
        }
        (scratch.folded, scratch.places) = (folded, places);
    }

    fn find_regexes(&self, text: &str, is_late: &dyn Fn() -> bool, scratch: &mut Scratch, aside: &mut Aside) {
        let mut likely = std::mem::take(&mut scratch.regexes);
        let bounds =
            Bounds { tried: self.options.regexes_tried, counted: self.options.regexes_counted, is_late };
        let stopped = self.index.patterns.matching(text, &mut likely, &bounds);
        aside.cut.extend(stopped.map(|stopped| match stopped {
            Stopped::Work => Cut::Regexes,
            Stopped::Time => Cut::Time,
        }));
        scratch.hits.extend(likely.iter().map(|number| Hit::Regex { number: *number }));
        scratch.regexes = likely;
    }

    /// Adds up what was found, for agents and for domains. When there is too much, what many agents have is left out: it says
    /// little about each.
    fn count_hits(&self, scratch: &mut Scratch, aside: &mut Aside) {
        let mut hits = std::mem::take(&mut scratch.hits);
        let total: u64 = hits.iter().map(|hit| u64::from(self.agents_of(*hit))).sum();
        if total > POSTINGS_MAX {
            aside.cut.insert(Cut::Keywords);
            hits.sort_by_key(|hit| self.agents_of(*hit));
            let mut sum = 0;
            hits.retain(|hit| {
                sum += u64::from(self.agents_of(*hit));
                sum <= POSTINGS_MAX
            });
        }
        for hit in &hits {
            self.count(*hit, scratch);
        }
        scratch.hits = hits;
        aside.touched = scratch.touched.len();
    }

    fn agents_of(&self, hit: Hit) -> u32 {
        match hit {
            Hit::Glob { number, .. } => self.index.globs.agents.len_of(number),
            Hit::Keyword { number, .. } => self.index.texts.agents.len_of(number),
            Hit::Regex { number } => self.index.patterns.agents.len_of(number),
        }
    }

    fn count(&self, hit: Hit, scratch: &mut Scratch) {
        let index = &self.index;
        let (postings, number) = match hit {
            Hit::Glob { number, .. } => (&index.globs.agents, number),
            Hit::Keyword { number, .. } => (&index.texts.agents, number),
            Hit::Regex { number } => (&index.patterns.agents, number),
        };
        let agents = postings.of(number);
        let count = u32::try_from(agents.len()).unwrap_or(u32::MAX);
        for (agent, worth) in agents {
            let touched = scratch.touch(agent);
            match hit {
                Hit::Glob { .. } => touched.files += worth,
                Hit::Keyword { .. } => touched.keyword += worth,
                Hit::Regex { .. } => touched.regex += worth,
            }
            scratch.point_to(index.domain_of[agent as usize], worth.divided_by(count));
        }
    }

    /// Stage 3: the agents that are alike to the task.
    pub(super) fn find_meanings(&self, question: &Question, scratch: &mut Scratch, aside: &mut Aside) {
        scratch.begin();
        if !self.options.by_meaning {
            aside.notes.push("no agent was looked for by its meaning: routing.semantic is off".into());
            return;
        }
        let meanings = match self.index.meanings() {
            Ok(meanings) => meanings,
            Err(why) => return aside.notes.push(format!("no agent was looked for by its meaning: {why}")),
        };
        meanings.alike(question.seen(&self.options), |agent, alike| {
            if alike >= self.options.likeness_min {
                scratch.touch(agent).semantic = alike;
            }
        });
        aside.touched = scratch.touched.len();
    }

    /// After all stages: whoever takes what nobody else does, of the domain that is asked for if it has any.
    pub(super) fn find_generalists(&self, question: &Question, scratch: &mut Scratch, aside: &mut Aside) {
        scratch.begin();
        let wanted = question.constraints.domain.as_deref();
        for agent in &self.index.generalists {
            if wanted.is_none_or(|domain| domain == self.index.entries[*agent as usize].domain) {
                scratch.touch(*agent);
            }
        }
        aside.touched = scratch.touched.len();
        if scratch.touched.is_empty() && !self.index.is_empty() {
            aside.notes.push("nothing speaks for any agent, and none is a generalist".into());
        }
    }
}
