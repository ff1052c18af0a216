//! The chain over the audit: numbers without a gap, and in each entry the digest of the one before, so that whoever
//! changes, removes, adds or moves an entry breaks it. The newest digest is kept apart, for the end of the chain has
//! nothing behind it that would miss it.

use super::{Call, Entry, NewEntry};
use crate::{AuditId, Timestamp};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// Stands before everything that is digested, so that no digest of anything else is one of an entry.
const DOMAIN: &[u8] = b"spalla audit entry, version 1";

/// A digest: SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// What stands in the place of the entry before the first.
    pub const NONE: Self = Self([0; 32]);

    /// Reads 64 hexadecimal digits.
    pub fn parse(hex: &str) -> Option<Self> {
        let digits = hex.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The end of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of the newest entry; 0 where there is none.
    pub id: AuditId,
    /// Its digest.
    pub hash: Digest,
}

impl Head {
    /// The end of a chain without entries.
    pub const NONE: Self = Self { id: AuditId(0), hash: Digest::NONE };

    /// Adds an entry at the end.
    pub fn add(&mut self, new: NewEntry, at: Timestamp) -> Entry {
        let NewEntry { call, outcome, code } = new;
        let id = AuditId(self.id.0 + 1);
        let mut entry = Entry { id, at, call, outcome, code, previous_hash: self.hash, hash: Digest::NONE };
        entry.hash = digest(&entry);
        *self = Self { id, hash: entry.hash };
        entry
    }
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// The numbers have a gap, or go back.
    #[error("entry {expected} is missing: entry {found} stands in its place")]
    Missing {
        /// The number that had to come.
        expected: AuditId,
        /// The number that came.
        found: AuditId,
    },
    /// An entry does not follow on the one before.
    #[error("entry {0} does not bear the digest of the entry before: one of the two was replaced")]
    Unlinked(AuditId),
    /// An entry is not what it was when it was written.
    #[error("entry {0} is not what it was when it was written")]
    Changed(AuditId),
    /// Entries at the end are gone.
    #[error("entry {expected} is missing: the chain went on to {newest}")]
    Short {
        /// The first that is missing.
        expected: AuditId,
        /// The newest that was written.
        newest: AuditId,
    },
    /// The end of the chain is another one than the one kept apart.
    #[error("entry {0} is not the one that was written last under this number")]
    OtherEnd(AuditId),
}

impl Break {
    /// Returns the number of the first record that is broken.
    pub const fn at(&self) -> AuditId {
        match self {
            Self::Missing { expected, .. } | Self::Short { expected, .. } => *expected,
            Self::Unlinked(id) | Self::Changed(id) | Self::OtherEnd(id) => *id,
        }
    }
}

/// Follows a chain from its beginning.
#[derive(Debug, Clone)]
pub struct Verifier {
    head: Head,
}

impl Default for Verifier {
    fn default() -> Self {
        Self { head: Head::NONE }
    }
}

impl Verifier {
    /// Takes the next entry, in the order of the numbers.
    pub fn take(&mut self, entry: &Entry) -> Result<(), Break> {
        let expected = AuditId(self.head.id.0 + 1);
        if entry.id != expected {
            return Err(Break::Missing { expected, found: entry.id });
        }
        if digest(entry) != entry.hash {
            return Err(Break::Changed(entry.id));
        }
        if entry.previous_hash != self.head.hash {
            return Err(Break::Unlinked(entry.id));
        }
        self.head = Head { id: entry.id, hash: entry.hash };
        Ok(())
    }

    /// Returns the end of what was taken.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// Tells whether all was taken up to an end that is known from elsewhere.
    pub fn reaches(&self, known: Head) -> Result<(), Break> {
        if self.head.id < known.id {
            return Err(Break::Short { expected: AuditId(self.head.id.0 + 1), newest: known.id });
        }
        match self.head == known || self.head.id > known.id {
            true => Ok(()),
            false => Err(Break::OtherEnd(known.id)),
        }
    }
}

/// Digests all of an entry but its own digest.
fn digest(entry: &Entry) -> Digest {
    let Entry { id, at, call, outcome, code, previous_hash, hash: _ } = entry;
    let Call { principal, client, operation, resource, request_id } = call;
    let mut sha = Sha256::new_with_prefix(DOMAIN);
    sha.update(previous_hash.0);
    sha.update(id.0.to_be_bytes());
    sha.update(at.ms().to_be_bytes());
    for text in [principal, client, operation, resource, request_id] {
        add_text(&mut sha, text);
    }
    add_text(&mut sha, outcome.as_str());
    match code {
        Some(code) => {
            sha.update([1]);
            add_text(&mut sha, code);
        }
        None => sha.update([0]),
    }
    Digest(sha.finalize().into())
}

