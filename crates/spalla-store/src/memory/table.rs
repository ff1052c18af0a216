//! An ordered map that remembers what it was, until it is committed.

use std::collections::BTreeMap;
use std::collections::btree_map::{Range, Values};
use std::ops::RangeBounds;

/// An ordered map with one level of undo.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    undo: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), undo: vec![] }
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    /// Puts a row in; returns whether there was none with its key.
    pub(crate) fn put(&mut self, key: K, value: V) -> bool {
        let old = self.rows.insert(key.clone(), value);
        let is_new = old.is_none();
        self.undo.push((key, old));
        is_new
    }

    /// Takes a row out.
    pub(crate) fn take(&mut self, key: &K) -> Option<V> {
        let old = self.rows.remove(key)?;
        self.undo.push((key.clone(), Some(old.clone())));
        Some(old)
    }

    /// Returns a row.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    /// Returns the rows in the order of their keys.
    pub(crate) fn values(&self) -> Values<'_, K, V> {
        self.rows.values()
    }

    /// Returns the rows of a range of keys.
    pub(crate) fn range(&self, range: impl RangeBounds<K>) -> Range<'_, K, V> {
        self.rows.range(range)
    }

    /// Returns the last row.
    pub(crate) fn last(&self) -> Option<(&K, &V)> {
        self.rows.last_key_value()
    }

    /// Forgets what it was.
    pub(crate) fn commit(&mut self) {
        self.undo.clear();
    }

    /// Becomes what it was.
    pub(crate) fn roll_back(&mut self) {
        while let Some((key, old)) = self.undo.pop() {
            match old {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roll_back_undoes_everything_since_the_commit() {
        let mut table = Table::default();
        table.put(1, 'a');
        table.commit();
        table.put(1, 'b');
        table.put(2, 'c');
        table.take(&1);
        table.roll_back();
        assert_eq!(table.range(..).map(|(k, v)| (*k, *v)).collect::<Vec<_>>(), [(1, 'a')]);
    }
}
