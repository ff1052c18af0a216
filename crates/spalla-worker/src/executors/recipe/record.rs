//! Writes down what a run has done, before and after each attempt of its steps, where these are to survive their worker.
//!
//! It is written when the server has the log up to there: whoever reads the attempt's output from its beginning numbers the
//! same lines in the same way, and the server drops those that it has.

use super::state::{AttemptState, PlaceState, Progress, State};
use super::step::Place;
use crate::left_behind;
use crate::run::Run;
use crate::sandbox::random_word;
use spalla_domain::Timestamp;
use spalla_domain::limits::Limit;
use spalla_domain::recipe::Recipe;
use spalla_sandbox::{Claim, Preset, Survival};
use std::io;
use std::sync::PoisonError;

/// A run of a recipe as its steps are carried out.
pub(super) struct Record<'a> {
    pub(super) run: &'a Run<'a>,
    pub(super) recipe: &'a Recipe,
    pub(super) place: &'a Place<'a>,
    pub(super) progress: Progress,
}

impl Record<'_> {
    /// Writes down that an attempt of a step is about to begin, and returns what lets it survive; none where it is to end
    /// with its worker, or nothing can be written.
    pub(super) async fn begins(
        &self,
        step: u32,
        (number, step_began_at): (u32, Timestamp),
    ) -> Option<Survival> {
        let survival = self.survival();
        let attempt = survival.clone().map(|survival| AttemptState {
            number,
            step_began_at,
            began_at: (self.run.options.clock)(),
            survival,
            is_walled: self.run.options.sandbox.preset != Some(Preset::None),
        });
        self.write(step, attempt).await.then_some(survival).flatten()
    }

    /// Writes down that the next step has not begun.
    pub(super) async fn is_before(&self, step: u32) {
        self.write(step, None).await;
    }

    fn output_bytes_max(&self) -> u64 {
        self.run.limits.value(Limit::OutputBytes).unwrap_or(self.run.options.limits.output_bytes_max)
    }

    fn survival(&self) -> Option<Survival> {
        let assignment = self.run.assignment;
        Some(Survival {
            folder: self.run.left_behind(),
            name: random_word(),
            claim: Claim { run_id: assignment.run_id.0, fencing_token: assignment.fencing_token.0 },
            grace_ms: self.run.reattach_grace_ms()?,
            output_bytes_max: self.output_bytes_max(),
        })
    }

    /// Tells whether it is written. Otherwise nothing is left that would be wrong from now on.
    async fn write(&self, step: u32, attempt: Option<AttemptState>) -> bool {
        let folder = self.run.left_behind();
        let is_wanted = self.run.reattach_grace_ms().is_some();
        let next_seq = if is_wanted { self.settled().await } else { None };
        let Some(next_log_seq) = next_seq else {
            left_behind::forget_state(&folder);
            return false;
        };
        let name = attempt.as_ref().map(|attempt| attempt.survival.name.clone()).unwrap_or_default();
        let state = self.state(step, attempt, next_log_seq);
        let written = tokio::task::spawn_blocking(move || {
            let written = left_behind::write(&folder, &state);
            match &written {
                // Nobody asks any more how the commands before it ended.
                Ok(()) => left_behind::forget_commands(&folder, &name),
                Err(_) => left_behind::forget_state(&folder),
            }
            written
        });
        let written = written.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        if let Err(error) = &written {
            tracing::warn!(run = %self.run.assignment.run_id, %error, "a step will not survive its worker");
        }
        written.is_ok()
    }

    /// Waits until the server has the log; not when the run has to end meanwhile.
    async fn settled(&self) -> Option<i64> {
        tokio::select! {
            biased;
            _ = self.run.interrupted() => None,
            settled = self.run.log.settled() => settled,
        }
    }

    fn state(&self, step: u32, attempt: Option<AttemptState>, next_log_seq: i64) -> State {
        let mut assignment = self.run.assignment.clone();
        assignment.next_log_seq = next_log_seq;
        // Its work is done, and there may be a password in it.
        assignment.repository = None;
        let scratchpad = self.place.scratchpad;
        let place = PlaceState {
            folder: scratchpad.folder.clone(),
            commit: scratchpad.commit.clone(),
            borrowed: scratchpad.borrowed.clone(),
            tools: self.place.tools.to_vec(),
        };
        let (used_ms, held_ms) = self.run.used_ms();
        State {
            assignment,
            written_at: (self.run.options.clock)(),
            used_ms,
            held_ms,
            kept: self.run.log.kept(),
            attested: self.run.attested.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            asked: self.run.asked.get().copied(),
            place,
            recipe: self.recipe.clone(),
            progress: self.progress.clone(),
            step,
            attempt,
        }
    }
}
