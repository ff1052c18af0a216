//! One rule, ready to be held against a command.

use crate::arguments::{Arguments, Holds};
use crate::marks;
use crate::pattern::Pattern;
use crate::reader::Reader;
use crate::targets::Kind;
use crate::verdict::{Level, is_yes, yes};
use serde::{Deserialize, Serialize};

/// What a rule can speak of besides programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Event {
    /// A redirection writes to a file.
    Write,
    /// A function calls itself again and again, without waiting.
    ForkBomb,
    /// The name of a program can't be told before it runs.
    UnknownProgram,
    /// The text that a shell is given can't be told before it runs.
    UnknownText,
}

/// The words of a level in a policy's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effect {
    /// The rule of this name is switched off.
    Allow,
    /// See [`Level::Watched`].
    Watch,
    /// See [`Level::Confirm`].
    Confirm,
    /// See [`Level::Blocked`].
    Block,
}

/// Which arguments are a command's targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum At {
    /// Every word.
    #[default]
    All,
    /// The last word.
    Last,
    /// The words before the first option.
    Leading,
}

/// A rule as a policy's file writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) level: Effect,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) programs: Vec<String>,
    #[serde(default)]
    pub(crate) events: Vec<Event>,
    #[serde(default)]
    pub(crate) words: Vec<String>,
    #[serde(default)]
    pub(crate) flags: Vec<String>,
    #[serde(default)]
    pub(crate) targets: Vec<Kind>,
    #[serde(default)]
    pub(crate) at: At,
    #[serde(default)]
    pub(crate) keys: Vec<String>,
    #[serde(default)]
    pub(crate) text: Vec<String>,
    #[serde(default)]
    pub(crate) into: Vec<String>,
    /// Whether an agent of much autonomy need not ask for it.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub(crate) waivable: bool,
}

/// A rule with its patterns made.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    level: Level,
    name: String,
    reason: String,
    events: Vec<Event>,
    programs: Vec<Pattern>,
    words: Vec<Vec<Pattern>>,
    flags: Vec<Vec<String>>,
    targets: Vec<Kind>,
    at: At,
    keys: Vec<String>,
    text: Vec<Pattern>,
    into: Vec<Pattern>,
    is_waivable: bool,
}

/// What is held against the rules.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Subject<'a> {
    /// The program's name without its folder; empty for events.
    pub(crate) program: &'a str,
    /// Its arguments.
    pub(crate) arguments: &'a [String],
    /// What it is if it is no program.
    pub(crate) event: Option<Event>,
    /// What an event writes to.
    pub(crate) targets: &'a [String],
    /// The programs that its output goes to.
    pub(crate) into: &'a [String],
    /// The command as it is shown.
    pub(crate) command: &'a str,
}

impl Rule {
    /// Makes the patterns of a rule; `None` if it is switched off.
    pub(crate) fn new(written: &Written) -> Result<Option<Self>, String> {
        let level = match written.level {
            Effect::Allow => return Ok(None),
            Effect::Watch => Level::Watched,
            Effect::Confirm => Level::Confirm,
            Effect::Block => Level::Blocked,
        };
        let rule = format!("the rule {:?}", written.name);
        if written.reason.trim().is_empty() {
            return Err(format!("{rule} has no reason: say why, for the person who is asked"));
        }
        if written.programs.is_empty() && written.events.is_empty() {
            return Err(format!(
                "{rule} names neither programs nor events, and would hold for every command"
            ));
        }
        let globs = |globs: &[String]| -> Result<Vec<Pattern>, String> {
            globs.iter().map(|glob| Pattern::new(glob).map_err(|why| format!("{rule}: {why}"))).collect()
        };
        let parts = |text: &String| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        if written.flags.iter().flat_map(parts).any(|flag| flag.is_empty()) {
            return Err(format!("{rule} has a flag without a name: write \"r|recursive\", without dashes"));
        }
        Ok(Some(Self {
            level,
            name: written.name.clone(),
            reason: written.reason.clone(),
            events: written.events.clone(),
            programs: globs(&written.programs)?,
            words: written.words.iter().map(|word| globs(&parts(word))).collect::<Result<_, _>>()?,
            flags: written.flags.iter().map(parts).collect(),
            targets: written.targets.clone(),
            at: written.at,
            keys: written.keys.clone(),
            text: globs(&written.text)?,
            into: globs(&written.into)?,
            is_waivable: written.waivable,
        }))
    }

