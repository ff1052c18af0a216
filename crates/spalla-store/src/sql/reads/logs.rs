//! Reads of logs: chunks from the one that holds the first line wanted, unpacked until the reader has enough.

use super::SqlReads;
use crate::log_chunk::{first_line, unpack};
use crate::sql::driver::Reader;
use crate::sql::row::{each, row};
use crate::sql::statements::log_chunk as sql;
use crate::tx::Result;
use crate::view::{LogFilter, LogRecord};
use spalla_domain::RunId;

/// How many chunks the first read brings: enough for a page, and little for who wants a few lines.
const CHUNKS_FIRST: u32 = 4;
/// One read brings some megabytes of lines at most; whoever wants more reads on.
const CHUNKS_PER_READ: u32 = 64;

impl<R: Reader> SqlReads<R> {
    pub(super) async fn read_log(&self, run_id: RunId, filter: LogFilter) -> Result<Option<Vec<LogRecord>>> {
        let Some(run) = self.find_run(run_id).await? else { return Ok(None) };
        let filter = filter.sought();
        let first = first_line(run.id, run.work_item_id, run.attempt, run.created_at);
        let mut next_seq = filter.from_seq.max(first.seq + 1);
        let mut lines = Selection::new(filter);
        lines.take(vec![first]);
        let mut wanted = CHUNKS_FIRST;
        while !lines.is_full() {
            let rows = self.rows(&sql::LIST, row![run_id, next_seq, wanted]).await?;
            let chunks =
                each("log_chunk", rows, |fields| Ok((fields.int("first_seq")?, fields.blob("data")?)))?;
            let is_last = chunks.len() < wanted as usize;
            wanted = CHUNKS_PER_READ.min(wanted * 2);
            for (first_seq, data) in chunks {
                if lines.is_full() {
                    break;
                }
                let unpacked = unpack(first_seq, &data)?;
                next_seq = first_seq + unpacked.len() as i64;
                lines.take(unpacked);
            }
            if is_last {
                break;
            }
        }
        Ok(Some(lines.taken))
    }
}

/// The lines that a filter lets through, as far as they were looked at.
struct Selection {
    /// Which lines fit, wherever they stand among those that fit.
    fits: LogFilter,
    /// How many of them are still left out.
    offset: u64,
    limit: Option<u64>,
    taken: Vec<LogRecord>,
}

impl Selection {
    fn new(filter: LogFilter) -> Self {
        let LogFilter { offset, limit, .. } = filter;
        Self { fits: LogFilter { offset: 0, limit: None, ..filter }, offset, limit, taken: vec![] }
    }

    fn take(&mut self, lines: Vec<LogRecord>) {
        for line in self.fits.apply(lines) {
            if self.offset > 0 {
                self.offset -= 1;
            } else if !self.is_full() {
                self.taken.push(line);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.taken.len() as u64 >= limit)
    }
}
