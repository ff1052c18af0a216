//! Git for the commands, on repositories of ours and on what is only read. No settings of the machine or the person, no
//! hooks, no prompts.

use crate::failure::{Failure, Result};
use crate::programs::{self, Answer, Call};
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
/// The most that is kept of an answer that is taken byte for byte: a patch.
const TOLD_BYTES_MAX: usize = 256 * 1024 * 1024;

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
    if answer.is_good() { Ok(answer.stdout) } else { Err(refused(folder, args, &answer.complaint())) }
}

/// Calls git in a folder with something to read, and returns its exit status and every byte that it printed.
pub(crate) async fn tell(folder: &Path, args: &[&str], stdin: Vec<u8>) -> Result<(Option<i32>, Vec<u8>)> {
    let all: Vec<&str> = SETTINGS.iter().chain(args).copied().collect();
    let call = Call { program: "git", args: &all, folder, env: &ENV, timeout_ms: CALL_MS };
    let captured = programs::capture(call, stdin, TOLD_BYTES_MAX).await?;
    if captured.cut {
        return Err(refused(folder, args, "it says more than can be taken in"));
    }
    let printed = captured.stdout.clone();
    let answer = Answer::from(captured);
    match answer.status {
        Some(0 | 1) => Ok((answer.status, printed)),
        _ => Err(refused(folder, args, &answer.complaint())),
    }
}

fn refused(folder: &Path, args: &[&str], why: &str) -> Failure {
    let is_verb = |arg: &&&str| !arg.starts_with('-');
    let verb = args.iter().find(is_verb).copied().unwrap_or_default();
    Failure::failed(format!("git {verb} in {}: {why}", folder.display()))
}

/// What a repository has checked out.
pub(crate) struct Head {
    /// The commit.
    pub(crate) commit: String,
    /// The branch; none where it is detached.
    pub(crate) branch: Option<String>,
}

/// Returns what a target has checked out; none where it is no repository, or one in which nothing was committed.
pub(crate) async fn head_of(target: &Path) -> Result<Option<Head>> {
    let Ok(top) = call(target, &["rev-parse", "--show-toplevel"]).await else {
        // What git keeps for itself is nobody's to change file by file: among it are programs that it runs.
        let is_inside = call(target, &["rev-parse", "--is-inside-git-dir"]).await;
        if is_inside.is_ok_and(|said| said.trim() == "true") {
            let what = format!("the target {} is a git repository without files", target.display());
            return Err(Failure::usage(what).mend("name a checkout of it with --target DIR"));
        }
        return Ok(None);
    };
    let top = Path::new(top.trim_end_matches('\n'));
    if top.canonicalize().ok() != target.canonicalize().ok() {
        return Err(Failure::usage(format!(
            "the target {} is inside the git repository {}",
            target.display(),
            top.display()
        ))
        .mend("name its top folder with --target DIR"));
    }
    let Ok(commit) = call(target, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await else {
        return Ok(None);
    };
    let branch = call(target, &["symbolic-ref", "--quiet", "--short", "HEAD"]).await.ok();
    let branch = branch.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    Ok(Some(Head { commit: commit.trim().to_owned(), branch }))
}

/// Tells whether a target has changes that are in no commit.
pub(crate) async fn has_uncommitted(target: &Path) -> bool {
    // Whoever only looks leaves the index as it is: git would write it anew where it is in doubt of times.
    let status = ["--no-optional-locks", "status", "--porcelain", "--untracked-files=no"];
    call(target, &status).await.is_ok_and(|said| !said.trim().is_empty())
}
