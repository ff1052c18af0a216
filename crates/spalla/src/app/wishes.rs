//! What a command wants of a server, and which wishes are refused because they would leave it open to strangers.

use crate::clock::SystemClock;
use crate::config::{Auth, Settings};
use crate::failure::{Failure, Result};
use spalla_domain::access::token::{Kind, Status, Token};
use spalla_server::Cors;
use spalla_store::document::Kept;
use spalla_store::view::{DocumentFilter, Page};
use spalla_store::{Clock, Store, StoreError};
use std::net::SocketAddr;

/// How many tokens are looked at for one that opens, the newest.
const TOKENS_LOOKED_AT: u32 = 500;

/// What is started beside store and engine.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    /// Where clients reach it; none means not at all.
    pub(crate) listen: Option<Listen>,
    /// Whether an embedded worker carries runs out.
    pub(crate) worker: bool,
    /// Whether issues of GitHub become work.
    pub(crate) issues: bool,
}

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Exactly here.
    At(SocketAddr),
    /// Here, or at the next port that is free.
    From(SocketAddr),
}

impl Listen {
    /// Returns the first address that is tried.
    pub(crate) const fn address(self) -> SocketAddr {
        match self {
            Self::At(address) | Self::From(address) => address,
        }
    }
}

impl Wishes {
    /// Refuses what would let strangers in.
    pub(super) fn check(&self, settings: &Settings) -> Result<()> {
        if self.listen.is_some() && settings.auth == Auth::None && settings.cors()? == Cors::Any {
            return Err(Failure::usage(
                "without authentication and with cors_origins = \"*\" every page that anybody opens could command this server",
            )
            .mend("use --auth token, or list the origins that may call"));
        }
        if self.listen.is_some() && settings.auth == Auth::None && settings.oidc.is_on() {
            return Err(Failure::usage(
                "without authentication everybody is let in, and signing in (oidc.issuer) says nothing",
            )
            .mend("use --auth token, or leave out oidc.issuer"));
        }
        let Some(address) = self.reached_from_elsewhere(settings) else { return Ok(()) };
        if settings.auth == Auth::None && settings.behind_tls_proxy {
            return Err(Failure::usage(
                "without authentication everybody behind the proxy (behind_tls_proxy) could command this server",
            )
            .mend("use --auth token, or leave out behind_tls_proxy"));
        }
        if settings.auth == Auth::None {
            return Err(Failure::usage(format!("without authentication nobody but this machine may reach the server, and {address} is not a loopback address"))
                .mend("use --auth token, or listen on 127.0.0.1"));
        }
        if !settings.behind_tls_proxy {
            return Err(Failure::usage(format!("{address} is not a loopback address, and this version speaks no TLS, so the token would cross the network in the clear"))
                .mend("listen on 127.0.0.1, or put a proxy that ends TLS in front and set behind_tls_proxy = true in spalla.toml"));
        }
        Ok(())
    }

    /// Returns the address where others than this machine reach it: a proxy in front lets them in wherever it listens.
    fn reached_from_elsewhere(&self, settings: &Settings) -> Option<SocketAddr> {
        let address = self.listen.map(Listen::address)?;
        (!address.ip().is_loopback() || settings.behind_tls_proxy).then_some(address)
    }

