//! TLS towards receivers and issuers: whom this machine trusts is trusted, and whoever the operator names besides. The name that is
//! checked is the URL's, whatever address it was resolved to.

use rustls_native_certs::load_native_certs;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Who is trusted to vouch for receivers, or for an issuer.
#[derive(Debug, Clone, Default)]
pub struct WebhookTrust {
    further: Vec<CertificateDer<'static>>,
    /// Read when something is first sent over TLS: most servers never do.
    config: Arc<OnceLock<Result<Arc<ClientConfig>, String>>>,
}

impl WebhookTrust {
    /// Reads authorities that are trusted besides those of this machine: certificates in PEM.
    pub fn parse(pem: &[u8]) -> Result<Self, String> {
        let further: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let further = further.map_err(|error| format!("it holds what is no certificate: {error}"))?;
        if further.is_empty() {
            return Err("it holds no certificate".to_owned());
        }
        Ok(Self { further, ..Self::default() })
    }

    /// Makes sure of who is at the other end.
    pub async fn secure(&self, stream: TcpStream, host: &str) -> Result<TlsStream<TcpStream>, String> {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
        let name = name.map_err(|_| format!("{host} is no name that a certificate can have"))?;
        let connector = TlsConnector::from(self.config()?);
        connector.connect(name, stream).await.map_err(|error| format!("TLS with {host} failed: {error}"))
    }

    fn config(&self) -> Result<Arc<ClientConfig>, String> {
        self.config.get_or_init(|| self.make_config()).clone()
    }

    fn make_config(&self) -> Result<Arc<ClientConfig>, String> {
        let mut roots = RootCertStore::empty();
        let native = load_native_certs();
        // One that can't be used vouches for nobody.
        roots.add_parsable_certificates(native.certs);
        for authority in &self.further {
            roots
                .add(authority.clone())
                .map_err(|error| format!("an authority of the settings can't be used: {error}"))?;
        }
        if roots.is_empty() {
            return Err(
                "this machine trusts nobody: install ca-certificates, or name a file of authorities in the settings".into(),
            );
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        for pem in
            [&b""[..], b"my certificate", b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"]
        {
            assert!(WebhookTrust::parse(pem).is_err(), "{}", String::from_utf8_lossy(pem));
        }
    }
}
