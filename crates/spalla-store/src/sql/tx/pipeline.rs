//! Calls whose answers nobody waits for, sent along with the next ones: on a shared database every answer costs a round
//! trip.

use crate::sql::driver::Driver;
use crate::sql::statement::{Answer, Call};
use crate::tx::Result;

/// A driver with calls that are not sent yet.
#[derive(Debug)]
pub(super) struct Pipeline<D> {
    driver: D,
    unsent: Vec<Call>,
}

impl<D: Driver> Pipeline<D> {
    /// Makes it over an open transaction.
    pub(super) const fn new(driver: D) -> Self {
        Self { driver, unsent: Vec::new() }
    }

    /// Sends calls along with the next ones. They have to fail by themselves where they don't do what they should.
    pub(super) fn send_along(&mut self, calls: Vec<Call>) {
        self.unsent.extend(calls);
    }

    /// Puts what is unsent before these calls; returns how many that are.
    fn join(&mut self, calls: Vec<Call>) -> (usize, Vec<Call>) {
        let mut all = std::mem::take(&mut self.unsent);
        let unsent = all.len();
        all.extend(calls);
        (unsent, all)
    }
}

impl<D: Driver> Driver for Pipeline<D> {
    async fn run(&mut self, calls: Vec<Call>) -> Result<Vec<Answer>> {
        let (unsent, calls) = self.join(calls);
        if calls.is_empty() {
            return Ok(vec![]);
        }
        let mut answers = self.driver.run(calls).await?;
        answers.drain(..unsent.min(answers.len()));
        Ok(answers)
    }

    async fn run_last(&mut self, calls: Vec<Call>) -> Result<Vec<Answer>> {
        let (unsent, calls) = self.join(calls);
        if calls.is_empty() {
            return Ok(vec![]);
        }
        let mut answers = self.driver.run_last(calls).await?;
        answers.drain(..unsent.min(answers.len()));
        Ok(answers)
    }

    fn is_shared(&self) -> bool {
        self.driver.is_shared()
    }
}
