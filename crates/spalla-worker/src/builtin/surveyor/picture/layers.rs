//! Puts boxes into layers, what needs above what is needed, and orders each layer so that few arrows cross.

use super::Arrow;

/// What stands in a layer: a box, or a bend of an arrow that passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    Box(usize),
    Bend,
}

/// Boxes and bends in layers, the top one first.
#[derive(Debug, Default)]
pub(super) struct Layering {
    pub items: Vec<Item>,
    /// Items by layer, from left to right.
    pub layers: Vec<Vec<usize>>,
    /// For each arrow, the items it passes, from the upper box to the lower one.
    pub routes: Vec<Vec<usize>>,
    /// Arrows; those against the order are marked.
    pub arrows: Vec<Arrow>,
}

impl Layering {
    /// Finds layers and their order.
    pub(super) fn new(boxes: usize, arrows: &[Arrow]) -> Self {
        let arrows = mark_against(boxes, arrows);
        let layer_of = assign(boxes, &arrows);
        let mut layering = Self { arrows, ..Self::default() };
        layering.fill(boxes, &layer_of);
        layering.untangle();
        layering
    }

    /// Places the boxes, and a bend in every layer an arrow passes through.
    fn fill(&mut self, boxes: usize, layer_of: &[usize]) {
        let height = layer_of.iter().max().map_or(0, |top| top + 1);
        // Layers are counted from the ground; the picture begins with the top.
        let row = |layer: usize| height - 1 - layer;
        self.layers = vec![Vec::new(); height];
        for (index, layer) in layer_of.iter().enumerate().take(boxes) {
            self.items.push(Item::Box(index));
            self.layers[row(*layer)].push(index);
        }
        for arrow in &self.arrows {
            let (upper, lower) = ends(arrow);
            let mut route = vec![upper];
            for passed in row(layer_of[upper]) + 1..row(layer_of[lower]) {
                let bend = self.items.len();
                self.items.push(Item::Bend);
                self.layers[passed].push(bend);
                route.push(bend);
            }
            route.push(lower);
            self.routes.push(route);
        }
    }

    /// Returns the neighbours of every item in the layer above, and in the layer below.
    pub(super) fn neighbours(&self) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
        let (mut above, mut below) = (vec![Vec::new(); self.items.len()], vec![Vec::new(); self.items.len()]);
        for pair in self.routes.iter().flat_map(|route| route.windows(2)) {
            below[pair[0]].push(pair[1]);
            above[pair[1]].push(pair[0]);
        }
        (above, below)
    }

    /// Moves items towards their neighbours, up and down in turn, and keeps the best order seen.
    fn untangle(&mut self) {
        // More sweeps change little; the number bounds the time.
        const SWEEPS: usize = 24;
        let (above, below) = self.neighbours();
        let mut best = self.layers.clone();
        let mut fewest = self.crossings(&below);
        for sweep in 0..SWEEPS {
            if sweep % 2 == 0 {
                for row in 1..self.layers.len() {
                    self.sort_row(row, row - 1, &above);
                }
            } else {
                for row in (0..self.layers.len().saturating_sub(1)).rev() {
                    self.sort_row(row, row + 1, &below);
                }
            }
            self.swap_neighbours(&above, &below);
            let crossings = self.crossings(&below);
            if crossings < fewest {
                fewest = crossings;
                best.clone_from(&self.layers);
            }
        }
        self.layers = best;
    }

    fn positions(&self, row: usize) -> Vec<usize> {
        let mut positions = vec![0; self.items.len()];
        for (at, item) in self.layers[row].iter().enumerate() {
            positions[*item] = at;
        }
        positions
    }

    /// Sorts a row by the middle of each item's neighbours in the other row; items without any keep their
    /// place.
    fn sort_row(&mut self, row: usize, other: usize, neighbours: &[Vec<usize>]) {
        let positions = self.positions(other);
        let keyed = self.layers[row].iter().enumerate().map(|(at, item)| {
            let own = &neighbours[*item];
            let sum: usize = own.iter().map(|next| positions[*next]).sum();
            // Thousandths keep the order exact without floating point.
            let key = if own.is_empty() { at * 1_000 } else { sum * 1_000 / own.len() };
            (key, at, *item)
        });
        let mut keyed: Vec<(usize, usize, usize)> = keyed.collect();
        keyed.sort_unstable();
        self.layers[row] = keyed.into_iter().map(|(_, _, item)| item).collect();
    }

    /// Swaps items side by side where that undoes more crossings than it makes.
    fn swap_neighbours(&mut self, above: &[Vec<usize>], below: &[Vec<usize>]) {
        for row in 0..self.layers.len() {
            let up = row.checked_sub(1).map(|other| self.positions(other));
            let down = (row + 1 < self.layers.len()).then(|| self.positions(row + 1));
            let cost = |left: usize, right: usize| {
                let side = |neighbours: &[Vec<usize>], positions: Option<&Vec<usize>>| {
                    let Some(positions) = positions else { return 0 };
                    let pairs =
                        neighbours[left].iter().flat_map(|a| neighbours[right].iter().map(move |b| (a, b)));
                    pairs.filter(|(a, b)| positions[**a] > positions[**b]).count()
                };
                side(above, up.as_ref()) + side(below, down.as_ref())
            };
            for at in 1..self.layers[row].len() {
                let (left, right) = (self.layers[row][at - 1], self.layers[row][at]);
                if cost(right, left) < cost(left, right) {
                    self.layers[row].swap(at - 1, at);
                }
            }
        }
    }

    /// Counts the crossings between all neighbouring rows.
    fn crossings(&self, below: &[Vec<usize>]) -> usize {
        let rows = 0..self.layers.len().saturating_sub(1);
        rows.map(|row| {
            let positions = self.positions(row + 1);
            let mut ends: Vec<usize> = Vec::new();
            let mut count = 0;
            for item in &self.layers[row] {
                let own: Vec<usize> = below[*item].iter().map(|next| positions[*next]).collect();
                count +=
                    own.iter().map(|end| ends.iter().filter(|other| *other > end).count()).sum::<usize>();
                ends.extend(own);
            }
            count
        })
        .sum()
    }
}

