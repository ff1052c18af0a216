//! Which repository on GitHub a session is about, and where its branches are pushed.

use super::api::Api;
use crate::config::Settings;
use crate::failure::{Failure, Result};
use crate::git;
use spalla_domain::github::{is_repository, repository_of_remote};
use std::fmt;
use std::path::Path;
use url::Url;

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// Finds the repository: the one that is named, or that of the target's remote.
    pub(crate) async fn find(settings: &Settings, named: Option<&str>, target: &Path) -> Result<Self> {
        let of_settings = Some(settings.github.repo.as_str()).filter(|name| !name.is_empty());
        if let Some(name) = named.or(of_settings) {
            return Self::parse(name);
        }
        let host = git_host(settings)?;
        let remote = git::call(target, &["remote", "get-url", "origin"]).await.unwrap_or_default();
        let found = repository_of_remote(&remote, &host);
        let found = found.and_then(|name| Self::parse(&name).ok());
        found.ok_or_else(|| {
            Failure::usage(format!("the remote origin of {} is no repository of {host}", target.display()))
                .mend("name it as github.repo = \"owner/name\", or with --repo owner/name")
        })
    }

    /// Reads its name.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        let wrong = || Failure::usage(format!("{name:?} is no repository")).mend("write it as owner/name");
        let (owner, rest) = name.split_once('/').filter(|_| is_repository(name)).ok_or_else(wrong)?;
        Ok(Self { owner: owner.to_owned(), name: rest.to_owned() })
    }

    /// Returns whose it is.
    pub(super) fn owner(&self) -> &str {
        &self.owner
    }

    /// Returns a path of the API beneath it.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/repos/{}/{}{rest}", self.owner, self.name)
    }

    /// Returns where branches are pushed.
    pub(super) fn git_url(&self, settings: &Settings, api: &Api) -> Result<String> {
        let own = settings.github.git_url.trim_end_matches('/');
        if !own.is_empty() {
            let is_odd = own.starts_with('-') || Url::parse(own).is_ok_and(|url| url.password().is_some());
            if is_odd {
                return Err(Failure::usage("github.git_url begins with a hyphen, or holds a password"));
            }
            return Ok(format!("{own}/{}/{}.git", self.owner, self.name));
        }
        let mut url = api.base().clone();
        let host = git_host(settings)?;
        url.set_host(Some(&host)).map_err(|error| Failure::usage(format!("github.api_url: {error}")))?;
        url.set_path(&format!("/{}/{}.git", self.owner, self.name));
        Ok(url.to_string())
    }
}

/// Returns the host of repositories, which differs from that of the API at GitHub itself alone.
fn git_host(settings: &Settings) -> Result<String> {
    let url = Url::parse(&settings.github.api_url)
        .map_err(|error| Failure::usage(format!("github.api_url {}: {error}", settings.github.api_url)))?;
    Ok(match url.host_str().unwrap_or_default() {
        "api.github.com" => "github.com".to_owned(),
        // An enterprise in GitHub's own cloud.
        host => {
            host.strip_prefix("api.").filter(|rest| rest.ends_with(".ghe.com")).unwrap_or(host).to_owned()
        }
    })
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}
