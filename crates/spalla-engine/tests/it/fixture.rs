//! The few words that the stores' random scripts are written in.

/// Spreads a number over all numbers, the same way each time.
pub(crate) fn scatter(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Short words for what scripts ask.
pub(crate) mod verbs {
    use spalla_domain::{Fence, RunId, WorkerId};
    use spalla_store::command::RunEnd;

    /// How long a lease lasts where a claim does not say, in milliseconds.
    pub(crate) const LEASE_MS: i64 = 60_000;

    /// A worker by its name.
    pub(crate) fn worker(name: &str) -> WorkerId {
        WorkerId::new(name).expect("a worker's id")
    }

    /// The end of a run.
    pub(crate) fn end(run_id: RunId, fencing_token: Option<Fence>, success: bool) -> RunEnd {
        RunEnd {
            run_id,
            fencing_token,
            success,
            exit_code: None,
            result: None,
            usage: None,
            error: None,
            sandbox: None,
        }
    }
}
