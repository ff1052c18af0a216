//! Reads regexes of the usual kind without making their trees, which takes most of the time of loading a fleet: words, spaces,
//! groups, classes of letters, and what may be repeated. Whatever else stands in one is left to the parser.

/// What a regex of the usual kind needs and costs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Quick {
    /// Literals in small letters, each of which stands in every text that it matches.
    pub(crate) literals: Vec<String>,
    /// About how many states it has.
    pub(crate) cost: u64,
}

/// Shorter literals stand in nearly every text.
const BYTES_MIN: usize = 3;
/// How deep groups may be nested.
const NESTING_MAX: usize = 16;
/// About how many states a class has: of spaces, of digits, of letters, and one of the pattern's own.
const SPACE_COST: u64 = 4;
const DIGIT_COST: u64 = 20;
const WORD_COST: u64 = 200;
const CLASS_COST: u64 = 8;
/// Signs that stand for themselves.
const PLAIN: &[u8] = b" -_,:/\"'@=<>!%;~#";
/// Signs that stand for themselves behind a backslash.
const ESCAPED: &[u8] = b".-/+*?()[]{}|^$\\";

/// Reads a regex; none where it is not of the usual kind, or has no literal worth looking for.
pub(crate) fn read(pattern: &str) -> Option<Quick> {
    let mut reader = Reader { rest: pattern.as_bytes(), literals: Vec::new(), cost: 0 };
    reader.sequence(true, 0)?;
    if !reader.rest.is_empty() {
        return None;
    }
    let Reader { literals, cost, .. } = reader;
    (!literals.is_empty()).then_some(Quick { literals, cost })
}

struct Reader<'a> {
    rest: &'a [u8],
    literals: Vec<String>,
    cost: u64,
}

