//! A plan becomes the pieces of a session: in the order that a person wishes, after they have looked at it, or changed it.

use super::agents::Agents;
use super::pattern::{Pattern, in_order, unfolded};
use super::plan::{Piece, lay_out};
use super::revise::revise;
use super::screen::Screen;
use super::selector::select;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use spalla_domain::plan::PlanItem;
use std::path::Path;

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
    /// They change it on the page, or over HTTP, while the session waits.
    OnPage,
}

/// Makes the pieces of a plan.
pub(crate) fn settle(
    screen: &Screen,
    items: Vec<PlanItem>,
    agents: &Agents,
    (pattern, revision): (&Pattern, Revision),
    target: &Path,
) -> Result<Vec<Piece>> {
    let mut items = in_order(items, pattern);
    if revision == Revision::Edit {
        items = revise(items, agents)?;
    }
    let items = unfolded(items, pattern, (&agents.names, target))?;
    let items = select(items, agents)?;
    let pieces = lay_out(screen, items, agents)?;
    if revision == Revision::Confirm && output::can_ask() && !output::confirm("Go ahead?")? {
        return Err(Failure::new(Exit::Stopped, "nothing was started"));
    }
    Ok(pieces)
}
