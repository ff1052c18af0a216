//! Which hosts are allowed: names, all names beneath one, and addresses; with a port, or at the usual two.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ports of a host that is listed without one.
const USUAL_PORTS: [u16; 2] = [80, 443];

/// Whom a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// A name, or an address without brackets; in small letters.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// Reads `host` or `host:port`; an IPv6 address stands in brackets.
    pub(crate) fn read(text: &str, default_port: u16) -> Option<Self> {
        let (host, port) = split(text);
        let port = match port {
            Some(port) => port.parse().ok()?,
            None => default_port,
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:".contains(letter);
        (!host.is_empty() && host.len() <= 253 && host.chars().all(is_plain)).then_some(Self { host, port })
    }

    /// Writes it as it stands in a URL, with its port where that is not the usual one.
    pub(crate) fn authority(&self, usual_port: u16) -> String {
        let Self { host, port } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if *port == usual_port { host } else { format!("{host}:{port}") }
    }
}

fn split(text: &str) -> (&str, Option<&str>) {
    if let Some((host, after)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
        return (host, after.strip_prefix(':'));
    }
    match text.rsplit_once(':') {
        // More than one colon and no brackets: an address alone.
        Some((host, port)) if !host.contains(':') => (host, Some(port)),
        _ => (text, None),
    }
}

/// Refuses what can't be an entry of the list, in words for whoever wrote it: such an entry would lead to nobody, and
/// whoever wrote it believes that it leads somewhere.
pub fn check_host(text: &str) -> Result<(), String> {
    let refused = |why: &str| Err(format!("{text:?} names no host: {why}"));
    if text.contains("://") || text.contains('/') {
        return refused("leave the scheme and the path out, as in example.org or example.org:8443");
    }
    if text.contains('@') {
        return refused("leave the user out: a host has none");
    }
    if !text.is_ascii() {
        return refused("write it as it stands in the name service, with xn--");
    }
    let Some(entry) = Entry::read(text) else {
        return refused(
            "write example.org, *.example.org, 192.0.2.1 or [2001:db8::1], and :PORT where it is not 80 or 443",
        );
    };
    let is_address = entry.host.parse::<IpAddr>().is_ok();
    if entry.is_for_all_beneath && is_address {
        return refused("there is nothing beneath an address");
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    };
    if !is_address && (entry.host.contains(':') || !entry.host.split('.').all(is_label)) {
        return refused(
            "each part between dots has 1 to 63 letters, digits and hyphens, and no hyphen at its ends",
        );
    }
    match entry.port {
        Some(0) => refused("there is no port 0"),
        _ => Ok(()),
    }
}

/// The list.
#[derive(Debug)]
pub(crate) struct AllowList {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Without the star and the dot behind it.
    host: String,
    is_for_all_beneath: bool,
    port: Option<u16>,
}

impl AllowList {
    /// Reads the entries; what can't be read allows nothing.
    pub(crate) fn new(entries: &[String]) -> Self {
        Self { entries: entries.iter().filter_map(|text| Entry::read(text)).collect() }
    }

    /// Refuses a host that is not listed, with the reason.
    pub(crate) fn check(&self, target: &Target) -> Result<(), String> {
        if self.entries.iter().any(|entry| entry.allows(target)) {
            return Ok(());
        }
        Err(format!("{}:{} is not on the list of hosts that this run may reach", target.host, target.port))
    }

    /// Refuses a private address that the list does not name itself.
    pub(crate) fn check_address(&self, target: &Target, address: IpAddr) -> Result<(), String> {
        let address = address.to_canonical();
        let is_named = self.entries.iter().any(|entry| {
            let is_it =
                entry.host.parse() == Ok(address) || entry.host == "localhost" && address.is_loopback();
            is_it && entry.allows_port(target.port)
        });
        if is_named || !is_private(address) {
            return Ok(());
        }
        Err(format!(
            "{} is at {address}, an address of a private range that the list does not name",
            target.host
        ))
    }
}

impl Entry {
    fn read(text: &str) -> Option<Self> {
        let (host, port) = split(text);
        let port = match port {
            Some(port) => Some(port.parse().ok()?),
            None => None,
        };
        let (host, is_for_all_beneath) = host.strip_prefix("*.").map_or((host, false), |host| (host, true));
        let host = Target::read(&format!("[{host}]"), 0)?.host;
        Some(Self { host, is_for_all_beneath, port })
    }

    fn allows(&self, target: &Target) -> bool {
        let is_it = if self.is_for_all_beneath {
            target.host.strip_suffix(self.host.as_str()).is_some_and(|before| before.ends_with('.'))
        } else {
            target.host == self.host
        };
        is_it && self.allows_port(target.port)
    }

