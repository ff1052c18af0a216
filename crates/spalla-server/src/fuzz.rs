//! What foreign headers can do to who is let in.

use crate::auth::{Access, Gate, Shown, Token};
use crate::cors::Cors;
use crate::damage::damaged;
use crate::host_guard::{Hosts, Origin};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const SERVED: [&str; 4] = ["127.0.0.1:18080", "localhost:18080", "[::1]:18080", "spalla.example"];

fn header_value(samples: &'static [&'static str]) -> impl Strategy<Value = HeaderValue> {
    let bytes = prop_oneof![4 => damaged(samples).prop_map(String::into_bytes), 1 => vec(any::<u8>(), 0..40)];
    bytes.prop_filter_map("no header can carry it", |bytes| HeaderValue::from_bytes(&bytes).ok())
}

proptest! {
    #[test]
    fn only_a_host_that_is_served_is_let_in_and_only_its_own_page(
        hosts in vec(header_value(&["127.0.0.1:18080", "LocalHost:18080", "spalla.example", "evil.example"]), 0..3),
        origins in vec(header_value(&["http://127.0.0.1:18080", "https://spalla.example", "null"]), 0..3),
        target in select(vec!["/", "/a?b", "http://spalla.example/", "http://evil.example/", "*"]),
        method in select(vec!["GET", "POST", "OPTIONS"]),
    ) {
        let guard = Hosts::new(([127, 0, 0, 1], 18080).into(), &["spalla.example".into()], Cors::None);
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in hosts.iter().map(|host| ("host", host)).chain(origins.iter().map(|o| ("origin", o))) {
            request = request.header(name, value);
        }
        match guard.check(&request.body(()).unwrap().into_parts().0) {
            Ok(_) => {
                let text = |values: &[HeaderValue]| values[0].to_str().unwrap().to_ascii_lowercase();
                prop_assert!(hosts.len() == 1 && SERVED.contains(&text(&hosts).as_str()));
                prop_assert!(!target.contains("evil"));
                if let [_, ..] = origins.as_slice() {
                    let origin = text(&origins);
                    let page = origin.split_once("://").map(|(_, page)| page.to_owned());
                    prop_assert!(origins.len() == 1 && page == Some(text(&hosts)), "{:?}", origins);
                }
            }
            Err(problem) => {
                prop_assert!(problem.status().is_client_error());
                prop_assert!(!problem.document("", "").detail.trim().is_empty());
            }
        }
    }

    #[test]
    fn nothing_but_the_whole_token_or_the_whole_cookie_opens(
        bearers in vec(header_value(&["Bearer secret", "bearer  secret ", "Basic secret", "Bearer secre"]), 0..3),
        cookies in vec(header_value(&[
            "a=b; spalla_session_18080=0000000000000007000000000000000700000000000000070000000000000007; c",
            "spalla_session_18080=7", "spalla_session_18080=; =; ;;",
        ]), 0..3),
    ) {
        let gate = Gate::new(
            Access::Token(Token::new("secret")), Some(Token::new("code")), ([127, 0, 0, 1], 18080).into(),
        );
        prop_assert!(gate.redeem("code", || 7).is_some());
        let session = "0000000000000007".repeat(4);
        let named = |values: &[HeaderValue], name: HeaderName| -> HeaderMap {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(name.clone(), value.clone());
            }
            headers
        };
        let mut headers = named(&bearers, header::AUTHORIZATION);
        headers.extend(named(&cookies, header::COOKIE));
        let says = |value: &HeaderValue, words: &str| value.to_str().is_ok_and(|text| text.contains(words));
        if gate.shown(&headers, Origin::Own) == Shown::Administrator {
            let words: Vec<_> = bearers.iter().flat_map(|value| value.as_bytes().split(u8::is_ascii_whitespace)).collect();
            let by_bearer = bearers.len() == 1 && words.last().is_some() && words.contains(&&b"secret"[..]);
            let by_cookie = bearers.is_empty() && cookies.iter().any(|cookie| says(cookie, &session));
            prop_assert!(by_bearer || by_cookie, "{:?}", headers);
        } else if let ([value], true) = (bearers.as_slice(), bearers.len() == 1) {
            prop_assert!(value != "Bearer secret");
        }
    }
}
