//! The one place where the clock is read.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns the milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a server that stands alone has no one to hand it the time")]
pub(crate) fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}
