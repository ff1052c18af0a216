//! A browser, as far as it matters: cookies, and which of them are sent where another site leads.

use super::HOST;
use crate::answer::Answer;
use crate::world::World;
use std::collections::BTreeMap;

/// Who leads to a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Site {
    /// A page of the server, or the person.
    Own,
    /// A page of another site, also by way of a redirection.
    Foreign,
}

/// A cookie.
#[derive(Debug, Clone)]
pub(super) struct Cookie {
    pub(super) value: String,
    /// What follows the value.
    pub(super) attributes: String,
}

/// A browser.
#[derive(Debug, Clone, Default)]
pub(super) struct Browser {
    pub(super) cookies: BTreeMap<String, Cookie>,
}

impl Browser {
    /// Opens a page.
    pub(super) async fn open(&mut self, world: &World, from: Site, path: &str) -> Answer {
        self.send(world, from, "GET", path).await
    }

    /// Sends a form without members.
    pub(super) async fn submit(&mut self, world: &World, path: &str) -> Answer {
        self.send(world, Site::Own, "POST", path).await
    }

    async fn send(&mut self, world: &World, from: Site, method: &str, path: &str) -> Answer {
        let site = if from == Site::Own { "same-origin" } else { "cross-site" };
        let mut request = world.bare(method, path).header("host", HOST).header("sec-fetch-site", site);
        if method == "POST" {
            let origin = format!("https://{HOST}");
            request =
                request.header("origin", origin).header("content-type", "application/x-www-form-urlencoded");
        }
        let is_sent = |cookie: &Cookie| from == Site::Own || !cookie.attributes.contains("SameSite=Strict");
        let cookies = self.cookies.iter().filter(|(_, cookie)| is_sent(cookie));
        let cookies: Vec<_> = cookies.map(|(name, cookie)| format!("{name}={}", cookie.value)).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let answer = world.send(request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            self.keep(cookie.to_str().unwrap());
        }
        answer
    }

    fn keep(&mut self, text: &str) {
        let (name, rest) = text.split_once('=').unwrap();
        let (value, attributes) = rest.split_once("; ").unwrap();
        for wanted in ["Path=/", "HttpOnly", "Secure"] {
            assert!(attributes.split("; ").any(|attribute| attribute == wanted), "{text}");
        }
        assert!(name.starts_with("__Host-spalla_"), "{text}");
        if attributes.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            let cookie = Cookie { value: value.to_owned(), attributes: attributes.to_owned() };
            self.cookies.insert(name.to_owned(), cookie);
        }
    }

    /// Returns the session, where there is one.
    pub(super) fn session(&self) -> Option<&Cookie> {
        self.cookies.iter().find(|(name, _)| name.contains("spalla_user_")).map(|(_, cookie)| cookie)
    }
}
