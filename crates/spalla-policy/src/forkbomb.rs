//! Tells a function that starts itself again and again without waiting.

use crate::reader::Reader;
use crate::rules::Event;
use brush_parser::ast::{Command, CompoundCommand, CompoundList, SeparatorOperator};

/// Reports a function that calls itself in the background, or twice in one pipeline.
pub(crate) fn check(reader: &mut Reader<'_>, name: &str, body: &CompoundCommand) {
    let list = match body {
        CompoundCommand::BraceGroup(group) => &group.list,
        CompoundCommand::Subshell(shell) => &shell.list,
        _ => return,
    };
    if multiplies(name, list, 0) {
        reader.event(Event::ForkBomb, &format!("{name}() {body}"), &[]);
    }
}

fn multiplies(name: &str, list: &CompoundList, depth: usize) -> bool {
    list.0.iter().any(|item| {
        let pipelines =
            std::iter::once(&item.0.first).chain(item.0.additional.iter().map(|next| match next {
                brush_parser::ast::AndOr::And(pipeline) | brush_parser::ast::AndOr::Or(pipeline) => pipeline,
            }));
        let is_background = matches!(item.1, SeparatorOperator::Async);
        pipelines.into_iter().any(|pipeline| {
            let calls = pipeline.seq.iter().filter(|command| calls(name, command)).count();
            let inner = pipeline.seq.iter().any(|command| match command {
                Command::Compound(CompoundCommand::BraceGroup(group), _) if depth < 8 => {
                    multiplies(name, &group.list, depth + 1)
                }
                Command::Compound(CompoundCommand::Subshell(shell), _) if depth < 8 => {
                    multiplies(name, &shell.list, depth + 1)
                }
                _ => false,
            });
            calls > 1 || (calls == 1 && is_background) || inner
        })
    })
}

fn calls(name: &str, command: &Command) -> bool {
    matches!(command, Command::Simple(simple) if simple.word_or_name.as_ref().is_some_and(|word| word.value == name))
}
