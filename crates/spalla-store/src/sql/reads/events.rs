//! Reads of events.

use super::SqlReads;
use crate::sql::driver::Reader;
use crate::sql::row::{Fields, each, event, row};
use crate::sql::statements::event as sql;
use crate::tx::Result;
use crate::view::EventFilter;
use spalla_domain::EventSeq;
use spalla_domain::event::Event;

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_events(&self, filter: EventFilter, limit: u32) -> Result<Vec<Event>> {
        let EventFilter { project_id, run_id, after } = filter;
        let after = after.unwrap_or(EventSeq(0));
        let (statement, scalars) = match (run_id, project_id) {
            (Some(run), project) => (&sql::LIST_OF_RUN, row![run, after, project, limit]),
            (None, Some(project)) => (&sql::LIST_OF_PROJECT, row![project, after, limit]),
            (None, None) => (&sql::LIST, row![after, limit]),
        };
        each("event", self.rows(statement, scalars).await?, event::read)
    }

    pub(super) async fn newest_number(&self) -> Result<EventSeq> {
        let row = self.rows(&sql::NEWEST, vec![]).await?.into_iter().next().unwrap_or_default();
        Fields::new("event", row).id("seq")
    }
}
