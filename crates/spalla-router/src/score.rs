//! Scores in whole millionths: the same sum on every machine, in whatever order it is made.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

/// One, in millionths.
const ONE: i64 = 1_000_000;
/// More than any score: what is beyond it is cut off, so that no sum overflows.
const LIMIT: i64 = 1_000_000 * ONE;

/// The version of how agents are scored; it is a part of an index's version, so that what another program scored otherwise is told
/// from what this one does. It grows with each change of a score.
pub(crate) const SCORING: u32 = 2;

/// A number with six decimals, from minus a million to a million; on the wire a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micro(i64);

impl Micro {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One.
    pub const ONE: Self = Self(ONE);

    /// Makes one of so many millionths.
    #[must_use]
    pub const fn of_millionths(millionths: i64) -> Self {
        if millionths > LIMIT {
            Self(LIMIT)
        } else if millionths < -LIMIT {
            Self(-LIMIT)
        } else {
            Self(millionths)
        }
    }

    /// Makes one of a number, rounded to the next millionth; what is no number is nothing.
    #[must_use]
    pub fn of(number: f64) -> Self {
        // A cast stops at the ends of its type, and makes 0 of what is no number.
        Self::of_millionths((number * ONE as f64).round() as i64)
    }

    /// Returns how many millionths it has.
    #[must_use]
    pub const fn millionths(self) -> i64 {
        self.0
    }

    /// Returns the number.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        // Rounded once, by a division that every machine does alike.
        self.0 as f64 / ONE as f64
    }

    /// Multiplies two numbers; what is below a millionth is dropped.
    #[must_use]
    pub const fn times(self, other: Self) -> Self {
        Self::of_millionths(((self.0 as i128 * other.0 as i128) / ONE as i128) as i64)
    }

    /// Divides by a whole number; by 0 it is nothing.
    #[must_use]
    pub const fn divided_by(self, count: u32) -> Self {
        if count == 0 { Self(0) } else { Self(self.0 / count as i64) }
    }

    /// Returns which part of another one it is; of nothing it is none.
    #[must_use]
    pub const fn share_of(self, whole: Self) -> Self {
        if whole.0 == 0 {
            return Self(0);
        }
        Self::of_millionths(((self.0 as i128 * ONE as i128) / whole.0 as i128) as i64)
    }
}

impl Add for Micro {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::of_millionths(self.0 + other.0)
    }
}

impl Sub for Micro {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::of_millionths(self.0 - other.0)
    }
}

impl AddAssign for Micro {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Micro {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Micro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.to_f64())
    }
}

impl Serialize for Micro {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.to_f64())
    }
}

impl<'de> Deserialize<'de> for Micro {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::of)
    }
}

/// Returns how much a trigger says that `few` of `all` agents have: 1 where one of many has it, near 0 where all do.
///
/// It is log((all + 1) / few) / log(all + 1), in whole numbers: a library's logarithm may differ in its last digit.
pub(crate) fn rarity(few: u32, all: u32) -> Micro {
    let all = u64::from(all) + 1;
    let few = u64::from(few.max(1));
    let whole = log2(all).max(1);
    Micro::of_millionths((whole - log2(few).min(whole)) * ONE / whole)
}

/// Returns the logarithm to base 2 in 2^-24; of 0, that of 1.
fn log2(number: u64) -> i64 {
    const BITS: u32 = 24;
    let Some(whole) = number.checked_ilog2() else { return 0 };
    // The number between 1 and 2, with 62 bits behind the point; squaring it gives one more bit of the logarithm each time.
    let mut rest =
        if whole <= 62 { u128::from(number) << (62 - whole) } else { u128::from(number) >> (whole - 62) };
    let mut bits = i64::from(whole);
    for _ in 0..BITS {
        rest = (rest * rest) >> 62;
        let is_two = rest >= 1 << 63;
        rest >>= u32::from(is_two);
        bits = bits << 1 | i64::from(is_two);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logarithm_is_right_to_its_last_digits() {
        for number in [1, 2, 3, 10, 1_000, 20_001, u64::MAX] {
            let found = log2(number) as f64 / f64::from(1 << 24);
            assert!((found - (number as f64).log2()).abs() < 1e-6, "{number}: {found}");
        }
    }

    #[test]
    fn what_few_have_says_more() {
        assert_eq!(rarity(1, 2_000), Micro::ONE);
        assert!(rarity(10, 2_000) > rarity(100, 2_000));
        assert!(rarity(2_000, 2_000) < Micro::of(0.001));
        assert_eq!((rarity(0, 0), rarity(5, 1)), (Micro::ONE, Micro::ZERO));
    }

    #[test]
    fn numbers_stay_within_their_bounds() {
        assert_eq!(Micro::of(f64::NAN), Micro::ZERO);
        assert_eq!(Micro::of(f64::INFINITY), Micro::of_millionths(i64::MAX));
        assert_eq!(Micro::of(f64::INFINITY) + Micro::of(1e9), Micro::of(1e6));
        assert_eq!(Micro::of(-1e9).times(Micro::of(1e9)), Micro::of(-1e6));
        assert_eq!(Micro::of(1.0).share_of(Micro::ZERO), Micro::ZERO);
        assert_eq!(serde_json::to_string(&Micro::of(0.1).times(Micro::of(3.0))).unwrap(), "0.3");
    }
}
