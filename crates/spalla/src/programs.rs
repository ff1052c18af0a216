//! Other programs on this machine: where they are, and what they say when they are called.

use crate::failure::{Failure, Result};
use spalla_domain::log::Stream;
use spalla_worker::sandbox::{Captured, CommandSpec, Ended, Sandbox, Supervisor, Walls, child_env};
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How long a program has to end when it took too long, in milliseconds.
const GRACE_MS: i64 = 1_000;
/// How much of an answer is kept, in bytes; what the commands ask for is far shorter.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A program to be called.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// Its name or path.
    pub(crate) program: &'a str,
    /// Its arguments.
    pub(crate) args: &'a [&'a str],
    /// Where it works.
    pub(crate) folder: &'a Path,
    /// Variables beside those that every child has.
    pub(crate) env: &'a [(&'a str, &'a str)],
    /// How long it may take.
    pub(crate) timeout_ms: i64,
}

/// What a program said.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Its exit status; none where something ended it.
    pub(crate) status: Option<i32>,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained about.
    pub(crate) stderr: String,
}

impl Answer {
    /// Tells whether it did what it was asked.
    pub(crate) fn is_good(&self) -> bool {
        self.status == Some(0)
    }

    /// Returns the first line of what it said.
    pub(crate) fn first_line(&self) -> &str {
        let lines = self.stdout.lines().chain(self.stderr.lines());
        lines.map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
    }

    /// Returns why it did not do what it was asked, on one line.
    pub(crate) fn complaint(&self) -> String {
        let said = self.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        let status =
            self.status.map_or_else(|| "it was ended".to_owned(), |status| format!("exit status {status}"));
        if said.is_empty() { status } else { format!("{said} ({status})") }
    }
}

impl From<Captured> for Answer {
    fn from(captured: Captured) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let status = captured.ended.how.code().filter(|_| !captured.ended.timed_out);
        Self { status, stdout: text(&captured.stdout), stderr: text(&captured.stderr) }
    }
}

/// Calls a program and waits for its end.
pub(crate) async fn call(call: Call<'_>) -> Result<Answer> {
    capture(call, Vec::new(), ANSWER_BYTES_MAX).await.map(Answer::from)
}

/// Calls a program with something to read, and keeps that much of what it says, byte for byte.
pub(crate) async fn capture(call: Call<'_>, stdin: Vec<u8>, bytes_max: usize) -> Result<Captured> {
    let (sandbox, spec) = prepare(call, stdin)?;
    let captured = sandbox.capture(spec, bytes_max, std::future::pending()).await;
    captured.map_err(|error| failed(call.program, &error))
}

/// Calls a program with something to read, and hands on what it says as it comes, until its end or until `stop`.
pub(crate) async fn relay(
    call: Call<'_>,
    stdin: Vec<u8>,
    hand_on: impl Fn(Stream, &[u8]),
    stop: impl Future<Output = ()>,
) -> Result<Ended> {
    let (sandbox, spec) = prepare(call, stdin)?;
    sandbox.relay(spec, hand_on, stop).await.map_err(|error| failed(call.program, &error))
}

fn prepare(call: Call<'_>, stdin: Vec<u8>) -> Result<(Sandbox, CommandSpec)> {
    let supervisor = Supervisor::this_program().map_err(|error| failed(call.program, &error))?;
    let own = call.env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut env = child_env(variables());
    env.extend(own);
    let spec = CommandSpec {
        label: call.program.to_owned(),
        program: call.program.to_owned(),
        args: call.args.iter().map(|arg| (*arg).to_owned()).collect(),
        cwd: call.folder.to_owned(),
        env,
        stdin,
        timeout_ms: Some(call.timeout_ms),
        grace_ms: GRACE_MS,
        walls: Walls::None,
    };
    Ok((Sandbox::new(supervisor), spec))
}

fn failed(program: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::usage(format!("calling {program}: {error}"))
}

/// Returns the environment's variables, without those that are not text.
pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Returns where a program is: the path itself, or the first file of that name on the `PATH` that may be executed.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_executable(path));
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_name_or_by_path() {
        assert!(find("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("/bin/sh"), Some("/bin/sh".into()));
        assert_eq!((find("no-such-program"), find("/etc/passwd"), find("/")), (None, None, None));
    }

    #[test]
    fn a_complaint_is_one_line() {
        let answer = Answer { status: Some(2), stdout: "\n".into(), stderr: "fatal: no\n  way\n".into() };
        assert_eq!(
            (answer.first_line(), answer.complaint().as_str()),
            ("fatal: no", "fatal: no way (exit status 2)")
        );
    }
}
