//! Walls that are put up while a step runs, for the step after it.

use crate::run::Run;
use crate::sandbox::{CommandSpec, Spare};
use spalla_domain::recipe::{Recipe, Step};

/// The walls that wait for the run's next step, and whether there is one for which they would be the same.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    spare: Option<Spare>,
    is_wanted: bool,
}

impl Ahead {
    /// Looks for the step after the one with this number, as things stand now.
    pub(super) fn look(&mut self, recipe: &Recipe, number: u32, step: &Step, is_failed: bool) {
        let mut later = recipe.steps.iter().skip(number as usize);
        let next = later.find(|next| next.condition.holds(is_failed));
        self.is_wanted = next.is_some_and(|next| recipe.network_of(next) == recipe.network_of(step));
    }

    /// Returns the walls, if there are any. Whether they fit is decided where they are used.
    pub(super) fn take(&mut self) -> Option<Spare> {
        self.spare.take()
    }

    /// Begins to put walls up if they are wanted, like those of this command. Where that fails, the step that finds none
    /// says why.
    pub(super) async fn put_up(&mut self, run: &Run<'_>, like: &CommandSpec) {
        if self.is_wanted && self.spare.is_none() {
            self.spare = run.sandbox.put_up_ahead(like).await.ok().flatten();
        }
    }

    /// Takes down what was not used.
    pub(super) async fn take_down(&mut self) {
        if let Some(spare) = self.spare.take() {
            spare.take_down().await;
        }
    }
}
