//! A vector of a text, and how alike two of them are.

/// How many values a vector has.
pub const DIMENSIONS: usize = 256;

/// What a text is about: a direction, in whole numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    /// The direction, its greatest part being 127 or -127; all 0 where no word of the text is known.
    pub values: [i8; DIMENSIONS],
    /// What the values are multiplied with to give it length 1; 0 where they are all 0.
    pub scale: f32,
}

impl Vector {
    /// Makes a vector of the values of a direction, as they were kept.
    #[must_use]
    pub fn of(values: [i8; DIMENSIONS]) -> Self {
        let squares = dot(&values, &values);
        // Division and square root are rounded in one way on every machine.
        let scale = if squares == 0 { 0.0 } else { 1.0 / (squares as f32).sqrt() };
        Self { values, scale }
    }

    /// Makes a vector of a sum of words: its greatest part becomes 127.
    pub(crate) fn of_sum(sum: &[i32; DIMENSIONS]) -> Self {
        let greatest = sum.iter().map(|value| i64::from(value.unsigned_abs())).max().unwrap_or_default();
        if greatest == 0 {
            return Self { values: [0; DIMENSIONS], scale: 0.0 };
        }
        let mut values = [0; DIMENSIONS];
        // One division for all; 2^40 leaves more digits than a byte can tell.
        let factor = (127_i64 << 40) / greatest;
        for (value, sum) in values.iter_mut().zip(sum) {
            let rounded = (i64::from(*sum) * factor + (1 << 39)) >> 40;
            *value = i8::try_from(rounded.clamp(-127, 127)).unwrap_or_default();
        }
        Self::of(values)
    }

    /// Returns how alike two texts are: 1 for one direction, 0 for nothing in common, and where a text has no known word.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> f32 {
        dot(&self.values, &other.values) as f32 * self.scale * other.scale
    }
}

fn dot(one: &[i8; DIMENSIONS], other: &[i8; DIMENSIONS]) -> i32 {
    one.iter().zip(other).map(|(one, other)| i32::from(i16::from(*one) * i16::from(*other))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(at: usize, value: i32) -> [i32; DIMENSIONS] {
        let mut sum = [0; DIMENSIONS];
        sum[at] = value;
        sum
    }

    #[test]
    fn a_direction_is_kept_and_a_length_is_not() {
        let (short, long) = (Vector::of_sum(&axis(3, 1)), Vector::of_sum(&axis(3, i32::MAX)));
        assert_eq!(short, long);
        assert_eq!((short.values[3], short.cosine(&long)), (127, 1.0));
        assert_eq!(Vector::of_sum(&axis(3, i32::MIN)).values[3], -127);
    }

    #[test]
    fn opposite_and_foreign_directions_are_told_apart() {
        let up = Vector::of_sum(&axis(0, 5));
        assert_eq!(up.cosine(&Vector::of_sum(&axis(0, -9))), -1.0);
        assert_eq!(up.cosine(&Vector::of_sum(&axis(1, 5))), 0.0);
        assert_eq!(up.cosine(&Vector::of_sum(&[0; DIMENSIONS])), 0.0);
    }
}
