//! The environment of a command: built, never inherited.

use crate::credential::PLACEHOLDER;
use crate::injection::Injection;
use crate::policy::{Network, Policy};
use crate::proxy::{self, relay};
use crate::view::View;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The home inside: empty, its own, gone with the run.
pub(crate) const HOME: &str = "/run/spalla/home";
/// Where programs are when nobody says.
const PATH_DEFAULT: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The name of the user inside.
pub(crate) const USER: &str = "spalla";

/// Builds it: what every program expects, what the policy lists of the outside, the toolchains, and what the command
/// itself names; the later wins. What opens a host stays outside, whoever names it.
pub(crate) fn build(
    policy: &Policy,
    outside: &BTreeMap<String, String>,
    toolchains: BTreeMap<String, String>,
    own: &BTreeMap<String, String>,
    view: &View,
) -> BTreeMap<String, String> {
    let mut built: BTreeMap<String, String> = [
        ("HOME", HOME),
        ("USER", USER),
        ("LOGNAME", USER),
        ("SHELL", "/bin/sh"),
        ("TMPDIR", "/tmp"),
        ("LANG", "C.UTF-8"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for name in ["LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM"]
        .into_iter()
        .chain(policy.environment.iter().map(String::as_str))
    {
        if let Some(value) = outside.get(name) {
            built.insert(name.to_owned(), value.clone());
        }
    }
    built.insert("PATH".into(), search_path(outside.get("PATH").map_or("", String::as_str), view));
    if let Network::Proxy { inject, .. } = &policy.network {
        let (host, port) = proxy::ADDRESS;
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            built.insert(name.to_owned(), format!("http://{host}:{port}"));
        }
        for name in ["NO_PROXY", "no_proxy"] {
            built.insert(name.to_owned(), "localhost,127.0.0.1,::1".to_owned());
        }
        // Where a model's server is on this machine, it is found at the same address.
        for (name, value) in relay::base_urls(outside) {
            built.insert(name.to_owned(), value.to_owned());
        }
        built.extend(inject.iter().flat_map(Injection::base_urls));
        // Node looks at the others only then.
        built.insert("NODE_USE_ENV_PROXY".into(), "1".into());
    }
    built.extend(toolchains);
    built.extend(own.clone());
    let injected = policy.network.injections().iter();
    built.extend(injected.map(|injection| (injection.variable.clone(), PLACEHOLDER.to_owned())));
    built
}

/// Keeps of a search path what is seen inside, and adds where programs usually are.
fn search_path(outside: &str, view: &View) -> String {
    let shown = |folder: &PathBuf| {
        std::fs::canonicalize(folder).is_ok_and(|real| view.shows(&real) || view.holds_part(&real))
    };
    let mut folders: Vec<PathBuf> =
        std::env::split_paths(outside).filter(|folder| folder.is_absolute() && shown(folder)).collect();
    for folder in PATH_DEFAULT.split(':').map(Path::new) {
        if !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_owned());
        }
    }
    std::env::join_paths(folders)
        .ok()
        .and_then(|path| path.into_string().ok())
        .unwrap_or_else(|| PATH_DEFAULT.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Preset;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn only_what_is_named_comes_from_outside() {
        let mut policy = Policy::new(Preset::Strict, "/w".into());
        policy.environment = vec!["CI".into()];
        let outside =
            map(&[("CI", "1"), ("AWS_SECRET_ACCESS_KEY", "s"), ("HOME", "/home/me"), ("LD_PRELOAD", "x")]);
        let built = build(&policy, &outside, map(&[]), &map(&[("A", "b")]), &View::of_system());
        assert_eq!(built.get("CI").map(String::as_str), Some("1"));
        assert_eq!(built["HOME"], HOME);
        assert_eq!(built["A"], "b");
        assert!(!built.contains_key("AWS_SECRET_ACCESS_KEY") && !built.contains_key("LD_PRELOAD"));
    }

    #[test]
    fn a_credential_stays_outside_whoever_names_its_variable() {
        let mut policy = Policy::new(Preset::Agent, "/w".into());
        policy.environment = vec!["OPENAI_API_KEY".into()];
        let inject = Injection::read_all(&["api.openai.com=OPENAI_API_KEY".into()], &mut Vec::new()).unwrap();
        policy.network = Network::Proxy { allow: Vec::new(), relays: Vec::new(), inject };
        let outside = map(&[("OPENAI_API_KEY", "s"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")]);
        let own = map(&[("OPENAI_API_KEY", "own"), ("OPENAI_API_BASE", "own")]);
        let built = build(&policy, &outside, map(&[]), &own, &View::of_system());
        assert_eq!(built["OPENAI_API_KEY"], PLACEHOLDER);
        assert_eq!(built["OPENAI_BASE_URL"], "http://127.0.0.1:3129/v1");
        assert_eq!(built["OPENAI_API_BASE"], "own");
    }

    #[test]
    fn the_search_path_holds_only_what_is_seen() {
        let path = search_path("/usr/bin:/home/me/bin:relative", &View::of_system());
        assert!(path.starts_with("/usr/bin:/usr/local/sbin:"), "{path}");
        assert!(!path.contains("/home/me") && !path.contains("relative"), "{path}");
    }
}
