//! Which host gets the credential of which variable: data of a policy, which is public, so that it names the variable and
//! never holds its value. Written `HOST=VARIABLE`.

mod known_hosts;

use crate::policy::Network;
use crate::proxy::ADDRESS;
use crate::proxy::allow::Target;
use crate::refusal::Error;
use known_hosts::{KNOWN, Known, form_of};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How many hosts get a credential at most.
pub(crate) const INJECTIONS_MAX: usize = 16;
/// At how many addresses one of them is found inside: both families of a name for the loopback device.
pub(crate) const LISTEN_MAX: usize = 2;

/// A host that gets a credential from the run's gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// The host as its URL names it, with the port where that is not the usual one.
    pub host: String,
    /// How it is spoken to.
    pub scheme: Scheme,
    /// The variable outside whose value is the credential.
    pub variable: String,
    /// The header that bears it.
    pub header: String,
    /// What stands in front of it there.
    #[serde(default)]
    pub prefix: String,
    /// Where the command finds the host.
    pub listen: Vec<SocketAddr>,
    /// The variables by which programs are told where that is, each with the path behind the address.
    #[serde(default)]
    pub base_urls: BTreeMap<String, String>,
}

/// How a host is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Over TLS.
    Https,
    /// In the clear, which no credential leaves this machine in.
    Http,
}

impl Scheme {
    const fn usual_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Https => "https",
            Self::Http => "http",
        })
    }
}

impl Injection {
    /// Reads words such as `api.openai.com=OPENAI_API_KEY`, `127.0.0.1:8080=OPENAI_API_KEY` and
    /// `https://llm.example/v1=OPENAI_API_KEY`. A relay to the address of one of them gives way to it.
    pub fn read_all(words: &[String], relays: &mut Vec<SocketAddr>) -> Result<Vec<Self>, Error> {
        if words.len() > INJECTIONS_MAX {
            return Err(too_many());
        }
        let mut inject = words.iter().map(|word| Self::read(word)).collect::<Result<Vec<_>, _>>()?;
        relays.retain(|relay| !inject.iter().any(|injection| injection.listen.contains(relay)));
        let mut taken: BTreeSet<SocketAddr> =
            inject.iter().flat_map(|injection| &injection.listen).copied().collect();
        taken.extend(relays.iter());
        let ports = ADDRESS.1.saturating_add(1)..;
        let mut free = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        for injection in inject.iter_mut().filter(|injection| injection.listen.is_empty()) {
            injection.listen.extend(free.find(|address| !taken.contains(address)));
        }
        check_all(&inject, relays)?;
        Ok(inject)
    }

    /// Reads one; where it is found inside is decided later, unless that is where it is outside.
    fn read(word: &str) -> Result<Self, Error> {
        let Some((place, variable)) = word.rsplit_once('=') else {
            return Err(Error::policy(format!("{word:?} names no variable"), FORM));
        };
        let (scheme, place, is_url) = match place.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest, true),
            Some(("http", rest)) => (Scheme::Http, rest, true),
            Some((scheme, _)) => {
                let reason = format!("{scheme}:// of {place:?} is no way to a host that gets a credential");
                return Err(Error::policy(reason, FORM));
            }
            None => (Scheme::Https, place, false),
        };
        let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let unread = || Error::policy(format!("{host:?} is no host"), FORM);
        let path = path.trim_end_matches('/');
        let found = Target::read(host, scheme.usual_port()).ok_or_else(unread)?;
        match Known::by_host(&found.host)
            .filter(|_| found.port == 443 && scheme == Scheme::Https && path.is_empty())
        {
            Some(known) => Ok(Self::of(&found, scheme, variable, Some(known), known.path)),
            None if scheme == Scheme::Https && is_url => {
                Ok(Self::of(&found, scheme, variable, Known::by_variable(variable), path))
            }
            None if !loopback_of(&found).is_empty() => {
                let target = Target::read(host, Scheme::Http.usual_port()).ok_or_else(unread)?;
                let mut injection =
                    Self::of(&target, Scheme::Http, variable, Known::by_variable(variable), "");
                injection.listen = loopback_of(&target);
                // It is where it is outside, and programs are told so already.
                injection.base_urls.clear();
                Ok(injection)
            }
            None => Err(unknown(place, is_url)),
        }
    }

    fn of(target: &Target, scheme: Scheme, variable: &str, known: Option<&Known>, path: &str) -> Self {
        let form = form_of(known, variable);
        let base_urls = known.map_or(&[][..], |known| known.base_urls);
        Self {
            host: target.authority(scheme.usual_port()),
            scheme,
            variable: variable.to_owned(),
            header: form.header.to_owned(),
            prefix: form.prefix.to_owned(),
            listen: Vec::new(),
            base_urls: base_urls.iter().map(|name| ((*name).to_owned(), path.to_owned())).collect(),
        }
    }

    /// Returns whom it connects to.
    pub(crate) fn target(&self) -> Option<Target> {
        Target::read(&self.host, self.scheme.usual_port())
    }

    /// Returns the variables that tell programs where the host is.
    pub(crate) fn base_urls(&self) -> impl Iterator<Item = (String, String)> {
        let at = self.listen.first();
        let named = self.base_urls.iter().zip(at.into_iter().cycle());
        named.map(|((name, path), at)| (name.clone(), format!("http://{at}{path}")))
    }

    /// Refuses what can't be carried out, or would show a credential to the network.
    fn check(&self) -> Result<(), Error> {
        let Self { host, variable, header, prefix, listen, base_urls, .. } = self;
        let target = self.target().filter(|target| target.authority(self.scheme.usual_port()) == *host);
        let Some(target) = target else { return Err(Error::policy(format!("{host:?} is no host"), FORM)) };
        if self.scheme == Scheme::Http && loopback_of(&target).is_empty() {
            return Err(unknown(host, true));
        }
        if let Some(name) = base_urls.keys().chain([variable]).find(|name| !is_variable(name)) {
            return Err(Error::policy(format!("{name:?} is no name of a variable"), FORM));
        }
        let is_small = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        let is_sound = (1..=LISTEN_MAX).contains(&listen.len())
            && listen.iter().all(|at| at.ip().is_loopback() && at.port() > 0)
            && !header.is_empty()
            && header.bytes().all(is_small)
            && is_plain(prefix.trim_end_matches(' '))
            && base_urls.values().all(|path| is_plain(path) && (path.is_empty() || path.starts_with('/')));
        match is_sound {
            true => Ok(()),
            false => Err(Error::policy(format!("the way to {host} is no way"), FORM)),
        }
    }
}

