//! How many lines of a log are read at once: more after short ones, fewer after long ones, so that neither a long log
//! nor long lines are ever in memory as a whole.

/// How many lines are read at once at most.
const MAX: u64 = 2_000;
/// How many are read first, while nobody knows how long they are: together they are a mebibyte at most.
const FIRST: u64 = 16;
/// What a page of short lines may grow to, in bytes.
const BYTES: u64 = 256 * 1024;

/// The length of the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PageLines(u64);

impl PageLines {
    /// Begins with a short page.
    pub(crate) const fn new() -> Self {
        Self(FIRST)
    }

    /// Returns how many lines the next page has.
    pub(crate) const fn get(self) -> u64 {
        self.0
    }

    /// Takes note of how many bytes a page had.
    pub(crate) fn learn(&mut self, bytes: u64) {
        let lines = if bytes > BYTES { self.0 / 2 } else { self.0 * 2 };
        self.0 = lines.clamp(FIRST, MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_grow_while_lines_are_short_and_shrink_when_they_are_long() {
        let after = |lines: u64, bytes: u64| {
            let mut page = PageLines(lines);
            page.learn(bytes);
            page.get()
        };
        assert_eq!(after(FIRST, 100), 2 * FIRST);
        assert_eq!(after(MAX, BYTES), MAX);
        assert_eq!(after(MAX, BYTES + 1), MAX / 2);
        assert_eq!(after(FIRST, u64::MAX), FIRST);
    }
}
