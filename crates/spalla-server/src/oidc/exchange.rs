//! The end of a sign-in: what came back with the browser is exchanged, at the issuer, for who it is that signed in.

use super::grant::Granted;
use super::id_token::{Claims, Expected, IdToken};
use super::issuer::Metadata;
use super::{Begun, Oidc, ask};
use crate::state::Shared;
use axum::http::{HeaderValue, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use form_urlencoded::{Serializer, byte_serialize};
use serde::Deserialize;
use spalla_domain::secret::Secret;
use utoipa::IntoParams;

/// What the issuer sends a browser back with.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CallbackQuery {
    /// What is exchanged for who signed in; it works once.
    code: Option<String>,
    /// What was sent to the issuer with the browser.
    state: Option<String>,
    /// Who sends the browser.
    iss: Option<String>,
    /// Why there is no code.
    error: Option<String>,
}

/// Somebody who signed in.
#[derive(Debug)]
pub(crate) struct SignedIn {
    /// As whom the issuer knows them.
    pub(crate) subject: String,
    /// What they are given.
    pub(crate) granted: Granted,
}

/// Why nobody is let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Nothing that began in this browser ends so.
    #[error("no sign-in began in this browser, or too long ago, or another one began since")]
    NotBegun,
    /// The issuer said no.
    #[error("the issuer did not let anybody in")]
    ByIssuer,
    /// What the issuer said is not believed; the log says why.
    #[error("what the issuer said is not believed; the server's log says why")]
    Unbelieved,
    /// Whoever signed in is given nothing here.
    #[error("you signed in, and nothing says what you may do here: ask an administrator for a role")]
    NoRole(String),
    /// The issuer can't be asked.
    #[error("the issuer can't be asked just now; try again in a moment")]
    Unavailable,
}

impl Refused {
    /// Returns the stable code.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NotBegun => "sign_in_not_begun",
            Self::ByIssuer => "sign_in_refused",
            Self::Unbelieved => "sign_in_unbelieved",
            Self::NoRole(_) => "no_role",
            Self::Unavailable => "issuer_unavailable",
        }
    }

    /// Returns the status.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::NotBegun => StatusCode::BAD_REQUEST,
            Self::ByIssuer | Self::Unbelieved => StatusCode::UNAUTHORIZED,
            Self::NoRole(_) => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns as whom the issuer knows who is not let in, where that is known.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self {
            Self::NoRole(subject) => Some(subject),
            _ => None,
        }
    }

    fn unavailable(why: String) -> Self {
        tracing::warn!(why, "nobody can sign in: the issuer can't be asked");
        Self::Unavailable
    }

    fn unbelieved(why: impl Into<String>) -> Self {
        let why: String = why.into();
        tracing::warn!(why, "a sign-in was refused");
        Self::Unbelieved
    }
}

/// What the issuer gives for a code. The access token is not needed, and not kept.
#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

impl Oidc {
    /// Returns where a browser is sent to sign in.
    pub(crate) async fn begin(&self, app: &Shared, begun: &Begun) -> Result<String, Refused> {
        let metadata = app.issuer.metadata(self, app.now()).await.map_err(Refused::unavailable)?;
        Ok(metadata.sign_in_url(self, begun).map_err(Refused::unavailable)?.into())
    }

    /// Returns who signed in.
    pub(crate) async fn end(
        &self,
        app: &Shared,
        begun: Option<Begun>,
        query: CallbackQuery,
    ) -> Result<SignedIn, Refused> {
        let state = query.state.as_deref().unwrap_or_default();
        let begun = begun.filter(|begun| begun.is_of(state)).ok_or(Refused::NotBegun)?;
        let metadata = app.issuer.metadata(self, app.now()).await.map_err(Refused::unavailable)?;
        let is_issuer = match &query.iss {
            Some(given) => *given == self.issuer,
            None => !metadata.authorization_response_iss_parameter_supported,
        };
        if !is_issuer {
            return Err(Refused::unbelieved("the browser was sent back by another issuer"));
        }
        let code = match (query.code, query.error) {
            (Some(code), None) => code,
            (_, error) => {
                tracing::info!(error, "the issuer did not let anybody in");
                return Err(Refused::ByIssuer);
            }
        };
        let token = self.exchange(&metadata, &begun, &code).await?;
        let claims = self.believed(app, &metadata, &begun, &token).await?;
        match Granted::to(self, &claims.all) {
            Some(granted) => Ok(SignedIn { subject: claims.subject, granted }),
            None => Err(Refused::NoRole(claims.subject)),
        }
    }