/// Digests a text behind its length, so that nothing can move from one text into the next.
fn add_text(sha: &mut Sha256, text: &str) {
    sha.update((text.len() as u64).to_be_bytes());
    sha.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Outcome;

    fn new(resource: &str) -> NewEntry {
        let call = Call {
            principal: "administrator".into(),
            client: "127.0.0.1".into(),
            operation: "POST /projects".into(),
            resource: resource.into(),
            request_id: "r".into(),
        };
        call.ended(Outcome::Done, None)
    }

    fn chain() -> (Vec<Entry>, Head) {
        let mut head = Head::NONE;
        let entries = ["/a", "/b", "/c", "/d"].map(|at| head.add(new(at), Timestamp::from_ms(7)));
        (entries.into(), head)
    }

    fn verify(entries: &[Entry], head: Head) -> Result<(), Break> {
        let mut verifier = Verifier::default();
        entries.iter().try_for_each(|entry| verifier.take(entry))?;
        verifier.reaches(head)
    }

    #[test]
    fn what_was_written_is_found_whole() {
        let (entries, head) = chain();
        assert_eq!(verify(&entries, head), Ok(()));
        assert_eq!(verify(&[], Head::NONE), Ok(()));
        assert_eq!((entries[0].previous_hash, head.hash), (Digest::NONE, entries[3].hash));
        assert_eq!(Digest::parse(&head.hash.to_string()), Some(head.hash));
        assert_eq!(verify(&entries, Head { id: AuditId(2), hash: entries[1].hash }), Ok(()));
    }

    #[test]
    fn each_member_of_a_changed_entry_is_found() {
        let changes: [fn(&mut Entry); 9] = [
            |entry| entry.at = Timestamp::from_ms(8),
            |entry| entry.call.principal = "x".into(),
            |entry| entry.call.client = "x".into(),
            |entry| entry.call.operation = "x".into(),
            |entry| entry.call.resource = "x".into(),
            |entry| entry.call.request_id = "x".into(),
            |entry| entry.outcome = Outcome::Refused,
            |entry| entry.code = Some(String::new()),
            |entry| entry.previous_hash = Digest([1; 32]),
        ];
        for change in changes {
            let (mut entries, head) = chain();
            change(&mut entries[1]);
            assert_eq!(verify(&entries, head), Err(Break::Changed(AuditId(2))));
        }
    }

    #[test]
    fn a_text_can_not_move_into_the_next_one() {
        let (mut entries, head) = chain();
        entries[1].call.operation = "POST /projects/".into();
        entries[1].call.resource = "b".into();
        assert_eq!(verify(&entries, head), Err(Break::Changed(AuditId(2))));
    }

    #[test]
    fn an_entry_that_is_changed_together_with_its_digest_is_found_by_the_next_one() {
        let (mut entries, head) = chain();
        entries[1].call.principal = "x".into();
        entries[1].hash = digest(&entries[1]);
        assert_eq!(verify(&entries, head), Err(Break::Unlinked(AuditId(3))));
        let (mut entries, head) = chain();
        entries[3].call.principal = "x".into();
        entries[3].hash = digest(&entries[3]);
        assert_eq!(verify(&entries, head), Err(Break::OtherEnd(AuditId(4))));
    }

    #[test]
    fn removed_moved_and_added_entries_are_found() {
        for gone in 0..4 {
            let (mut entries, head) = chain();
            entries.remove(gone);
            assert_eq!(verify(&entries, head).unwrap_err().at(), AuditId(gone as i64 + 1));
        }
        let (mut entries, head) = chain();
        entries.swap(1, 2);
        assert_eq!(verify(&entries, head).unwrap_err().at(), AuditId(2));
        // Also when the numbers are made to fit.
        (entries[1].id, entries[2].id) = (AuditId(2), AuditId(3));
        assert_eq!(verify(&entries, head), Err(Break::Changed(AuditId(2))));
        let (mut entries, head) = chain();
        entries.insert(2, entries[1].clone());
        assert_eq!(verify(&entries, head), Err(Break::Missing { expected: AuditId(3), found: AuditId(2) }));
    }

    #[test]
    fn only_hexadecimal_digits_are_a_digest() {
        for odd in ["", "00", &"g".repeat(64), &"0".repeat(65), &"+0".repeat(32)] {
            assert_eq!(Digest::parse(odd), None, "{odd}");
        }
    }
}