    /// Refuses to be reached from elsewhere while nobody was given a way in on purpose: a token of somebody's own, an
    /// issuer to sign in through, or an administrator token that the operator chose.
    pub(super) async fn check_users(&self, settings: &Settings, store: &Store) -> Result<()> {
        let address = self.reached_from_elsewhere(settings);
        let has_way_in = !settings.server_token.is_empty() || settings.oidc.is_on();
        let Some(address) = address.filter(|_| !has_way_in) else { return Ok(()) };
        let filter = DocumentFilter { kind: Token::KIND, owner: None, status: Some("active") };
        let unread = |error: StoreError| Failure::failed(format!("reading the tokens: {error}"));
        let page = Page { limit: TOKENS_LOOKED_AT, before: None, offset: 0 };
        let now = SystemClock.now();
        for document in store.read().documents(filter, page).await.map_err(unread)? {
            let token = document.read::<Token>().map_err(unread)?;
            // A worker's token lets no person in.
            if token.kind == Kind::User && token.status(now) == Status::Active {
                return Ok(());
            }
        }
        Err(Failure::usage(format!("{address} is reached from elsewhere, and nobody has a token of their own, so that everybody would share the administrator's"))
            .mend("listen on 127.0.0.1 and make one with `spalla token create`, or set SPALLA_SERVER_TOKEN to an administrator token of your own"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemRandomness;
    use crate::config::{Config, Sources};
    use spalla_domain::access::role::Role;
    use spalla_domain::access::token::{NewToken, SecretHash};
    use spalla_store::Command;
    use std::collections::BTreeSet;
    use std::sync::Arc;

    fn refusal(listen: &str, auth: &str, proxy: bool) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spalla.toml");
        std::fs::write(&path, format!("auth = \"{auth}\"\nbehind_tls_proxy = {proxy}\n")).unwrap();
        let sources = Sources { data_default: "/d".into(), files: vec![path], ..Sources::default() };
        let settings = Config::load(sources).unwrap().settings;
        let wishes =
            Wishes { listen: Some(Listen::At(listen.parse().unwrap())), worker: true, issues: false };
        wishes.check(&settings).err().map(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn beyond_loopback_somebody_was_given_a_way_in_on_purpose() {
        let store = Store::open(spalla_store::Options {
            location: spalla_store::Location::Memory(spalla_store::Memory::default()),
            settings: spalla_store::Settings::default(),
            clock: Arc::new(SystemClock),
            randomness: Arc::new(SystemRandomness),
            gate: None,
        });
        let store = store.await.unwrap();
        let refused = async |listen: &str, token: &str| {
            let env = [("SPALLA_SERVER_TOKEN".to_owned(), token.to_owned())].into();
            let sources = Sources { data_default: "/d".into(), env, ..Sources::default() };
            let settings = Config::load(sources).unwrap().settings;
            let wishes =
                Wishes { listen: Some(Listen::At(listen.parse().unwrap())), worker: true, issues: false };
            wishes.check_users(&settings, &store).await.is_err()
        };
        assert!(refused("0.0.0.0:1", "").await && !refused("127.0.0.1:1", "").await);
        assert!(!refused("0.0.0.0:1", "an administrator token of the operator's").await);
        let make = |life_ms| {
            Command::CreateToken(Box::new(NewToken {
                kind: Kind::User,
                name: "ada".into(),
                role: Some(Role::Admin),
                project_ids: None,
                policies: vec![],
                approval_roles: BTreeSet::new(),
                life_ms,
                subject: None,
                secret_hash: SecretHash::of("s"),
                made_by: "administrator".into(),
            }))
        };
        store.execute(make(None)).await.unwrap();
        assert!(!refused("0.0.0.0:1", "").await);
        store.execute(Command::RevokeToken { id: 1.into() }).await.unwrap();
        assert!(refused("0.0.0.0:1", "").await, "it is revoked");
    }

    #[test]
    fn every_page_may_call_only_where_a_token_is_needed() {
        let refusal = |auth: &str, cors: &str| {
            let env = [("SPALLA_AUTH", auth), ("ORCH_CORS_ORIGINS", cors)];
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let sources = Sources { data_default: "/d".into(), env, ..Sources::default() };
            let settings = Config::load(sources).unwrap().settings;
            let wishes = Wishes {
                listen: Some(Listen::At("127.0.0.1:1".parse().unwrap())),
                worker: true,
                issues: false,
            };
            wishes.check(&settings).err().map(|failure| failure.to_string())
        };
        assert!(refusal("none", "*").is_some_and(|text| text.contains("every page")));
        assert_eq!((refusal("token", "*"), refusal("none", "https://a.example")), (None, None));
        assert!(refusal("none", "a.example").is_some_and(|text| text.contains("is no origin")));
    }

    #[cfg(feature = "oidc")]
    #[test]
    fn oidc_lets_nobody_sign_in_where_everybody_is_let_in() {
        let refusal = |auth: &str| {
            let env = [("SPALLA_AUTH", auth), ("SPALLA_OIDC_ISSUER", "https://issuer.example")];
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let sources = Sources { data_default: "/d".into(), env, ..Sources::default() };
            let settings = Config::load(sources).unwrap().settings;
            let wishes = Wishes {
                listen: Some(Listen::At("127.0.0.1:1".parse().unwrap())),
                worker: true,
                issues: false,
            };
            wishes.check(&settings).err().map(|failure| failure.to_string())
        };
        assert!(
            refusal("none").is_some_and(|text| text.contains("oidc.issuer")) && refusal("token").is_none()
        );
    }

    #[test]
    fn on_loopback_everything_is_allowed() {
        for listen in ["127.0.0.1:1", "[::1]:1", "127.8.8.8:1"] {
            assert_eq!((refusal(listen, "none", false), refusal(listen, "token", false)), (None, None));
        }
    }

    #[test]
    fn beyond_loopback_a_token_and_tls_are_needed() {
        for listen in ["0.0.0.0:1", "192.168.1.2:1", "[::]:1"] {
            assert!(
                refusal(listen, "none", true).is_some_and(|text| text.contains("--auth token")),
                "{listen}"
            );
            assert!(
                refusal(listen, "token", false).is_some_and(|text| text.contains("speaks no TLS")),
                "{listen}"
            );
            assert_eq!(refusal(listen, "token", true), None, "{listen}");
        }
    }
}
