//! Takes out arrows that a reader can do without: those that make no circle, and those that others imply.

use std::collections::BTreeSet;

use super::Arrow;

/// Up to this many arrows per box, all are drawn.
const ARROWS_PER_BOX_MAX: usize = 2;

/// Returns the arrows to draw. Of too many, those that make no circle go first; whatever could be reached
/// along the others can be reached along those that stay.
pub(super) fn thin(boxes: usize, arrows: &[Arrow]) -> Vec<Arrow> {
    if arrows.len() <= boxes * ARROWS_PER_BOX_MAX {
        return arrows.to_vec();
    }
    let firm: Vec<Arrow> = arrows.iter().filter(|arrow| !arrow.is_deferred).copied().collect();
    if !firm.is_empty() && firm.len() < arrows.len() {
        return thin(boxes, &firm);
    }
    let mut kept: BTreeSet<(usize, usize)> = arrows.iter().map(|arrow| (arrow.from, arrow.to)).collect();
    let mut weakest_first: Vec<&Arrow> = arrows.iter().collect();
    weakest_first.sort_by_key(|arrow| (arrow.imports, arrow.from, arrow.to));
    for arrow in weakest_first {
        kept.remove(&(arrow.from, arrow.to));
        if !reaches(boxes, &kept, arrow.from, arrow.to) {
            kept.insert((arrow.from, arrow.to));
        }
    }
    arrows.iter().filter(|arrow| kept.contains(&(arrow.from, arrow.to))).copied().collect()
}

fn reaches(boxes: usize, arrows: &BTreeSet<(usize, usize)>, from: usize, to: usize) -> bool {
    let mut seen = vec![false; boxes];
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        for (_, next) in arrows.range((at, 0)..=(at, usize::MAX)) {
            if *next == to {
                return true;
            }
            if !std::mem::replace(&mut seen[*next], true) {
                open.push(*next);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(from: usize, to: usize, imports: usize) -> Arrow {
        Arrow { from, to, imports, is_deferred: false, against: false }
    }

    #[test]
    fn few_arrows_are_all_drawn() {
        let arrows = [arrow(0, 1, 1), arrow(1, 2, 1), arrow(0, 2, 1)];
        assert_eq!(thin(3, &arrows), arrows);
    }

    #[test]
    fn implied_arrows_go_and_reachability_stays() {
        let all: Vec<Arrow> =
            (0..8).flat_map(|from| (from + 1..8).map(move |to| arrow(from, to, 1))).collect();
        let kept: Vec<(usize, usize)> = thin(8, &all).iter().map(|arrow| (arrow.from, arrow.to)).collect();
        assert_eq!(kept, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7)]);
    }

    #[test]
    fn circle_stays_a_circle() {
        let all: Vec<Arrow> = (0..6)
            .flat_map(|from| (0..6).filter(move |to| *to != from).map(move |to| arrow(from, to, 1)))
            .collect();
        let kept: BTreeSet<(usize, usize)> =
            thin(6, &all).iter().map(|arrow| (arrow.from, arrow.to)).collect();
        assert!((0..6).all(|from| (0..6).all(|to| from == to || reaches(6, &kept, from, to))));
        assert!(kept.len() < all.len());
    }
}
