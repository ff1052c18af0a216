//! A plan becomes the pieces of a session: in the order that a person wishes, after they have looked at it, or changed it.

use super::agents::Agents;
use super::plan::{Piece, lay_out};
use super::revise::revise;
use super::screen::Screen;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use clap::ValueEnum;
use spalla_domain::plan::PlanItem;
use std::collections::BTreeSet;

/// In which order the pieces go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Pattern {
    /// Beside each other, as far as none builds on another
    #[default]
    Parallel,
    /// One after another; a critical one that fails keeps those after it from beginning
    Sequential,
    /// One after another, each on what was made of the one before
    Pipeline,
}

impl Pattern {
    /// Returns its name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Parallel => "parallel",
            Self::Sequential => "sequential",
            Self::Pipeline => "pipeline",
        }
    }
}

/// What a person does with a plan before anything of it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Revision {
    /// Nothing.
    #[default]
    None,
    /// They say yes or no, where they can be asked.
    Confirm,
    /// They change it in their editor.
    Edit,
}

/// Makes the pieces of a plan.
pub(crate) fn settle(
    screen: &Screen,
    items: Vec<PlanItem>,
    agents: &Agents,
    (pattern, revision): (Pattern, Revision),
) -> Result<Vec<Piece>> {
    let mut items = in_order(items, pattern);
    if revision == Revision::Edit {
        items = revise(items, agents)?;
    }
    let pieces = lay_out(screen, items, agents)?;
    if revision == Revision::Confirm && output::can_ask() && !output::confirm("Go ahead?")? {
        return Err(Failure::new(Exit::Stopped, "nothing was started"));
    }
    Ok(pieces)
}

/// Lets each piece build on the one before it. Those that build on others already come after them.
fn in_order(items: Vec<PlanItem>, pattern: Pattern) -> Vec<PlanItem> {
    if pattern == Pattern::Parallel {
        return items;
    }
    let mut ordered: Vec<PlanItem> = Vec::new();
    let mut left = items;
    let mut done = BTreeSet::new();
    // A plan has no circle, so that there is always one that waits for nothing.
    while let Some(index) = left.iter().position(|item| item.depends_on.iter().all(|key| done.contains(key)))
    {
        let mut item = left.remove(index);
        done.insert(item.key.clone());
        let before = ordered.last().map(|before| before.key.clone());
        item.depends_on.extend(before.filter(|key| !item.depends_on.contains(key)));
        ordered.push(item);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_another_each_builds_on_the_one_before_it() {
        let text = r#"{"items": [{"key": "a", "prompt": "x", "depends_on": ["c"]}, {"key": "b", "prompt": "x"},
            {"key": "c", "prompt": "x"}]}"#;
        let items = spalla_domain::plan::read(text, &[]).unwrap().items;
        let ordered = in_order(items.clone(), Pattern::Sequential);
        let chain: Vec<(&str, Vec<&str>)> = ordered
            .iter()
            .map(|item| (item.key.as_str(), item.depends_on.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(chain, [("b", vec![]), ("c", vec!["b"]), ("a", vec!["c"])]);
        assert_eq!(in_order(items.clone(), Pattern::Parallel), items);
    }
}
