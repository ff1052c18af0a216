//! Git for sessions: on a session's own repository with Spalla's settings alone, on a person's target with the person's,
//! and nowhere with hooks, monitors or questions.

use crate::failure::{Failure, Result};
use crate::programs::{self, Call};
use spalla_domain::log::Stream;
use std::future::Future;
use std::path::{Path, PathBuf};

/// What git is told on every call.
const SETTINGS: [&str; 18] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "protocol.ext.allow=never",
    "-c",
    "protocol.file.allow=always",
    "-c",
    "submodule.recurse=false",
    "-c",
    "commit.gpgSign=false",
];
/// The variables of every call: nobody is asked, and nothing is written that was not asked for.
const ENV: [(&str, &str); 7] = [
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_EDITOR", "true"),
    ("GIT_SEQUENCE_EDITOR", "true"),
    ("GIT_MERGE_AUTOEDIT", "no"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PAGER", "cat"),
    ("LC_ALL", "C"),
];
/// The variables that keep the settings of the machine and the person out.
const ENV_OWN: [(&str, &str); 2] = [("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")];
/// The variables by which a person says where their settings are, and who they are.
const OF_PERSON: [&str; 9] = [
    "XDG_CONFIG_HOME",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "GIT_COMMITTER_NAME",
    "GIT_COMMITTER_EMAIL",
    "EMAIL",
];
/// How long a call may take, in milliseconds: a large working tree is looked through, or written.
const CALL_MS: i64 = 15 * 60 * 1_000;
/// The most that is kept of an answer, in bytes: the names of all files of a very large repository.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A way to call git in one folder.
#[derive(Debug, Clone)]
pub(super) struct Git {
    folder: PathBuf,
    settings: Vec<String>,
    env: Vec<(String, String)>,
}

/// What git said.
#[derive(Debug)]
pub(super) struct Said {
    /// Its exit status; none where something ended it.
    pub(super) status: Option<i32>,
    /// What it printed.
    pub(super) stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Said {
    /// Tells whether it did what it was asked.
    pub(super) fn is_good(&self) -> bool {
        self.status == Some(0)
    }

    /// Returns what it printed as text, without the end of the line.
    pub(super) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.stdout);
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }

    /// Returns why it did not do what it was asked, on one line.
    pub(super) fn complaint(&self) -> String {
        let said = String::from_utf8_lossy(&self.stderr);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        match self.status {
            None => format!("{said} (it was ended)"),
            Some(status) if said.is_empty() => format!("exit status {status}"),
            Some(_) => said,
        }
    }
}

impl Git {
    /// Names git on a session's own repository.
    pub(super) fn of_session(repository: &Path) -> Self {
        let mut git = Self::bare(repository, &ENV_OWN);
        git.settings.push("--git-dir=.".to_owned());
        git
    }

    /// Names git on a person's folder.
    pub(super) fn of_target(folder: &Path) -> Self {
        let mut git = Self::bare(folder, &[]);
        let persons = programs::variables().filter(|(name, _)| OF_PERSON.contains(&name.as_str()));
        git.env.extend(persons);
        git
    }

    fn bare(folder: &Path, env: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            folder: folder.to_owned(),
            settings: SETTINGS.iter().map(|setting| (*setting).to_owned()).collect(),
            env: ENV.iter().chain(env).map(own).collect(),
        }
    }

    /// Returns the same with one more variable.
    pub(super) fn with(&self, name: &str, value: impl Into<String>) -> Self {
        let mut git = self.clone();
        git.env.push((name.to_owned(), value.into()));
        git
    }

    /// Returns the same, which also sees what another repository has, without taking any of it over.
    pub(super) fn seeing(&self, repository: &Path) -> Result<Self> {
        let objects = utf8(&repository.join("objects"))?.replace('\\', "\\\\").replace('"', "\\\"");
        Ok(self.with("GIT_ALTERNATE_OBJECT_DIRECTORIES", format!("\"{objects}\"")))
    }

    /// Calls git; that it refuses is an answer too.
    pub(super) async fn ask(&self, args: &[&str]) -> Result<Said> {
        self.tell(args, Vec::new()).await
    }

    /// Calls git with something to read; that it refuses is an answer too.
    pub(super) async fn tell(&self, args: &[&str], stdin: Vec<u8>) -> Result<Said> {
        let (all, env) = (self.all(args), self.variables());
        let captured = programs::capture(self.call(&all, &env), stdin, ANSWER_BYTES_MAX).await?;
        if captured.cut {
            return Err(Failure::failed(format!("git {} says more than can be taken in", verb(args))));
        }
        let status = captured.ended.how.code().filter(|_| !captured.ended.timed_out);
        Ok(Said { status, stdout: captured.stdout, stderr: captured.stderr })
    }

    /// Calls git for something that it has to do, and returns what it printed.
    pub(super) async fn succeed(&self, args: &[&str]) -> Result<Said> {
        self.taught(args, Vec::new()).await
    }

    /// The same with something to read.
    pub(super) async fn taught(&self, args: &[&str], stdin: Vec<u8>) -> Result<Said> {
        let said = self.tell(args, stdin).await?;
        if said.is_good() { Ok(said) } else { Err(self.refused(args, &said)) }
    }

    /// Says that git did not do what it had to.
    pub(super) fn refused(&self, args: &[&str], said: &Said) -> Failure {
        Failure::failed(format!("git {} in {}: {}", verb(args), self.folder.display(), said.complaint()))
    }

    /// Calls git and hands on what it prints as it comes, until its end or until `stop`.
    pub(super) async fn relay(
        &self,
        args: &[&str],
        stdin: Vec<u8>,
        hand_on: impl Fn(Stream, &[u8]),
        stop: impl Future<Output = ()>,
    ) -> Result<Option<i32>> {
        let (all, env) = (self.all(args), self.variables());
        let ended = programs::relay(self.call(&all, &env), stdin, hand_on, stop).await?;
        Ok(ended.how.code().filter(|_| !ended.timed_out))
    }

    fn all<'a>(&'a self, args: &[&'a str]) -> Vec<&'a str> {
        self.settings.iter().map(String::as_str).chain(args.iter().copied()).collect()
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn call<'a>(&'a self, args: &'a [&'a str], env: &'a [(&'a str, &'a str)]) -> Call<'a> {
        Call { program: "git", args, folder: &self.folder, env, timeout_ms: CALL_MS }
    }
}

/// Returns a path as text, which is what arguments and variables are.
pub(super) fn utf8(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| Failure::usage(format!("{}: the path is not UTF-8", path.display())))
}

fn verb<'a>(args: &[&'a str]) -> &'a str {
    let is_setting = |index: usize| args[index] == "-c" || index > 0 && args[index - 1] == "-c";
    (0..args.len()).find(|index| !is_setting(*index)).map_or("", |index| args[index])
}

#[cfg(test)]
mod tests {
    use super::verb;

    #[test]
    fn the_verb_comes_after_the_settings() {
        assert_eq!((verb(&["-c", "a=b", "var", "X"]), verb(&["diff"]), verb(&[])), ("var", "diff", ""));
    }
}
