//! Redaction: masks secrets in whatever is about to be stored or shown, in every form in which programs write them.
//!
//! Known forms are raw, base64 (both alphabets, at every place inside a longer text, and as the usual tools wrap it),
//! hexadecimal, percent-encoded and JSON-escaped, once or twice. Deliberately absent: what no longer looks like the
//! secret, such as compressed, encrypted, reversed or cut up letter by letter.

mod forms;
mod stream;

pub use stream::RedactorStream;

use crate::secret::Secret;
use aho_corasick::AhoCorasick;
use forms::{Edges, Form, INSIDE_BYTES_MIN, forms_of, is_base64};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

/// How many bytes all secrets of one redactor have at most: its tables are a thousand times as large.
pub const SECRETS_BYTES_MAX: usize = 64 * 1024;
/// The longest name that is shown in place of a secret, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// What is shown where the name itself would tell too much.
const NAMELESS: &str = "***";

/// Why there is no redactor for some secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// They are too long, together.
    #[error("the secrets have {bytes} bytes together, and at most {SECRETS_BYTES_MAX} can be looked for")]
    TooLong {
        /// How long they are.
        bytes: usize,
    },
    /// The search can't be prepared.
    #[error("preparing the search for {forms} forms of the secrets")]
    Unsearchable {
        /// How many forms they have.
        forms: usize,
    },
}

/// Masks a fixed set of secrets. Its tables hold them in the clear and are not wiped: it is kept no longer than they
/// are in use.
pub struct Redactor {
    automaton: AhoCorasick,
    /// By the number of the pattern.
    known: Vec<Known>,
    labels: Vec<String>,
    /// Every form, sorted: tells what may be the beginning of one.
    sorted: Vec<Vec<u8>>,
    /// Which two bytes a form begins with.
    beginnings: Vec<bool>,
    /// How many bytes the longest form has.
    form_bytes_max: usize,
}

/// What is known of a form beside its bytes.
#[derive(Debug, Clone, Copy)]
struct Known {
    label: usize,
    edges: Edges,
}

/// A place that is to be masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: usize,
    end: Reverse<usize>,
    label: usize,
}

