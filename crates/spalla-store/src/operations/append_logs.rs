//! Keep log lines of a run that its holder sends. Lines that came before are dropped, a gap is refused.

use super::claim::over_to;
use crate::command::Reply;
use crate::desk::{Answer, Desk, Run};
use crate::log_chunk;
use crate::tx::{LogChunk, Tx};
use spalla_domain::claim::LogBatch;
#[cfg(debug_assertions)]
use spalla_domain::plant::{self, Plant};
use spalla_domain::{Refusal, problem::Code, run};

/// Keeps the lines that are new.
pub(crate) async fn append<T: Tx>(desk: &mut Desk<'_, T>, batch: &LogBatch) -> Answer<Reply> {
    let id = match desk.run(batch.run_id).await? {
        Run::Live(id) => id,
        Run::Ended(run) => return Err(over_to(batch.fencing_token, &run).into()),
    };
    let item = desk.item(id).await?.clone();
    if let Some(live) = item.live_run() {
        run::may_write(live, item.standing.fence, batch.fencing_token)?;
    }
    let next = desk.log_end(batch.run_id).await?;
    let first = batch.first_seq.unwrap_or(next);
    if first > next {
        let detail =
            format!("the batch begins with line {first}, and line {next} of run {} is next", batch.run_id);
        return Err(Refusal::new(Code::LogGap, detail).mend("send the missing lines first").into());
    }
    let known = usize::try_from(next.saturating_sub(first)).unwrap_or(usize::MAX);
    #[cfg(debug_assertions)]
    let known = if plant::is(Plant::LinesDoubled) { 0 } else { known };
    let lines = batch.lines.get(known..).unwrap_or_default();
    if lines.is_empty() {
        return Ok(Reply::Logged { next_seq: next });
    }
    let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    let data = log_chunk::pack(lines)?;
    desk.staged.log_chunks.push(LogChunk { run_id: batch.run_id, first_seq: next, lines: count, data });
    let next_seq = next + i64::from(count);
    desk.set_log_end(batch.run_id, next_seq);
    Ok(Reply::Logged { next_seq })
}
