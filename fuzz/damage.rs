//! Damages valid samples the way foreign input is damaged: pieces cut out, doubled, nested, and odd ones put in. The
//! fuzz targets of every crate include this file.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Pieces over which readers stumble: ends of text and of numbers, marks of YAML, JSON, TOML and URLs, odd Unicode.
pub(crate) const ODD: &[&str] = &[
    "\0",
    "\r\n",
    "\r",
    "\n",
    "\t",
    " ",
    "\u{1}",
    "\u{7f}",
    "\u{85}",
    "\u{1b}[31m",
    "\u{feff}",
    "\u{202e}",
    "\u{2028}",
    "\u{fffd}",
    "é",
    "e\u{301}",
    "👩\u{200d}👧",
    "\\",
    "\"",
    "'",
    "`",
    "```",
    "{",
    "}",
    "[",
    "]",
    "(",
    "<",
    ">",
    ":",
    ": ",
    "::",
    ",",
    ";",
    "#",
    "&a ",
    "*a",
    "<<: *a",
    "- ",
    "---\n",
    "...",
    "? ",
    "|\n",
    "!!int ",
    "!x ",
    "~",
    "null",
    "true",
    "-1",
    "0",
    "007",
    "0x1F",
    "1e999",
    "-0.0",
    "1.5",
    "9007199254740993",
    "9223372036854775808",
    "99999999999999999999999999",
    ".nan",
    ".inf",
    "=",
    "%",
    "%00",
    "%C3",
    "%6c",
    "&",
    "+",
    "$",
    "${HOME}",
    "../",
    "/",
    "//",
    "@",
    "*/",
    "/*",
    "--",
    "2024-02-30T25:61:61Z",
    "\\u0000",
    "\\ud800",
];

/// One thing that happens to a text; places are given as fractions of it, and lie between characters.
#[derive(Debug, Clone)]
enum Blow {
    Insert(Index, &'static str),
    Repeat(Index, &'static str, usize),
    Cut(Index, usize),
    Double(Index, usize),
    End(Index),
}

impl Blow {
    fn strike(&self, text: &str) -> String {
        let place = |at: &Index| text.floor_char_boundary(at.index(text.len() + 1));
        let after = |at: usize, bytes: usize| text.floor_char_boundary((at + bytes).min(text.len()));
        match self {
            Self::Insert(at, piece) => [&text[..place(at)], piece, &text[place(at)..]].concat(),
            Self::Repeat(at, piece, times) => {
                [&text[..place(at)], &piece.repeat(*times), &text[place(at)..]].concat()
            }
            Self::Cut(at, bytes) => [&text[..place(at)], &text[after(place(at), *bytes)..]].concat(),
            Self::Double(at, bytes) => {
                let end = after(place(at), *bytes);
                [&text[..end], &text[place(at)..]].concat()
            }
            Self::End(at) => text[..place(at)].to_owned(),
        }
    }
}

fn blow() -> impl Strategy<Value = Blow> {
    let at = any::<Index>;
    prop_oneof![
        6 => (at(), select(ODD)).prop_map(|(at, piece)| Blow::Insert(at, piece)),
        1 => (at(), select(ODD), 2..300_usize).prop_map(|(at, piece, times)| Blow::Repeat(at, piece, times)),
        3 => (at(), 1..20_usize).prop_map(|(at, bytes)| Blow::Cut(at, bytes)),
        2 => (at(), 1..60_usize).prop_map(|(at, bytes)| Blow::Double(at, bytes)),
        1 => at().prop_map(Blow::End),
    ]
}

/// Returns one of the samples after a few blows, or after none.
pub(crate) fn damaged(samples: &'static [&'static str]) -> impl Strategy<Value = String> {
    (select(samples), vec(blow(), 0..5))
        .prop_map(|(sample, blows)| blows.iter().fold(sample.to_owned(), |text, blow| blow.strike(&text)))
}

/// Returns a text of ordinary words and odd pieces.
pub(crate) fn odd_text() -> impl Strategy<Value = String> {
    let piece =
        prop_oneof![3 => "[a-z A-Z0-9._-]{1,8}", 2 => select(ODD).prop_map(str::to_owned), 1 => "\\PC{0,4}"];
    vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}
