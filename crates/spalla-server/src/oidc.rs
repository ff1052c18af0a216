//! Signing in through an OpenID Connect issuer: the authorization code flow with PKCE. What comes of it is a session, a
//! token with an end like any other, which only a cookie shows. Without the feature `oidc` only the settings are here.
//!
//! ```text
//!  /sign-in ─► begun (state, nonce, verifier; sealed in a cookie) ─► the issuer's page
//!  /sign-in/callback ─► exchange (ask) ─► id_token (keys, claims) ─► grant ─► session
//! ```

#[cfg(feature = "oidc")]
mod ask;
#[cfg(feature = "oidc")]
mod begun;
#[cfg(feature = "oidc")]
mod exchange;
#[cfg(feature = "oidc")]
mod grant;
#[cfg(feature = "oidc")]
mod id_token;
#[cfg(feature = "oidc")]
mod issuer;
#[cfg(feature = "oidc")]
mod keys;
#[cfg(feature = "oidc")]
mod published;

#[cfg(feature = "oidc")]
pub(crate) use begun::Begun;
#[cfg(feature = "oidc")]
pub(crate) use exchange::{CallbackQuery, Refused, SignedIn};
#[cfg(feature = "oidc")]
pub(crate) use issuer::Issuer;

use crate::host_guard::Hosts;
use crate::webhooks::WebhookTrust;
use spalla_domain::ProjectId;
use spalla_domain::access::role::Role;
use spalla_domain::access::token::{LIFE_MS_MAX, PROJECTS_MAX};
use spalla_domain::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// Where whoever signed in comes back to.
const CALLBACK: &str = "/sign-in/callback";
/// How many values of the claim may be given something.
const ROLES_MAX: usize = 1_000;

/// How people sign in.
#[derive(Debug, Clone)]
pub struct Oidc {
    /// The issuer, exactly as it calls itself; `https`, or on this machine's loopback.
    pub issuer: String,
    /// What the issuer calls this server.
    pub client_id: String,
    /// What this server shows to the issuer; none where it is known without.
    pub client_secret: Option<Arc<Secret>>,
    /// Where the issuer sends people back to: `/sign-in/callback` of a host that is served.
    pub redirect_url: String,
    /// What the issuer is asked for besides `openid`: some say nothing of groups unless they are.
    pub scopes: Vec<String>,
    /// The claim that says what people may do; a dot leads into a claim that is an object.
    pub role_claim: String,
    /// What each value of the claim gives. Whoever has none of them is not let in.
    pub roles: BTreeMap<String, Grant>,
    /// How long somebody is signed in.
    pub session_life: Duration,
    /// How long the issuer may take for one answer.
    pub answer_timeout: Duration,
    /// Who is trusted to vouch for the issuer.
    pub trust: WebhookTrust,
}

/// What a value of the claim gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// As what somebody is let in.
    pub role: Role,
    /// The projects in which the role counts; none means all.
    pub project_ids: Option<BTreeSet<ProjectId>>,
    /// The roles that approvals may ask for.
    pub approval_roles: BTreeSet<String>,
}

impl Oidc {
    /// Refuses settings with which nobody could sign in, or somebody by mistake.
    pub(crate) fn check(&self, hosts: &Hosts) -> Result<(), String> {
        leads_to(&self.issuer).map_err(|why| format!("issuer {:?}: {why}", self.issuer))?;
        if self.client_id.is_empty() {
            return Err("client_id is missing: it is what the issuer calls this server".into());
        }
        if let Some(odd) = self.scopes.iter().find(|scope| !is_word(scope)) {
            return Err(format!("scopes: {odd:?} is no word"));
        }
        if self.role_claim.is_empty() {
            return Err("role_claim is missing: it names the claim that says what people may do".into());
        }
        if !(1..=ROLES_MAX).contains(&self.roles.len()) {
            return Err(format!(
                "roles names 1 to {ROLES_MAX} values of {}: nobody else is let in",
                self.role_claim
            ));
        }
        for (value, grant) in &self.roles {
            grant.check().map_err(|why| format!("roles, {value:?}: {why}"))?;
        }
        let life_ms = i64::try_from(self.session_life.as_millis()).unwrap_or(i64::MAX);
        if !(1..=LIFE_MS_MAX).contains(&life_ms) {
            return Err("a session has an end".into());
        }
        self.check_redirect(hosts).map_err(|why| format!("redirect_url {:?}: {why}", self.redirect_url))
    }

