//! Writes the placed boxes and arrows as SVG: plain shapes and text, no script, no link, no font of its own.

use std::fmt::Write as _;

use super::layers::{Item, Layering};
use super::placing::{self, BOX_HEIGHT, LABEL_CHARS_MAX, Spot};
use super::{Diagram, Labelled};
use crate::builtin::surveyor::excerpt;

const MARGIN: f64 = 28.0;
const TITLE_HEIGHT: f64 = 46.0;
const LINE_HEIGHT: f64 = 18.0;
/// Width of a character of the title, on average.
const TITLE_CHARACTER: f64 = 10.5;
/// The picture is at least this wide, so that its texts fit.
const WIDTH_MIN: f64 = 584.0;
/// How far apart arrows leave or reach a box, at most.
const PORT_GAP_MAX: f64 = 16.0;

/// Writes diagrams below each other, with one legend.
pub(super) fn write(title: &str, diagrams: &[Diagram]) -> String {
    let laid: Vec<Laid<'_>> = diagrams.iter().map(Laid::new).collect();
    let title_width = title.chars().count() as f64 * TITLE_CHARACTER;
    let width = laid.iter().map(|laid| laid.right).fold(title_width, f64::max).max(WIDTH_MIN) + 2.0 * MARGIN;
    let mut body = String::new();
    let mut top = MARGIN + TITLE_HEIGHT;
    for laid in &laid {
        top = laid.draw(width, top, &mut body);
    }
    let height = legend(&laid, width, top, &mut body) + MARGIN;
    document(title, diagrams, (width, height), &body)
}

/// A diagram with its places.
struct Laid<'d> {
    diagram: &'d Diagram,
    layering: Layering,
    spots: Vec<Spot>,
    right: f64,
    bottom: f64,
}

impl<'d> Laid<'d> {
    fn new(diagram: &'d Diagram) -> Self {
        let layering = Layering::new(diagram.boxes.len(), &diagram.arrows);
        let spots = placing::place(&layering, &diagram.boxes);
        let right = spots.iter().map(|spot| spot.x + spot.width / 2.0).fold(0.0, f64::max);
        let bottom = spots.iter().map(|spot| spot.y + BOX_HEIGHT).fold(0.0, f64::max);
        Self { diagram, layering, spots, right, bottom }
    }

    /// Draws the diagram below `top` and returns where it ends.
    fn draw(&self, width: f64, top: f64, body: &mut String) -> f64 {
        let mut top = top;
        if !self.diagram.title.is_empty() {
            let title = escape(&self.diagram.title);
            let _ = writeln!(
                body,
                r##"<text x="{MARGIN}" y="{top:.1}" font-size="14" font-weight="bold" fill="#4a5a6a">{title}</text>"##
            );
            top += LINE_HEIGHT;
        }
        let shift = (width - self.right) / 2.0;
        arrows(&self.layering, &self.spots, (shift, top), body);
        for (label, spot) in self.diagram.boxes.iter().zip(&self.spots) {
            draw_box(label, spot.x + shift, spot.y + top, spot.width, body);
        }
        let below = top + self.bottom + if self.diagram.boxes.is_empty() { 0.0 } else { 1.5 * MARGIN };
        alone(self.diagram, width, below, body)
    }
}

fn document(title: &str, diagrams: &[Diagram], (width, height): (f64, f64), body: &str) -> String {
    let title = escape(title);
    let boxes: usize = diagrams.iter().map(|diagram| diagram.boxes.len() + diagram.alone.len()).sum();
    let arrows: usize = diagrams.iter().map(|diagram| diagram.arrows.len()).sum();
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" font-family="Helvetica, Arial, sans-serif">
<title>{title}</title>
<desc>{boxes} boxes and {arrows} arrows</desc>
<defs>
<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 10 5 0 10z" fill="#5b6b7f"/></marker>
<marker id="tip-against" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 10 5 0 10z" fill="#c0392b"/></marker>
</defs>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="{MARGIN}" y="44" font-size="18" font-weight="bold" fill="#1f2d3d">{title}</text>
{body}</svg>
"##
    )
}

