//! Git for the commands: makes a repository of a folder that is ours. No settings of the machine or the person, no
//! hooks, no prompts.

use crate::failure::{Failure, Result};
use crate::programs::{self, Call};
use std::path::Path;

/// What git is told on every call.
const SETTINGS: [&str; 6] =
    ["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "core.autocrlf=false"];
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
/// How long git may take, in milliseconds: a few files are added.
const CALL_MS: i64 = 30_000;

/// Makes a repository of a folder, with everything in one commit.
pub(crate) async fn commit_all(folder: &Path, message: &str) -> Result<()> {
    succeed(folder, &["init", "--quiet", "--initial-branch=main"]).await?;
    succeed(folder, &["add", "--all"]).await?;
    succeed(folder, &["commit", "--quiet", "--no-verify", "--message", message]).await
}

async fn succeed(folder: &Path, args: &[&str]) -> Result<()> {
    let all: Vec<&str> = SETTINGS.iter().chain(args).copied().collect();
    let call = Call { program: "git", args: &all, folder, env: &ENV, timeout_ms: CALL_MS };
    let answer = programs::call(call).await?;
    if answer.is_good() {
        return Ok(());
    }
    let verb = args.first().copied().unwrap_or_default();
    Err(Failure::failed(format!("git {verb} in {}: {}", folder.display(), answer.complaint())))
}