impl Redactor {
    /// Prepares for secrets, each with the name that is shown instead. Of secrets with the same form the first one
    /// names it. One of less than 4 bytes counts only as a word of its own; one of several lines is also looked for
    /// line by line; a blank one hides nothing and is ignored.
    pub fn new<'a, N: AsRef<str>>(secrets: impl IntoIterator<Item = (N, &'a Secret)>) -> Result<Self, Error> {
        let mut labels = Vec::new();
        let mut forms = BTreeMap::<Vec<u8>, Known>::new();
        let mut bytes = 0_usize;
        for (name, secret) in secrets {
            bytes = bytes.saturating_add(secret.len());
            if bytes > SECRETS_BYTES_MAX {
                continue;
            }
            for Form { bytes, edges } in forms_of(secret.expose()) {
                let known = forms.entry(bytes).or_insert(Known { label: labels.len(), edges });
                known.edges = known.edges.or(edges);
            }
            labels.push(label(name.as_ref()));
        }
        if bytes > SECRETS_BYTES_MAX {
            return Err(Error::TooLong { bytes });
        }
        let (sorted, known): (Vec<Vec<u8>>, Vec<_>) = forms.into_iter().unzip();
        let automaton = AhoCorasick::builder().build(&sorted);
        let automaton = automaton.map_err(|_| Error::Unsearchable { forms: sorted.len() })?;
        let form_bytes_max = sorted.iter().map(Vec::len).max().unwrap_or(0);
        let mut beginnings = vec![false; 1 << 16];
        for form in &sorted {
            if let [first, second, ..] = form.as_slice() {
                beginnings[pair(*first, *second)] = true;
            }
        }
        let redactor = Self { automaton, known, labels, sorted, beginnings, form_bytes_max };
        Ok(redactor.without_telling_labels())
    }

    /// A name may hold a secret, and it is then not said.
    fn without_telling_labels(mut self) -> Self {
        for at in 0..self.labels.len() {
            if !self.spans(self.labels[at].as_bytes()).is_empty() {
                NAMELESS.clone_into(&mut self.labels[at]);
            }
        }
        self
    }

    /// Tells whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// Returns the text with its secrets masked; one without any is returned as it is, after one pass.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.redact_bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            // A secret of bytes may have ended inside a letter.
            Cow::Owned(bytes) => String::from_utf8(bytes)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
                .into(),
        }
    }

    /// Returns the text with its secrets masked, where what followed was cut off: an end with which a secret may begin goes
    /// as well.
    pub fn redact_cut(&self, text: &str) -> String {
        let bytes = text.as_bytes();
        let mut masked = Vec::with_capacity(bytes.len());
        self.write(bytes, &self.spans(bytes), 0..self.undecided_from(bytes), 0, &mut masked);
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// Does with bytes what [`Self::redact`] does with text.
    pub fn redact_bytes<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let spans = self.spans(bytes);
        if spans.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut masked = Vec::with_capacity(bytes.len());
        self.write(bytes, &spans, 0..bytes.len(), 0, &mut masked);
        Cow::Owned(masked)
    }

    /// Masks secrets in every string and key of a value. A number of some length that as a whole is one becomes a
    /// string; digits inside a number are no secret.
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                if let Some(label) = self.label_of_whole(&number.to_string()) {
                    *value = label.into();
                }
            }
            Value::String(text) => self.redact_string(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(members) => {
                members.values_mut().for_each(|member| self.redact_json(member));
                self.redact_keys(members);
            }
        }
    }

    fn label_of_whole(&self, number: &str) -> Option<&str> {
        let is_whole =
            |span: &&Span| number.len() >= INSIDE_BYTES_MIN && span.end.0 - span.start == number.len();
        self.spans(number.as_bytes()).iter().find(is_whole).map(|span| self.labels[span.label].as_str())
    }

    fn redact_string(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.redact(text) {
            *text = masked;
        }
    }

    /// Keys that would become the same are told apart by a number, so that no member is lost.
    fn redact_keys(&self, members: &mut Map<String, Value>) {
        if members.keys().all(|key| matches!(self.redact(key), Cow::Borrowed(_))) {
            return;
        }
        for (key, member) in std::mem::take(members) {
            let masked = self.redact(&key);
            let numbered = (2_usize..).map(|number| Cow::Owned(format!("{masked} ({number})")));
            let free =
                std::iter::once(masked.clone()).chain(numbered).find(|key| !members.contains_key(&**key));
            members.insert(free.unwrap_or(masked).into_owned(), member);
        }
    }

    /// Finds every place that is to be masked, by where it begins, the longest first. Places may overlap: what is
    /// left of one secret beside another would tell.
    fn spans(&self, bytes: &[u8]) -> Vec<Span> {
        if self.automaton.find(bytes).is_none() {
            return Vec::new();
        }
        let found = self.automaton.find_overlapping_iter(bytes).filter_map(|found| {
            let Known { label, edges } = self.known[found.pattern().as_usize()];
            let range = edges.apply(bytes, found.start()..found.end())?;
            Some(Span { start: range.start, end: Reverse(range.end), label })
        });
        let mut spans: Vec<Span> = found.collect();
        spans.sort_unstable();
        spans
    }

    /// Writes a part of the bytes with one label for all places that overlap, that of the first. `masked` is where
    /// the last place ended that was written, and so is what is returned.
    fn write(
        &self,
        bytes: &[u8],
        spans: &[Span],
        part: Range<usize>,
        mut masked: usize,
        out: &mut Vec<u8>,
    ) -> usize {
        let mut written = part.start;
        for span in spans.iter().filter(|span| part.contains(&span.start)) {
            if span.start >= masked {
                out.extend(bytes.get(written.max(masked)..span.start).unwrap_or_default());
                out.extend(self.labels[span.label].as_bytes());
                written = span.start;
            }
            masked = masked.max(span.end.0);
        }
        out.extend(bytes.get(written.max(masked)..part.end).unwrap_or_default());
        masked
    }

    /// Returns from where on more bytes could still change what is masked.
    fn undecided_from(&self, bytes: &[u8]) -> usize {
        let first = bytes.len().saturating_sub(self.form_bytes_max);
        let at = (first..bytes.len()).find(|at| self.may_begin(&bytes[*at..])).unwrap_or(bytes.len());
        match bytes[..at].last() {
            // It may share a letter with what follows.
            Some(before) if is_base64(*before) && !self.is_empty() => at - 1,
            _ => at,
        }
    }

    /// Tells whether the bytes are the beginning of a form, or a whole one.
    fn may_begin(&self, bytes: &[u8]) -> bool {
        if let [first, second, ..] = bytes
            && !self.beginnings[pair(*first, *second)]
        {
            return false;
        }
        let at = self.sorted.partition_point(|form| form.as_slice() < bytes);
        self.sorted.get(at).is_some_and(|form| form.starts_with(bytes))
    }
}

/// Shows the names only.
impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Redactor").field(&self.labels).finish()
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(u16::from_be_bytes([first, second]))
}

fn label(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain) {
        format!("[redacted:{name}]")
    } else {
        NAMELESS.to_owned()
    }
}

#[cfg(test)]
mod tests;
