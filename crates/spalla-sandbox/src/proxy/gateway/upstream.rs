//! The way to a host: to an address that is allowed, and over TLS only to whom somebody trusted vouches for.

use super::Route;
use crate::injection::Scheme;
use crate::proxy::{PATIENCE, connect};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls_native_certs::{load_certs_from_paths, load_native_certs};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A connection to a host, which goes on as long as it is polled.
pub(super) type Line = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Why a host is not reached.
pub(super) enum Unreached {
    /// It may not be.
    Refused(String),
    /// It can't be.
    Failed(String),
}

/// What bytes travel over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Connects to the host of a route.
pub(super) async fn reach(route: &Arc<Route>) -> Result<Box<dyn Stream>, Unreached> {
    let host = &route.target.host;
    let failed =
        |reason: &dyn std::fmt::Display| Unreached::Failed(format!("{host} can't be reached: {reason}"));
    let way = Arc::clone(route);
    let connected = tokio::task::spawn_blocking(move || connect(&way.allow, &way.target)).await;
    let stream = connected.map_err(|error| failed(&error))?.map_err(Unreached::Refused)?;
    let made = stream.and_then(|stream| {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        TcpStream::from_std(stream)
    });
    let stream = made.map_err(|error| failed(&error))?;
    match route.scheme {
        Scheme::Http => Ok(Box::new(stream)),
        Scheme::Https => {
            let secured = tokio::time::timeout(PATIENCE, route.trust.secure(stream, host)).await;
            let late = |_| failed(&format_args!("no TLS within {} seconds", PATIENCE.as_secs()));
            secured.map_err(late)?.map_err(Unreached::Failed)
        }
    }
}

/// Sends a request over a connection of its own, and returns the answer with the connection that the rest of it comes over.
pub(super) async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<Incoming>,
) -> hyper::Result<(Response<Incoming>, Option<Line>)> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // No task of its own: whoever drops the answer sends nothing more.
    let mut line: Line = Box::pin(async move {
        // Where it broke off, the answer says so.
        let _ = connection.await;
    });
    let mut answered = std::pin::pin!(sender.send_request(request));
    tokio::select! {
        biased;
        response = &mut answered => Ok((response?, Some(line))),
        () = &mut line => Ok((answered.await?, None)),
    }
}

/// Who vouches for hosts: whom `SSL_CERT_FILE` and `SSL_CERT_DIR` of the environment outside name, or else those that this
/// machine trusts. The supervisor's own environment may be empty.
pub(super) struct Trust {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
    /// Read when something is first sent over TLS: few runs ever do.
    config: OnceLock<Result<Arc<ClientConfig>, String>>,
}

impl Trust {
    pub(super) fn of(outside: &BTreeMap<String, String>) -> Self {
        let named = |name: &str| outside.get(name).filter(|value| !value.is_empty());
        let folders = named("SSL_CERT_DIR").map(|folders| std::env::split_paths(folders).collect());
        Self {
            file: named("SSL_CERT_FILE").map(PathBuf::from),
            folders: folders.unwrap_or_default(),
            config: OnceLock::new(),
        }
    }

    /// Makes sure of who is at the other end.
    async fn secure(&self, stream: TcpStream, host: &str) -> Result<Box<dyn Stream>, String> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| format!("{host} is no name that a certificate can have"))?;
        let config = self.config.get_or_init(|| self.make_config()).clone()?;
        match TlsConnector::from(config).connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(format!("TLS with {host} failed: {error}")),
        }
    }

    fn make_config(&self) -> Result<Arc<ClientConfig>, String> {
        let mut roots = RootCertStore::empty();
        // One that can't be used vouches for nobody.
        if self.file.is_none() && self.folders.is_empty() {
            roots.add_parsable_certificates(load_native_certs().certs);
        }
        roots.add_parsable_certificates(load_certs_from_paths(self.file.as_deref(), None).certs);
        for folder in &self.folders {
            roots.add_parsable_certificates(load_certs_from_paths(None::<&Path>, Some(folder)).certs);
        }
        if roots.is_empty() {
            return Err("nobody is trusted to vouch for hosts: install ca-certificates, or name a file of authorities \
                        with SSL_CERT_FILE"
                .into());
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }
}
