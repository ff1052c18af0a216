//! Walks a script as its shell would run it, and hands every command that may run to the rules. Branches that exclude each
//! other are both taken.

use crate::commands::Call;
use crate::marks::UNKNOWN;
use crate::nesting;
use crate::policy::Policy;
use crate::rewrite::Part;
use crate::rules::{Event, Subject};
use crate::simple::taker_of;
use crate::state::{FOLDER, State};
use crate::targets::Places;
use crate::verdict::{Finding, Level, shortened};
use brush_parser::ast::{AndOr, AndOrList, Command, CompoundCommand, CompoundList, Pipeline};
use std::rc::Rc;

/// What a command is given and what becomes of its output.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flow {
    /// The text at its standard input, if that can be told.
    pub(crate) input: Option<Rc<str>>,
    /// Whether something other than a file or the terminal is at its standard input.
    pub(crate) is_fed: bool,
    /// The text of the process substitution among its arguments, if that can be told.
    pub(crate) file: Option<Rc<str>>,
    /// The programs that its output goes to.
    pub(crate) into: Vec<String>,
}

/// How far a script is followed.
pub(crate) struct Limits {
    /// How deep texts may hold texts (`sh -c "sh -c …"`), functions and wrappers call each other.
    pub(crate) depth: usize,
    /// How much is done in all: bytes that are read and commands that are judged.
    pub(crate) work: usize,
    /// The most fields of one command.
    pub(crate) fields: usize,
}

const LIMITS: Limits = Limits { depth: 48, work: 2 * 1024 * 1024, fields: 4096 };
/// What one command counts of the work, in bytes of text.
pub(crate) const COMMAND_WORK: usize = 64;

/// The most findings that are remembered while a script is read.
const FOUND_MAX: usize = 1024;

