//! What a database driver does for a transaction: run statements in order, all sent at once where the database is
//! far away. It knows nothing of what the rows mean.

use super::statement::{Answer, Call};
use crate::tx::Result;

/// An open transaction on either database.
pub(crate) trait Driver: Send {
    /// Runs the calls in order and returns their answers in order. On Postgres they are pipelined, so none of them
    /// may depend on another one's answer.
    fn run(&mut self, calls: Vec<Call>) -> impl Future<Output = Result<Vec<Answer>>> + Send;

    /// Runs the last calls of the transaction, and may commit along with them; the writer's own commit is then nothing any
    /// more.
    fn run_last(&mut self, calls: Vec<Call>) -> impl Future<Output = Result<Vec<Answer>>> + Send {
        self.run(calls)
    }

    /// Tells whether other writers exist, so that loads must lock.
    fn is_shared(&self) -> bool;
}

/// A connection for reads, beside the writer.
pub(crate) trait Reader: Send + Sync {
    /// Runs one reading statement outside any transaction.
    fn read(&self, call: Call) -> impl Future<Output = Result<Vec<super::statement::Row>>> + Send;
}
