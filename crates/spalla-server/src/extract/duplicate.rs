//! Members of JSON objects that are there twice. Readers differ about which of the two counts, so that what one of them checks
//! may not be what another one does: no request has any, at any depth, whatever the object is for.

use std::borrow::Cow;
use std::collections::HashSet;

/// How many names are compared one by one; a set is faster only beyond.
const FEW: usize = 16;

/// A member that is there twice.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Duplicate {
    /// Where it is, as `a.b[0].c`.
    pub(super) path: String,
    /// Its name.
    pub(super) name: String,
    /// How many bytes stand before it.
    pub(super) at: usize,
}

/// Finds the first member that its object has already. Only for what was read as JSON.
pub(super) fn duplicate(json: &[u8]) -> Option<Duplicate> {
    let mut open: Vec<Frame<'_>> = Vec::new();
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'{' => {
                open.push(Frame::Object { names: Names::default(), last: Cow::Borrowed(""), is_name: true })
            }
            b'[' => open.push(Frame::Array { index: 0 }),
            b'}' | b']' => drop(open.pop()),
            b',' => open.last_mut()?.next(),
            b'"' => {
                let end = end_of_text(json, at + 1)?;
                if let Some(name) = open.last_mut().and_then(|frame| frame.named(&json[at..=end])) {
                    return Some(Duplicate { path: path(&open), name, at });
                }
                at = end;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// What is open while the text is read.
enum Frame<'a> {
    Object {
        names: Names<'a>,
        /// The name that was read last.
        last: Cow<'a, str>,
        /// Whether the next text is a name.
        is_name: bool,
    },
    Array {
        index: usize,
    },
}

impl<'a> Frame<'a> {
    fn next(&mut self) {
        match self {
            Self::Object { is_name, .. } => *is_name = true,
            Self::Array { index } => *index += 1,
        }
    }

    /// Takes note of a text in quotes, where it is a name; returns one that is there already.
    fn named(&mut self, text: &'a [u8]) -> Option<String> {
        let Self::Object { names, last, is_name } = self else { return None };
        if !std::mem::take(is_name) {
            return None;
        }
        *last = name_of(text);
        (!names.add(last.clone())).then(|| last.clone().into_owned())
    }
}

/// The names of one object.
#[derive(Default)]
struct Names<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Names<'a> {
    /// Adds a name; tells whether it is new.
    fn add(&mut self, name: Cow<'a, str>) -> bool {
        if !self.many.is_empty() {
            return self.many.insert(name);
        }
        if self.few.contains(&name) {
            return false;
        }
        self.few.push(name);
        if self.few.len() > FEW {
            self.many = self.few.drain(..).collect();
        }
        true
    }
}

/// Returns a name as it is meant: the same letter may be written in several ways.
fn name_of(text: &[u8]) -> Cow<'_, str> {
    let plain = &text[1..text.len() - 1];
    match std::str::from_utf8(plain) {
        Ok(plain) if !plain.contains('\\') => Cow::Borrowed(plain),
        _ => Cow::Owned(serde_json::from_slice(text).unwrap_or_default()),
    }
}

/// Returns where the text ends that begins here: the place of its closing quotes.
fn end_of_text(json: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        match json.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn path(open: &[Frame<'_>]) -> String {
    let mut path = String::new();
    for frame in open {
        match frame {
            Frame::Object { last, .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(last);
            }
            Frame::Array { index } => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    //! Which members count as the same.

    use super::*;
    use proptest::prelude::*;

    fn path_of(json: &str) -> Option<String> {
        duplicate(json.as_bytes()).map(|found| found.path)
    }

    #[test]
    fn a_member_that_is_there_twice_is_named_by_its_path() {
        for (json, path) in [
            (r#"{"a":1,"a":1}"#, "a"),
            (r#"{"limits":{"memory_mb":1,"b":"}","memory_mb":2}}"#, "limits.memory_mb"),
            (r#"[1,{"a":[{"b":{}},{"c":1,"d":[],"c":2}]}]"#, "[1].a[1].c"),
            (r#"{"a":{"\u0061":1,"b":2,"a":3}}"#, "a.a"),
            (r#"{"a\"":1,"b":"a","a\"":1}"#, "a\""),
            (r#"{"":1,"":2}"#, ""),
        ] {
            assert_eq!(path_of(json).as_deref(), Some(path), "{json}");
        }
        let many: Vec<String> = (0..100).map(|number| format!("\"k{number}\":0")).collect();
        assert_eq!(path_of(&format!("{{{}}}", many.join(","))), None);
        assert_eq!(path_of(&format!("{{{},\"k3\":1}}", many.join(","))).as_deref(), Some("k3"));
    }

    #[test]
    fn the_same_word_elsewhere_is_no_duplicate() {
        for json in [
            r#"{"a":"a","b":["a","a"],"c":{"a":{"a":1}},"A":1}"#,
            r#"[{"a":1},{"a":1}]"#,
            r#""a""#,
            r#"{"a":"\",\"a\":"}"#,
            "[]",
            "",
        ] {
            assert_eq!(path_of(json), None, "{json}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(bytes in prop::collection::vec(prop::sample::select(b"{}[],:\"\\a1 ".to_vec()), 0..60)) {
            duplicate(&bytes);
        }
    }
}
