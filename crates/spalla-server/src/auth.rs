//! How somebody shows who they are: a token, sent by programs as a bearer token, or the cookie that a single-use start
//! link or a sign-in leaves in a browser. Whose another token is than the administrator's is said in `principal`.

use crate::host_guard::Origin;
use axum::http::{HeaderMap, HeaderValue, header};
use spalla_domain::{RunId, TokenId};
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

/// What a request shows of who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown<'a> {
    /// Nothing that opens.
    Nothing,
    /// What the administrator has.
    Administrator,
    /// A token of another kind, which somebody else has to know.
    Other(&'a str),
    /// What a sign-in left in a browser.
    Session(&'a str),
}

/// Whose requests and streams are counted together: a principal, or an address where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// The administrator, from wherever.
    Administrator,
    /// Whoever has this token.
    Token(TokenId),
    /// The agent of this run.
    Run(RunId),
    /// Whoever comes from this address.
    Address(IpAddr),
}

/// Tells callers apart.
#[derive(Debug)]
pub(crate) struct Gate {
    access: Access,
    door: Mutex<Door>,
    cookie_name: String,
    /// The cookie of those who signed in; none where nobody does.
    session_cookie: Option<String>,
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
        let cookie_name = format!("spalla_session_{}", listen.port());
        Self { access, door: Mutex::new(door), cookie_name, session_cookie: None }
    }

    /// Lets those in who signed in, by this cookie.
    #[must_use]
    pub(crate) fn with_sessions(self, cookie: Option<String>) -> Self {
        Self { session_cookie: cookie, ..self }
    }

    /// Tells what a request shows. A wrong bearer token is not made good by a cookie, and a cookie that a browser sends
    /// along for a foreign page is nobody's wish.
    pub(crate) fn shown<'h>(&self, headers: &'h HeaderMap, origin: Origin) -> Shown<'h> {
        let Access::Token(token) = &self.access else { return Shown::Administrator };
        match bearer(headers) {
            Some(Some(given)) if token.is(given) => Shown::Administrator,
            Some(Some(given)) => Shown::Other(given),
            Some(None) => Shown::Nothing,
            None if origin == Origin::Own => self.shown_by_cookie(headers),
            None => Shown::Nothing,
        }
    }

    /// Whoever signed in is that person, also in a browser that came by the start link before.
    fn shown_by_cookie<'h>(&self, headers: &'h HeaderMap) -> Shown<'h> {
        match self.session_cookie.as_deref().and_then(|name| cookies(headers, name).next()) {
            Some(session) => Shown::Session(session),
            None if self.has_cookie(headers) => Shown::Administrator,
            None => Shown::Nothing,
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
        cookies(headers, &self.cookie_name).any(|value| session.is(value))
    }
}

/// Returns what a browser sends as the cookie of a name.
pub(crate) fn cookies<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(given, _)| *given == name).map(|(_, value)| value)
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
        let opens = |value| {
            gate().shown(&headers(&[(header::AUTHORIZATION, value)]), Origin::Own) == Shown::Administrator
        };
        assert!(opens("Bearer secret") && opens("bearer secret"));
        for wrong in ["Bearer secre", "Bearer secrets", "Bearer ", "Basic secret", "secret", ""] {
            assert!(!opens(wrong), "{wrong}");
        }
        assert_eq!(gate().shown(&HeaderMap::new(), Origin::Own), Shown::Nothing);
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
            gate.shown(&headers(&[(header::COOKIE, &format!("a=b; {pair}"))]), Origin::Own),
            Shown::Administrator
        );
        assert_eq!(gate.shown(&headers(&[(header::COOKIE, pair)]), Origin::Allowed), Shown::Nothing);
        assert_eq!(
            gate.shown(&headers(&[(header::COOKIE, "spalla_session_18080=x")]), Origin::Own),
            Shown::Nothing
        );
        let both = headers(&[(header::COOKIE, pair), (header::AUTHORIZATION, "Bearer wrong")]);
        assert_eq!(gate.shown(&both, Origin::Own), Shown::Other("wrong"));
    }

    #[test]
    fn whoever_signed_in_is_that_person_and_nobody_is_where_nobody_signs_in() {
        let gate = gate().with_sessions(Some("spalla_user".into()));
        let start = gate.redeem("code", || 7).unwrap();
        let start = start.to_str().unwrap().split(';').next().unwrap();
        let both = headers(&[(header::COOKIE, &format!("{start}; spalla_user=spl_1_x"))]);
        assert_eq!(gate.shown(&both, Origin::Own), Shown::Session("spl_1_x"));
        assert_eq!(gate.shown(&both, Origin::Allowed), Shown::Nothing);
        let bearer = [(header::COOKIE, "spalla_user=spl_1_x"), (header::AUTHORIZATION, "Bearer wrong")];
        assert_eq!(gate.shown(&headers(&bearer), Origin::Own), Shown::Other("wrong"));
        let without = self::gate();
        assert_eq!(without.shown(&both, Origin::Own), Shown::Nothing);
    }

    #[test]
    fn a_token_does_not_show_itself() {
        assert!(!format!("{:?}", gate()).contains("secret"));
    }
}
