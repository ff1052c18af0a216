//! A map for ids that are given out in ascending order, nearly without gaps: a lookup mostly finds its place by
//! counting. A history looks things up several times for each event, and simulations read many histories.

use spalla_domain::{ApprovalId, RunId, WorkItemId};

/// An id that is a number.
pub(super) trait Number: Copy + Ord {
    /// Returns the number.
    fn number(self) -> i64;
}

macro_rules! numbers {
    ($($id:ident),*) => {$(
        impl Number for $id {
            fn number(self) -> i64 {
                self.0
            }
        }
    )*};
}

numbers!(ApprovalId, RunId, WorkItemId);

/// Values by their ids, in ascending order.
#[derive(Debug, Clone)]
pub(super) struct Shelf<K, V> {
    rows: Vec<(K, V)>,
}

impl<K: Number, V> Shelf<K, V> {
    /// Makes an empty one.
    pub(super) const fn new() -> Self {
        Self { rows: vec![] }
    }

    /// Finds the place of an id, or the place where it would be.
    fn place(&self, id: K) -> Result<usize, usize> {
        let Some((first, _)) = self.rows.first() else { return Err(0) };
        // Without gaps, an id stands as far from the first place as it is from the first id.
        let guess = usize::try_from(id.number().wrapping_sub(first.number())).unwrap_or(usize::MAX);
        match self.rows.get(guess) {
            Some((there, _)) if *there == id => Ok(guess),
            _ if self.rows.last().is_some_and(|(last, _)| *last < id) => Err(self.rows.len()),
            _ => self.rows.binary_search_by_key(&id, |(id, _)| *id),
        }
    }

    pub(super) fn get(&self, id: K) -> Option<&V> {
        self.place(id).ok().map(|place| &self.rows[place].1)
    }

    pub(super) fn get_mut(&mut self, id: K) -> Option<&mut V> {
        self.place(id).ok().map(|place| &mut self.rows[place].1)
    }

    /// Puts a value there; returns the one that was there before.
    pub(super) fn insert(&mut self, id: K, value: V) -> Option<V> {
        match self.place(id) {
            Ok(place) => Some(std::mem::replace(&mut self.rows[place].1, value)),
            Err(place) => {
                self.rows.insert(place, (id, value));
                None
            }
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.rows.iter().map(|(id, value)| (*id, value))
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.rows.iter_mut().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_any_order_is_found_and_stands_in_order() {
        let mut shelf = Shelf::new();
        let ids = [7, 8, 9, 30, 31, 12, 2, i64::MAX, i64::MIN, 8];
        let before: Vec<_> = ids.iter().map(|id| shelf.insert(RunId(*id), *id)).collect();
        assert_eq!(before.iter().flatten().collect::<Vec<_>>(), [&8]);
        assert!(ids.iter().all(|id| shelf.get(RunId(*id)) == Some(id)));
        assert!([0, 6, 10, 29, 32].iter().all(|id| shelf.get(RunId(*id)).is_none()));
        assert!(shelf.iter().map(|(id, _)| id).is_sorted());
        assert_eq!(shelf.len(), ids.len() - 1);
        shelf.values_mut().for_each(|value| *value = 0);
        assert_eq!(shelf.get_mut(RunId(9)), Some(&mut 0));
    }
}
