//! A project: the top-level scope of work items.

use crate::limits::Limits;
use crate::{ProjectId, Timestamp};
use serde::{Deserialize, Serialize};

/// A project as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id, which is its identity: names may repeat.
    pub id: ProjectId,
    /// What people call it.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// An absolute local path or a git URL.
    pub repository: Option<String>,
    /// How much commands of its runs may use; none is as the operator says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was archived.
    pub archived_at: Option<Timestamp>,
}

/// What a client says to make a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewProject {
    /// What people call it.
    pub name: String,
    /// What it is about.
    pub description: Option<String>,
    /// An absolute local path or a git URL.
    pub repository: Option<String>,
    /// How much commands of its runs may use; none is as the operator says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// What a client changes of a project; what is none stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProjectPatch {
    /// The new name.
    pub name: Option<String>,
    /// The new description; an inner none removes it.
    pub description: Option<Option<String>>,
    /// The new repository; an inner none removes it.
    pub repository: Option<Option<String>>,
    /// The new limits of its runs; an inner none removes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Option<Limits>>,
}

impl ProjectPatch {
    /// Applies the change.
    pub fn apply(self, project: &mut Project) {
        if let Some(name) = self.name {
            project.name = name;
        }
        if let Some(description) = self.description {
            project.description = description;
        }
        if let Some(repository) = self.repository {
            project.repository = repository;
        }
        if let Some(limits) = self.limits {
            project.limits = limits.filter(|limits| !limits.is_empty());
        }
    }
}

/// The longest project name, in characters.
pub const NAME_CHARS_MAX: usize = 200;

/// Checks a project's name.
pub fn check_name(name: &str) -> Result<(), String> {
    match name.trim().chars().count() {
        0 => Err("a project needs a name".into()),
        n if n > NAME_CHARS_MAX => {
            Err(format!("a project's name has at most {NAME_CHARS_MAX} characters, not {n}"))
        }
        _ => Ok(()),
    }
}

/// Checks a repository: an absolute local path, or a git URL that names a host.
pub fn check_repository(repository: &str) -> Result<(), String> {
    const SCHEMES: [&str; 5] = ["https://", "http://", "ssh://", "git://", "file://"];
    let scp_like = || {
        let (host, path) = repository.split_once(':').unwrap_or_default();
        host.contains('@') && !host.starts_with('-') && !path.is_empty()
    };
    let url = SCHEMES.iter().any(|s| repository.len() > s.len() && repository.starts_with(s)) || scp_like();
    if repository.chars().any(char::is_control) {
        Err("a repository has no control characters".into())
    } else if repository.starts_with('/') || url {
        Ok(())
    } else {
        Err(format!(
            "repository is neither an absolute path nor a git URL: {repository:?} (such as /home/me/app, \
             https://host/app.git or git@host:app.git)"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_an_absolute_path_or_a_git_url() {
        for good in ["/srv/app", "https://host/app.git", "git@host:app.git", "file:///srv/app"] {
            assert_eq!(check_repository(good), Ok(()), "{good}");
        }
        for bad in ["", "app", "./app", "ext::sh -c id", "-oProxyCommand=x@h:p", "https://", "/a\nb"] {
            assert!(check_repository(bad).is_err(), "{bad}");
        }
    }
}
