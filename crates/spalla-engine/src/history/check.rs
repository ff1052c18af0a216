//! Checks a whole store: reads its log and then its rows, a page at a time.

use super::law::Findings;
use super::rows::Rows;
use super::{Counts, History, Rules, Violation};
use serde::Serialize;
use spalla_domain::EventSeq;
use spalla_domain::work_item::Status;
use spalla_store::view::{EventFilter, Page, QueueFilter, RunFilter, WorkItemFilter};
use spalla_store::{Read, Result};

/// How many events are read at once.
const EVENTS_PAGE: u32 = 5_000;
/// How many rows with texts are read at once: a work item may bear a long prompt.
const ROWS_PAGE: u32 = 500;
/// How many queue entries are read at once. They have no cursor, so that a page costs all that come before it.
const ENTRIES_PAGE: u32 = 10_000;
/// How often the rows are read anew when the log has grown meanwhile.
const TRIES: u32 = 3;

/// What was found in a store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How much was read.
    #[serde(flatten)]
    pub counts: Counts,
    /// Whether the rows could be compared with the log: not so while the store keeps changing.
    pub rows_compared: bool,
    /// How many violations there are.
    pub violation_count: u64,
    /// The first thousand of them.
    pub violations: Vec<Violation>,
}

impl Report {
    /// Tells whether no law is broken.
    pub const fn is_good(&self) -> bool {
        self.violation_count == 0
    }
}

/// Checks the whole log of a store and its rows. `drained` says that everything that could run has run.
pub async fn check(read: &dyn Read, rules: Rules, drained: bool) -> Result<Report> {
    let mut history = History::new(rules);
    let rows_compared = history.finish(read, drained).await?;
    Ok(Report {
        counts: history.counts(),
        rows_compared,
        violation_count: history.violation_count(),
        violations: history.findings.kept,
    })
}

impl History {
    /// Takes what of the log was not taken yet, and compares the end with the store's rows. Tells whether it could:
    /// while the store keeps changing, its rows belong to no one point of the log.
    pub async fn finish(&mut self, read: &dyn Read, drained: bool) -> Result<bool> {
        for _ in 0..TRIES {
            self.catch_up(read).await?;
            let findings = self.compare(read).await?;
            if read.newest_event().await? == self.newest.unwrap_or(EventSeq(0)) {
                self.findings.append(findings);
                if drained {
                    self.check_drained();
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes all events after the newest that was taken.
    pub async fn catch_up(&mut self, read: &dyn Read) -> Result<()> {
        loop {
            let filter = EventFilter { after: self.newest, ..EventFilter::default() };
            let page = read.events(filter, EVENTS_PAGE).await?;
            if page.is_empty() {
                self.settle();
                return Ok(());
            }
            page.iter().for_each(|event| self.take(event));
        }
    }

    async fn compare(&mut self, read: &dyn Read) -> Result<Findings> {
        let mut rows = Rows::new(self);
        for status in [None, Some(Status::Archived)] {
            let filter = WorkItemFilter { status, ..WorkItemFilter::default() };
            let mut before = None;
            loop {
                let page = read.work_items(filter.clone(), below(before)).await?;
                let Some(last) = page.last() else { break };
                before = Some(last.item.id.0);
                page.iter().for_each(|view| rows.work_item(view));
            }
        }
        let mut before = None;
        loop {
            let page = read.runs(RunFilter::default(), below(before)).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.id.0);
            page.iter().for_each(|view| rows.run(view));
        }
        let mut before = None;
        loop {
            let page = read.approvals(None, false, below(before)).await?;
            let Some(last) = page.last() else { break };
            before = Some(last.approval.id.0);
            page.iter().for_each(|view| rows.approval(&view.approval));
        }
        let mut offset = 0;
        loop {
            let page = Page { limit: ENTRIES_PAGE, before: None, offset };
            let page = read.queue(QueueFilter::default(), page).await?;
            page.iter().for_each(|view| rows.entry(view));
            if page.len() < ENTRIES_PAGE as usize {
                return Ok(rows.end());
            }
            offset += ENTRIES_PAGE;
        }
    }
}

const fn below(before: Option<i64>) -> Page {
    Page { limit: ROWS_PAGE, before, offset: 0 }
}
