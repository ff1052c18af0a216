//! Entries of the audit as rows.

use super::{Fields, row};
use crate::sql::statement::Row;
use crate::tx::Result;
use spalla_domain::AuditId;
use spalla_domain::audit::chain::{Digest, Head};
use spalla_domain::audit::{Call, Entry, Outcome};

/// Reads an entry.
pub(crate) fn read(fields: &mut Fields) -> Result<Entry> {
    Ok(Entry {
        id: fields.id("id")?,
        at: fields.time("at")?,
        call: Call {
            principal: fields.text("principal")?,
            client: fields.text("client")?,
            operation: fields.text("operation")?,
            resource: fields.text("resource")?,
            request_id: fields.text("request_id")?,
        },
        outcome: fields.word("outcome", Outcome::parse)?,
        code: fields.maybe_text("code")?,
        previous_hash: digest(fields, "previous_hash")?,
        hash: digest(fields, "hash")?,
    })
}

/// Reads the end of the chain.
pub(crate) fn read_head(fields: &mut Fields) -> Result<Head> {
    Ok(Head { id: fields.id("id")?, hash: digest(fields, "hash")? })
}

fn digest(fields: &mut Fields, column: &str) -> Result<Digest> {
    let bytes = fields.blob(column)?;
    let length = bytes.len();
    bytes.try_into().map(Digest).map_err(|_| fields.odd(column, format!("has {length} bytes")))
}

/// Writes an entry.
pub(crate) fn new(entry: Entry) -> Row {
    let Entry { id, at, call, outcome, code, previous_hash, hash } = entry;
    let Call { principal, client, operation, resource, request_id } = call;
    let (previous, hash) = (previous_hash.0.to_vec(), hash.0.to_vec());
    let outcome = outcome.as_str();
    // A resource without an id is its own thing.
    let of = thing(&resource).unwrap_or_else(|| short(&resource)).to_owned();
    let among = collection(&resource).to_owned();
    row![id, at, principal, client, operation, resource, request_id, outcome, code, previous, hash, of, among]
}

/// The longest beginning of a resource that lists go by, in bytes: an entry of an index has its limit.
const BEGINNING_BYTES_MAX: usize = 200;

/// Returns a resource up to the first id that it names; none where it names none.
pub(crate) fn thing(resource: &str) -> Option<&str> {
    let mut end = 0;
    for part in resource.split_inclusive('/') {
        let name = part.trim_end_matches('/');
        end += part.len();
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(short(&resource[..end - (part.len() - name.len())]));
        }
    }
    None
}

/// Returns the first part of a resource.
pub(crate) fn collection(resource: &str) -> &str {
    let end = resource.char_indices().skip(1).find(|(_, letter)| *letter == '/');
    short(end.map_or(resource, |(at, _)| &resource[..at]))
}

fn short(beginning: &str) -> &str {
    &beginning[..beginning.floor_char_boundary(BEGINNING_BYTES_MAX)]
}

/// Writes where the chain ends, behind these entries.
pub(crate) fn moved_head(entries: &[Entry]) -> Option<Row> {
    let (first, last) = (entries.first()?, entries.last()?);
    Some(row![AuditId(first.id.0 - 1), last.id, last.hash.0.to_vec()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beneath_a_resource_has_its_thing_or_else_its_collection() {
        let run = "/work-items/runs/7";
        for beneath in [run, "/work-items/runs/7/logs", "/work-items/runs/7/artifacts/8/b"] {
            assert_eq!((thing(beneath), collection(beneath)), (Some(run), "/work-items"), "{beneath}");
        }
        assert_eq!(thing("/work-items/runs/70/logs"), Some("/work-items/runs/70"));
        for plain in ["/scheduler/enqueue", "git push", "/runs/1-x", "", "/"] {
            assert_eq!(thing(plain), None, "{plain}");
        }
        assert_eq!(
            ["/scheduler/enqueue", "git push", "", "/"].map(collection),
            ["/scheduler", "git push", "", "/"]
        );
        let long = "é".repeat(4_000);
        assert!(
            collection(&long).len() <= BEGINNING_BYTES_MAX
                && thing(&format!("{long}/1")).unwrap().len() <= 200
        );
    }
}
