//! Money in millionths of a dollar: exact, as decimals are and floating point is not.

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Millionths in one dollar.
const PER_USD: u64 = 1_000_000;
/// The decimals of a dollar that are kept.
const DECIMALS: usize = 6;
/// The most money, in millionths: just below a billion dollars, which are the fifteen digits that a JSON number keeps
/// exactly wherever it is read.
pub const MICRO_USD_MAX: u64 = 999_999_999_999_999;

/// An amount of money that is not negative, a plain decimal number on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct MicroUsd(u64);

impl MicroUsd {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The largest amount.
    pub const MAX: Self = Self(MICRO_USD_MAX);

    /// Makes an amount from millionths of a dollar; none when it is too large.
    pub const fn from_micros(micros: u64) -> Option<Self> {
        if micros <= MICRO_USD_MAX { Some(Self(micros)) } else { None }
    }

    /// Makes an amount from dollars as a program measured them, rounded up; none when it is negative or no number.
    pub fn from_usd(usd: f64) -> Option<Self> {
        let micros = (usd * PER_USD as f64).ceil();
        // Above 2^53 a float holds no odd numbers any more, and the largest amount is far below.
        if usd >= 0.0 { Self::from_micros(micros as u64) } else { None }
    }

    /// Returns the millionths of a dollar.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Returns the sum; it stops at the largest amount instead of wrapping.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let sum = self.0.saturating_add(other.0);
        if sum > MICRO_USD_MAX { Self(MICRO_USD_MAX) } else { Self(sum) }
    }
}

impl fmt::Display for MicroUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / PER_USD, self.0 % PER_USD);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let decimals = format!("{part:06}");
        write!(f, "{whole}.{}", decimals.trim_end_matches('0'))
    }
}

impl FromStr for MicroUsd {
    type Err = String;

    /// Reads a plain decimal such as `12`, `0.25` or `3.000001`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let is_digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(part) {
            return Err(format!(
                "{text:?} is no amount of dollars: it is a decimal such as 0.25, not negative"
            ));
        }
        let part = part.trim_end_matches('0');
        if part.len() > DECIMALS {
            return Err(format!(
                "{text} has more than {DECIMALS} decimals; a millionth of a dollar is the smallest"
            ));
        }
        let micros = format!("{whole}{part:0<DECIMALS$}").parse().ok();
        micros
            .and_then(Self::from_micros)
            .ok_or_else(|| format!("{text} is too much: at most {} fit", Self(MICRO_USD_MAX)))
    }
}

impl Serialize for MicroUsd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(PER_USD) {
            return serializer.serialize_u64(self.0 / PER_USD);
        }
        // At most fifteen digits: the nearest double is written with these digits again.
        serializer.serialize_f64(self.0 as f64 / PER_USD as f64)
    }
}

impl<'de> Deserialize<'de> for MicroUsd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number)
    }
}

/// Reads a number as the decimal that was written: the shortest that means the same double.
struct Number;

impl Visitor<'_> for Number {
    type Value = MicroUsd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of dollars, not negative, with at most six decimals")
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<MicroUsd, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<MicroUsd, E> {
        number.to_string().parse().map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<MicroUsd, E> {
        // A negative zero is zero.
        (number + 0.0).to_string().parse().map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_exact_decimals() {
        for (text, micros) in [("0", 0), ("0.1", 100_000), ("12.000001", 12_000_001), ("007.50", 7_500_000)] {
            assert_eq!(text.parse(), Ok(MicroUsd(micros)), "{text}");
        }
        for (json, micros) in [("0.1", 100_000), ("3", 3_000_000), ("1.5e2", 150_000_000), ("-0.0", 0)] {
            assert_eq!(serde_json::from_str::<MicroUsd>(json).unwrap(), MicroUsd(micros), "{json}");
        }
        assert_eq!(MicroUsd(12_000_001).to_string(), "12.000001");
        assert_eq!(MicroUsd(100_000).to_string(), "0.1");
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            "-1",
            "NaN",
            "inf",
            "1e3",
            "1.",
            ".5",
            "0.0000001",
            "1000000000",
            "1,5",
            " 1",
            "99999999999999999999",
        ] {
            assert!(text.parse::<MicroUsd>().is_err(), "{text}");
        }
        for json in ["-1", "-0.5", "0.30000000000000004", "1e300", "\"1\"", "null", "true"] {
            assert!(serde_json::from_str::<MicroUsd>(json).is_err(), "{json}");
        }
        for number in [f64::NAN, f64::INFINITY] {
            assert!(Number.visit_f64::<serde_json::Error>(number).is_err(), "{number}");
        }
    }

    proptest! {
        #[test]
        fn every_amount_is_read_back_as_it_was_written(micros in 0..=MICRO_USD_MAX) {
            let amount = MicroUsd(micros);
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
            let json = serde_json::to_string(&amount).unwrap();
            prop_assert_eq!(serde_json::from_str::<MicroUsd>(&json).unwrap(), amount, "{}", json);
        }
    }
}
