//! Git with a fixed environment: no settings of the machine or the person, no hooks, no prompts, a time limit.

use super::Error;
use crate::run::{Interruption, Run};
use crate::sandbox::{Captured, CommandSpec, How, SpawnError, Walls};
use crate::walls::Needs;
use spalla_crash::crash_point;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The most of git's output that is kept, in bytes; a reference list is far smaller.
const OUTPUT_BYTES_MAX: usize = 1024 * 1024;
/// The most of git's complaint that is shown, in bytes.
const REASON_BYTES_MAX: usize = 2_000;
/// How long git has to tidy up when it is stopped, in milliseconds.
const GRACE_MS: i64 = 3_000;
/// The settings for git: in a file, since git does not hand those of the command line to the second git that
/// serves a local repository.
const CONFIG: &str = "[safe]\n\tdirectory = *\n[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\
                      [protocol \"ext\"]\n\tallow = never\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";
/// The same on the command line, where they win over those of the repository.
const SETTINGS: [&str; 6] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "protocol.ext.allow=never",
    "safe.directory=*",
    "gc.auto=0",
    "maintenance.auto=false",
];

/// A fetch between repositories of ours: what is named and nothing else.
pub(crate) const FETCH: [&str; 5] =
    ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance"];

/// Git on behalf of one run.
pub(crate) struct Git<'a> {
    run: &'a Run<'a>,
    env: BTreeMap<String, String>,
    cwd: PathBuf,
    walls: Walls,
}

/// How a call of git failed.
#[derive(Debug)]
pub(crate) enum GitError {
    /// It said no, in these words.
    Failed(String),
    /// It was ended before it could say anything, or was never started: another try may well succeed.
    Ended(String),
    /// It was not started: the walls that it needs can't stand.
    Refused(String),
    /// It took too long.
    TimedOut,
    /// The run was interrupted.
    Interrupted(Interruption),
}

/// Writes the settings for git into the data folder.
pub(super) fn write_config(data_dir: &Path) -> Result<(), Error> {
    let path = config_path(data_dir);
    if fs::read_to_string(&path).is_ok_and(|text| text == CONFIG) {
        return Ok(());
    }
    let new = path.with_extension("new");
    crash_point!("worker.git_config.write", fs::write(&new, CONFIG))
        .and_then(|()| crash_point!("worker.git_config.rename", fs::rename(&new, &path)))
        .map_err(|source| Error::Io { doing: "writing", path, source })
}

fn config_path(data_dir: &Path) -> PathBuf {
    data_dir.join("git.config")
}