    fn allows_port(&self, port: u16) -> bool {
        self.port.map_or_else(|| USUAL_PORTS.contains(&port), |own| own == port)
    }
}

/// Tells whether an address is not one of the public internet.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || first == 0
        || first >= 240
        // Shared by carriers; protocols; documentation; benchmarks.
        || (first == 100 && (64..128).contains(&second))
        || (first == 192 && second == 0 && (third == 0 || third == 2))
        || (first == 198 && (second == 18 || second == 19 || (second == 51 && third == 100)))
        || (first == 203 && second == 0 && third == 113)
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is public, and of it not the parts that carry an IPv4 address or are for documentation.
    first & 0xe000 != 0x2000 || first == 0x2002 || (first == 0x2001 && (second == 0 || second == 0xdb8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> AllowList {
        AllowList::new(&entries.iter().map(|entry| (*entry).to_owned()).collect::<Vec<_>>())
    }

    fn allows(list: &AllowList, target: &str) -> bool {
        Target::read(target, 443).is_some_and(|target| list.check(&target).is_ok())
    }

    #[test]
    fn a_host_is_allowed_by_its_name_or_by_one_above_it() {
        let list = list(&["example.org", "*.example.net", "api.test:8443"]);
        for (target, wanted) in [
            ("example.org:443", true),
            ("EXAMPLE.org.:80", true),
            ("example.org:22", false),
            ("a.example.org:443", false),
            ("a.b.example.net", true),
            ("example.net", false),
            ("badexample.net", false),
            ("api.test:8443", true),
            ("api.test:443", false),
            ("example.org.evil.test", false),
        ] {
            assert_eq!(allows(&list, target), wanted, "{target}");
        }
        assert!(!allows(&super::tests::list(&[]), "example.org"));
    }

    #[test]
    fn what_names_no_host_is_refused_with_how_it_is_written() {
        for good in [
            "example.org",
            "EXAMPLE.org.",
            "*.example.org",
            "example.org:8443",
            "xn--bcher-kva.example",
            "localhost:8080",
            "127.0.0.1",
            "[::1]:80",
            "::1",
            "my_host",
            "2130706433",
        ] {
            assert_eq!(check_host(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("", "write example.org"),
            (" ", "write example.org"),
            ("*", "write example.org"),
            ("*.", "write example.org"),
            ("*example.org", "write example.org"),
            ("*.*.org", "write example.org"),
            ("exa mple.org", "write example.org"),
            ("a\nb", "write example.org"),
            ("user:word@example.org", "leave the user out"),
            ("http://example.org", "leave the scheme"),
            ("example.org/path", "leave the scheme"),
            ("bücher.example", "xn--"),
            ("example.org:0", "port 0"),
            ("example.org:65536", "write example.org"),
            ("example.org:", "write example.org"),
            ("example.org:443:443", "each part"),
            ("[::1", "write example.org"),
            ("a..b", "each part"),
            ("-a.example", "each part"),
            ("*.127.0.0.1", "beneath an address"),
        ] {
            let refused = check_host(bad).expect_err(bad);
            assert!(refused.contains(why), "{bad}: {refused}");
        }
    }

    #[test]
    fn a_private_address_needs_an_entry_of_its_own() {
        let target = Target::read("example.org:443", 443).unwrap();
        let check = |entries: &[&str], address: &str| {
            list(entries).check_address(&target, address.parse().unwrap()).is_ok()
        };
        for address in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "2002:7f00:1::",
            "224.0.0.1",
        ] {
            assert!(!check(&["example.org"], address), "{address}");
        }
        assert!(check(&["example.org"], "93.184.215.14"));
        assert!(check(&["example.org"], "2606:4700::1"));
        assert!(check(&["10.0.0.1"], "10.0.0.1"));
        assert!(!check(&["10.0.0.1:8080"], "10.0.0.1"));
    }

    #[test]
    fn a_target_is_written_as_it_was_read() {
        for text in ["example.org", "example.org:8443", "[::1]", "[::1]:80", "127.0.0.1:80"] {
            assert_eq!(Target::read(text, 443).unwrap().authority(443), text);
        }
        assert_eq!(Target::read("example.org:443", 443).unwrap().authority(443), "example.org");
    }

    #[test]
    fn a_target_with_anything_but_a_name_or_address_is_none() {
        for text in ["", ":443", "a b:1", "a:99999", "user@host:443", "[::1"] {
            assert_eq!(Target::read(text, 443), None, "{text}");
        }
        assert_eq!(Target::read("[::1]:80", 443), Some(Target { host: "::1".into(), port: 80 }));
    }
}
