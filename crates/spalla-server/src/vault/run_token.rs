//! Tokens of runs: what the agent of a run shows. Nothing of them is kept anywhere: a token says which run and which
//! lease it is of, and bears a code that only a server with the key can make.

use super::Vault;
use spalla_domain::fernet::FernetKey;
use spalla_domain::id::ID_MAX;
use spalla_domain::{Fence, RunId};

/// What a run's token begins with.
const PREFIX: &str = "spr_";
/// What its key is derived for.
const CONTEXT: &str = "spalla 2026-11-29 tokens of runs";

impl Vault {
    /// Makes the token of a run, for whoever holds it under this lease.
    pub fn run_token(&self, run: RunId, fence: Fence) -> String {
        let said = format!("{PREFIX}{run}_{fence}");
        let code = code(self.0.keys.newest(), &said).to_hex();
        format!("{said}_{code}")
    }

    /// Tells of which run and which lease a token is; none where no server with these keys made it.
    pub(crate) fn run_of(&self, token: &str) -> Option<(RunId, Fence)> {
        let (said, digits) = token.rsplit_once('_')?;
        let (run, fence) = said.strip_prefix(PREFIX)?.split_once('_')?;
        let (run, fence) = (number(run)?, number(fence)?);
        let given = blake3::Hash::from_hex(digits).ok()?;
        // Hashes are compared in constant time.
        let is_known = self.0.keys.keys().any(|key| code(key, said) == given);
        is_known.then_some((RunId(run), Fence(fence)))
    }
}

fn code(key: &FernetKey, said: &str) -> blake3::Hash {
    blake3::keyed_hash(&blake3::derive_key(CONTEXT, key.to_text().expose()), said.as_bytes())
}

fn number(text: &str) -> Option<i64> {
    let plain =
        text.starts_with(|c: char| ('1'..='9').contains(&c)) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| plain && *number <= ID_MAX)
}
