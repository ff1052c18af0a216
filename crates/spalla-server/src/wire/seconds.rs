//! Durations: seconds with fractions on the wire, milliseconds inside.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use spalla_domain::claim::LEASE_TTL_MS_RANGE;
use spalla_domain::retry::BACKOFF_MS_MAX;
use spalla_domain::work_item::TIMEOUT_MS_MAX;
use std::time::Duration;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A duration within a range given in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds<const MIN_MS: i64, const MAX_MS: i64>(i64);

/// The longest delay before an entry is due, in milliseconds: ten years, so that a mistaken unit shows at once.
pub(crate) const DELAY_MS_MAX: i64 = 10 * 365 * 86_400_000;
/// The longest a request waits for something to claim, in milliseconds: below what proxies commonly allow.
pub(crate) const WAIT_MS_MAX: i64 = 60_000;

/// How long a lease lasts.
pub(crate) type Ttl = Seconds<{ *LEASE_TTL_MS_RANGE.start() }, { *LEASE_TTL_MS_RANGE.end() }>;
/// How long a run may take.
pub(crate) type TimeLimit = Seconds<1, TIMEOUT_MS_MAX>;
/// How long an entry is not due.
pub(crate) type Delay = Seconds<0, DELAY_MS_MAX>;
/// How long a claim waits.
pub(crate) type Wait = Seconds<0, WAIT_MS_MAX>;
/// The base or the jitter of the wait before a retry.
pub(crate) type Backoff = Seconds<0, BACKOFF_MS_MAX>;

impl<const MIN_MS: i64, const MAX_MS: i64> Seconds<MIN_MS, MAX_MS> {
    /// Makes one of a duration that the server itself kept, whatever its range.
    pub(crate) const fn of_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Returns the duration in milliseconds.
    pub(crate) const fn ms(self) -> i64 {
        self.0
    }

    /// Returns the duration.
    pub(crate) fn duration(self) -> Duration {
        Duration::from_millis(self.0.unsigned_abs())
    }
}

impl<'de, const MIN_MS: i64, const MAX_MS: i64> Deserialize<'de> for Seconds<MIN_MS, MAX_MS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        let (min, max) = (MIN_MS as f64 / 1e3, MAX_MS as f64 / 1e3);
        if (min..=max).contains(&seconds) {
            Ok(Self((seconds * 1e3).round() as i64))
        } else {
            Err(D::Error::custom(format!("{seconds} is not between {min} and {max} seconds")))
        }
    }
}

impl<const MIN_MS: i64, const MAX_MS: i64> Serialize for Seconds<MIN_MS, MAX_MS> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 1_000 == 0 {
            serializer.serialize_i64(self.0 / 1_000)
        } else {
            serializer.serialize_f64(self.0 as f64 / 1e3)
        }
    }
}

impl<const MIN_MS: i64, const MAX_MS: i64> PartialSchema for Seconds<MIN_MS, MAX_MS> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Number))
            .minimum(Some(MIN_MS as f64 / 1e3))
            .maximum(Some(MAX_MS as f64 / 1e3))
            .into()
    }
}

impl<const MIN_MS: i64, const MAX_MS: i64> ToSchema for Seconds<MIN_MS, MAX_MS> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_milliseconds_and_whole_ones_are_written_without_a_fraction() {
        for (text, ms, back) in [("60", 60_000, "60"), ("0.25", 250, "0.25"), ("1e1", 10_000, "10")] {
            let wait: Wait = serde_json::from_str(text).unwrap();
            assert_eq!((wait.ms(), serde_json::to_string(&wait).unwrap().as_str()), (ms, back));
        }
    }

    #[test]
    fn a_duration_outside_its_range_is_refused() {
        for bad in ["60.001", "-1", "1e300", "\"5\"", "true"] {
            assert!(serde_json::from_str::<Wait>(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Ttl>("0.05").is_err());
    }
}
