//! The one place where the program reads the clock and asks for randomness; everything below gets both handed in.

use crate::failure::{Failure, Result};
use rand::TryRng as _;
use rand::rngs::SysRng;
use spalla_domain::Timestamp;
use spalla_store::{Clock, Randomness};
use std::time::{SystemTime, UNIX_EPOCH};
use zeroize::Zeroizing;

/// The clock of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is handed in everywhere else")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// The random numbers of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn next(&self) -> u64 {
        rand::random()
    }
}

/// Returns `words` times 64 random bits as hexadecimal digits.
pub(crate) fn random_hex(words: usize) -> String {
    (0..words).map(|_| format!("{:016x}", SystemRandomness.next())).collect()
}

/// Returns random bytes of the operating system, for keys.
pub(crate) fn system_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>> {
    let mut bytes = Zeroizing::new([0; N]);
    SysRng
        .try_fill_bytes(&mut *bytes)
        .map_err(|error| Failure::failed(format!("asking the system for random bytes: {error}")))?;
    Ok(bytes)
}

/// Returns the present moment in the person's time zone as `YYYYMMDD_HHMMSS`.
pub(crate) fn stamp() -> String {
    let now = jiff::Timestamp::from_millisecond(SystemClock.now().ms()).unwrap_or_default();
    now.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y%m%d_%H%M%S").to_string()
}