impl Reader<'_> {
    /// Reads up to the end of the group. What `is_needed` is not is passed over.
    fn sequence(&mut self, is_needed: bool, depth: usize) -> Option<()> {
        let mut run = String::new();
        loop {
            let Some(first) = self.rest.first().copied().filter(|first| *first != b')') else {
                self.end(&mut run, is_needed);
                return Some(());
            };
            self.rest = &self.rest[1..];
            match first {
                _ if first.is_ascii_alphanumeric() || PLAIN.contains(&first) => {
                    self.letter(first, &mut run, is_needed)
                }
                b'\\' => self.escape(&mut run, is_needed)?,
                b'(' => {
                    self.end(&mut run, is_needed);
                    self.group(is_needed, depth)?;
                }
                b'[' => {
                    self.end(&mut run, is_needed);
                    self.class()?;
                    self.repetition()?;
                }
                _ => return None,
            }
        }
    }

    /// A letter that may be missing belongs to no literal, and one that is repeated ends it.
    fn letter(&mut self, letter: u8, run: &mut String, is_needed: bool) {
        self.cost += 1;
        let is_followed = |signs: &[u8]| self.rest.first().is_some_and(|next| signs.contains(next));
        if is_followed(b"?*+{") {
            self.end(run, is_needed);
            // What is no repetition of the usual kind is met by the sequence, which does not know it.
            self.repetition();
        } else {
            run.push(char::from(letter.to_ascii_lowercase()));
        }
    }

    fn escape(&mut self, run: &mut String, is_needed: bool) -> Option<()> {
        let (escaped, rest) = self.rest.split_first()?;
        self.rest = rest;
        if ESCAPED.contains(escaped) {
            self.letter(*escaped, run, is_needed);
            return Some(());
        }
        self.end(run, is_needed);
        self.cost += match escaped {
            b'b' => 1,
            b's' => SPACE_COST,
            b'd' => DIGIT_COST,
            b'w' => WORD_COST,
            _ => return None,
        };
        if *escaped == b'b' {
            // The end of a word that is repeated is nothing usual: the sequence stops at the sign.
            return Some(());
        }
        self.repetition().map(drop)
    }

    fn group(&mut self, is_needed: bool, depth: usize) -> Option<()> {
        if depth == NESTING_MAX {
            return None;
        }
        if let Some(rest) = self.rest.strip_prefix(b"?:") {
            self.rest = rest;
        }
        let before = self.literals.len();
        self.sequence(is_needed, depth + 1)?;
        self.rest = self.rest.strip_prefix(b")")?;
        self.cost += 1;
        if self.repetition()? {
            self.literals.truncate(before);
        }
        Some(())
    }

    /// A class of plain letters and ranges of them.
    fn class(&mut self) -> Option<()> {
        let end = self.rest.iter().position(|byte| *byte == b']')?;
        let (inside, rest) = self.rest.split_at(end);
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" _-".contains(byte);
        let has_one_range = |inside: &[u8]| {
            let dashes = inside.iter().filter(|byte| **byte == b'-').count();
            // A dash at an end is one; between two it makes a range, whose ends have to be in their order.
            dashes == 0 || dashes == 1 && (inside.starts_with(b"-") || inside.ends_with(b"-"))
        };
        let is_range = |inside: &[u8]| [&b"a-z"[..], b"0-9", b"A-Z", b"a-z0-9", b"a-zA-Z"].contains(&inside);
        let is_known = is_range(inside) || inside.iter().all(is_plain) && has_one_range(inside);
        if inside.is_empty() || !is_known {
            return None;
        }
        self.rest = &rest[1..];
        self.cost += CLASS_COST;
        Some(())
    }

    /// Reads `?`, `*` or `+` if one is there, and tells whether what stands before it may be missing; none where there are two.
    fn repetition(&mut self) -> Option<bool> {
        let Some((sign, rest)) = self.rest.split_first().filter(|(sign, _)| b"?*+".contains(sign)) else {
            return Some(false);
        };
        self.rest = rest;
        self.cost += 1;
        let is_more = rest.first().is_some_and(|next| b"?*+{".contains(next));
        (!is_more).then_some(*sign != b'+')
    }

    fn end(&mut self, run: &mut String, is_needed: bool) {
        if is_needed && run.len() >= BYTES_MIN {
            self.literals.push(std::mem::take(run));
        }
        run.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn literals(pattern: &str) -> Option<String> {
        read(pattern).map(|quick| quick.literals.join("|"))
    }

    #[test]
    fn the_usual_kind_is_read_and_the_rest_is_left() {
        assert_eq!(literals(r"\bDocker\s+(the\s+)?compose\b").as_deref(), Some("docker|compose"));
        assert_eq!(literals(r"k8s[-_ ]?files?").as_deref(), Some("k8s|file"));
        assert_eq!(literals(r"(?:node\.js)+ x+yz").as_deref(), Some("node.js"));
        for pattern in [
            "a|kubernetes",
            "docker{2}",
            "^docker",
            "doc.er",
            "(?i)docker",
            "docker??",
            "über docker",
            r"\pLdocker",
            "[^a]docker",
            "(docker",
            "docker)",
            "(docker)?",
            r"\w+",
            "docker++",
        ] {
            assert_eq!(literals(pattern), None, "{pattern}");
        }
    }

    proptest! {
        /// What is read quickly is a regex, and needs no more than the parser says.
        #[test]
        fn a_literal_that_is_read_quickly_is_one_that_the_parser_finds(pattern in r"(docker|run|[a-c]{1,4}|\\b|\\s\+|\\d\*|\\\.|\(the\\s\+\)\?|\((\?:)?[a-c]{1,4}\)[?*+]?|[a-z][?*+]|\[-_ \]\?|[- ,]|[|^.{}?*+()\[\]]){1,7}") {
            if let Some(quick) = read(&pattern) {
                let parsed = regex_syntax::parse(&pattern);
                prop_assert!(parsed.is_ok(), "{pattern}");
                let found = crate::literals::required(&parsed.unwrap());
                for literal in &quick.literals {
                    prop_assert!(found.iter().any(|choices| choices.len() == 1 && choices[0].contains(literal)), "{pattern}: {literal} {found:?}");
                }
            }
        }
    }
}
