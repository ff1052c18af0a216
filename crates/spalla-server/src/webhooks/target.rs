//! Where a webhook leads: read by one reader of URLs, resolved once, and only to addresses that may be reached.

use crate::problem::Problem;
use spalla_domain::network::Networks;
use spalla_domain::webhook::URL_BYTES_MAX;
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

/// Where a webhook leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    host: Host<String>,
    port: u16,
    /// Whether it is spoken to over TLS.
    pub(crate) is_tls: bool,
    /// What stands in the Host header.
    pub(crate) authority: String,
    /// The path with the query.
    pub(crate) path: String,
}

impl Target {
    /// Reads a URL.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > URL_BYTES_MAX {
            return Err(format!("it has {} bytes; at most {URL_BYTES_MAX} are taken", text.len()));
        }
        let url = Url::parse(text).map_err(|error| format!("it is no URL: {error}"))?;
        match url.scheme() {
            "http" | "https" => {}
            other => return Err(format!("its scheme is {other}, and only http and https are sent to")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a name or a password; receivers check the signature instead".into());
        }
        if url.fragment().is_some() {
            return Err("it holds a fragment, which is never sent".into());
        }
        let host = url.host().ok_or("it names no host")?.to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let path =
            url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        Ok(Self { host, port, is_tls: url.scheme() == "https", authority, path })
    }

    /// Returns the host's name, or its address.
    pub(crate) fn host(&self) -> String {
        self.host.to_string()
    }

    /// Refuses a URL whose address can't be reached, as far as it names one.
    pub(crate) fn check(&self, networks: &Networks) -> Result<(), Problem> {
        let named = match &self.host {
            Host::Ipv4(address) => Some(IpAddr::V4(*address)),
            Host::Ipv6(address) => Some(IpAddr::V6(*address)),
            Host::Domain(_) => None,
        };
        match named.filter(|address| !networks.allow(*address)) {
            None => Ok(()),
            Some(address) => Err(Problem::invalid("url", denied(address))
                .mend("send to a public address, or list the network in webhook_networks")),
        }
    }

    /// Resolves the host, once, to the address that is connected to.
    pub(crate) async fn resolve(&self, networks: &Networks) -> Result<SocketAddr, String> {
        let found: Vec<SocketAddr> = match &self.host {
            Host::Ipv4(address) => vec![(*address, self.port).into()],
            Host::Ipv6(address) => vec![(*address, self.port).into()],
            Host::Domain(name) => {
                let resolved = tokio::net::lookup_host((name.as_str(), self.port)).await;
                resolved.map_err(|error| format!("{name} can't be resolved: {error}"))?.collect()
            }
        };
        let allowed = found.iter().find(|address| networks.allow(address.ip()));
        allowed.copied().ok_or_else(|| match found.first() {
            Some(address) => denied(address.ip()),
            None => "the host has no address".to_owned(),
        })
    }
}

fn denied(address: IpAddr) -> String {
    format!("{address} is not an address of the public internet, and webhook_networks does not list it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_in_one_way() {
        let target = Target::parse("http://Example.org:8080/a%20b?c=d").unwrap();
        assert_eq!((target.authority.as_str(), target.path.as_str()), ("example.org:8080", "/a%20b?c=d"));
        let secure = Target::parse("https://example.org/").unwrap();
        assert_eq!((secure.is_tls, secure.port, secure.authority.as_str()), (true, 443, "example.org"));
        for odd in [
            "",
            "a",
            "ftp://a/",
            "http://",
            "http://u@a/",
            "http://u:p@a/",
            "http://a/#b",
            "file:///etc/passwd",
            "http://a b/",
            "//a/",
            "javascript:alert(1)",
        ] {
            assert!(Target::parse(odd).is_err(), "{odd}");
        }
    }

    #[tokio::test]
    async fn addresses_that_are_not_public_are_denied_however_they_are_written() {
        let none = Networks::default();
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://127.1/",
            "http://0177.0.0.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://10.0.0.1/",
            "http://0.0.0.0/",
        ] {
            let target = Target::parse(url).unwrap();
            assert!(target.check(&none).is_err() && target.resolve(&none).await.is_err(), "{url}");
        }
        let localhost = Target::parse("http://localhost:9/").unwrap();
        assert!(localhost.check(&none).is_ok() && localhost.resolve(&none).await.is_err());
        let listed = Networks::parse("127.0.0.0/8,::1").unwrap();
        assert!(localhost.resolve(&listed).await.unwrap().ip().is_loopback());
    }
}
