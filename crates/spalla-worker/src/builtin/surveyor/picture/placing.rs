//! Gives every box and bend its place: rows from top to bottom, items near their neighbours, never
//! overlapping.

use super::Labelled;
use super::layers::{Item, Layering};

/// Width of a character of the label, on average.
const LABEL_CHARACTER: f64 = 7.6;
/// Width of a character of the small text.
const DETAIL_CHARACTER: f64 = 6.0;
/// Longest label written in full.
pub(super) const LABEL_CHARS_MAX: usize = 30;
const BOX_WIDTH_MIN: f64 = 84.0;
/// Height of a box.
pub(super) const BOX_HEIGHT: f64 = 44.0;
const BEND_WIDTH: f64 = 8.0;
/// Free space beside an item.
const GAP: f64 = 20.0;
/// How much more a bend follows the bends of its own arrow than the boxes at its ends: long arrows run
/// straight.
const STRAIGHTNESS: f64 = 6.0;
/// Free space between rows.
const ROW_GAP: f64 = 66.0;

/// Where an item is: the middle of its top edge, and its width.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Spot {
    pub x: f64,
    pub y: f64,
    pub width: f64,
}

/// Returns the width a box needs for its texts.
pub(super) fn width_of(label: &Labelled) -> f64 {
    let name = label.short.chars().count().min(LABEL_CHARS_MAX) as f64 * LABEL_CHARACTER;
    let detail = label.detail.chars().count() as f64 * DETAIL_CHARACTER;
    (name.max(detail) + 24.0).max(BOX_WIDTH_MIN)
}

/// Places all items; the leftmost edge lies at zero, the first row at zero.
pub(super) fn place(layering: &Layering, boxes: &[Labelled]) -> Vec<Spot> {
    let mut spots: Vec<Spot> = layering
        .items
        .iter()
        .map(|item| match item {
            Item::Box(index) => Spot { width: width_of(&boxes[*index]), ..Spot::default() },
            Item::Bend => Spot { width: BEND_WIDTH, ..Spot::default() },
        })
        .collect();
    for (row, items) in layering.layers.iter().enumerate() {
        let total: f64 = items.iter().map(|item| spots[*item].width + GAP).sum();
        let mut left = -total / 2.0;
        for item in items {
            let spot = &mut spots[*item];
            spot.y = row as f64 * (BOX_HEIGHT + ROW_GAP);
            spot.x = left + (spot.width + GAP) / 2.0;
            left += spot.width + GAP;
        }
    }
    relax(layering, &mut spots);
    let leftmost = spots.iter().map(|spot| spot.x - spot.width / 2.0).fold(f64::INFINITY, f64::min);
    for spot in &mut spots {
        spot.x -= leftmost;
    }
    spots
}

/// Draws items towards their neighbours, rows in turn; the order within a row stays.
fn relax(layering: &Layering, spots: &mut [Spot]) {
    // The picture settles within a few rounds; the number bounds the time.
    const ROUNDS: usize = 24;
    let (above, below) = layering.neighbours();
    let rows = layering.layers.len();
    for round in 0..ROUNDS {
        for step in 0..rows {
            let row = if round % 2 == 0 { step } else { rows - 1 - step };
            let items = &layering.layers[row];
            let wishes: Vec<f64> =
                items.iter().map(|item| wish(*item, layering, &above, &below, spots)).collect();
            for (item, x) in items.iter().zip(settle(items, &wishes, spots)) {
                spots[*item].x = x;
            }
        }
    }
}

/// Returns where an item would stand if it stood alone: in the middle of its neighbours.
fn wish(item: usize, layering: &Layering, above: &[Vec<usize>], below: &[Vec<usize>], spots: &[Spot]) -> f64 {
    let is_bend = |item: usize| matches!(layering.items[item], Item::Bend);
    let pull = |next: usize| if is_bend(item) && is_bend(next) { STRAIGHTNESS } else { 1.0 };
    let neighbours = || above[item].iter().chain(&below[item]).copied();
    let total: f64 = neighbours().map(pull).sum();
    if total == 0.0 {
        spots[item].x
    } else {
        neighbours().map(|next| spots[next].x * pull(next)).sum::<f64>() / total
    }
}

/// Comes as near to all wishes as the widths allow: items that would overlap move as one block.
fn settle(items: &[usize], wishes: &[f64], spots: &[Spot]) -> Vec<f64> {
    // Each block: the sum of the wishes for its left end, the number of items, and the width so far.
    let mut blocks: Vec<(f64, usize, f64)> = Vec::new();
    for (item, wish) in items.iter().zip(wishes) {
        let width = spots[*item].width + GAP;
        let mut block = (wish - width / 2.0, 1, width);
        while let Some(previous) = blocks.last().copied() {
            let end = previous.0 / previous.1 as f64 + previous.2;
            if end <= block.0 / block.1 as f64 {
                break;
            }
            blocks.pop();
            block = (
                previous.0 + block.0 - previous.2 * block.1 as f64,
                previous.1 + block.1,
                previous.2 + block.2,
            );
        }
        blocks.push(block);
    }
    let mut places = Vec::with_capacity(items.len());
    for (sum, count, _) in blocks {
        let mut left = sum / count as f64;
        for _ in 0..count {
            let width = spots[items[places.len()]].width + GAP;
            places.push(left + width / 2.0);
            left += width;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::super::Arrow;
    use super::*;

    fn label(name: &str) -> Labelled {
        Labelled {
            name: name.to_owned(),
            short: name.to_owned(),
            detail: String::new(),
            code_lines: 1,
            in_circle: false,
        }
    }

    #[test]
    fn boxes_never_overlap() {
        let pairs: Vec<(usize, usize)> =
            (0..30).flat_map(|from| [(from, (from * 7 + 3) % 30), (from, (from * 5 + 11) % 30)]).collect();
        let arrows: Vec<Arrow> = pairs
            .into_iter()
            .filter(|(from, to)| from != to)
            .map(|(from, to)| Arrow { from, to, imports: 1, is_deferred: false, against: false })
            .collect();
        let boxes: Vec<Labelled> = (0..30).map(|at| label(&"n".repeat(at + 1))).collect();
        let layering = Layering::new(30, &arrows);
        let spots = place(&layering, &boxes);
        for row in &layering.layers {
            for pair in row.windows(2) {
                let (left, right) = (spots[pair[0]], spots[pair[1]]);
                assert!(
                    left.x + left.width / 2.0 <= right.x - right.width / 2.0 + 0.001,
                    "{left:?} {right:?}"
                );
            }
        }
    }

    #[test]
    fn box_stands_under_the_one_that_needs_it() {
        let arrows = [Arrow { from: 0, to: 1, imports: 1, is_deferred: false, against: false }];
        let boxes = [label("a long name of a box"), label("b")];
        let spots = place(&Layering::new(2, &arrows), &boxes);
        assert!((spots[0].x - spots[1].x).abs() < 0.001);
        assert!(spots[0].y < spots[1].y);
    }
}
