//! Which database a URL names, in the driver's terms and in words that hold no password.

use crate::error::StoreError;
use crate::tx::Result;
use std::error::Error as _;
use std::fmt::Write as _;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// A host that does not answer within this is as good as gone; the URL may say otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent network is noticed after about half a minute instead of two hours.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;
/// What was sent and is not received for this long won't be.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// The values of `sslmode` that want what this program can't do.
const TLS_MODES: [&str; 3] = ["require", "verify-ca", "verify-full"];

/// A database to connect to.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) config: Config,
    words: String,
}

impl Target {
    /// Reads a URL: `postgresql://…` or `postgres://…`, also with a driver's name (`postgresql+psycopg://…`).
    pub(super) fn parse(url: &str) -> Result<Self> {
        let url = without_driver(url)?;
        if let Some(mode) = ssl_mode(&url).filter(|mode| TLS_MODES.contains(mode)) {
            return Err(tls_is_missing(mode));
        }
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            StoreError::Configuration(format!(
                "reading the Postgres URL: {error}{cause}; write postgresql://user:password@host:5432/database, with \
                 %40 for an @ in the password"
            ))
        })?;
        if config.get_ssl_mode() == SslMode::Require {
            return Err(tls_is_missing("require"));
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(StoreError::Configuration(
                "reading the Postgres URL: it names no host; write postgresql://127.0.0.1/database, or \
                 postgresql:///database?host=/var/run/postgresql for the socket in that folder"
                    .to_owned(),
            ));
        }
        set_defaults(&mut config);
        let words = words_for(&config);
        Ok(Self { config, words })
    }

    /// Returns where it is: host, port, database and user.
    pub(super) fn words(&self) -> &str {
        &self.words
    }
}

fn without_driver(url: &str) -> Result<String> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(StoreError::Configuration(
            "reading the Postgres URL: it has no `://`; write postgresql://user:password@host:5432/database"
                .to_owned(),
        ));
    };
    match scheme.split('+').next() {
        Some("postgresql" | "postgres") => Ok(format!("postgresql://{rest}")),
        _ => Err(StoreError::Configuration(format!(
            "reading the Postgres URL: `{scheme}` is another kind of database; write postgresql://…"
        ))),
    }
}

fn ssl_mode(url: &str) -> Option<&str> {
    let (_, parameters) = url.rsplit_once('?')?;
    parameters.split('&').find_map(|parameter| parameter.strip_prefix("sslmode="))
}

fn tls_is_missing(mode: &str) -> StoreError {
    StoreError::Configuration(format!(
        "the Postgres URL says sslmode={mode}, and this program speaks no TLS to Postgres; use sslmode=disable over a \
         unix socket, a private network or a tunnel"
    ))
}

fn set_defaults(config: &mut Config) {
    config.keepalives_idle(KEEPALIVE_IDLE);
    config.keepalives_interval(KEEPALIVE_INTERVAL);
    config.keepalives_retries(KEEPALIVE_RETRIES);
    config.tcp_user_timeout(SEND_TIMEOUT);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("spalla");
    }
}

fn words_for(config: &Config) -> String {
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
    let names = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.display().to_string(),
    });
    let mut places: Vec<String> =
        names.enumerate().map(|(at, name)| format!("{name}, port {}", port(at))).collect();
    if places.is_empty() {
        let addresses = config.get_hostaddrs().iter().enumerate();
        places = addresses.map(|(at, address)| format!("{address}, port {}", port(at))).collect();
    }
    let mut words = places.join(" or ");
    if let Some(database) = config.get_dbname().or(config.get_user()) {
        let _ = write!(words, ", database {database}");
    }
    if let Some(user) = config.get_user() {
        let _ = write!(words, ", user {user}");
    }
    words
}

#[cfg(test)]
mod tests {
    use super::Target;

    fn words(url: &str) -> String {
        Target::parse(url).map_or_else(|error| format!("! {error}"), |target| target.words().to_owned())
    }

    #[test]
    fn urls_are_read_with_and_without_a_drivers_name() {
        for scheme in ["postgresql", "postgres", "postgresql+asyncpg", "postgres+psycopg2"] {
            assert_eq!(
                words(&format!("{scheme}://u:secret@db.example:6543/spalla?sslmode=disable")),
                "db.example, port 6543, database spalla, user u"
            );
        }
        assert_eq!(words("postgresql://127.0.0.1/x"), "127.0.0.1, port 5432, database x");
        assert_eq!(
            words("postgresql:///x?host=/run/postgresql&user=u"),
            "/run/postgresql, port 5432, database x, user u"
        );
        assert_eq!(
            words("postgresql://u@a:1,b:2/x?target_session_attrs=read-write"),
            "a, port 1 or b, port 2, database x, user u"
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused_with_a_way_out() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let error = words(&format!("postgresql://u:secret@h/x?connect_timeout=3&sslmode={mode}"));
            assert!(error.starts_with(&format!("! the Postgres URL says sslmode={mode}")), "{error}");
        }
        for (url, part) in [
            ("mysql://u:secret@h/x", "`mysql` is another kind of database"),
            ("u:secret@h/x", "it has no `://`"),
            ("postgresql:///x", "it names no host"),
            ("postgresql://u:secret@h:port/x", "invalid value for option `port`"),
            ("postgresql://u:secret@h/x?colour=red", "unknown option `colour`"),
        ] {
            let error = words(url);
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
