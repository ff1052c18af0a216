//! Who may do what: one administrator's token, sent by programs as a bearer token and by a browser as the cookie
//! that a single-use start link leaves there.

use crate::host_guard::Origin;
use axum::http::{HeaderMap, HeaderValue, header};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use subtle::ConstantTimeEq;

/// A secret. It is never shown, and compared in constant time.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Takes a secret as it is written; without characters that a header can't carry.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// Tells whether what somebody gave is it.
    pub(crate) fn is(&self, given: &str) -> bool {
        self.0.as_bytes().ct_eq(given.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Who is let in.
#[derive(Debug, Clone)]
pub enum Access {
    /// Whoever has the token.
    Token(Token),
    /// Everybody who reaches the socket.
    None,
}

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody without the token.
    Anonymous,
    /// The administrator.
    Administrator,
}

/// Whose requests and streams are counted together: a principal, or an address where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// The administrator, from wherever.
    Administrator,
    /// Whoever comes from this address.
    Address(IpAddr),
}

/// Tells callers apart.
#[derive(Debug)]
pub(crate) struct Gate {
    access: Access,
    door: Mutex<Door>,
    cookie_name: String,
}

/// The way in for a browser.
#[derive(Debug)]
enum Door {
    /// There is no start link.
    Shut,
    /// The start link was not used yet.
    Waiting { code: Token },
    /// It was used: whoever has the cookie came in by it.
    Used { session: Token },
}

impl Gate {
    /// Makes a gate. The cookie's name has the port in it, because browsers keep one jar for all ports of a host.
    pub(crate) fn new(access: Access, start_code: Option<Token>, listen: SocketAddr) -> Self {
        let door = start_code.map_or(Door::Shut, |code| Door::Waiting { code });
        Self { access, door: Mutex::new(door), cookie_name: format!("spalla_session_{}", listen.port()) }
    }

    /// Tells who sent a request. A wrong bearer token is not made good by a cookie, and a cookie that a browser sends
    /// along for a foreign page is nobody's wish.
    pub(crate) fn caller(&self, headers: &HeaderMap, origin: Origin) -> Caller {
        let Access::Token(token) = &self.access else { return Caller::Administrator };
        let known = match bearer(headers) {
            Some(given) => given.is_some_and(|given| token.is(given)),
            None => origin == Origin::Own && self.has_cookie(headers),
        };
        if known { Caller::Administrator } else { Caller::Anonymous }
    }

    /// Tells with whom a request counts. Where everybody is let in, nobody is known but by address.
    pub(crate) const fn client(&self, caller: Caller, from: IpAddr) -> Client {
        match (&self.access, caller) {
            (Access::Token(_), Caller::Administrator) => Client::Administrator,
            _ => Client::Address(from),
        }
    }

    /// Takes the start link's code, once, and returns the cookie for it.
    pub(crate) fn redeem(&self, code: &str, randomness: impl Fn() -> u64) -> Option<HeaderValue> {
        let mut door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        let Door::Waiting { code: expected } = &*door else { return None };
        if !expected.is(code) {
            return None;
        }
        let session: String = (0..4).map(|_| format!("{:016x}", randomness())).collect();
        let cookie = format!("{}={session}; Path=/; HttpOnly; SameSite=Strict", self.cookie_name);
        *door = Door::Used { session: Token(session) };
        HeaderValue::from_str(&cookie).ok()
    }

    /// Tells whether everybody is let in.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.access, Access::None)
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        let door = self.door.lock().unwrap_or_else(PoisonError::into_inner);
        let Door::Used { session } = &*door else { return false };
        let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs =
            values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.any(|(name, value)| name == self.cookie_name && session.is(value))
    }
}

/// Returns the bearer token, where there is an `Authorization`; an inner none is one of another kind, or several.
fn bearer(headers: &HeaderMap) -> Option<Option<&str>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?;
    let (scheme, token) = value.to_str().unwrap_or_default().split_once(' ').unwrap_or_default();
    let alone = values.next().is_none();
    Some(Some(token.trim()).filter(|_| alone && scheme.eq_ignore_ascii_case("bearer")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        let access = Access::Token(Token::new("secret"));
        Gate::new(access, Some(Token::new("code")), ([127, 0, 0, 1], 18080).into())
    }

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn only_the_token_opens_and_its_scheme_may_be_written_either_way() {
        let caller = |value| gate().caller(&headers(&[(header::AUTHORIZATION, value)]), Origin::Own);
        assert_eq!([caller("Bearer secret"), caller("bearer secret")], [Caller::Administrator; 2]);
        for wrong in ["Bearer secre", "Bearer secrets", "Bearer ", "Basic secret", "secret", ""] {
            assert_eq!(caller(wrong), Caller::Anonymous, "{wrong}");
        }
        assert_eq!(gate().caller(&HeaderMap::new(), Origin::Own), Caller::Anonymous);
    }

    #[test]
    fn the_start_link_works_once_and_its_cookie_from_then_on() {
        let gate = gate();
        assert!(gate.redeem("wrong", || 7).is_none());
        let cookie = gate.redeem("code", || 7).unwrap();
        let text = cookie.to_str().unwrap();
        assert!(text.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{text}");
        assert!(gate.redeem("code", || 7).is_none());
        let pair = text.split(';').next().unwrap();
        assert_eq!(
            gate.caller(&headers(&[(header::COOKIE, &format!("a=b; {pair}"))]), Origin::Own),
            Caller::Administrator
        );
        assert_eq!(gate.caller(&headers(&[(header::COOKIE, pair)]), Origin::Allowed), Caller::Anonymous);
        assert_eq!(
            gate.caller(&headers(&[(header::COOKIE, "spalla_session_18080=x")]), Origin::Own),
            Caller::Anonymous
        );
        let both = headers(&[(header::COOKIE, pair), (header::AUTHORIZATION, "Bearer wrong")]);
        assert_eq!(gate.caller(&both, Origin::Own), Caller::Anonymous);
    }

    #[test]
    fn a_token_does_not_show_itself() {
        assert!(!format!("{:?}", gate()).contains("secret"));
    }
}
