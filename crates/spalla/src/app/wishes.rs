//! What a command wants of a server, and which wishes are refused because they would leave it open to strangers.

use crate::config::{Auth, Settings};
use crate::failure::{Failure, Result};
use spalla_server::Cors;
use std::net::SocketAddr;

/// What is started beside store and engine.
#[derive(Debug, Clone)]
pub(crate) struct Wishes {
    /// Where clients reach it; none means not at all.
    pub(crate) listen: Option<Listen>,
    /// Whether an embedded worker carries runs out.
    pub(crate) worker: bool,
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
        let Some(address) = self.listen.map(Listen::address).filter(|address| !address.ip().is_loopback())
        else {
            return Ok(());
        };
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    fn refusal(listen: &str, auth: &str, proxy: bool) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spalla.toml");
        std::fs::write(&path, format!("auth = \"{auth}\"\nbehind_tls_proxy = {proxy}\n")).unwrap();
        let sources = Sources { data_default: "/d".into(), files: vec![path], ..Sources::default() };
        let settings = Config::load(sources).unwrap().settings;
        let wishes = Wishes { listen: Some(Listen::At(listen.parse().unwrap())), worker: true };
        wishes.check(&settings).err().map(|failure| failure.to_string())
    }

    #[test]
    fn every_page_may_call_only_where_a_token_is_needed() {
        let refusal = |auth: &str, cors: &str| {
            let env = [("SPALLA_AUTH", auth), ("ORCH_CORS_ORIGINS", cors)];
            let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            let sources = Sources { data_default: "/d".into(), env, ..Sources::default() };
            let settings = Config::load(sources).unwrap().settings;
            let wishes = Wishes { listen: Some(Listen::At("127.0.0.1:1".parse().unwrap())), worker: true };
            wishes.check(&settings).err().map(|failure| failure.to_string())
        };
        assert!(refusal("none", "*").is_some_and(|text| text.contains("every page")));
        assert_eq!((refusal("token", "*"), refusal("none", "https://a.example")), (None, None));
        assert!(refusal("none", "a.example").is_some_and(|text| text.contains("is no origin")));
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
