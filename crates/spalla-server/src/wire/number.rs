//! Whole numbers of requests, checked against their range while they are read, so that an error names the member.

use serde::de::{self, Error as _, Visitor};
use serde::{Deserialize, Deserializer};
use spalla_domain::claim::CLAIM_RUNS_MAX;
use spalla_domain::id::ID_MAX;
use spalla_domain::work_item::PRIORITY_MAX;
use std::fmt;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// A whole number within a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number<const MIN: i64, const MAX: i64>(i64);

/// An id.
pub(crate) type IdNumber = Number<1, ID_MAX>;
/// A fencing token, the number of an event or of a log line, or a count.
pub(crate) type Ordinal = Number<0, ID_MAX>;
/// The version of a vision.
pub(crate) type VersionNumber = Number<1, { u32::MAX as i64 }>;
/// How many lines are wanted.
pub(crate) type LineCount = Number<1, ID_MAX>;
/// A priority; 9 is the most urgent.
pub(crate) type Priority = Number<0, { PRIORITY_MAX as i64 }>;
/// How many runs are claimed at once.
pub(crate) type ClaimMax = Number<1, { CLAIM_RUNS_MAX as i64 }>;
/// How many runs are claimed at the end of an exchange, which may be none.
pub(crate) type ExchangeMax = Number<0, { CLAIM_RUNS_MAX as i64 }>;
/// The exit status of a process.
pub(crate) type ExitCode = Number<{ i32::MIN as i64 }, { i32::MAX as i64 }>;
/// The number of a recipe's step.
pub(crate) type StepNumber = Number<0, { u32::MAX as i64 }>;
/// How many times a failed run is tried again.
pub(crate) type Retries = Number<0, 1_000>;
/// How many tokens a run may use.
pub(crate) type Tokens = Number<1, { u32::MAX as i64 }>;

/// A sum of US dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Dollars(f64);

impl Dollars {
    /// Returns the sum.
    pub(crate) const fn get(self) -> f64 {
        self.0
    }
}

impl<'de> Deserialize<'de> for Dollars {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sum = f64::deserialize(deserializer)?;
        if sum >= 0.0 { Ok(Self(sum)) } else { Err(D::Error::custom(format!("{sum} is below 0"))) }
    }
}

impl PartialSchema for Dollars {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(SchemaType::Type(Type::Number)).minimum(Some(0)).into()
    }
}

impl ToSchema for Dollars {}

/// The id in a path, for the document.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the path is read by `Id`; this describes it")]
pub(crate) struct IdInPath {
    /// The id.
    #[param(inline)]
    id: IdNumber,
}

impl<const MIN: i64, const MAX: i64> Number<MIN, MAX> {
    /// Returns the number.
    pub(crate) const fn get(self) -> i64 {
        self.0
    }

    /// Returns the number as one that is not negative; ranges that begin below 0 have no use for it.
    pub(crate) fn unsigned(self) -> u64 {
        self.0.unsigned_abs()
    }

    /// Returns the number in 32 bits with a sign; ranges that go beyond stop at zero.
    pub(crate) fn signed(self) -> i32 {
        i32::try_from(self.0).unwrap_or_default()
    }

    /// Returns the number in 32 bits; ranges that end above that stop at the largest.
    pub(crate) fn small(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Number<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = deserializer.deserialize_i64(Whole)?;
        if (MIN..=MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(D::Error::custom(format!("{number} is not between {MIN} and {MAX}")))
        }
    }
}

/// The largest number that is read with a point in it: beyond 2^53 a float may stand for its neighbour, another id.
const POINTED_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads a whole number however JSON writes it: `4.0` is one too.
struct Whole;

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<i64, E> {
        Ok(i64::try_from(number).unwrap_or(i64::MAX))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<i64, E> {
        if number.fract() == 0.0 && number.abs() <= POINTED_MAX {
            Ok(number as i64)
        } else {
            Err(E::invalid_type(de::Unexpected::Float(number), &self))
        }
    }
}

impl<const MIN: i64, const MAX: i64> PartialSchema for Number<MIN, MAX> {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::Integer))
            .minimum(Some(MIN))
            .maximum(Some(MAX))
            .into()
    }
}

impl<const MIN: i64, const MAX: i64> ToSchema for Number<MIN, MAX> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_outside_its_range_or_with_a_fraction_is_refused() {
        let read = |text| serde_json::from_str::<Priority>(text).map(Number::get);
        assert_eq!([read("9").unwrap(), read("4.0").unwrap()], [9, 4]);
        assert_eq!(read("10").unwrap_err().to_string(), "10 is not between 0 and 9");
        let read_id = |text| serde_json::from_str::<IdNumber>(text).map(Number::get).ok();
        assert_eq!(read_id("7818518982526121"), Some(7_818_518_982_526_121));
        assert_eq!(
            [read_id("7818518982526121.0"), read_id("9007199254740993.0")],
            [Some(7_818_518_982_526_121), None],
            "as it is written, or not at all"
        );
        for bad in ["-1", "1.5", "\"1\"", "null", "1e30", "99999999999999999999"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
