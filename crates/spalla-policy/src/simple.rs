//! A simple command: its words are expanded, its redirections followed and its assignments kept.

use crate::marks::PART;
use crate::reader::{COMMAND_WORK, Flow, Output, Reader, known};
use crate::rules::Event;
use crate::state::State;
use brush_parser::ast::{
    Assignment, AssignmentName, AssignmentValue, Command, CommandPrefixOrSuffixItem as Item,
    IoFileRedirectKind, IoFileRedirectTarget, IoRedirect, ProcessSubstitutionKind, SimpleCommand,
    SubshellCommand,
};

/// Returns the shells that take what a command writes: `>(…)` among its words, or in the place of a file.
fn takers_of<'a>(items: impl Iterator<Item = &'a Item>) -> Vec<&'a SubshellCommand> {
    let taker = |item: &'a Item| match item {
        Item::ProcessSubstitution(ProcessSubstitutionKind::Write, shell) => Some(shell),
        Item::IoRedirect(redirect) => taker_of(redirect),
        _ => None,
    };
    items.filter_map(taker).collect()
}

/// Returns the shell that takes what is written, in the place of a file.
pub(crate) fn taker_of(redirect: &IoRedirect) -> Option<&SubshellCommand> {
    use IoFileRedirectTarget::ProcessSubstitution;
    match redirect {
        IoRedirect::File(_, _, ProcessSubstitution(ProcessSubstitutionKind::Write, shell)) => Some(shell),
        _ => None,
    }
}