/// Draws the arrows below the boxes, so that no line runs over a name.
fn arrows(layering: &Layering, spots: &[Spot], (shift, top): (f64, f64), body: &mut String) {
    let ports = Ports::new(layering, spots);
    for (index, (arrow, route)) in layering.arrows.iter().zip(&layering.routes).enumerate() {
        let last = route.len() - 1;
        let points = route.iter().enumerate().map(|(at, item)| {
            let spot = spots[*item];
            let (x, y) = match at {
                0 => (spot.x + ports.below[index], spot.y + BOX_HEIGHT),
                at if at == last => (spot.x + ports.above[index], spot.y),
                _ => (spot.x, spot.y + BOX_HEIGHT / 2.0),
            };
            (x + shift, y + top)
        });
        let mut points: Vec<(f64, f64)> = points.collect();
        if arrow.against {
            points.reverse();
        }
        let (colour, dash, tip) = match () {
            () if arrow.against => ("#c0392b", r#" stroke-dasharray="5 4""#, "tip-against"),
            () if arrow.is_deferred => ("#7f8fa4", r#" stroke-dasharray="2 3""#, "tip"),
            () => ("#7f8fa4", "", "tip"),
        };
        // Thicker for more imports, within what still looks like a line.
        let thickness = (1.0 + (arrow.imports.max(1) as f64).log2() * 0.35).min(3.5);
        let _ = writeln!(
            body,
            r#"<path d="{}" fill="none" stroke="{colour}" stroke-width="{thickness:.1}" stroke-opacity="0.8"{dash} marker-end="url(#{tip})"/>"#,
            curve(&points)
        );
    }
}

/// Where arrows leave and reach their boxes, beside the middle of the edge.
struct Ports {
    below: Vec<f64>,
    above: Vec<f64>,
}

impl Ports {
    fn new(layering: &Layering, spots: &[Spot]) -> Self {
        let count = layering.routes.len();
        let mut ports = Self { below: vec![0.0; count], above: vec![0.0; count] };
        for (item, kind) in layering.items.iter().enumerate() {
            if matches!(kind, Item::Box(_)) {
                let leaving = |route: &Vec<usize>| (route[0] == item).then(|| route[1]);
                spread(&mut ports.below, item, layering, spots, &leaving);
                let reaching =
                    |route: &Vec<usize>| (route[route.len() - 1] == item).then(|| route[route.len() - 2]);
                spread(&mut ports.above, item, layering, spots, &reaching);
            }
        }
        ports
    }
}

/// Spreads the arrows at one edge of a box in the order of where they lead.
fn spread(
    ports: &mut [f64],
    item: usize,
    layering: &Layering,
    spots: &[Spot],
    next: &dyn Fn(&Vec<usize>) -> Option<usize>,
) {
    let mut own: Vec<(usize, f64)> = layering
        .routes
        .iter()
        .enumerate()
        .filter_map(|(index, route)| Some((index, spots[next(route)?].x)))
        .collect();
    own.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    let room = spots[item].width * 0.8;
    let gap = (room / own.len().max(1) as f64).min(PORT_GAP_MAX);
    let middle = (own.len().saturating_sub(1)) as f64 / 2.0;
    for (at, (index, _)) in own.iter().enumerate() {
        ports[*index] = (at as f64 - middle) * gap;
    }
}

/// A curve that leaves and reaches every point upright.
fn curve(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        if at == 0 {
            let _ = write!(path, "M{x:.1} {y:.1}");
        } else {
            let (px, py) = points[at - 1];
            let bend = (y - py) * 0.45;
            let _ = write!(path, " C{px:.1} {:.1} {x:.1} {:.1} {x:.1} {y:.1}", py + bend, y - bend);
        }
    }
    path
}

fn draw_box(label: &Labelled, x: f64, y: f64, width: f64, body: &mut String) {
    let left = x - width / 2.0;
    let stroke = if label.in_circle { "#c0392b" } else { "#5b6b7f" };
    let _ = writeln!(
        body,
        r##"<g><title>{}</title><rect x="{left:.1}" y="{y:.1}" width="{width:.1}" height="{BOX_HEIGHT}" rx="7" fill="{}" stroke="{stroke}"/><text x="{x:.1}" y="{:.1}" font-size="13" font-weight="bold" text-anchor="middle" fill="#1f2d3d">{}</text><text x="{x:.1}" y="{:.1}" font-size="11" text-anchor="middle" fill="#4a5a6a">{}</text></g>"##,
        escape(&label.name),
        shade(label.code_lines),
        y + 19.0,
        escape(&shorten(&label.short)),
        y + 35.0,
        escape(&label.detail)
    );
}

/// The more code, the deeper the blue; four steps, told in the legend.
fn shade(code_lines: usize) -> &'static str {
    match code_lines {
        0..300 => "#f4f8fc",
        300..1_000 => "#dfeaf6",
        1_000..5_000 => "#c3d9ef",
        _ => "#9fc2e5",
    }
}