    /// Exchanges a code for an ID token.
    async fn exchange(&self, metadata: &Metadata, begun: &Begun, code: &str) -> Result<String, Refused> {
        let (authorization, form) = self.asked(metadata, begun, code).map_err(Refused::unavailable)?;
        let answer = ask::post(self, &metadata.token_endpoint, authorization, form).await;
        let answer = answer.map_err(Refused::unavailable)?;
        match answer.status {
            StatusCode::OK => {
                let tokens: Result<Tokens, _> = serde_json::from_slice(&answer.body);
                // The cause could repeat what it stands before, and that is secret.
                Ok(tokens.map_err(|_| Refused::unbelieved("the issuer sent no ID token"))?.id_token)
            }
            status if status.is_client_error() => {
                Err(Refused::unbelieved(format!("the issuer took no code: it answers {status}")))
            }
            status => Err(Refused::unavailable(format!("{} answers {status}", metadata.token_endpoint))),
        }
    }

    /// Writes what is asked, and who asks.
    fn asked(
        &self,
        metadata: &Metadata,
        begun: &Begun,
        code: &str,
    ) -> Result<(Option<HeaderValue>, String), String> {
        let mut form = Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &self.redirect_url)
            .append_pair("code_verifier", &begun.verifier);
        let secret = self.client_secret.as_deref().map(Secret::expose_text).transpose();
        let secret = secret.map_err(|_| "the client's secret is no text".to_owned())?;
        if let Some(secret) = secret.filter(|_| !metadata.takes_secret_in_form()) {
            return Ok((Some(basic(&self.client_id, secret)?), form.finish()));
        }
        form.append_pair("client_id", &self.client_id);
        if let Some(secret) = secret {
            form.append_pair("client_secret", secret);
        }
        Ok((None, form.finish()))
    }

    /// Returns what a token says, if it is to be believed.
    async fn believed(
        &self,
        app: &Shared,
        metadata: &Metadata,
        begun: &Begun,
        token: &str,
    ) -> Result<Claims, Refused> {
        let token =
            IdToken::read(token).map_err(|why| Refused::unbelieved(format!("the ID token: {why}")))?;
        let keys = app.issuer.keys(self, metadata, app.now()).await.map_err(Refused::unavailable)?;
        if !token.is_signed_by(&keys) {
            // Issuers change their keys without a word.
            let keys =
                app.issuer.newer_keys(self, metadata, app.now()).await.map_err(Refused::unavailable)?;
            if !token.is_signed_by(&keys) {
                return Err(Refused::unbelieved("the ID token: no key of the issuer signed it"));
            }
        }
        let (issuer, client_id) = (&self.issuer, &self.client_id);
        let expected = Expected { issuer, client_id, nonce: &begun.nonce, now: app.now() };
        token.claims(expected).map_err(|why| Refused::unbelieved(format!("the ID token: {why}")))
    }
}

/// Writes who this server is, as issuers read it: each half as in a form.
fn basic(client_id: &str, secret: &str) -> Result<HeaderValue, String> {
    let half = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
    let both = STANDARD.encode(format!("{}:{}", half(client_id), half(secret)));
    HeaderValue::from_str(&format!("Basic {both}")).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_as_in_a_form() {
        let header = basic("a b", "p:w%").unwrap();
        assert_eq!(header.to_str().unwrap(), format!("Basic {}", STANDARD.encode("a+b:p%3Aw%25")));
    }
}
