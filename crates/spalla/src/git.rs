//! Git for the commands, on repositories of ours and on what is only read. No settings of the machine or the person, no
//! hooks, no prompts.

use crate::failure::{Failure, Result};
use crate::programs::{self, Call};
use std::path::Path;

/// What git is told on every call.
const SETTINGS: [&str; 12] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "protocol.ext.allow=never",
    "-c",
    "safe.directory=*",
    "-c",
    "gc.auto=0",
    "-c",
    "core.autocrlf=false",
];
/// The variables that keep the settings of the machine and the person out. Spalla commits as itself.
const ENV: [(&str, &str); 8] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("LC_ALL", "C"),
    ("GIT_AUTHOR_NAME", "Spalla"),
    ("GIT_AUTHOR_EMAIL", "spalla@localhost"),
    ("GIT_COMMITTER_NAME", "Spalla"),
    ("GIT_COMMITTER_EMAIL", "spalla@localhost"),
];
/// How long git may take, in milliseconds: a large repository is fetched.
const CALL_MS: i64 = 30 * 60_000;

/// Makes a repository of a folder, with everything in one commit.
pub(crate) async fn commit_all(folder: &Path, message: &str) -> Result<()> {
    call(folder, &["init", "--quiet", "--initial-branch=main"]).await?;
    call(folder, &["add", "--all"]).await?;
    let commit = ["commit", "--quiet", "--no-verify", "--message", message];
    call(folder, &commit).await.map(drop)
}

/// Calls git in a folder and returns what it printed.
pub(crate) async fn call(folder: &Path, args: &[&str]) -> Result<String> {
    let all: Vec<&str> = SETTINGS.iter().chain(args).copied().collect();
    let call = Call { program: "git", args: &all, folder, env: &ENV, timeout_ms: CALL_MS };
    let answer = programs::call(call).await?;
    if answer.is_good() {
        return Ok(answer.stdout);
    }
    let verb = args.iter().find(|arg| !arg.starts_with('-')).copied().unwrap_or_default();
    Err(Failure::failed(format!("git {verb} in {}: {}", folder.display(), answer.complaint())))
}
