//! Addresses: which are of the public internet, and which others somebody listed.

// Of core: an address is a value here, and core has nothing to connect with.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use ipnet::IpNet;

/// Networks that are reached although they are not public.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Networks(Vec<IpNet>);

impl Networks {
    /// Reads networks such as `10.0.0.0/8`, or single addresses, divided by commas.
    pub fn parse(text: &str) -> Result<Self, String> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let read = |word: &str| match (word.parse::<IpNet>(), word.parse::<IpAddr>()) {
            (Ok(network), _) => Ok(network),
            (Err(_), Ok(address)) => Ok(IpNet::from(address)),
            (Err(_), Err(_)) => Err(format!("{word:?} is no network such as 10.0.0.0/8")),
        };
        words.map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Tells whether an address may be reached: it is public, or in one of these networks.
    pub fn allow(&self, address: IpAddr) -> bool {
        is_public(address) || self.0.iter().any(|network| network.contains(&address))
    }
}

/// Tells whether an address is one of the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    // Shared by carriers; protocols and documentation; benchmarks.
    let is_reserved = (first == 100 && (64..128).contains(&second))
        || (first == 192 && second == 0 && (third == 0 || third == 2))
        || (first == 198 && (second == 18 || second == 19 || (second == 51 && third == 100)))
        || (first == 203 && second == 0 && third == 113);
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || first == 0
        || first >= 240
        || is_reserved)
}

/// Only 2000::/3 is public, and of it not the parts that carry an IPv4 address or are for documentation.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    first & 0xe000 == 0x2000 && first != 0x2002 && !(first == 0x2001 && (second == 0 || second == 0xdb8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_public_is_not_reached_however_it_is_written() {
        let none = Networks::default();
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.2.1",
            "203.0.113.9",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!none.allow(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111"] {
            assert!(none.allow(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn listed_networks_are_reached() {
        let listed = Networks::parse(" 10.0.0.0/8, 127.0.0.1 ,fd00::/8,").unwrap();
        let allows = |address: &str| listed.allow(address.parse().unwrap());
        assert!(allows("10.9.9.9") && allows("127.0.0.1") && allows("fd12::1") && !allows("127.0.0.2"));
        for odd in ["10.0.0.0/33", "example.org", "10.0.0"] {
            assert!(Networks::parse(odd).is_err(), "{odd}");
        }
    }
}
