//! Where a project's files come from: a local path or a URL.

use super::Error;
use std::path::{Path, PathBuf};

/// A project's repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// A folder on this machine; only read.
    Local(PathBuf),
    /// A URL that git fetches from.
    Remote(String),
}

const SCHEMES: [&str; 5] = ["https://", "http://", "ssh://", "git://", "file://"];

impl Source {
    /// Reads the project's setting.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let no_source = || Error::NoSource(text.to_owned());
        if text.starts_with('-') || text.chars().any(char::is_control) {
            return Err(no_source());
        }
        if Path::new(text).is_absolute() {
            return Ok(Self::Local(PathBuf::from(text)));
        }
        if let Some(scheme) = SCHEMES.iter().find(|scheme| text.starts_with(**scheme)) {
            return if text.len() > scheme.len() {
                Ok(Self::Remote(text.to_owned()))
            } else {
                Err(no_source())
            };
        }
        if is_scp_like(text) { Ok(Self::Remote(text.to_owned())) } else { Err(no_source()) }
    }

    /// Checks what can be checked without git. Nothing in the folder is run or believed.
    pub(super) fn check(&self) -> Result<(), Error> {
        let Self::Local(path) = self else { return Ok(()) };
        match std::fs::metadata(path) {
            Err(_) => Err(Error::Missing(path.clone())),
            Ok(found) if !found.is_dir() => Err(Error::NoFolder(path.clone())),
            Ok(_) if is_repository(path) => Ok(()),
            Ok(_) => match path.ancestors().skip(1).find(|above| is_repository(above)) {
                Some(top) => Err(Error::NotTheTop { path: path.clone(), top: top.to_owned() }),
                None => Err(Error::NoRepository(path.clone())),
            },
        }
    }

    /// Returns what git is given.
    pub(super) fn url(&self) -> String {
        match self {
            Self::Local(path) => path.to_string_lossy().into_owned(),
            Self::Remote(url) => url.clone(),
        }
    }

    /// Returns what a person is shown: without a password.
    pub(crate) fn shown(&self) -> String {
        let url = self.url();
        let (Self::Remote(_), Some((scheme, rest))) = (self, url.split_once("://")) else { return url };
        let host_end = rest.find('/').unwrap_or(rest.len());
        match rest[..host_end].rfind('@') {
            Some(at) => format!("{scheme}://***@{}", &rest[at + 1..]),
            None => url,
        }
    }
}

fn is_repository(path: &Path) -> bool {
    path.join(".git").exists() || (path.join("HEAD").is_file() && path.join("objects").is_dir())
}

/// Recognises `user@host:path`, in which no slash comes before the colon.
fn is_scp_like(text: &str) -> bool {
    let Some((host, path)) = text.split_once(':') else { return false };
    let Some((user, name)) = host.split_once('@') else { return false };
    let plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    plain(user) && plain(name) && !path.is_empty() && !path.starts_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_urls_are_told_apart_from_anything_else() {
        assert_eq!(Source::parse(" /srv/repo ").unwrap(), Source::Local("/srv/repo".into()));
        for url in ["https://host/a.git", "ssh://git@host/a", "git@host:a/b.git", "file:///srv/a"] {
            assert_eq!(Source::parse(url).unwrap(), Source::Remote(url.into()));
        }
        for other in [
            "repo",
            "./repo",
            "../repo",
            "",
            "https://",
            "ext::sh -c id",
            "--upload-pack=x",
            "a@b",
            "ftp://x/y",
            "/a\nb",
        ] {
            assert!(matches!(Source::parse(other), Err(Error::NoSource(_))), "{other}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let shown = |text| Source::parse(text).unwrap().shown();
        assert_eq!(shown("https://me:secret@host/a@b.git"), "https://***@host/a@b.git");
        assert_eq!(shown("https://host/a@b.git"), "https://host/a@b.git");
        assert_eq!(shown("git@host:a.git"), "git@host:a.git");
    }

    #[test]
    fn a_local_path_that_will_not_do_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| Source::Local(folder.path().join(name));
        std::fs::write(folder.path().join("file"), "").unwrap();
        std::fs::create_dir_all(folder.path().join("repo/.git")).unwrap();
        std::fs::create_dir_all(folder.path().join("repo/sub")).unwrap();
        std::fs::create_dir_all(folder.path().join("plain")).unwrap();
        assert!(path("repo").check().is_ok());
        assert!(matches!(path("none").check(), Err(Error::Missing(_))));
        assert!(matches!(path("file").check(), Err(Error::NoFolder(_))));
        assert!(matches!(path("plain").check(), Err(Error::NoRepository(_))));
        assert!(matches!(path("repo/sub").check(), Err(Error::NotTheTop { .. })));
    }
}
