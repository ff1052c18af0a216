//! The forms in which programs write a secret.

use crate::log::text_of;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt::Write as _;
use std::ops::Range;

/// A secret below this many bytes is part of too many words to be masked inside one; so is a form of one.
pub(super) const INSIDE_BYTES_MIN: usize = 4;
/// A line of a secret below this many bytes, such as a bracket, says nothing of it.
const LINE_BYTES_MIN: usize = 8;
/// How wide the lines of base64 are that tools write: coreutils and MIME, and PEM.
const BASE64_WIDTHS: [usize; 2] = [76, 64];
/// How wide the lines of a plain hexadecimal dump are.
const HEX_WIDTH: usize = 60;
/// The last line of something wrapped is looked for when it is as long as this.
const WRAPPED_BYTES_MIN: usize = 16;

/// One way to write a secret.
pub(super) struct Form {
    pub(super) bytes: Vec<u8>,
    pub(super) edges: Edges,
}

/// What has to be, or goes with it, beside a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edges {
    /// Nothing.
    Free,
    /// The end of a word.
    Word,
    /// A letter of base64 whose bits are partly the secret's.
    Shared {
        /// The letter before.
        before: bool,
        /// The letter after.
        after: bool,
    },
}

impl Edges {
    /// Returns what holds for a text that is a form in two ways: the one that masks more.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Word, other) | (other, Self::Word) | (Self::Free, other) | (other, Self::Free) => other,
            (Self::Shared { before, after }, Self::Shared { before: also_before, after: also_after }) => {
                Self::Shared { before: before || also_before, after: after || also_after }
            }
        }
    }

    /// Returns what is to be masked where the form was found; none where it does not count.
    pub(super) fn apply(self, text: &[u8], found: Range<usize>) -> Option<Range<usize>> {
        let before = found.start.checked_sub(1).map(|at| text[at]);
        let after = text.get(found.end).copied();
        match self {
            Self::Free => Some(found),
            Self::Word => (!before.is_some_and(is_word) && !after.is_some_and(is_word)).then_some(found),
            Self::Shared { before: shares_before, after: shares_after } => {
                let start = found.start - usize::from(shares_before && before.is_some_and(is_base64));
                let end = found.end + usize::from(shares_after && after.is_some_and(is_base64));
                Some(start..end)
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

pub(super) fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// Returns every form of a secret; some may come twice. A blank one has none.
pub(super) fn forms_of(secret: &[u8]) -> Vec<Form> {
    let mut forms = Vec::new();
    // Whoever reads a file into a variable drops the last line end.
    let trimmed = secret.trim_ascii_end();
    let mut pieces = vec![secret];
    if trimmed.len() < secret.len() {
        pieces.push(trimmed);
    }
    if trimmed.contains(&b'\n') {
        let lines = secret.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        pieces.extend(lines.filter(|line| line.len() >= LINE_BYTES_MIN));
    }
    for piece in pieces.into_iter().filter(|piece| !piece.trim_ascii().is_empty()) {
        if piece.len() < INSIDE_BYTES_MIN {
            add_words(piece, &mut forms);
        } else {
            add_all(piece, &mut forms);
        }
    }
    add_wrapped(trimmed, &mut forms);
    forms
}

/// Adds the forms of a secret that is too short to be found inside a word.
fn add_words(piece: &[u8], forms: &mut Vec<Form>) {
    let mut add = |text: String| forms.push(Form { bytes: text.into(), edges: Edges::Word });
    let in_base64 = STANDARD_NO_PAD.encode(piece);
    let in_url_base64 = URL_SAFE_NO_PAD.encode(piece);
    let encoded = [in_base64, in_url_base64, hex(piece), hex(piece).to_uppercase()];
    let escaped = json_escaped(piece).into_iter().chain(percent_encoded(piece));
    let long = encoded.into_iter().chain(escaped).filter(|text| text.len() >= INSIDE_BYTES_MIN);
    long.for_each(&mut add);
    forms.push(Form { bytes: piece.to_vec(), edges: Edges::Word });
}

fn add_all(piece: &[u8], forms: &mut Vec<Form>) {
    let mut add = |bytes: Vec<u8>, edges: Edges| forms.push(Form { bytes, edges });
    add(piece.to_vec(), Edges::Free);
    add(text_of(piece).into(), Edges::Free);
    add(hex(piece).into(), Edges::Free);
    add(hex(piece).to_uppercase().into(), Edges::Free);
    for text in percent_encoded(piece).into_iter().chain(json_escaped(piece)) {
        add(text.into(), Edges::Free);
    }
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        for place in 0..3 {
            let (core, edges) = base64_inside(engine, piece, place);
            add(core.into(), edges);
        }
    }
}

/// Returns the letters that a piece has in base64 whatever is around it, when `place` bytes of its first group of
/// three come before it.
fn base64_inside(engine: &base64::engine::GeneralPurpose, piece: &[u8], place: usize) -> (String, Edges) {
    let mut bytes = vec![0; place];
    bytes.extend_from_slice(piece);
    let (begin, end) = ((place * 8).div_ceil(6), bytes.len() * 8 / 6);
    let edges = Edges::Shared { before: place > 0, after: !(bytes.len() * 8).is_multiple_of(6) };
    (engine.encode(&bytes)[begin..end].to_owned(), edges)
}

/// Adds the lines in which tools wrap what is long, where the secret is all that they were given.
fn add_wrapped(piece: &[u8], forms: &mut Vec<Form>) {
    let (in_base64, edges) = base64_inside(&STANDARD_NO_PAD, piece, 0);
    let wrapped = BASE64_WIDTHS.map(|width| (in_base64.clone(), width, edges));
    for (text, width, edges) in wrapped.into_iter().chain([(hex(piece), HEX_WIDTH, Edges::Free)]) {
        if text.len() <= width {
            continue;
        }
        for line in text.as_bytes().chunks(width).filter(|line| line.len() >= WRAPPED_BYTES_MIN) {
            let edges = if line.len() < width { edges } else { Edges::Free };
            forms.push(Form { bytes: line.to_vec(), edges });
        }
    }
}

fn hex(piece: &[u8]) -> String {
    piece.iter().fold(String::with_capacity(piece.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What programs leave as it is in a URL, beside letters and digits.
const KEPT_IN_URLS: [&[u8]; 7] =
    [b"", b"-._~", b"-._~/", b"*-._", b"-_.!~*'()", b"-_.!~*'();,/?:@&=+$#", b"-_.!~*'()&+,$%"];

/// Returns what encoders make of a piece in URLs and forms, from those that keep the most to the one that keeps
/// nothing.
fn percent_encoded(piece: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    for upper in [true, false] {
        let escape = |text: &mut String, byte: u8| {
            let _ = if upper { write!(text, "%{byte:02X}") } else { write!(text, "%{byte:02x}") };
        };
        let encode = |is_kept: &dyn Fn(u8) -> bool, space: Option<char>| {
            piece.iter().fold(String::new(), |mut text, &byte| {
                match space {
                    Some(space) if byte == b' ' => text.push(space),
                    _ if is_kept(byte) => text.push(char::from(byte)),
                    _ => escape(&mut text, byte),
                }
                text
            })
        };
        texts.push(encode(&|_| false, None));
        for kept in KEPT_IN_URLS {
            let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || kept.contains(&byte);
            texts.push(encode(&is_kept, None));
            if piece.contains(&b' ') {
                texts.push(encode(&is_kept, Some('+')));
            }
        }
    }
    texts.sort();
    texts.dedup();
    texts
}

/// What a writer of JSON escapes beyond what it has to.
#[derive(Debug, Clone, Copy)]
enum Escapes {
    Needed,
    Slash,
    BeyondAscii,
    SlashAndBeyondAscii,
    Html,
    Everything,
}

/// Returns what writers of JSON make of a piece, and what they make of that when it is written into JSON again.
fn json_escaped(piece: &[u8]) -> Vec<String> {
    // What is no text reaches JSON only in another form.
    let Ok(text) = std::str::from_utf8(piece) else { return Vec::new() };
    let mut texts = Vec::new();
    for escapes in [
        Escapes::Needed,
        Escapes::Slash,
        Escapes::BeyondAscii,
        Escapes::SlashAndBeyondAscii,
        Escapes::Html,
        Escapes::Everything,
    ] {
        let once = json(text, escapes, false);
        if once != text {
            texts.extend([json(text, escapes, true), json(&once, Escapes::Needed, false)]);
        }
        texts.push(once);
    }
    texts.sort();
    texts.dedup();
    texts
}

fn json(text: &str, escapes: Escapes, upper: bool) -> String {
    let mut out = String::new();
    for c in text.chars() {
        let is_slash = c == '/' && matches!(escapes, Escapes::Slash | Escapes::SlashAndBeyondAscii);
        let is_beyond =
            !c.is_ascii() && matches!(escapes, Escapes::BeyondAscii | Escapes::SlashAndBeyondAscii);
        let is_html = "<>&\u{2028}\u{2029}".contains(c) && matches!(escapes, Escapes::Html);
        let long = is_beyond || is_html || matches!(escapes, Escapes::Everything);
        match c {
            _ if long => add_units(&mut out, c, upper),
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\0'..' ' => add_units(&mut out, c, upper),
            '/' if is_slash => out.push_str("\\/"),
            _ => out.push(c),
        }
    }
    out
}

/// Adds a letter in UTF-16, as JSON escapes it.
fn add_units(out: &mut String, c: char, upper: bool) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = if upper { write!(out, "\\u{unit:04X}") } else { write!(out, "\\u{unit:04x}") };
    }
}
