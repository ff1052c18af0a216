//! Reads of events: chunks from the one that holds the first event wanted, unpacked until the reader has enough.

use super::SqlReads;
use crate::event_chunk::{fits, mark, unpack};
use crate::sql::driver::Reader;
use crate::sql::row::{Fields, each, row};
use crate::sql::statements::event_chunk as sql;
use crate::tx::Result;
use crate::view::EventFilter;
use spalla_domain::EventSeq;
use spalla_domain::event::Event;

/// How many chunks the first read brings: who follows wants a few.
const CHUNKS_FIRST: u32 = 8;
/// One read brings some megabytes of events at most; whoever wants more reads on.
const CHUNKS_PER_READ: u32 = 128;

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_events(&self, filter: EventFilter, limit: u32) -> Result<Vec<Event>> {
        let limit = limit as usize;
        let mut after = filter.after.unwrap_or(EventSeq(0));
        let mut taken = Vec::new();
        let mut wanted = CHUNKS_FIRST;
        while taken.len() < limit {
            let chunks = self.event_chunks(&filter, after, wanted).await?;
            let is_last = chunks.len() < wanted as usize;
            wanted = CHUNKS_PER_READ.min(wanted * 2);
            for (last, events, data) in chunks {
                after = last;
                taken.extend(unpack(last, events, &data)?.into_iter().filter(|event| fits(&filter, event)));
                if taken.len() >= limit {
                    break;
                }
            }
            if is_last {
                break;
            }
        }
        taken.truncate(limit);
        Ok(taken)
    }

    async fn event_chunks(
        &self,
        filter: &EventFilter,
        after: EventSeq,
        limit: u32,
    ) -> Result<Vec<(EventSeq, u32, Vec<u8>)>> {
        let mark = |id: Option<i64>| id.map(|id| mark(id).to_vec());
        let run = mark(filter.run_id.map(|id| id.0));
        let (statement, scalars) = match (filter.project_id, run) {
            (None, None) => (&sql::LIST, row![after, limit]),
            (None, run) => (&sql::LIST_OF_RUN, row![after, run, limit]),
            (Some(id), run) => (&sql::LIST_OF_PROJECT, row![id, after, mark(Some(id.0)), run, limit]),
        };
        let rows = self.rows(statement, scalars).await?;
        each("event_chunk", rows, |fields| {
            Ok((fields.id("last_seq")?, fields.number("events")?, fields.blob("data")?))
        })
    }

    pub(super) async fn newest_number(&self) -> Result<EventSeq> {
        let row = self.rows(&sql::NEWEST, vec![]).await?.into_iter().next().unwrap_or_default();
        Fields::new("event_chunk", row).id("seq")
    }
}
