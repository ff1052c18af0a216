//! A sign-in that began in a browser: what only that browser can bring back. It is sealed in a cookie and kept nowhere
//! here, so that strangers who begin fill nothing, and any server with the keys ends what another began.

use super::Oidc;
use crate::auth::cookies;
use crate::state::Shared;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use spalla_domain::Timestamp;
use subtle::ConstantTimeEq;

/// How long somebody may take at the issuer, in seconds.
const BEGUN_SECONDS: i64 = 600;
/// What tells it from whatever else is sealed with the same keys.
const KIND: &str = "sign-in";

/// A sign-in that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begun {
    kind: String,
    /// What the issuer sends back with the browser.
    pub(super) state: String,
    /// What the issuer puts into the ID token.
    pub(super) nonce: String,
    /// What shows that whoever exchanges the code is who asked for it.
    pub(super) verifier: String,
    at: Timestamp,
}

impl Begun {
    /// Begins.
    pub(crate) fn new(app: &Shared) -> Self {
        let random = || (0..4).map(|_| format!("{:016x}", app.randomness.next())).collect::<String>();
        Self { kind: KIND.into(), state: random(), nonce: random(), verifier: random(), at: app.now() }
    }

    /// Returns what the verifier is held against: its digest, by the method S256.
    pub(super) fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// Returns the cookie that brings it back.
    pub(crate) fn cookie(&self, app: &Shared, oidc: &Oidc) -> Option<HeaderValue> {
        let plain = serde_json::to_string(self).ok()?;
        let sealed = app.vault.seal_secret(&plain.into());
        HeaderValue::from_str(&oidc.begun_cookie(app.port, &sealed, BEGUN_SECONDS)).ok()
    }

    /// Reads what a browser brings back; none where nothing began in it, or too long ago.
    pub(crate) fn read(app: &Shared, oidc: &Oidc, headers: &HeaderMap) -> Option<Self> {
        let name = oidc.begun_name(app.port);
        let opened = app.vault.open_secret(cookies(headers, &name).next()?).ok()?;
        let begun: Self = serde_json::from_slice(opened.expose()).ok()?;
        let age_ms = app.now().ms() - begun.at.ms();
        (begun.kind == KIND && (0..BEGUN_SECONDS * 1_000).contains(&age_ms)).then_some(begun)
    }

    /// Tells whether what came back with the browser is what was sent with it.
    pub(super) fn is_of(&self, state: &str) -> bool {
        self.state.as_bytes().ct_eq(state.as_bytes()).into()
    }
}
