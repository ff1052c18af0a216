//! What the issuer says of itself: where it is spoken to, and the keys that it signs with.

use super::keys::Keys;
use super::published::Published;
use super::{Begun, Oidc, ask, leads_to};
use serde::Deserialize;
use spalla_domain::Timestamp;
use std::sync::Arc;
use url::Url;

/// Where an issuer describes itself, beneath its own address.
const DESCRIPTION: &str = "/.well-known/openid-configuration";

/// What is known of the issuer.
#[derive(Debug, Default)]
pub(crate) struct Issuer {
    metadata: Published<Metadata>,
    keys: Published<Keys>,
}

/// How an issuer describes itself, as far as it matters here.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    pub(super) token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether it names itself to the browser that it sends back.
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

impl Issuer {
    /// Returns how the issuer describes itself.
    pub(super) async fn metadata(&self, oidc: &Oidc, now: Timestamp) -> Result<Arc<Metadata>, String> {
        let ask = async {
            let url = format!("{}{DESCRIPTION}", oidc.issuer.trim_end_matches('/'));
            Metadata::read(oidc, &ask::published(oidc, &url).await?).map_err(|why| format!("{url}: {why}"))
        };
        self.metadata.get(now, ask).await
    }

    /// Returns the issuer's keys.
    pub(super) async fn keys(
        &self,
        oidc: &Oidc,
        metadata: &Metadata,
        now: Timestamp,
    ) -> Result<Arc<Keys>, String> {
        self.keys.get(now, read_keys(oidc, metadata)).await
    }

    /// Returns the keys as they are now, where a signature is of none that was known.
    pub(super) async fn newer_keys(
        &self,
        oidc: &Oidc,
        metadata: &Metadata,
        now: Timestamp,
    ) -> Result<Arc<Keys>, String> {
        self.keys.get_anew(now, read_keys(oidc, metadata)).await
    }
}

async fn read_keys(oidc: &Oidc, metadata: &Metadata) -> Result<Keys, String> {
    let document = ask::published(oidc, &metadata.jwks_uri).await?;
    Keys::read(&document).map_err(|why| format!("{}: {why}", metadata.jwks_uri))
}

impl Metadata {
    fn read(oidc: &Oidc, document: &[u8]) -> Result<Self, String> {
        let read: Self = serde_json::from_slice(document).map_err(|error| error.to_string())?;
        if read.issuer != oidc.issuer {
            return Err(format!("it calls itself {:?}, and not {:?}", read.issuer, oidc.issuer));
        }
        for url in [&read.authorization_endpoint, &read.token_endpoint, &read.jwks_uri] {
            let url = leads_to(url).map_err(|why| format!("{url:?}: {why}"))?;
            // An issuer elsewhere has nothing to say about servers of this machine.
            if url.scheme() == "http" && oidc.issuer.starts_with("https:") {
                return Err(format!("{url}: it is not over TLS, and the issuer is"));
            }
        }
        let lacks_s256 = |methods: &Vec<String>| !methods.iter().any(|method| method == "S256");
        if read.code_challenge_methods_supported.as_ref().is_some_and(lacks_s256) {
            return Err("it does not know the code challenge S256".into());
        }
        Ok(read)
    }

    /// Returns where a browser is sent to sign in.
    pub(super) fn sign_in_url(&self, oidc: &Oidc, begun: &Begun) -> Result<Url, String> {
        let mut url = leads_to(&self.authorization_endpoint)?;
        let scopes: Vec<&str> =
            ["openid"].into_iter().chain(oidc.scopes.iter().map(String::as_str)).collect();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", oidc.client_id.as_str()),
            ("redirect_uri", oidc.redirect_url.as_str()),
            ("scope", scopes.join(" ").as_str()),
            ("state", begun.state.as_str()),
            ("nonce", begun.nonce.as_str()),
            ("code_challenge", begun.challenge().as_str()),
            ("code_challenge_method", "S256"),
        ]);
        Ok(url)
    }

    /// Tells whether the client's secret is sent as a member of the form, and not in a header.
    pub(super) fn takes_secret_in_form(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let takes = |name: &str| methods.iter().any(|method| method == name);
        takes("client_secret_post") && !takes("client_secret_basic")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::tests::oidc;
    use serde_json::{Value, json};

    fn read(change: impl FnOnce(&mut Value)) -> Result<Metadata, String> {
        let mut document = json!({
            "issuer": oidc().issuer,
            "authorization_endpoint": "https://issuer.example/authorize?realm=a",
            "token_endpoint": "https://issuer.example/token",
            "jwks_uri": "https://keys.example/jwks",
            "something_else": [1],
        });
        change(&mut document);
        Metadata::read(&oidc(), document.to_string().as_bytes())
    }

    #[test]
    fn an_issuer_calls_itself_as_it_is_called_here_and_is_spoken_to_over_tls() {
        read(|_| {}).unwrap();
        read(|document| document["code_challenge_methods_supported"] = json!(["plain", "S256"])).unwrap();
        for (member, value) in [
            ("issuer", json!("https://issuer.example/realm/")),
            ("issuer", json!("https://evil.example")),
            ("token_endpoint", json!("http://issuer.example/token")),
            ("token_endpoint", json!("http://127.0.0.1/token")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
            ("jwks_uri", json!("file:///etc/passwd")),
            ("jwks_uri", Value::Null),
            ("code_challenge_methods_supported", json!(["plain"])),
        ] {
            assert!(read(|document| document[member] = value.clone()).is_err(), "{member} {value}");
        }
    }

    #[test]
    fn the_secret_is_sent_in_a_header_unless_the_issuer_takes_it_in_the_form_alone() {
        let in_form = |methods: Value| {
            let read = read(|document| document["token_endpoint_auth_methods_supported"] = methods);
            read.unwrap().takes_secret_in_form()
        };
        assert!(in_form(json!(["client_secret_post", "private_key_jwt"])));
        assert!(!in_form(json!(["client_secret_post", "client_secret_basic"])) && !in_form(Value::Null));
    }
}