    fn check_redirect(&self, hosts: &Hosts) -> Result<(), String> {
        let url = leads_to(&self.redirect_url)?;
        let origin = url.origin().ascii_serialization();
        if self.redirect_url != format!("{origin}{CALLBACK}") {
            return Err(format!(
                "it is the origin of this server, in small letters, and {CALLBACK} behind it"
            ));
        }
        let host = origin.split_once("://").map_or("", |(_, host)| host);
        if hosts.serves(host) {
            return Ok(());
        }
        Err(format!("{host} is not served here; list it among the served hosts"))
    }

    /// Returns where people sign in.
    pub(crate) fn sign_in_url(&self) -> &str {
        self.redirect_url.strip_suffix("/callback").unwrap_or_default()
    }

    /// Returns the name of the cookie that lets those in who signed in; the port, because browsers keep one jar for all
    /// ports of a host.
    pub(crate) fn session_cookie(&self, port: u16) -> String {
        format!("{}spalla_user_{port}", self.cookie_prefix())
    }

    /// Writes the cookie of a session, which no page of another site makes a browser send.
    #[cfg(feature = "oidc")]
    pub(crate) fn session(&self, port: u16, value: &str) -> String {
        let seconds = self.session_life.as_secs();
        format!(
            "{}={value}; SameSite=Strict; Max-Age={seconds}{}",
            self.session_cookie(port),
            self.attributes()
        )
    }

    /// Takes the cookie of a session away.
    #[cfg(feature = "oidc")]
    pub(crate) fn no_session(&self, port: u16) -> String {
        format!("{}=; SameSite=Strict; Max-Age=0{}", self.session_cookie(port), self.attributes())
    }

    /// Returns the name of the cookie of a sign-in that began.
    #[cfg(feature = "oidc")]
    fn begun_name(&self, port: u16) -> String {
        format!("{}spalla_sign_in_{port}", self.cookie_prefix())
    }

    /// Writes that cookie; for no second, to take it away. The issuer's page leads here from another site, so that it may
    /// not be `Strict`.
    #[cfg(feature = "oidc")]
    pub(crate) fn begun_cookie(&self, port: u16, value: &str, seconds: i64) -> String {
        format!("{}={value}; SameSite=Lax; Max-Age={seconds}{}", self.begun_name(port), self.attributes())
    }

    #[cfg(feature = "oidc")]
    fn attributes(&self) -> &'static str {
        if self.is_over_tls() { "; Path=/; HttpOnly; Secure" } else { "; Path=/; HttpOnly" }
    }

    /// Over TLS a cookie of such a name is the host's own: no neighbour under the same domain can give it to a browser.
    fn cookie_prefix(&self) -> &'static str {
        if self.is_over_tls() { "__Host-" } else { "" }
    }

    fn is_over_tls(&self) -> bool {
        self.redirect_url.starts_with("https://")
    }
}

impl Grant {
    fn check(&self) -> Result<(), String> {
        if self.role == Role::Worker {
            return Err("nobody signs in as a worker".into());
        }
        if self.project_ids.as_ref().is_some_and(|ids| ids.is_empty() || ids.len() > PROJECTS_MAX) {
            return Err(format!("1 to {PROJECTS_MAX} projects are named, or they are left out for all"));
        }
        Ok(())
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads where something is spoken to: over TLS, or on this machine's own loopback.
fn leads_to(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("it holds a name, a password or a fragment".into());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err("it is an https:// URL, or an http:// URL on the loopback address".into()),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests;