    /// Returns the patterns of the programs that it speaks of.
    pub(crate) fn programs(&self) -> &[Pattern] {
        &self.programs
    }

    fn holds(&self, subject: &Subject<'_>, reader: &Reader<'_>) -> Holds {
        let speaks = match subject.event {
            Some(event) => self.events.contains(&event),
            None => self.programs.iter().any(|glob| glob.is_match(subject.program)),
        };
        let is_taken = |glob: &Pattern| subject.into.iter().any(|program| glob.is_match(program));
        if !speaks || !(self.into.is_empty() || self.into.iter().any(is_taken)) {
            return Holds::No;
        }
        let is_said = |glob: &Pattern| subject.arguments.iter().any(|argument| glob.is_match(argument));
        if !(self.text.is_empty() || self.text.iter().any(is_said)) {
            return Holds::No;
        }
        let arguments = Arguments::split(subject.arguments, reader.policy.values_of(subject.program));
        let mut parts: Vec<Holds> = self.flags.iter().map(|names| arguments.flag(names)).collect();
        let words: Vec<_> = self
            .words
            .iter()
            .map(|globs| |word: &str| globs.iter().any(|glob| glob.is_match(word)))
            .collect();
        parts.push(arguments.begins(&words));
        parts.push(self.reaches(subject, &arguments, reader));
        let doubts = parts.iter().filter(|holds| **holds == Holds::Perhaps).count();
        // One doubt is worth a look; with two of them nearly every command would be.
        if doubts > 1 { Holds::No } else { parts.into_iter().min().unwrap_or(Holds::Yes) }
    }

    fn reaches(&self, subject: &Subject<'_>, arguments: &Arguments<'_>, reader: &Reader<'_>) -> Holds {
        if self.targets.is_empty() {
            return Holds::Yes;
        }
        let mut targets: Vec<&str> = subject.targets.iter().map(String::as_str).collect();
        if !self.keys.is_empty() {
            targets.extend(self.keys.iter().flat_map(|key| arguments.keyed(key)));
        } else if subject.event.is_none() {
            match self.at {
                At::All => targets.extend(arguments.words()),
                At::Last => targets.extend(arguments.words().pop()),
                At::Leading => targets.extend(arguments.leading()),
            }
        }
        let folder = reader.folder();
        let mut holds = Holds::No;
        for (target, kind) in
            targets.iter().flat_map(|target| self.targets.iter().map(move |kind| (target, kind)))
        {
            holds = holds.max(match reader.places.is(*kind, target, &folder) {
                Some(true) => Holds::Yes,
                Some(false) => Holds::No,
                None => Holds::Perhaps,
            });
        }
        holds
    }
}

impl Reader<'_> {
    /// Holds something against every rule and notes what they say.
    pub(crate) fn judge(&mut self, subject: &Subject<'_>) {
        let policy = self.policy;
        for rule in policy.rules() {
            match rule.holds(subject, self) {
                Holds::No => {}
                Holds::Yes => {
                    let Rule { level, name, reason, is_waivable, .. } = rule;
                    self.report((*level, *is_waivable), name, subject.command, reason);
                }
                Holds::Perhaps => {
                    let reason = format!("perhaps, which can't be told before it runs: {}", rule.reason);
                    self.report((Level::Watched.min(rule.level), true), &rule.name, subject.command, &reason);
                }
            }
        }
    }

    /// Returns the names of programs that an unquoted pattern may stand for, of those that the rules know.
    pub(crate) fn programs_of_pattern(&self, pattern_text: &str) -> Vec<String> {
        let Ok(glob) = Pattern::new(&marks::plain(pattern_text)) else { return Vec::new() };
        let known = self.policy.rules().iter().flat_map(Rule::programs).map(Pattern::text);
        let mut names: Vec<String> = known.filter(|name| glob.is_match(name)).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
