//! One client's way through a log: first from the store, then live, and from the store again whenever it fell behind.
//! Its own cursor makes the seams exact: no line is missed and none comes twice.

use super::feed::{Feed, Message, Next};
use super::log_stream::{Lines, LiveLine, LogStream, Topic};
use super::page_lines::PageLines;
use super::places::Place;
use crate::problem::Problem;
use spalla_domain::RunId;
use spalla_store::StoreError;
use std::sync::Arc;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Where a client begins, and whether it stays when there is nothing more to come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// The run.
    pub(crate) run_id: RunId,
    /// The number of the first line that it wants.
    pub(crate) from: i64,
    /// Whether it stays when the run is over.
    pub(crate) stays: bool,
}

/// One client's way through a log.
pub(crate) struct LogSubscription {
    stream: LogStream,
    topic: Arc<Topic>,
    live: broadcast::Receiver<Lines>,
    start: Start,
    /// The number of the next line.
    cursor: i64,
    /// Whether the store may have lines from the cursor on that do not come live.
    is_behind: bool,
    /// Whether the line before the cursor is known to be there, so that others can be told of the cursor.
    is_anchored: bool,
    page: PageLines,
    /// Holds the client's place among those that the server bears.
    _place: Place,
}

impl LogSubscription {
    /// Begins with the line of a number.
    pub(crate) async fn begin(stream: &LogStream, place: Place, start: Start) -> Result<Self, Problem> {
        let run = stream.store.read().run(start.run_id).await?;
        run.ok_or_else(|| Problem::not_found("run", start.run_id))?;
        // First listen, then look: what comes in between comes both ways, and the cursor drops one of them.
        let (topic, live) = stream.join(start.run_id)?;
        Ok(Self {
            stream: stream.clone(),
            topic,
            live,
            start,
            cursor: start.from,
            is_behind: true,
            is_anchored: start.from == 0,
            page: PageLines::new(),
            _place: place,
        })
    }

    /// Tells whether the run is over and the client has every line.
    pub(crate) async fn is_complete(&self) -> Result<bool, StoreError> {
        let run_id = self.start.run_id;
        let is_over = self.stream.ended(run_id).await?.is_some();
        Ok(is_over && self.stream.lines(run_id, self.cursor, PageLines::new()).await?.is_empty())
    }

    /// Reads on from the store; none where it has nothing more for now.
    async fn read_on(&mut self) -> Result<Option<Next>, StoreError> {
        // The end of the run is looked for before its lines: what is read afterwards is then all of them.
        let ended = self.stream.ended(self.start.run_id).await?;
        let records = self.stream.lines(self.start.run_id, self.cursor, self.page).await?;
        self.page.learn(records.iter().map(|record| record.text.len() as u64).sum());
        let lines: Vec<LiveLine> = records.into_iter().map(LiveLine::new).collect();
        let messages = self.take(&lines);
        if !messages.is_empty() {
            return Ok(Some(Next::Messages(messages)));
        }
        if let Some(run) = ended {
            if self.start.stays {
                std::future::pending::<()>().await;
            }
            return Ok(Some(Next::Over(format!("the run is over: {}", run.status.as_str()))));
        }
        let known = self.anchor().await?;
        self.is_behind = false;
        self.topic.caught_up(known);
        Ok(None)
    }

    /// Returns the number of a line before which all are there. A client may ask for a line that nobody has written yet.
    async fn anchor(&mut self) -> Result<i64, StoreError> {
        if !self.is_anchored {
            let before = self.stream.lines(self.start.run_id, self.cursor - 1, PageLines::new()).await?;
            self.is_anchored = !before.is_empty();
        }
        Ok(if self.is_anchored { self.cursor } else { 0 })
    }

    fn take(&mut self, lines: &[LiveLine]) -> Vec<Message> {
        let fresh =
            lines.iter().filter(|line| line.seq >= self.cursor).map(|line| line.message.clone()).collect();
        if let Some(last) = lines.last().filter(|last| last.seq >= self.cursor) {
            self.cursor = last.seq + 1;
            self.is_anchored = true;
        }
        fresh
    }
}

impl Feed for LogSubscription {
    async fn next(&mut self) -> Result<Next, StoreError> {
        loop {
            if self.is_behind {
                match self.read_on().await? {
                    Some(next) => return Ok(next),
                    None => continue,
                }
            }
            match self.live.recv().await {
                Ok(lines) if lines.first().is_some_and(|first| first.seq <= self.cursor) => {
                    let messages = self.take(&lines);
                    if !messages.is_empty() {
                        return Ok(Next::Messages(messages));
                    }
                }
                // The log is complete, or lines are missing in between: the store knows.
                Ok(_) | Err(RecvError::Lagged(_)) => self.is_behind = true,
                // Not while the topic is held.
                Err(RecvError::Closed) => return Ok(Next::Closed),
            }
        }
    }
}