/// Returns the box of an arrow that stands higher, and the one that stands lower.
pub(super) fn ends(arrow: &Arrow) -> (usize, usize) {
    if arrow.against { (arrow.to, arrow.from) } else { (arrow.from, arrow.to) }
}

/// Marks arrows so that the others form no circle: boxes are taken from both ends, those that need most
/// first.
fn mark_against(boxes: usize, arrows: &[Arrow]) -> Vec<Arrow> {
    // An arrow of types alone gives way to one that is needed at once.
    let weight = |arrow: &Arrow| {
        if arrow.is_deferred { 1 } else { 2 + i64::try_from(arrow.imports.min(1_000_000)).unwrap_or(0) }
    };
    let mut left: Vec<usize> = (0..boxes).collect();
    let (mut front, mut back) = (Vec::new(), Vec::new());
    while !left.is_empty() {
        let flow = |node: usize, outward: bool| -> i64 {
            let own =
                arrows.iter().filter(|arrow| if outward { arrow.from == node } else { arrow.to == node });
            own.filter(|arrow| left.contains(&if outward { arrow.to } else { arrow.from })).map(weight).sum()
        };
        if let Some(at) = left.iter().position(|node| flow(*node, true) == 0) {
            back.push(left.remove(at));
        } else if let Some(at) = left.iter().position(|node| flow(*node, false) == 0) {
            front.push(left.remove(at));
        } else {
            let most = left
                .iter()
                .enumerate()
                .max_by_key(|(at, node)| (flow(**node, true) - flow(**node, false), usize::MAX - at));
            let at = most.map_or(0, |(at, _)| at);
            front.push(left.remove(at));
        }
    }
    front.extend(back.into_iter().rev());
    let mut rank = vec![0; boxes];
    for (at, node) in front.into_iter().enumerate() {
        rank[node] = at;
    }
    arrows.iter().map(|arrow| Arrow { against: rank[arrow.from] > rank[arrow.to], ..*arrow }).collect()
}

/// Gives every box a layer above all it needs; a layer that is full sends boxes further up.
fn assign(boxes: usize, arrows: &[Arrow]) -> Vec<usize> {
    let width_max = (boxes as f64 * 1.4).sqrt().ceil().clamp(4.0, 9.0) as usize;
    let height = heights(boxes, arrows);
    let mut order: Vec<usize> = (0..boxes).collect();
    // Of boxes that could stand equally low, those that many need stand lower.
    let needed = |node: usize| arrows.iter().filter(|arrow| ends(arrow).1 == node).count();
    order.sort_by_key(|node| (height[*node], std::cmp::Reverse(needed(*node)), *node));
    let mut layer_of = vec![0; boxes];
    let mut sizes: Vec<usize> = Vec::new();
    for node in order {
        let below =
            arrows.iter().map(ends).filter(|(upper, _)| *upper == node).map(|(_, lower)| layer_of[lower] + 1);
        let mut layer = below.max().unwrap_or(0);
        while sizes.get(layer).is_some_and(|size| *size >= width_max) {
            layer += 1;
        }
        if sizes.len() <= layer {
            sizes.resize(layer + 1, 0);
        }
        sizes[layer] += 1;
        layer_of[node] = layer;
    }
    layer_of
}

/// Returns the longest way down from every box.
fn heights(boxes: usize, arrows: &[Arrow]) -> Vec<usize> {
    let mut height = vec![0; boxes];
    // Without circles, as many rounds as there are boxes settle everything.
    for _ in 0..boxes {
        let mut changed = false;
        for (upper, lower) in arrows.iter().map(ends) {
            if height[upper] <= height[lower] {
                height[upper] = height[lower] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    height
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrows(pairs: &[(usize, usize)]) -> Vec<Arrow> {
        pairs
            .iter()
            .map(|(from, to)| Arrow { from: *from, to: *to, imports: 1, is_deferred: false, against: false })
            .collect()
    }

    #[test]
    fn what_needs_stands_above_what_is_needed() {
        let layering = Layering::new(4, &arrows(&[(0, 1), (1, 2), (0, 2), (3, 2)]));
        assert_eq!(layering.layers.len(), 3);
        assert_eq!(layering.layers[0], [0]);
        assert_eq!(layering.layers[2], [2]);
        assert_eq!(layering.items.len(), 5, "the long arrow bends once");
    }

    #[test]
    fn circle_has_one_arrow_against_the_order() {
        let layering = Layering::new(3, &arrows(&[(0, 1), (1, 2), (2, 0)]));
        assert_eq!(layering.arrows.iter().filter(|arrow| arrow.against).count(), 1);
    }

    #[test]
    fn wide_layer_is_spread_over_several() {
        let pairs: Vec<(usize, usize)> = (1..40).map(|to| (0, to)).collect();
        let layering = Layering::new(40, &arrows(&pairs));
        let boxes = |row: &Vec<usize>| {
            row.iter().filter(|item| matches!(layering.items[**item], Item::Box(_))).count()
        };
        assert!(layering.layers.iter().all(|row| boxes(row) <= 9));
    }

    #[test]
    fn crossing_that_can_be_undone_is_undone() {
        let layering = Layering::new(4, &arrows(&[(0, 3), (1, 2)]));
        let (_, below) = layering.neighbours();
        assert_eq!(layering.crossings(&below), 0);
    }
}
