//! What was loaded before it was asked for. On a shared database every answer costs a round trip, so what is sure to
//! be asked next is sent along with what is asked now. It holds until something is written.

use crate::tx::{Body, EdgeRow, Head, Placed};
use spalla_domain::WorkItemId;
use std::collections::{BTreeMap, BTreeSet};

/// Answers to questions to come. The rows behind them are locked, so they can't change meanwhile.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    heads: BTreeMap<WorkItemId, Head>,
    bodies: BTreeMap<WorkItemId, Body>,
    below: BTreeMap<WorkItemId, Vec<EdgeRow>>,
    picked: BTreeSet<WorkItemId>,
}

impl Ahead {
    /// Takes note of items that were picked.
    pub(super) fn note_picked(&mut self, picked: &[Placed]) {
        self.picked.extend(picked.iter().map(|placed| placed.id));
    }

    /// Returns the items that were picked and not looked at since, once.
    pub(super) fn take_picked(&mut self) -> Vec<WorkItemId> {
        std::mem::take(&mut self.picked).into_iter().collect()
    }

    /// Keeps heads.
    pub(super) fn keep_heads(&mut self, heads: Vec<Head>) {
        self.heads.extend(heads.into_iter().map(|head| (head.id, head)));
    }

    /// Keeps bodies.
    pub(super) fn keep_bodies(&mut self, bodies: Vec<Body>) {
        self.bodies.extend(bodies.into_iter().map(|body| (body.item.id, body)));
    }

    /// Keeps all edges below these items.
    pub(super) fn keep_edges_below(&mut self, items: impl Iterator<Item = WorkItemId>, edges: Vec<EdgeRow>) {
        self.below.extend(items.map(|item| (item, vec![])));
        for edge in edges {
            self.below.entry(edge.parent).or_default().push(edge);
        }
    }

    /// Returns the heads of these items, where all of them are here. They are asked for once.
    pub(super) fn heads(&mut self, ids: &[WorkItemId]) -> Option<Vec<Head>> {
        for id in ids {
            self.picked.remove(id);
        }
        let all = ids.iter().all(|id| self.heads.contains_key(id));
        all.then(|| ids.iter().filter_map(|id| self.heads.remove(id)).collect())
    }

    /// Returns the bodies of these items, where all of them are here. They are asked for once.
    pub(super) fn bodies(&mut self, ids: &[WorkItemId]) -> Option<Vec<Body>> {
        let all = ids.iter().all(|id| self.bodies.contains_key(id));
        all.then(|| ids.iter().filter_map(|id| self.bodies.remove(id)).collect())
    }

    /// Returns the edges below these items, where those of all are here. They are asked for once.
    pub(super) fn edges_below(&mut self, parents: &[WorkItemId]) -> Option<Vec<EdgeRow>> {
        let all = parents.iter().all(|id| self.below.contains_key(id));
        all.then(|| parents.iter().filter_map(|id| self.below.remove(id)).flatten().collect())
    }

    /// Forgets everything: what was written may have changed it.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}