/// Reads one script.
pub(crate) struct Reader<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) places: Places,
    pub(crate) state: State,
    pub(crate) parts: Vec<Part>,
    pub(crate) limits: Limits,
    /// Which of a variable's values is looked at.
    pub(crate) reading: usize,
    /// What takes the output of the substitutions in the words that are being expanded.
    pub(crate) taken_by: Vec<String>,
    pub(crate) depth: usize,
    /// Above zero, nothing is reported.
    pub(crate) quiet: usize,
    /// The functions that are being followed.
    pub(crate) calling: Vec<String>,
    /// The calls that were followed.
    pub(crate) calls: Vec<Call>,
    work: usize,
    is_cut: bool,
    pub(crate) has_left: bool,
    pub(crate) loops: usize,
    findings: Vec<Finding>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(policy: &'a Policy, places: Places, state: State) -> Self {
        Self {
            policy,
            places,
            state,
            parts: Vec::new(),
            limits: LIMITS,
            reading: 0,
            taken_by: Vec::new(),
            depth: 0,
            quiet: 0,
            calling: Vec::new(),
            calls: Vec::new(),
            work: 0,
            is_cut: false,
            has_left: false,
            loops: 0,
            findings: Vec::new(),
        }
    }

    /// Returns what was found.
    pub(crate) fn findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Notes a finding.
    pub(crate) fn report(
        &mut self,
        (level, is_waivable): (Level, bool),
        rule: &str,
        command: &str,
        reason: &str,
    ) {
        let (rule, command, reason) = (rule.to_owned(), shortened(command), reason.to_owned());
        let finding = Finding { level, rule, command, reason, is_waivable };
        if self.quiet > 0 || self.findings.contains(&finding) {
            return;
        }
        if self.findings.len() < FOUND_MAX {
            self.findings.push(finding);
            return;
        }
        // What is graver displaces what is lighter.
        if let Some(lightest) = self.findings.iter_mut().min_by_key(|known| known.level)
            && lightest.level < finding.level
        {
            *lightest = finding;
        }
    }

    /// Holds something that is no command against the rules.
    pub(crate) fn event(&mut self, event: Event, command: &str, targets: &[String]) {
        self.judge(&Subject { event: Some(event), command, targets, ..Subject::default() });
    }

    /// Notes that a text can't be read.
    pub(crate) fn unreadable(&mut self, text: &str, why: &str) {
        let reason = format!("a person has to read this script: {why}");
        self.report((Level::Confirm, true), "unreadable", text, &reason);
    }

    /// Counts work; whether there is still some left.
    pub(crate) fn spend(&mut self, work: usize) -> bool {
        self.work = self.work.saturating_add(work);
        let is_within = self.work <= self.limits.work && self.parts.len() < 200_000;
        if !is_within && !self.is_cut {
            self.is_cut = true;
            let quiet = std::mem::take(&mut self.quiet);
            self.unreadable("", "following it to the end takes too long");
            self.quiet = quiet;
        }
        is_within
    }

    /// Goes one level deeper, if that is allowed.
    pub(crate) fn deeper(&mut self, text: &str, go: impl FnOnce(&mut Self) -> String) -> String {
        if self.depth >= self.limits.depth {
            self.unreadable(text, "its commands hold each other too deeply");
            return UNKNOWN.to_string();
        }
        self.depth += 1;
        let output = go(self);
        self.depth -= 1;
        output
    }

    /// Reads a text as a script and returns what it prints, as far as that can be told.
    pub(crate) fn script(&mut self, text: &str, flow: &Flow) -> String {
        if !self.spend(text.len() + COMMAND_WORK) {
            return UNKNOWN.to_string();
        }
        match nesting::parse(text, &mut self.parts) {
            Ok(program) => self.deeper(text, |reader| {
                let mut output = String::new();
                for list in &program.complete_commands {
                    output.push_str(&reader.list(list, flow));
                }
                output
            }),
            Err(why) => {
                self.unreadable(text, why);
                UNKNOWN.to_string()
            }
        }
    }

    pub(crate) fn list(&mut self, list: &CompoundList, flow: &Flow) -> String {
        let mut output = String::new();
        for item in &list.0 {
            output.push_str(&self.and_or(&item.0, flow));
        }
        output
    }

    fn and_or(&mut self, list: &AndOrList, flow: &Flow) -> String {
        self.has_left = false;
        if list.additional.is_empty() {
            return self.pipeline(&list.first, flow);
        }
        let mut before = self.state.clone();
        let mut output = self.pipeline(&list.first, flow);
        let mut is_certain = true;
        for next in &list.additional {
            match next {
                AndOr::And(pipeline) => {
                    is_certain = false;
                    output.push_str(&self.pipeline(pipeline, flow));
                }
                AndOr::Or(pipeline) => {
                    let succeeded = self.state.clone();
                    self.state.join(&before);
                    self.has_left = false;
                    output.push_str(&self.pipeline(pipeline, flow));
                    if self.has_left {
                        self.state = succeeded.clone();
                        // Who got this far has succeeded: nothing is left to doubt.
                        before = succeeded;
                        is_certain = true;
                    } else {
                        self.state.join(&succeeded);
                    }
                }
            }
        }
        if !is_certain {
            self.state.join(&before);
        }
        output
    }

    fn pipeline(&mut self, pipeline: &Pipeline, flow: &Flow) -> String {
        let many = pipeline.seq.len();
        if many == 1 {
            return self.command(&pipeline.seq[0], flow);
        }
        let mut fed = flow.clone();
        let mut output = String::new();
        for (place, command) in pipeline.seq.iter().enumerate() {
            let mut into = flow.into.clone();
            for taker in &pipeline.seq[place + 1..] {
                into.extend(self.programs(taker));
            }
            fed.into = into;
            let state = self.state.clone();
            output = self.command(command, &fed);
            self.state = state;
            fed.is_fed = true;
            fed.input = (!output.contains(UNKNOWN) || output.len() > UNKNOWN.len_utf8())
                .then(|| Rc::from(output.as_str()));
        }
        output
    }

    /// Returns the programs that a command begins with, through what wraps them.
    pub(crate) fn programs(&mut self, command: &Command) -> Vec<String> {
        if !self.spend(COMMAND_WORK) {
            return Vec::new();
        }
        match command {
            Command::Simple(simple) => {
                self.quiet += 1;
                let depth = std::mem::replace(&mut self.depth, self.limits.depth);
                let fields = self.simple_fields(simple);
                self.depth = depth;
                self.quiet -= 1;
                self.wrapped_programs(&fields)
            }
            Command::Compound(CompoundCommand::BraceGroup(group), _) => self.programs_of_list(&group.list),
            Command::Compound(CompoundCommand::Subshell(shell), _) => self.programs_of_list(&shell.list),
            _ => Vec::new(),
        }
    }

    pub(crate) fn programs_of_list(&mut self, list: &CompoundList) -> Vec<String> {
        let mut programs = Vec::new();
        for item in list.0.iter().take(8) {
            for command in item.0.first.seq.iter().take(8) {
                programs.extend(self.programs(command));
            }
        }
        programs
    }

    fn command(&mut self, command: &Command, flow: &Flow) -> String {
        if !self.spend(COMMAND_WORK) {
            return UNKNOWN.to_string();
        }
        match command {
            Command::Simple(simple) => self.simple(simple, flow),
            Command::Compound(compound, redirects) => {
                let mut flow = flow.clone();
                let redirects = redirects.as_ref().map(|list| list.0.as_slice()).unwrap_or_default();
                let takers: Vec<_> = redirects.iter().filter_map(taker_of).collect();
                for taker in &takers {
                    flow.into.extend(self.programs_of_list(&taker.list));
                }
                let is_written = self.redirects(redirects.iter(), &mut flow);
                let output = self.compound(compound, &flow);
                self.feed(&takers, &output);
                if is_written { String::new() } else { output }
            }
            Command::Function(function) => {
                let name = self.text(&function.fname.value);
                crate::forkbomb::check(self, &name, &function.body.0);
                let body = Rc::new(function.body.0.clone());
                self.state.set_function(&name, body);
                let state = self.state.clone();
                self.state.arguments = None;
                self.compound(&function.body.0, &Flow::default());
                self.state = state;
                String::new()
            }
            Command::ExtendedTest(test) => {
                self.test(&test.expr);
                String::new()
            }
        }
    }

    /// Notes that what follows in this branch is not reached.
    pub(crate) fn leave(&mut self) {
        self.has_left = true;
    }

    /// Returns the folder that commands run in, in this reading.
    pub(crate) fn folder(&self) -> String {
        let folder = self.state.elements(FOLDER, self.reading).and_then(|folder| folder.first());
        folder.cloned().unwrap_or_else(|| UNKNOWN.to_string())
    }
}

/// Returns text if anything of it is known.
pub(crate) fn known(text: String) -> Option<Rc<str>> {
    (text != UNKNOWN.to_string()).then(|| Rc::from(text))
}

/// What a command prints.
pub(crate) trait Output {
    /// Returns this if it is empty, else what can't be told: one of several branches printed it.
    fn or_unknown(self) -> String;
}

impl Output for String {
    fn or_unknown(self) -> String {
        if self.is_empty() { self } else { UNKNOWN.to_string() }
    }
}
