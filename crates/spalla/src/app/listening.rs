//! Brings the HTTP server to its address, or to the next one that is free.

use super::Listen;
use crate::clock::{SystemClock, SystemRandomness};
use crate::config::{Auth, Settings};
use crate::failure::{Failure, Result};
use spalla_engine::EngineHandle;
use spalla_server::{Access, Error, Options, Server, Token};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How many ports are tried where the next free one will do.
const PORTS_MAX: u16 = 100;
/// How long requests that are under way may take to end after the shutdown.
const GRACE: Duration = Duration::from_secs(3);

/// What opens the server: the administrator token, and the code of the start link.
pub(super) struct Secrets {
    pub(super) token: String,
    pub(super) code: Option<String>,
}

/// Binds the server.
pub(super) async fn bind(
    settings: &Settings,
    listen: Listen,
    engine: &EngineHandle,
    secrets: &Secrets,
) -> Result<Server> {
    let first = listen.address();
    let tries = match listen {
        Listen::At(_) => 1,
        Listen::From(_) => PORTS_MAX,
    };
    let unusable = |error: Error| Failure::usage(error.to_string());
    for port in (first.port()..=u16::MAX).take(usize::from(tries)) {
        let address = SocketAddr::new(first.ip(), port);
        match Server::bind(options(settings, address, secrets), engine.clone()).await {
            Err(Error::PortTaken { .. }) if tries > 1 => {}
            bound => return bound.map_err(unusable),
        }
    }
    Err(Failure::usage(format!("the {PORTS_MAX} ports from {first} on are all taken"))
        .mend("name another with --port"))
}

fn options(settings: &Settings, listen: SocketAddr, secrets: &Secrets) -> Options {
    let access = match settings.auth {
        Auth::Token => Access::Token(Token::new(secrets.token.as_str())),
        Auth::None => Access::None,
    };
    Options {
        listen,
        access,
        served_hosts: settings.served_hosts(),
        start_code: secrets.code.as_deref().map(Token::new),
        version: env!("CARGO_PKG_VERSION").into(),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        grace: GRACE,
    }
}
