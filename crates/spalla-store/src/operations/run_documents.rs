//! What has to be known of a run only while it goes on, such as what was told of it already: it goes some time after its run.
//!
//! The clock does that and not the run's end, so that the runs of which nothing is kept, nearly all of them, cost nothing.

use crate::desk::Desk;
use crate::document::{Document, Kept};
use crate::tx::{Result, Tx};
use spalla_domain::RunId;

/// After what time it is looked whether the run is over, again and again, in milliseconds: an hour.
const LOOK_AFTER_MS: i64 = 3_600_000;

/// Writes a new or changed document of a run that is not over.
pub(crate) fn keep<T: Tx, K: Kept>(desk: &mut Desk<'_, T>, kept: &K) -> Result<()> {
    let look_at = desk.context.now.plus_ms(LOOK_AFTER_MS);
    desk.keep_until(kept, look_at)
}

/// Removes a document whose run is over; looks again later where it is not. Tells whether it went.
pub(crate) async fn come_due<T: Tx>(desk: &mut Desk<'_, T>, document: Document) -> Result<bool> {
    // Without a lock on the item: whoever reports on a run has that one first and this document then.
    let ended = desk.tx.ended_runs(&[RunId(document.owner)]).await?;
    if ended.is_empty() {
        let look_at = desk.context.now.plus_ms(LOOK_AFTER_MS);
        desk.put(Document { due_at: Some(look_at), ..document });
        return Ok(false);
    }
    desk.remove(document.kind, document.id);
    Ok(true)
}
