//! Groups, loops, branches and tests: what is known after them is what may be, whichever way they went.

use crate::marks::UNKNOWN;
use crate::nesting;
use crate::reader::{COMMAND_WORK, Flow, Output, Reader};
use crate::state::{State, VALUES_MAX};
use brush_parser::ast::{
    CaseClauseCommand, CompoundCommand, CompoundList, ExtendedTestExpr, ForClauseCommand, IfClauseCommand,
    SubshellCommand,
};

impl Reader<'_> {
    /// Reads a group, loop or branch.
    pub(crate) fn compound(&mut self, command: &CompoundCommand, flow: &Flow) -> String {
        self.deeper("", |reader| reader.compound_inner(command, flow))
    }

    fn compound_inner(&mut self, command: &CompoundCommand, flow: &Flow) -> String {
        match command {
            CompoundCommand::BraceGroup(group) => self.list(&group.list, flow),
            CompoundCommand::Subshell(shell) => self.subshell(shell, flow),
            CompoundCommand::Arithmetic(arithmetic) => {
                self.text(&arithmetic.expr.value);
                self.subshells(&arithmetic.expr.value);
                String::new()
            }
            CompoundCommand::ForClause(clause) => self.for_each(clause, flow),
            CompoundCommand::ArithmeticForClause(clause) => {
                for expression in
                    [&clause.initializer, &clause.condition, &clause.updater].into_iter().flatten()
                {
                    self.text(&expression.value);
                }
                self.repeated(&clause.body.list, flow)
            }
            CompoundCommand::WhileClause(clause) | CompoundCommand::UntilClause(clause) => {
                self.list(&clause.0, flow);
                self.repeated(&clause.1.list, flow)
            }
            CompoundCommand::IfClause(clause) => self.branches(clause, flow),
            CompoundCommand::CaseClause(clause) => self.cases(clause, flow),
        }
    }

    /// Reads a loop over words, a few of them at a time, so that each comes up.
    fn for_each(&mut self, clause: &ForClauseCommand, flow: &Flow) -> String {
        let Some(words) = &clause.values else {
            self.state.forget(&clause.variable_name);
            return self.repeated(&clause.body.list, flow);
        };
        let values: Vec<String> = words.iter().flat_map(|word| self.fields(&word.value)).collect();
        for some in values.chunks(VALUES_MAX) {
            self.state.set_all(&clause.variable_name, some.iter().map(|value| vec![value.clone()]).collect());
            self.repeated(&clause.body.list, flow);
        }
        UNKNOWN.to_string()
    }

    fn branches(&mut self, clause: &IfClauseCommand, flow: &Flow) -> String {
        self.list(&clause.condition, flow);
        let mut output = String::new();
        let mut after: Option<State> = None;
        let mut before = self.state.clone();
        output.push_str(&self.branch(&clause.then, flow, &mut after));
        let mut has_else = false;
        for part in clause.elses.iter().flatten() {
            self.state = before.clone();
            match &part.condition {
                Some(condition) => drop(self.list(condition, flow)),
                None => has_else = true,
            }
            before = self.state.clone();
            output.push_str(&self.branch(&part.body, flow, &mut after));
        }
        self.merge(after, (!has_else).then_some(before));
        output.or_unknown()
    }

    fn cases(&mut self, clause: &CaseClauseCommand, flow: &Flow) -> String {
        self.text(&clause.value.value);
        let before = self.state.clone();
        let mut after: Option<State> = None;
        let mut output = String::new();
        for case in &clause.cases {
            self.state = before.clone();
            case.patterns.iter().for_each(|pattern| drop(self.text(&pattern.value)));
            if let Some(list) = &case.cmd {
                output.push_str(&self.branch(list, flow, &mut after));
            }
        }
        self.merge(after, Some(before));
        output.or_unknown()
    }

    /// Reads an arithmetic command as the nested subshells that it is to a shell which has none.
    fn subshells(&mut self, text: &str) {
        if self.spend(text.len() + COMMAND_WORK)
            && let Ok(program) = nesting::parse(text, &mut self.parts)
        {
            let state = self.state.clone();
            for list in &program.complete_commands {
                self.list(list, &Flow::default());
            }
            self.state = state;
        }
    }

    /// Reads one of several branches; what is known after it counts unless it leaves the script.
    fn branch(&mut self, list: &CompoundList, flow: &Flow, after: &mut Option<State>) -> String {
        self.has_left = false;
        let output = self.list(list, flow);
        if !std::mem::take(&mut self.has_left) {
            match after {
                Some(after) => after.join(&self.state),
                None => *after = Some(self.state.clone()),
            }
        }
        output
    }

    fn merge(&mut self, after: Option<State>, skipped: Option<State>) {
        if let Some(mut after) = after {
            skipped.iter().for_each(|skipped| after.join(skipped));
            self.state = after;
        } else if let Some(skipped) = skipped {
            self.state = skipped;
        }
    }

    pub(crate) fn subshell(&mut self, shell: &SubshellCommand, flow: &Flow) -> String {
        let state = self.state.clone();
        let output = self.list(&shell.list, flow);
        self.state = state;
        self.has_left = false;
        output
    }

    /// Reads a loop's body: once as it comes, and once with what it left behind.
    fn repeated(&mut self, list: &CompoundList, flow: &Flow) -> String {
        let before = self.state.clone();
        self.loops += 1;
        self.list(list, flow);
        self.state.join(&before);
        if self.loops <= 2 && !self.state.is_same(&before) {
            self.list(list, flow);
            self.state.join(&before);
        }
        self.loops -= 1;
        self.has_left = false;
        UNKNOWN.to_string()
    }

    /// Expands the words of a test.
    pub(crate) fn test(&mut self, expression: &ExtendedTestExpr) {
        match expression {
            ExtendedTestExpr::And(left, right) | ExtendedTestExpr::Or(left, right) => {
                self.test(left);
                self.test(right);
            }
            ExtendedTestExpr::Not(inner) | ExtendedTestExpr::Parenthesized(inner) => self.test(inner),
            ExtendedTestExpr::UnaryTest(_, word) => drop(self.text(&word.value)),
            ExtendedTestExpr::BinaryTest(_, left, right) => {
                self.text(&left.value);
                self.text(&right.value);
            }
        }
    }
}
