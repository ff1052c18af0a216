//! What opens the models of an agent: values of its variables and of the files of its configuration, which nothing that it
//! says shows. Who they belong to is told by the names under which they stand.

use spalla_domain::secret::Secret;
use std::collections::{BTreeMap, BTreeSet};

/// What is shorter opens nothing, and would be found in every other word.
const BYTES_MIN: usize = 8;
/// Words in the names of what opens something.
const WORDS: [&str; 9] =
    ["key", "token", "secret", "password", "passwd", "credential", "authorization", "cookie", "bearer"];
/// How the names end of what says where such a thing is, and not what it is.
const PLACES: [&str; 8] = ["file", "path", "dir", "url", "uri", "helper", "command", "_type"];
/// How values begin that say in which way they are shown.
const SCHEMES: [&str; 3] = ["Bearer ", "Basic ", "token "];
/// How the values begin that say where something is.
const WAYS: [&str; 6] = ["/", "./", "~", "$", "http://", "https://"];
/// How deep a configuration is looked into.
const DEPTH_MAX: usize = 32;

/// Values, each by its name.
pub(super) type Keys = Vec<(String, Secret)>;

/// Returns those among variables: by their names, and those that a configuration names for it.
pub(super) fn of_variables(env: &BTreeMap<String, String>, named: &BTreeSet<String>) -> Keys {
    let opens = |name: &str| named.contains(name) || is_key(name);
    let those = env.iter().filter(|(name, _)| opens(name));
    those.filter_map(|(name, value)| Some((name.clone(), secret(value)?))).collect()
}

/// Returns those in a file of a configuration: JSON or TOML.
pub(super) fn of_file(name: &str, bytes: &[u8]) -> Keys {
    let text = String::from_utf8_lossy(bytes);
    let parsed = match name.ends_with(".toml") {
        true => toml::from_str(&text).ok(),
        false => serde_json::from_str(&text).ok(),
    };
    let mut keys = Vec::new();
    if let Some(parsed) = parsed {
        look_for(&parsed, name, DEPTH_MAX, &mut keys);
    }
    keys
}

fn look_for(value: &serde_json::Value, name: &str, depth: usize, keys: &mut Keys) {
    use serde_json::Value::{Array, Object, String as Text};
    let Some(depth) = depth.checked_sub(1) else { return };
    match value {
        Object(members) => members.iter().for_each(|(name, member)| look_for(member, name, depth, keys)),
        Array(all) => all.iter().for_each(|value| look_for(value, name, depth, keys)),
        Text(text) if is_key(name) => keys.extend(secret(text).map(|secret| (name.to_owned(), secret))),
        _ => {}
    }
}

fn is_key(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word)) && !PLACES.iter().any(|place| name.ends_with(place))
}

/// Returns what of a value is to be hidden; nothing of one that says where, or by which variable, something is found.
fn secret(value: &str) -> Option<Secret> {
    let value = value.trim();
    let bare = SCHEMES.iter().find_map(|scheme| value.strip_prefix(scheme)).unwrap_or(value).trim();
    let is_place = WAYS.iter().any(|way| bare.starts_with(way));
    let is_variable = bare.contains('_')
        && bare.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    (bare.len() >= BYTES_MIN && !is_place && !is_variable).then(|| Secret::from(bare))
}

#[cfg(test)]
mod tests {
    //! Which values open something.

    use super::*;

    fn shown(keys: &Keys) -> Vec<(&str, &str)> {
        keys.iter().map(|(name, value)| (name.as_str(), value.expose_text().unwrap())).collect()
    }

    #[test]
    fn variables_that_open_something_are_told_by_their_names() {
        let env = [
            ("OPENAI_API_KEY", "sk-0123456789"),
            ("OPENAI_BASE_URL", "http://127.0.0.1:8080/v1"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "/home/me/key.json"),
            ("SHORT_TOKEN", "abc"),
            ("TEAM", "the-blue-team"),
            ("CODEX_MODEL", "gpt-5.1-codex"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let keys = of_variables(&env, &BTreeSet::from(["TEAM".to_owned()]));
        assert_eq!(shown(&keys), [("OPENAI_API_KEY", "sk-0123456789"), ("TEAM", "the-blue-team")]);
    }

    #[test]
    fn a_login_holds_what_opens_something_at_any_depth() {
        let login = br#"{"OPENAI_API_KEY": null, "tokens": {"access_token": "eyJhbGciOi", "account_id": "a-b-c-d-e-f"},
            "claudeAiOauth": {"accessToken": "sk-ant-oat01-x", "scopes": ["user:inference"]}, "token_type": "Bearer-and-more"}"#;
        let keys = of_file("auth.json", login);
        assert_eq!(shown(&keys), [("accessToken", "sk-ant-oat01-x"), ("access_token", "eyJhbGciOi")]);
        let settings = b"model = 'gpt-5.1'\n[model_providers.x]\nenv_key = 'MY_OWN_KEY'\n\
                         http_headers = { Authorization = 'Bearer abc-def-ghi' }\n";
        assert_eq!(shown(&of_file("config.toml", settings)), [("Authorization", "abc-def-ghi")]);
        assert!(of_file("auth.json", b"{").is_empty());
    }
}