impl<'a> Git<'a> {
    pub(super) fn new(data_dir: &Path, run: &'a Run<'a>) -> Self {
        let mut env: BTreeMap<String, String> = run.options.child_env.clone();
        // Its language is fixed, since its words are read; everything else that children may have does no harm.
        env.retain(|name, _| !name.starts_with("LC_") && name != "LANG");
        let fixed: [(&str, &str); 8] = [
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "true"),
            ("SSH_ASKPASS", "true"),
            ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes"),
            // Reading never writes: no refreshed index, nothing fetched on demand.
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("LC_ALL", "C"),
        ];
        env.extend(fixed.map(|(name, value)| (name.to_owned(), value.to_owned())));
        env.insert("GIT_CONFIG_GLOBAL".into(), config_path(data_dir).to_string_lossy().into_owned());
        // What it works on is Spalla's own: nothing that a run writes gets there.
        Self { run, env, cwd: data_dir.to_owned(), walls: Walls::None }
    }

    /// Returns git behind the walls of the run, for what others wrote: it works in a folder of the run's own and reads
    /// these paths.
    pub(crate) fn behind_walls(mut self, folder: &Path, mut read: Vec<PathBuf>) -> Self {
        read.extend(self.env.get("GIT_CONFIG_GLOBAL").map(PathBuf::from));
        self.walls = self.run.walls(folder, Needs { read, ..Needs::default() });
        if let Walls::Up(_) = self.walls {
            // Everything else is built inside.
            self.env.retain(|name, _| name.starts_with("GIT_") || name == "LC_ALL");
        }
        self.cwd = folder.to_owned();
        self
    }

    /// Returns git with a variable more.
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Returns git that commits as Spalla itself.
    pub(crate) fn with_identity(self) -> Self {
        ["AUTHOR", "COMMITTER"].into_iter().fold(self, |git, who| {
            let name = git.with_variable(&format!("GIT_{who}_NAME"), "Spalla");
            name.with_variable(&format!("GIT_{who}_EMAIL"), "spalla@localhost")
        })
    }

    /// Returns git with a remote of this name. It is given by the environment, so that an address with a password
    /// does not stand in the list of processes.
    pub(super) fn with_remote(mut self, name: &str, url: &str) -> Self {
        self.env.insert("GIT_CONFIG_COUNT".into(), "1".into());
        self.env.insert("GIT_CONFIG_KEY_0".into(), format!("remote.{name}.url"));
        self.env.insert("GIT_CONFIG_VALUE_0".into(), url.to_owned());
        self
    }

    /// Runs git in a repository, and returns what it wrote.
    pub(crate) async fn in_repository(
        &self,
        repository: &Path,
        args: &[&str],
        timeout_ms: i64,
    ) -> Result<String, GitError> {
        let repository = repository.to_string_lossy();
        self.call(&[&["-C", &repository], args].concat(), timeout_ms).await
    }

    /// Runs git, and returns what it wrote.
    pub(crate) async fn call(&self, args: &[&str], timeout_ms: i64) -> Result<String, GitError> {
        let captured = self.capture(args, timeout_ms, OUTPUT_BYTES_MAX).await?;
        Ok(String::from_utf8_lossy(&captured.stdout).into_owned())
    }

    /// Runs git, and returns the bytes that it wrote up to a bound.
    pub(crate) async fn capture(
        &self,
        args: &[&str],
        timeout_ms: i64,
        bytes_max: usize,
    ) -> Result<Captured, GitError> {
        let captured = self.say(args, timeout_ms, bytes_max).await?;
        match captured.ended.how {
            How::Exited(0) => Ok(captured),
            ref how => Err(GitError::Failed(reason_of(&captured.stderr, how))),
        }
    }

    /// Runs git to its own end, and returns what it wrote, whether it says yes or no.
    pub(crate) async fn say(
        &self,
        args: &[&str],
        timeout_ms: i64,
        bytes_max: usize,
    ) -> Result<Captured, GitError> {
        let settings = SETTINGS.iter().flat_map(|setting| ["-c", setting]);
        let spec = CommandSpec {
            label: format!("{} git", self.run.label()),
            program: "git".into(),
            args: settings.chain(args.iter().copied()).map(str::to_owned).collect(),
            cwd: self.cwd.clone(),
            env: self.env.clone(),
            stdin: Vec::new(),
            timeout_ms: Some(timeout_ms),
            grace_ms: GRACE_MS,
            walls: self.walls.clone(),
        };
        let stop = async { drop(self.run.interrupted().await) };
        let captured =
            self.run.sandbox.capture(spec, bytes_max, stop).await.map_err(|error| match error {
                SpawnError::Command { missing: true, .. } => {
                    GitError::Failed("git is not on this worker's PATH; install it".into())
                }
                SpawnError::Refused { ref layer, ref reason, .. } => {
                    self.run.attest_refusal(&self.walls, *layer, reason);
                    GitError::Refused(error.to_string())
                }
                SpawnError::Impossible { reason } => GitError::Refused(reason),
                other => GitError::Ended(other.to_string()),
            })?;
        if captured.ended.timed_out {
            return Err(GitError::TimedOut);
        }
        if captured.ended.stopped
            && let Some(interruption) = self.run.interruption()
        {
            return Err(GitError::Interrupted(interruption));
        }
        match captured.ended.how {
            How::Exited(_) => Ok(captured),
            how => Err(GitError::Ended(reason_of(&captured.stderr, &how))),
        }
    }
}

impl GitError {
    /// Makes an error of the scratchpad.
    pub(crate) fn during(self, doing: impl Into<String>) -> Error {
        let doing = doing.into();
        match self {
            Self::Failed(reason) | Self::Ended(reason) => Error::Git { doing, reason },
            Self::Refused(reason) => Error::Refused(reason),
            Self::TimedOut => Error::Git { doing, reason: "git took too long".into() },
            Self::Interrupted(interruption) => Error::Interrupted(interruption),
        }
    }
}

/// Returns git's own words, the last of them when there are too many.
fn reason_of(stderr: &[u8], how: &How) -> String {
    let text = String::from_utf8_lossy(stderr);
    let text = text.trim();
    if text.is_empty() {
        return format!("git said nothing ({how})");
    }
    let start = text.ceil_char_boundary(text.len().saturating_sub(REASON_BYTES_MAX));
    text[start..].replace('\n', "; ")
}
