//! What the output of a command can do to what cuts it into lines.

use super::Splitter;
use crate::masks::Masks;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use spalla_domain::log::LINE_BYTES_MAX;

const PIECES: &[&[u8]] = &[
    b"a",
    b"\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\x1b[31m",
    b"\xff",
    b"\xc3",
    b"\xa9",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"\xe2\x80\xa8",
    b"{\"type\":",
    b"\\",
];

fn split(chunks: &[&[u8]]) -> Vec<String> {
    let (mut splitter, mut lines) = (Splitter::of(LINE_BYTES_MAX, &Masks::default()), Vec::new());
    for chunk in chunks {
        splitter.push(chunk, &mut lines);
        assert!(splitter.line.len() <= LINE_BYTES_MAX, "more than a line is held");
    }
    lines.extend(splitter.finish());
    lines
}

proptest! {
    #[test]
    fn any_output_is_lines_within_their_bounds_however_it_arrives(
        pieces in vec((select(PIECES), prop_oneof![9 => 1..4_usize, 1 => 60_000..70_000_usize]), 0..12),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let output: Vec<u8> = pieces.iter().flat_map(|(piece, times)| piece.repeat(*times)).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(output.len() + 1)).chain([0, output.len()]).collect();
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|ends| &output[ends[0]..ends[1]]).collect();
        let lines = split(&chunks);
        prop_assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX && !line.contains('\n')));
        let ends = output.iter().filter(|byte| **byte == b'\n').count();
        prop_assert_eq!(lines.len(), ends + usize::from(output.last().is_some_and(|byte| *byte != b'\n')));
        prop_assert!(lines == split(&[&output]), "where the chunks end matters");
    }
}
