//! A dependency edge: what a parent's state means for one that waits for it, and what circles are.

use super::{Broken, Place};
use crate::problem::Code;
use crate::work_item::{Dependency, Status, When};
use crate::{Refusal, WorkItemId};
use petgraph::algo::astar;
use petgraph::graphmap::DiGraphMap;

/// What a parent's state means for an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Nobody knows yet.
    Waiting,
    /// Met.
    Met,
    /// Can't be met any more, unless the parent is reopened.
    Broken(Code),
}

/// What of a parent matters to its edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// Not over.
    Unfinished,
    /// Not over, and it can't start unless a dependency of its own is mended.
    Blocked(Code),
    /// Done.
    Succeeded,
    /// Failed for good.
    Failed {
        /// Whether its failure stops what waits for it to be done.
        critical: bool,
    },
    /// Stopped by a person, or put away.
    Cancelled,
}

impl Parent {
    /// Returns what of an item matters to what waits for it.
    pub fn of(place: &Place, critical: bool, archived: bool) -> Self {
        match place {
            Place::Finished(end) => match end.status {
                Status::Succeeded => Self::Succeeded,
                Status::Failed => Self::Failed { critical },
                _ => Self::Cancelled,
            },
            _ if archived => Self::Cancelled,
            Place::Blocked(holds) => match holds.broken {
                Some(Broken { reason, .. }) => Self::Blocked(reason),
                None => Self::Unfinished,
            },
            Place::Open | Place::Delayed { .. } | Place::Ready | Place::Leased(_) => Self::Unfinished,
        }
    }
}

/// Returns what a parent's state means for an edge that waits for one of its ends.
pub const fn state(when: When, parent: Parent) -> Edge {
    match (parent, when) {
        (Parent::Unfinished, When::Success | When::Failure | When::Done) => Edge::Waiting,
        (Parent::Blocked(_), When::Failure) => Edge::Waiting,
        (Parent::Blocked(reason), When::Success | When::Done) => Edge::Broken(reason),
        (Parent::Succeeded, When::Success | When::Done) => Edge::Met,
        (Parent::Succeeded, When::Failure) => Edge::Broken(Code::DependencySucceeded),
        (Parent::Failed { .. }, When::Success) | (Parent::Failed { critical: true }, When::Done) => {
            Edge::Broken(Code::DependencyFailed)
        }
        (Parent::Failed { .. }, When::Failure) | (Parent::Failed { critical: false }, When::Done) => {
            Edge::Met
        }
        (Parent::Cancelled, When::Success | When::Failure | When::Done) => {
            Edge::Broken(Code::DependencyCancelled)
        }
    }
}

/// Refuses an edge that would close a circle. `edges` holds the (item, what it waits for) pairs above `parent`.
pub fn check_cycle(
    child: WorkItemId,
    new: &[Dependency],
    edges: &[(WorkItemId, WorkItemId)],
) -> Result<(), Refusal> {
    let graph: DiGraphMap<WorkItemId, ()> =
        edges.iter().map(|(item, waits_for)| (*item, *waits_for, ())).collect();
    for Dependency { id: parent, .. } in new {
        let path: Option<Vec<WorkItemId>> = if *parent == child {
            Some(vec![child])
        } else if graph.contains_node(*parent) && graph.contains_node(child) {
            astar(&graph, *parent, |node| node == child, |_| 1_u32, |_| 0).map(|(_, path)| path)
        } else {
            None
        };
        if let Some(path) = path {
            return Err(cycle(child, &path));
        }
    }
    Ok(())
}

fn cycle(child: WorkItemId, path: &[WorkItemId]) -> Refusal {
    let names: Vec<String> = std::iter::once(&child).chain(path).map(ToString::to_string).collect();
    Refusal::new(
        Code::DependencyCycle,
        format!("dependencies would go round in a circle: {}", names.join(" -> ")),
    )
    .mend("leave out one of these dependencies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_is_met_by_the_end_it_waits_for_and_fails_closed_otherwise() {
        let failed = |critical| Parent::Failed { critical };
        let blocked = Parent::Blocked(Code::DependencyFailed);
        let broken = Edge::Broken;
        let table = [
            // parent, then what it means for success, failure, done
            (Parent::Unfinished, [Edge::Waiting, Edge::Waiting, Edge::Waiting]),
            (blocked, [broken(Code::DependencyFailed), Edge::Waiting, broken(Code::DependencyFailed)]),
            (Parent::Succeeded, [Edge::Met, broken(Code::DependencySucceeded), Edge::Met]),
            (failed(true), [broken(Code::DependencyFailed), Edge::Met, broken(Code::DependencyFailed)]),
            (failed(false), [broken(Code::DependencyFailed), Edge::Met, Edge::Met]),
            (Parent::Cancelled, [broken(Code::DependencyCancelled); 3]),
        ];
        for (parent, expected) in table {
            assert_eq!(
                [When::Success, When::Failure, When::Done].map(|when| state(when, parent)),
                expected,
                "{parent:?}"
            );
        }
    }

    #[test]
    fn a_circle_is_refused_by_name() {
        let on = |id| Dependency { id: WorkItemId(id), when: When::Success };
        let edges = [(2, 1), (3, 2), (4, 3)].map(|(a, b)| (WorkItemId(a), WorkItemId(b)));
        assert_eq!(check_cycle(WorkItemId(5), &[on(4)], &edges), Ok(()));
        let refusal = check_cycle(WorkItemId(1), &[on(4)], &edges).unwrap_err();
        assert_eq!(refusal.code, Code::DependencyCycle);
        assert!(refusal.detail.ends_with("1 -> 4 -> 3 -> 2 -> 1"), "{}", refusal.detail);
        assert!(check_cycle(WorkItemId(1), &[on(1)], &[]).unwrap_err().detail.ends_with("1 -> 1"));
    }
}
