//! Pairs of braces in code, and what they tell: where a block ends, and which lines are test modules.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// The pairs of braces of one file, by their offsets, in the order they open.
#[derive(Debug, Default)]
pub(crate) struct Blocks {
    pairs: Vec<(usize, usize)>,
}

impl Blocks {
    /// Pairs the braces of a code view; a brace left open reaches to the end.
    pub(crate) fn new(code: &str) -> Self {
        let mut pairs = Vec::new();
        let mut open = Vec::new();
        for (at, byte) in code.bytes().enumerate() {
            match byte {
                b'{' => {
                    open.push(pairs.len());
                    pairs.push((at, code.len()));
                }
                b'}' => {
                    if let Some(index) = open.pop() {
                        let pair: &mut (usize, usize) = &mut pairs[index];
                        pair.1 = at;
                    }
                }
                _ => {}
            }
        }
        Self { pairs }
    }

    /// Returns the offset of the brace that closes the one at `open`.
    pub(crate) fn close_of(&self, open: usize) -> Option<usize> {
        let index = self.pairs.binary_search_by_key(&open, |pair| pair.0).ok()?;
        Some(self.pairs[index].1)
    }

    /// Returns the pairs in the order they open.
    pub(crate) fn pairs(&self) -> &[(usize, usize)] {
        &self.pairs
    }
}

static TEST_ITEM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"#\s*\[\s*(?:cfg\s*\(\s*(?:all\s*\(\s*)?test\b[^\]]*|(?:\w+::)*test(?:\([^\]]*\))?)\s*\]")
        .expect("constant pattern")
});

/// The longest head of an item that is looked over for its body.
const ITEM_HEAD_BYTES_MAX: usize = 1_000;

/// Returns the ranges of Rust code that are only compiled for tests, in order and apart.
pub(crate) fn rust_test_ranges(code: &str, blocks: &Blocks) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for found in TEST_ITEM.find_iter(code) {
        if ranges.last().is_some_and(|last| last.contains(&found.start())) {
            continue;
        }
        let window = code.floor_char_boundary(found.end() + ITEM_HEAD_BYTES_MAX);
        let rest = &code[found.end()..window];
        // An item without a body, such as `mod tests;` or a `use`, ends before the next brace opens.
        let Some(length) = rest.find(['{', ';']).filter(|length| rest.as_bytes()[*length] == b'{') else {
            continue;
        };
        if let Some(close) = blocks.close_of(found.end() + length) {
            ranges.push(found.start()..close);
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_matched_and_an_open_one_reaches_the_end() {
        let blocks = Blocks::new("a{b{}}{");
        assert_eq!(blocks.pairs(), [(1, 5), (3, 4), (6, 7)]);
        assert_eq!(blocks.close_of(3), Some(4));
        assert_eq!(blocks.close_of(0), None);
    }

    #[test]
    fn test_modules_and_test_functions_are_found() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests { #[test] fn t() {} }\n#[cfg(test)]\nmod other;\n#[tokio::test(x = 1)]\nasync fn u() {}\nfn b() {}";
        let ranges = rust_test_ranges(code, &Blocks::new(code));
        assert_eq!(ranges.len(), 2);
        assert!(code[ranges[0].clone()].contains("fn t()") && code[ranges[1].clone()].contains("fn u()"));
    }
}