/// The end of a name tells more than its beginning.
fn shorten(name: &str) -> String {
    let length = name.chars().count();
    if length <= LABEL_CHARS_MAX {
        return name.to_owned();
    }
    let tail: String = name.chars().skip(length - (LABEL_CHARS_MAX - 1)).collect();
    format!("…{tail}")
}

/// Draws the boxes without arrows in rows below; returns where they end.
fn alone(diagram: &Diagram, width: f64, top: f64, body: &mut String) -> f64 {
    if diagram.alone.is_empty() {
        if diagram.boxes.is_empty() {
            text(
                "Nothing was found to draw: no package, no module in a language that is understood.",
                top + 12.0,
                body,
            );
            return top + LINE_HEIGHT * 2.0;
        }
        return top;
    }
    let more =
        if diagram.alone_hidden > 0 { format!(", and {} more", diagram.alone_hidden) } else { String::new() };
    let words = if diagram.boxes.is_empty() {
        "No internal dependencies were found. The parts, each on its own"
    } else {
        "Without arrows"
    };
    text(&format!("{words}{more}:"), top + 4.0, body);
    let (mut left, mut y) = (MARGIN, top + 16.0);
    for label in &diagram.alone {
        let own = placing::width_of(label);
        if left + own > width - MARGIN && left > MARGIN {
            left = MARGIN;
            y += BOX_HEIGHT + 12.0;
        }
        draw_box(label, left + own / 2.0, y, own, body);
        left += own + 12.0;
    }
    y + BOX_HEIGHT + 2.0 * MARGIN
}

fn text(words: &str, y: f64, body: &mut String) {
    let _ = writeln!(
        body,
        r##"<text x="{MARGIN}" y="{y:.1}" font-size="12" fill="#4a5a6a">{}</text>"##,
        escape(words)
    );
}

/// Says how the picture is read and what it leaves out; returns where it ends.
fn legend(laid: &[Laid<'_>], width: f64, top: f64, body: &mut String) -> f64 {
    let arrows = || laid.iter().flat_map(|laid| &laid.layering.arrows);
    let mut lines = Vec::new();
    if arrows().next().is_some() {
        lines.push(String::from("An arrow leads from what needs to what is needed; thicker for more imports. Deeper blue: more code (300, 1,000, 5,000 lines)."));
    }
    if arrows().any(|arrow| arrow.is_deferred) {
        lines.push(String::from(
            "Dotted: makes no circle (types only, inside a function, or a module and its parent).",
        ));
    }
    if arrows().any(|arrow| arrow.against) {
        lines.push(String::from("Red and dashed: against the order of the others. Red frame: in a circle."));
    }
    for laid in laid {
        let (drawn, all) = (laid.diagram.arrows.len(), laid.diagram.dependencies);
        if drawn < all {
            let what = laid.diagram.title.split(',').next().unwrap_or_default();
            lines.push(format!("{what}: {drawn} of {all} dependencies are drawn; left out are those that others imply or that make no circle. report.json has all."));
        }
    }
    let lines: Vec<String> = lines.iter().flat_map(|line| wrap(line, width)).collect();
    for (at, line) in lines.iter().enumerate() {
        text(line, top + 12.0 + at as f64 * LINE_HEIGHT, body);
    }
    top + lines.len() as f64 * LINE_HEIGHT
}

/// Breaks a text into lines that fit between the margins.
fn wrap(words: &str, width: f64) -> Vec<String> {
    // The width of a character of the small text, on average, with some room to spare.
    let chars_max = ((width - 2.0 * MARGIN) / 6.8).max(20.0) as usize;
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let length = lines.last().map_or(0, |line| line.chars().count());
        if length > 0 && length + 1 + word.chars().count() > chars_max {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Writes foreign text so that XML takes it for text.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars().map(excerpt::harmless) {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            // Not allowed in XML, even escaped.
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            character => safe.push(character),
        }
    }
    safe
}