impl Reader<'_> {
    /// Expands the words of a command; assignments and redirections are left out.
    pub(crate) fn simple_fields(&mut self, simple: &SimpleCommand) -> Vec<String> {
        let mut fields = Vec::new();
        if let Some(word) = &simple.word_or_name {
            fields.extend(self.fields(&word.value));
        }
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                Item::Word(word) => fields.extend(self.fields(&word.value)),
                Item::AssignmentWord(assignment, word) => match &assignment.value {
                    AssignmentValue::Array(_) => self.assign(assignment),
                    AssignmentValue::Scalar(_) => fields.extend(self.fields(&word.value)),
                },
                Item::ProcessSubstitution(..) => fields.push("/dev/fd/63".to_owned()),
                Item::IoRedirect(_) => {}
            }
            if fields.len() > self.limits.fields {
                fields.truncate(self.limits.fields);
                self.spend(usize::MAX / 2);
                break;
            }
        }
        fields
    }

    /// Follows a command, once for each value that its variables may have.
    pub(crate) fn simple(&mut self, simple: &SimpleCommand, flow: &Flow) -> String {
        // What mentions no variable can differ by its folder only.
        let expands = simple.to_string().contains(['$', PART]);
        let readings = if expands { self.state.readings() } else { self.state.folders() };
        let mut seen = Vec::new();
        if readings == 1 {
            return self.simple_reading(simple, flow, &mut seen).unwrap_or_default();
        }
        let mut output = String::new();
        let outer = self.reading;
        let before = self.state.clone();
        let mut after: Option<State> = None;
        for reading in 0..readings {
            self.reading = reading;
            self.state = before.clone();
            if let Some(printed) = self.simple_reading(simple, flow, &mut seen) {
                output = printed;
                match &mut after {
                    Some(after) => after.join(&self.state),
                    None => after = Some(self.state.clone()),
                }
            }
            if !self.spend(COMMAND_WORK) {
                break;
            }
        }
        self.state = after.unwrap_or(before);
        self.reading = outer;
        output.or_unknown()
    }

    /// Follows a command in one reading, unless it has come to the same words in another one.
    fn simple_reading(
        &mut self,
        simple: &SimpleCommand,
        flow: &Flow,
        seen: &mut Vec<(Vec<String>, String)>,
    ) -> Option<String> {
        let mut flow = flow.clone();
        let programs = self.programs(&Command::Simple(simple.clone()));
        let outer = std::mem::replace(&mut self.taken_by, programs.clone());
        let fields = self.simple_fields(simple);
        self.taken_by = outer;
        let prefix = simple.prefix.iter().flat_map(|prefix| &prefix.0);
        let suffix = simple.suffix.iter().flat_map(|suffix| &suffix.0);
        let takers = takers_of(prefix.clone().chain(suffix.clone()));
        for taker in &takers {
            flow.into.extend(self.programs_of_list(&taker.list));
        }
        for item in suffix.clone() {
            if let Item::ProcessSubstitution(ProcessSubstitutionKind::Read, shell) = item {
                let into = Flow { into: programs.clone(), ..Flow::default() };
                flow.file = known(self.subshell(shell, &into));
            }
        }
        let redirects = prefix.clone().chain(suffix).filter_map(|item| match item {
            Item::IoRedirect(redirect) => Some(redirect),
            _ => None,
        });
        let is_written = self.redirects(redirects, &mut flow);
        let assignments = prefix.filter_map(|item| match item {
            Item::AssignmentWord(assignment, _) => Some(assignment),
            _ => None,
        });
        if fields.is_empty() {
            assignments.for_each(|assignment| self.assign(assignment));
            return Some(String::new());
        }
        let names: Vec<&Assignment> = assignments.collect();
        // What it runs goes through every reading by itself.
        let run = (fields.clone(), self.folder());
        if names.is_empty() && seen.contains(&run) {
            return None;
        }
        seen.push(run);
        let before = (!names.is_empty()).then(|| self.state.clone());
        names.into_iter().for_each(|assignment| self.assign(assignment));
        let output = self.fields_run(&fields, &flow);
        self.feed(&takers, &output);
        if let Some(before) = before {
            self.state = before;
        }
        Some(if is_written { String::new() } else { output })
    }

    /// Follows redirections; whether the output goes to a file.
    pub(crate) fn redirects<'r>(
        &mut self,
        redirects: impl Iterator<Item = &'r IoRedirect>,
        flow: &mut Flow,
    ) -> bool {
        let mut is_written = false;
        for redirect in redirects {
            match redirect {
                IoRedirect::File(descriptor, kind, target) => match target {
                    IoFileRedirectTarget::Filename(word) => {
                        let targets = self.fields(&word.value);
                        if matches!(kind, IoFileRedirectKind::Read) {
                            (flow.input, flow.is_fed) = (None, false);
                        } else {
                            is_written |= descriptor.unwrap_or(1) == 1;
                            let command = format!("> {}", targets.join(" "));
                            self.event(Event::Write, &command, &targets);
                        }
                    }
                    // What takes the output is followed when that is known.
                    IoFileRedirectTarget::ProcessSubstitution(ProcessSubstitutionKind::Write, _) => {
                        is_written |= descriptor.unwrap_or(1) == 1;
                    }
                    IoFileRedirectTarget::ProcessSubstitution(ProcessSubstitutionKind::Read, shell) => {
                        let into = self.taken_by.clone();
                        let output = self.subshell(shell, &Flow { into, ..Flow::default() });
                        if matches!(kind, IoFileRedirectKind::Read) {
                            (flow.input, flow.is_fed) = (known(output), true);
                        }
                    }
                    IoFileRedirectTarget::Duplicate(word) => drop(self.text(&word.value)),
                    IoFileRedirectTarget::Fd(_) => {}
                },
                IoRedirect::OutputAndError(word, _) => {
                    is_written = true;
                    let targets = self.fields(&word.value);
                    self.event(Event::Write, &format!("> {}", targets.join(" ")), &targets);
                }
                IoRedirect::HereString(_, word) => {
                    let text = self.text(&word.value);
                    (flow.input, flow.is_fed) = (known(text), true);
                }
                IoRedirect::HereDocument(_, document) => {
                    let text = self.text(&document.doc.value);
                    (flow.input, flow.is_fed) = (known(text), true);
                }
            }
        }
        is_written
    }

    /// Follows the shells that take what was written.
    pub(crate) fn feed(&mut self, takers: &[&SubshellCommand], output: &str) {
        for taker in takers {
            let fed = Flow { input: known(output.to_owned()), is_fed: true, ..Flow::default() };
            self.subshell(taker, &fed);
        }
    }

    fn assign(&mut self, assignment: &Assignment) {
        let name = match &assignment.name {
            AssignmentName::VariableName(name) => name,
            AssignmentName::ArrayElementName(name, index) => {
                self.text(index);
                if let AssignmentValue::Scalar(word) = &assignment.value {
                    self.text(&word.value);
                }
                return self.state.forget(name);
            }
        };
        let mut values = Vec::new();
        let outer = self.reading;
        for reading in 0..self.state.readings() {
            self.reading = reading;
            let old = if assignment.append { self.state.elements(name, reading).cloned() } else { None };
            let mut elements = old.unwrap_or_default();
            match &assignment.value {
                AssignmentValue::Scalar(word) => {
                    let text = self.text(&word.value);
                    match elements.first_mut() {
                        Some(first) => first.push_str(&text),
                        None => elements.push(text),
                    }
                }
                AssignmentValue::Array(words) => {
                    for (_, word) in words {
                        elements.extend(self.fields(&word.value));
                    }
                }
            }
            if !values.contains(&elements) {
                values.push(elements);
            }
        }
        self.reading = outer;
        self.state.set_all(name, values);
    }
}
