//! Where the server is, and with which token: what the command line says, then the environment, then what the
//! server of the data folder left there.

use crate::config::Settings;
use crate::data_folder::DataFolder;
use crate::failure::{Result, file};
use std::path::Path;

/// The server where nobody says otherwise.
const URL_DEFAULT: &str = "http://127.0.0.1:18080";

/// A server and how it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its URL without a slash at the end.
    pub(crate) url: String,
    /// The token it wants, where one is known.
    pub(crate) token: Option<String>,
    /// How it was found, for messages.
    pub(crate) found: String,
}

/// Finds the server. The token of the data folder is sent to no other machine, unless a person names it.
pub(crate) fn locate(settings: &Settings, token_file: Option<&Path>) -> Result<Place> {
    let folder = DataFolder::at(&settings.data);
    let (url, found) = match (settings.url.as_str(), folder.server()) {
        ("", Some(server)) => (server.url, format!("{}/server.json", settings.data.display())),
        ("", None) => (
            URL_DEFAULT.to_owned(),
            format!("the default, since {} has no server.json", settings.data.display()),
        ),
        (named, _) => (named.to_owned(), "--server or ORCH_URL".to_owned()),
    };
    let token = match (token_file, settings.token.as_str()) {
        (Some(path), _) => Some(read_token(path)?),
        (None, "") if is_local(&url) => folder.token()?,
        (None, "") => None,
        (None, token) => Some(token.to_owned()),
    };
    Ok(Place { url: url.trim_end_matches('/').to_owned(), token, found })
}

fn read_token(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(file("reading the token in", path))?;
    Ok(text.trim().to_owned())
}

fn is_local(url: &str) -> bool {
    let host =
        reqwest::Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};
    use crate::data_folder::ServerFile;

    fn settings(data: &Path, env: &[(&str, &str)]) -> Settings {
        let env = env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        Config::load(Sources { data_default: data.into(), env, ..Sources::default() }).unwrap().settings
    }

    #[test]
    fn the_server_of_the_data_folder_is_found_with_its_token() {
        let root = tempfile::tempdir().unwrap();
        let folder = DataFolder::at(root.path()).own().unwrap();
        let token = folder.make_token().unwrap();
        let started_at = spalla_domain::Timestamp::from_ms(0);
        folder.announce(&ServerFile { url: "http://127.0.0.1:7".into(), pid: 1, started_at }).unwrap();
        let place = locate(&settings(root.path(), &[]), None).unwrap();
        assert_eq!((place.url.as_str(), place.token), ("http://127.0.0.1:7", Some(token)));
    }

    #[test]
    fn what_a_person_says_wins_and_no_other_machine_gets_the_folders_token() {
        let root = tempfile::tempdir().unwrap();
        let token = DataFolder::at(root.path()).own().unwrap().make_token().unwrap();
        let place = |env: &[(&str, &str)]| locate(&settings(root.path(), env), None).unwrap();
        assert_eq!(place(&[]).url, URL_DEFAULT);
        assert_eq!(place(&[("ORCH_URL", "http://localhost:9/")]).token, Some(token));
        assert_eq!(place(&[("ORCH_URL", "http://example.com")]).token, None);
        let named = [("ORCH_URL", "http://example.com/"), ("ORCH_TOKEN", "t")];
        assert_eq!(
            (place(&named).url.as_str(), place(&named).token.as_deref()),
            ("http://example.com", Some("t"))
        );
        let path = root.path().join("mine");
        std::fs::write(&path, "from a file\n").unwrap();
        let place = locate(&settings(root.path(), &named), Some(&path)).unwrap();
        assert_eq!(place.token.as_deref(), Some("from a file"));
    }
}
