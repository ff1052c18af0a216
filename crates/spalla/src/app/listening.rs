//! Brings the HTTP server to its address, or to the next one that is free.

use super::{App, Listen};
use crate::clock::{SystemClock, SystemRandomness};
use crate::config::{Auth, Settings};
use crate::failure::{Failure, Result};
use crate::programs::{self, Call};
use crate::worker_options::allowed;
use futures_util::future::BoxFuture;
use spalla_server::{Access, Error, HealthOptions, Options, Routing, Runner, Server, Token};
use std::net::SocketAddr;
use std::path::Path;
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
    app: &App,
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
        match Server::bind(options(settings, address, app, secrets)?, app.engine.clone()).await {
            Err(Error::PortTaken { .. }) if tries > 1 => {}
            bound => return bound.map_err(unusable),
        }
    }
    Err(Failure::usage(format!("the {PORTS_MAX} ports from {first} on are all taken"))
        .mend("name another with --port"))
}

fn options(settings: &Settings, listen: SocketAddr, app: &App, secrets: &Secrets) -> Result<Options> {
    let access = match settings.auth {
        Auth::Token => Access::Token(Token::new(secrets.token.as_str())),
        Auth::None => Access::None,
    };
    let health = HealthOptions {
        checks: settings.health_checks()?,
        data: Some(settings.data.clone()),
        runner: Some(Arc::new(Programs)),
    };
    Ok(Options {
        listen,
        access,
        oidc: settings.oidc.read()?,
        served_hosts: settings.served_hosts(),
        cors: settings.cors()?,
        rate_limit_per_minute: settings.rate_limit_per_minute,
        start_code: secrets.code.as_deref().map(Token::new),
        version: env!("CARGO_PKG_VERSION").into(),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        health,
        vault: app.vault.clone(),
        limits_max: allowed(&settings.sandbox)?.all,
        scratchpads: crate::scratchpads::of(settings),
        agent_secret: Some(&settings.worker.secret_key).filter(|key| !key.is_empty()).map(Token::new),
        sessions: Arc::new(app.sessions.clone()),
        github: app.hook.clone(),
        routing: Arc::clone(&app.serving) as Arc<dyn Routing>,
        definitions: app.serving.definitions(),
        queue_limit: settings.queue_limit,
        webhook_networks: settings.webhook_networks()?,
        webhook_trust: settings.webhook_trust()?,
        grace: GRACE,
    })
}

/// Starts the programs of health checks, as every other program is started.
struct Programs;

impl Runner for Programs {
    fn run(
        &self,
        words: Vec<String>,
        timeout: Duration,
    ) -> BoxFuture<'static, std::result::Result<(), String>> {
        Box::pin(async move {
            let (program, args) = words.split_first().ok_or("no program is named")?;
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let timeout_ms = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
            let call = Call { program, args: &args, folder: Path::new("/"), env: &[], timeout_ms };
            let answer = programs::call(call).await.map_err(|failure| failure.to_string())?;
            if answer.is_good() { Ok(()) } else { Err(format!("{program}: {}", answer.complaint())) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_check_without_a_program_is_told_so() {
        let error = Programs.run(vec![], Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error, "no program is named");
    }
}
