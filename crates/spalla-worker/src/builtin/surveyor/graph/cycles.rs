//! Finds the groups of nodes that can reach each other, without recursion, so that no graph is too deep.

/// Returns the groups of two or more, the largest first, each in the order of its indices.
pub(super) fn find(nodes: usize, edges: &[(usize, usize)]) -> Vec<Vec<usize>> {
    let mut forward = vec![Vec::new(); nodes];
    let mut backward = vec![Vec::new(); nodes];
    for (from, to) in edges {
        forward[*from].push(*to);
        backward[*to].push(*from);
    }
    let mut seen = vec![false; nodes];
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for start in finish_order(&forward).into_iter().rev() {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut group = Vec::new();
        let mut open = vec![start];
        while let Some(node) = open.pop() {
            group.push(node);
            for next in &backward[node] {
                if !std::mem::replace(&mut seen[*next], true) {
                    open.push(*next);
                }
            }
        }
        group.sort_unstable();
        groups.push(group);
    }
    groups.retain(|group| group.len() > 1);
    groups.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    groups
}

/// Orders nodes by when a walk in depth leaves them.
fn finish_order(forward: &[Vec<usize>]) -> Vec<usize> {
    let mut seen = vec![false; forward.len()];
    let mut order = Vec::with_capacity(forward.len());
    for start in 0..forward.len() {
        if std::mem::replace(&mut seen[start], true) {
            continue;
        }
        let mut path = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            if let Some(to) = forward[*node].get(*next) {
                *next += 1;
                if !std::mem::replace(&mut seen[*to], true) {
                    path.push((*to, 0));
                }
            } else {
                order.push(*node);
                path.pop();
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_reach_each_other_are_found_largest_first() {
        let edges = [(0, 1), (1, 0), (2, 3), (3, 4), (4, 2), (4, 0), (5, 5)];
        assert_eq!(find(6, &edges), [vec![2, 3, 4], vec![0, 1]]);
    }

    #[test]
    fn very_deep_chain_is_no_cycle_and_no_overflow() {
        let edges: Vec<(usize, usize)> = (0..200_000).map(|at| (at, at + 1)).collect();
        assert_eq!(find(200_001, &edges), Vec::<Vec<usize>>::new());
    }
}
