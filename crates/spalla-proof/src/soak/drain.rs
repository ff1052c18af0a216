//! The end of the load: everything that was submitted comes to its end, within bounds.

use super::rest::{Rest, Wish};
use super::site::Site;
use anyhow::{Context as _, Result, bail};
use std::time::Duration;
use tokio::time::Instant;

/// Longer than any lease, step or backoff of the soak: without progress for this long, what is left waits for a moment
/// that a stepped clock put into the future.
const STUCK: Duration = Duration::from_secs(8);
/// Past this the soak has failed, whatever still happens.
const DRAINED_WITHIN: Duration = Duration::from_secs(300);
/// Further ahead than any clock of the soak ever was.
const AHEAD: &str = "+2h";
const LOOK: Duration = Duration::from_millis(500);

/// How the load drained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drained {
    /// How long it took.
    pub(crate) took: Duration,
    /// How many items waited for a moment up to two hours ahead; the servers' clocks were stepped there.
    pub(crate) waited_for_clock: u64,
}

/// Waits until nothing is queued or running any more.
pub(crate) async fn drain(site: &mut Site, rest: &Rest) -> Result<Drained> {
    let begun = Instant::now();
    let (mut least, mut progress_at, mut waited_for_clock) = (u64::MAX, begun, 0);
    loop {
        let open = count(rest, "queued").await? + count(rest, "running").await?;
        if open == 0 {
            return Ok(Drained { took: begun.elapsed(), waited_for_clock });
        }
        if open < least {
            (least, progress_at) = (open, Instant::now());
        }
        if begun.elapsed() > DRAINED_WITHIN {
            bail!("{open} work items came to no end within {DRAINED_WITHIN:?}");
        }
        if progress_at.elapsed() > STUCK {
            if waited_for_clock > 0 || site.clock_library.is_none() {
                bail!("{open} work items are stuck: nothing happened for {STUCK:?}");
            }
            eprintln!("soak: {open} items wait for a moment in the future; stepping the clocks by {AHEAD}");
            (waited_for_clock, progress_at) = (open, Instant::now());
            for number in 0..site.servers.len() {
                site.kill_server(number).await?;
                site.serve(number, Some(AHEAD)).await?;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Counts the work items in a state.
pub(crate) async fn count(rest: &Rest, status: &str) -> Result<u64> {
    let wish = Wish::get(format!("/work-items/?status={status}&limit=1&count=true"));
    rest.obtain(&wish).await?.total.context("no X-Total-Count")
}