/// Shows it as one says it.
impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with the credential of {}", self.host, self.variable)
    }
}

/// Refuses injections of a policy that can't be carried out, each or beside each other.
pub(crate) fn check(network: &Network) -> Result<(), Error> {
    match network {
        Network::Proxy { inject, relays, .. } => check_all(inject, relays),
        Network::None | Network::Open => Ok(()),
    }
}

fn check_all(inject: &[Injection], relays: &[SocketAddr]) -> Result<(), Error> {
    if inject.len() > INJECTIONS_MAX {
        return Err(too_many());
    }
    inject.iter().try_for_each(Injection::check)?;
    let proxy = SocketAddr::from((Ipv4Addr::LOCALHOST, ADDRESS.1));
    let mut taken: BTreeSet<SocketAddr> = relays.iter().copied().chain([proxy]).collect();
    let (mut hosts, mut told) = (BTreeSet::new(), BTreeSet::new());
    for injection in inject {
        let Injection { host, listen, base_urls, .. } = injection;
        if !hosts.insert(host) {
            return Err(Error::policy(format!("{host} is named twice"), "name the variable that counts"));
        }
        if let Some(at) = listen.iter().find(|at| !taken.insert(**at)) {
            let reason = format!("{at} is taken inside, where {host} is to be found");
            return Err(Error::policy(reason, "let the server listen at another port"));
        }
        if let Some(name) = base_urls.keys().find(|name| !told.insert(*name)) {
            let reason = format!("{name} can't name two hosts, of which {host} is one");
            return Err(Error::policy(reason, "leave one of them out"));
        }
    }
    Ok(())
}

/// How one is written.
const FORM: &str =
    "write HOST=VARIABLE, where the host is one that is known, 127.0.0.1:PORT, or https://HOST[:PORT][/PATH]";

fn too_many() -> Error {
    let reason = format!("more than {INJECTIONS_MAX} hosts are to get a credential");
    Error::policy(reason, "leave out those that this command does not need")
}

fn unknown(place: &str, is_url: bool) -> Error {
    if is_url {
        let reason = format!("a credential for {place} would cross the network in the clear");
        return Error::policy(
            reason,
            "write https://, or the address of a server on this machine's loopback device",
        );
    }
    let known: Vec<&str> = KNOWN.iter().map(|known| known.host).collect();
    let reason = format!("{place} is none of the hosts that are known: {}", known.join(", "));
    Error::policy(
        reason,
        "write https:// in front of another one, or 127.0.0.1:PORT for a server on this machine",
    )
}

/// Returns the addresses on the loopback device that a target means; none where it is elsewhere.
fn loopback_of(target: &Target) -> Vec<SocketAddr> {
    let both = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    let addresses = match target.host.parse::<IpAddr>() {
        Ok(address) if address.is_loopback() => vec![address],
        Err(_) if target.host == "localhost" => both.into(),
        _ => Vec::new(),
    };
    addresses.into_iter().map(|address| SocketAddr::new(address, target.port)).collect()
}

fn is_variable(name: &str) -> bool {
    let goes_on = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(goes_on) && name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests;
