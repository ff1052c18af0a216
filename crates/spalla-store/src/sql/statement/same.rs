//! Which columns of a call's rows hold the same in every row. Postgres is given each of those once instead of as an array: to
//! take an array apart costs it as much for a column as to write that column does.

use super::Row;

/// Columns, as bits: the first one is the lowest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Same(u64);

impl Same {
    /// No column.
    pub(crate) const NONE: Self = Self(0);

    /// Finds them. Of several rows one column is left to tell how many there are.
    pub(crate) fn of(rows: &[Row]) -> Self {
        let Some((first, others)) = rows.split_first() else { return Self::NONE };
        if first.len() > u64::BITS as usize {
            return Self::NONE;
        }
        let is_same = |at: &usize| others.iter().all(|row| row.get(*at) == first.get(*at));
        let same = (0..first.len()).filter(is_same).fold(0, |same, at| same | (1 << at));
        let counts = first.len() - (u64::count_ones(same) as usize) == 0 && !others.is_empty();
        Self(if counts { same & !1 } else { same })
    }

    /// Tells whether a column is one of them.
    pub(crate) const fn has(self, at: usize) -> bool {
        at < u64::BITS as usize && self.0 & (1 << at) != 0
    }

    /// Returns of several sets the one to use for rows of which these columns are the same: the largest that claims no
    /// other column.
    pub(crate) fn closest(self, known: impl IntoIterator<Item = Self>) -> Self {
        let fitting = known.into_iter().filter(|known| known.0 & !self.0 == 0);
        fitting.max_by_key(|known| known.0.count_ones()).unwrap_or(Self::NONE)
    }
}

#[cfg(test)]
mod tests {
    //! Which columns are the same.

    use super::Same;
    use crate::sql::row::row;
    use crate::sql::statement::Row;

    fn same(rows: &[Row]) -> Vec<usize> {
        let same = Same::of(rows);
        (0..70).filter(|at| same.has(*at)).collect()
    }

    #[test]
    fn a_column_is_the_same_where_no_row_differs() {
        assert_eq!(same(&[row![1, "a", None::<i64>], row![2, "a", None::<i64>]]), [1, 2]);
        assert_eq!(same(&[row![1, "a", None::<i64>], row![2, "b", 0]]), [0; 0]);
        assert_eq!(same(&[row![1, "a"]]), [0, 1]);
        assert_eq!(same(&[]), [0; 0]);
    }

    #[test]
    fn rows_that_are_all_alike_are_still_counted() {
        assert_eq!(same(&[row![1, 2], row![1, 2]]), [1]);
    }

    #[test]
    fn more_columns_than_there_are_bits_are_all_told_apart() {
        assert_eq!(same(&[vec![1.into(); 65]]), [0; 0]);
        assert_eq!(same(&[vec![1.into(); 64]]).len(), 64);
    }

    #[test]
    fn the_closest_set_is_the_largest_that_claims_nothing_else() {
        let [none, first, last] = [Same::NONE, Same(0b001), Same(0b110)];
        assert_eq!(Same(0b111).closest([none, first, last]), last);
        assert_eq!(Same(0b101).closest([none, first, last]), first);
        assert_eq!(Same(0b010).closest([first, last]), none);
    }
}
