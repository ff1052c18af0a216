//! Trace ids of runs: derived, so that they need no column and no round trip.

use spalla_domain::RunId;

/// Returns the trace id of a run: 32 hexadecimal digits, the same for ever, different in every store.
pub(crate) fn trace_id(store_id: &str, run: RunId) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"spalla run").update(store_id.as_bytes()).update(&run.0.to_le_bytes());
    hasher.finalize().to_hex()[..32].to_owned()
}
