//! Events are never rows: the facts of one transaction are kept together as a few chunks. Most of what a row of its own
//! would cost is the trees that it stands in.

use crate::error::StoreError;
use crate::view::EventFilter;
use crate::zstd_frame;
use serde::{Deserialize, Serialize};
use spalla_domain::event::{Event, Fact, NewEvent};
use spalla_domain::{EventSeq, ProjectId, RunId, Timestamp, WorkItemId};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Whoever reads from a number on unpacks the chunk that holds it, so a chunk ends somewhere.
pub(crate) const EVENTS_PER_CHUNK: usize = 512;
/// Shorter ones gain nothing that is worth the time.
const COMPRESSED_FROM: usize = 2_048;

/// Consecutive events, packed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct EventChunk {
    /// How many events.
    pub(crate) events: u32,
    /// The projects that they belong to; see [`mark`].
    pub(crate) projects: Vec<u8>,
    /// The runs that they are about.
    pub(crate) runs: Vec<u8>,
    /// The events.
    pub(crate) data: Vec<u8>,
}

/// An event as it is kept: its number follows from its place.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    at_ms: i64,
    project_id: ProjectId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    work_item_id: Option<WorkItemId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_id: Option<RunId>,
    fact: Cow<'a, Fact>,
}

/// Packs the events of a transaction.
pub(crate) fn pack(events: &[NewEvent]) -> impl Iterator<Item = Result<EventChunk, StoreError>> {
    events.chunks(EVENTS_PER_CHUNK).map(pack_one)
}

fn pack_one(events: &[NewEvent]) -> Result<EventChunk, StoreError> {
    let mut plain = Vec::with_capacity(events.len() * 160);
    for NewEvent { at, project_id, work_item_id, run_id, fact } in events {
        let kept = Kept {
            at_ms: at.ms(),
            project_id: *project_id,
            work_item_id: *work_item_id,
            run_id: *run_id,
            fact: Cow::Borrowed(fact),
        };
        serde_json::to_writer(&mut plain, &kept)
            .map_err(|e| StoreError::Corrupt(format!("packing an event: {e}")))?;
        plain.push(b'\n');
    }
    let data = if plain.len() < COMPRESSED_FROM {
        plain
    } else {
        zstd_frame::compress(&plain).map_err(|e| StoreError::Corrupt(format!("compressing events: {e}")))?
    };
    Ok(EventChunk {
        events: events.len() as u32,
        projects: marks(events.iter().map(|event| event.project_id.0)),
        runs: marks(events.iter().filter_map(|event| event.run_id).map(|run| run.0)),
        data,
    })
}

/// Returns what stands for an id in a chunk's lists. It may also be found across the border of two ids: whoever looks
/// for it still has to look at the events.
pub(crate) fn mark(id: i64) -> [u8; 8] {
    id.to_be_bytes()
}

/// Returns the ids in a chunk's list.
pub(crate) fn marked(list: &[u8]) -> impl Iterator<Item = i64> {
    list.as_chunks().0.iter().map(|mark| i64::from_be_bytes(*mark))
}

fn marks(ids: impl Iterator<Item = i64>) -> Vec<u8> {
    ids.collect::<BTreeSet<_>>().into_iter().flat_map(mark).collect()
}

/// Unpacks a chunk whose last event has this number.
pub(crate) fn unpack(last: EventSeq, events: u32, data: &[u8]) -> Result<Vec<Event>, StoreError> {
    let plain = if data.starts_with(b"{") {
        Cow::Borrowed(data)
    } else {
        let odd = |e| StoreError::Corrupt(format!("decompressing the events up to {last}: {e}"));
        Cow::Owned(zstd_frame::decompress(data).map_err(odd)?)
    };
    let lines = plain.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let unpacked: Vec<_> = (last.0.saturating_sub(events.into()).saturating_add(1)..)
        .zip(lines)
        .map(read)
        .collect::<Result<_, _>>()?;
    match unpacked.last() {
        Some(event) if event.seq == last => Ok(unpacked),
        _ => Err(StoreError::Corrupt(format!(
            "the chunk of events up to {last} holds {} instead of {events}",
            unpacked.len()
        ))),
    }
}

fn read((seq, line): (i64, &[u8])) -> Result<Event, StoreError> {
    let kept: Kept<'_> =
        serde_json::from_slice(line).map_err(|e| StoreError::Corrupt(format!("event {seq}: {e}")))?;
    let Kept { at_ms, project_id, work_item_id, run_id, fact } = kept;
    let at = Timestamp::from_ms(at_ms);
    Ok(Event { seq: EventSeq(seq), at, project_id, work_item_id, run_id, fact: fact.into_owned() })
}

/// Tells whether a filter lets an event through.
pub(crate) fn fits(filter: &EventFilter, event: &Event) -> bool {
    let EventFilter { project_id, run_id, after } = filter;
    after.is_none_or(|after| event.seq > after)
        && project_id.is_none_or(|project| event.project_id == project)
        && run_id.is_none_or(|run| event.run_id == Some(run))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(number: i64) -> NewEvent {
        NewEvent {
            at: Timestamp::from_ms(1_000 + number),
            project_id: ProjectId(1 + number % 2),
            work_item_id: Some(WorkItemId(number)),
            run_id: (number % 3 == 0).then_some(RunId(number)),
            fact: Fact::ProjectCreated { name: format!("a \"name\"\nof {number}") },
        }
    }

    fn packed(events: &[NewEvent]) -> Vec<EventChunk> {
        pack(events).collect::<Result<_, _>>().unwrap()
    }

    fn numbered(first: i64, events: &[NewEvent]) -> Vec<Event> {
        events.iter().cloned().zip(first..).map(|(new, seq)| new.numbered(EventSeq(seq))).collect()
    }

    #[test]
    fn events_come_back_as_they_went_in_with_their_numbers() {
        let events: Vec<_> = (0..1_200).map(event).collect();
        let mut back = vec![];
        for chunk in pack(&events).map(Result::unwrap) {
            let last = EventSeq(40 + back.len() as i64 + i64::from(chunk.events));
            back.extend(unpack(last, chunk.events, &chunk.data).unwrap());
        }
        assert_eq!(back, numbered(41, &events));
    }

    #[test]
    fn few_events_are_kept_as_they_are_and_many_compressed() {
        let few = packed(&[event(1)]);
        assert!(few[0].data.starts_with(b"{"));
        let many = packed(&(0..512).map(event).collect::<Vec<_>>());
        assert!(many.len() == 1 && many[0].data.len() < 20_000, "{}", many[0].data.len());
    }

    #[test]
    fn a_chunk_names_its_projects_and_runs_once_each() {
        let chunk = &packed(&(1..10).map(event).collect::<Vec<_>>())[0];
        assert_eq!(chunk.projects, [mark(1), mark(2)].concat());
        assert_eq!(chunk.runs, [mark(3), mark(6), mark(9)].concat());
        assert_eq!(marked(&chunk.projects).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_chunk_that_lost_events_or_is_damaged_is_refused() {
        let chunk = &packed(&[event(1), event(2)])[0];
        let half = &chunk.data[..chunk.data.len() / 2];
        for (events, data) in [(3, &chunk.data[..]), (2, half), (2, b"garbage"), (2, b"")] {
            assert!(unpack(EventSeq(9), events, data).is_err(), "{events} {data:?}");
        }
    }
}
