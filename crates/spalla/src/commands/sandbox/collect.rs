//! `spalla sandbox collect`: what a command left in a workspace: which files changed, how, and their sums.
//! Whatever looks at the workspace does so behind the walls: a setting or hook that was left there would run otherwise.

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::programs;
use clap::Args;
use serde::{Deserialize, Serialize};
use spalla_sandbox::{HostCredentials, Policy, Preset, SecretFiles};
use spalla_worker::sandbox::{Captured, CommandSpec, Confined, How, Sandbox, Supervisor, Walls, child_env};
use spalla_worker::{Refusals, look_for_files};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How long each look may take, in milliseconds.
const TIMEOUT_MS: i64 = 120_000;
/// How long it has to end, in milliseconds.
const GRACE_MS: i64 = 1_000;
/// How much of a status or a list is kept, in bytes.
const LIST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How much of a difference is kept, in bytes.
const DIFF_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most settings of filters that are replaced; no repository has as many.
const SETTINGS_MAX: usize = 1_000;
/// Settings that win over those of the workspace: nothing of it is run, not even inside.
const GIT: [&str; 9] = [
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "safe.directory=*",
    "-c",
    "color.ui=false",
    "--no-pager",
];

/// Says what was left in a workspace, from behind the walls: changed files, the difference, and sums of files.
#[derive(Debug, Args)]
pub(crate) struct Collect {
    /// The workspace
    #[arg(long, value_name = "DIR")]
    workspace: PathBuf,
    /// Another folder that its repository reads, such as the objects that it borrows
    #[arg(long, value_name = "PATH")]
    read: Vec<PathBuf>,
    /// Files to list, such as `dist/**` [default: what is changed or new]
    #[arg(long = "artifact", value_name = "PATTERN")]
    artifacts: Vec<String>,
    /// Prints it as JSON
    #[arg(long)]
    json: bool,
}

/// What was left.
#[derive(Debug, Serialize)]
struct Collected {
    workspace: PathBuf,
    /// The commit that the workspace stands on; none outside of a repository.
    commit: Option<String>,
    status: Vec<Changed>,
    /// The difference to the commit, of files that git knows.
    diff: Option<String>,
    /// Whether the difference is longer than what is kept.
    is_diff_cut: bool,
    artifacts: Vec<Left>,
    /// What could not be done, and why.
    remarks: Vec<String>,
}

/// A file that is not as committed.
#[derive(Debug, Serialize)]
struct Changed {
    /// Git's two letters.
    code: String,
    path: String,
}

/// A file.
#[derive(Debug, Serialize, Deserialize)]
struct Left {
    path: String,
    bytes: u64,
    sha256: String,
}

/// What the look for files says.
#[derive(Debug, Default, Deserialize)]
struct Found {
    artifacts: Vec<Left>,
    remarks: Vec<String>,
}

impl Collect {
    pub(crate) fn run(self) -> Result<Exit> {
        let workspace = crate::cli::absolute(&self.workspace)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::failed(format!("starting: {error}")))?;
        let collected = runtime.block_on(collect(workspace, &self.read, &self.artifacts))?;
        if self.json {
            return output::json(&collected).map(|()| Exit::Done);
        }
        print(&collected)?;
        Ok(Exit::Done)
    }
}

async fn collect(workspace: PathBuf, read: &[PathBuf], patterns: &[String]) -> Result<Collected> {
    let mut looker = Looker::new(&workspace, read)?;
    let mut remarks = Vec::new();
    match looker.switch_filters_off().await {
        Ok(()) => {}
        Err(Looked::Refused(failure)) => return Err(failure),
        // Without a repository there is nothing to look at, which the next look says.
        Err(Looked::Failed(_)) => {}
    }
    let mut git = async |args: &[&str], bytes_max| match looker.git(args, bytes_max).await {
        Ok(captured) => Ok(Some(captured)),
        Err(Looked::Refused(failure)) => Err(failure),
        Err(Looked::Failed(reason)) => {
            remarks.push(format!("git {}: {reason}", args[0]));
            Ok(None)
        }
    };
    let text = |captured: &Captured| String::from_utf8_lossy(&captured.stdout).into_owned();
    let status =
        git(&["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"], LIST_BYTES_MAX)
            .await?;
    let (mut commit, mut diff) = (None, None);
    if status.is_some() {
        commit = git(&["rev-parse", "--verify", "HEAD"], LIST_BYTES_MAX).await?;
        let base = if commit.is_some() { "HEAD" } else { "--cached" };
        diff = git(&["diff", "--no-ext-diff", "--no-textconv", "--no-color", base, "--"], DIFF_BYTES_MAX)
            .await?;
    }
    let status = status.map(|status| changed(&text(&status))).unwrap_or_default();
    let found = looker.files(patterns).await?;
    remarks.extend(found.remarks);
    let is_repository = commit.is_some() || diff.is_some();
    let is_wanted = |left: &Left| {
        !patterns.is_empty() || !is_repository || status.iter().any(|changed| changed.path == left.path)
    };
    let artifacts = found.artifacts.into_iter().filter(is_wanted).collect();
    Ok(Collected {
        workspace,
        commit: commit.map(|commit| text(&commit).trim().to_owned()),
        is_diff_cut: diff.as_ref().is_some_and(|diff| diff.cut),
        diff: diff.as_ref().map(text),
        status,
        artifacts,
        remarks,
    })
}

fn changed(status: &str) -> Vec<Changed> {
    let entries = status.split('\0').filter_map(|entry| entry.split_at_checked(3));
    entries.map(|(code, path)| Changed { code: code.trim_end().to_owned(), path: path.to_owned() }).collect()
}

/// Looks at a workspace from behind the walls.
struct Looker {
    sandbox: Sandbox,
    program: String,
    confined: Confined,
    workspace: PathBuf,
    /// Settings of the repository that are replaced, by their names.
    settings: Vec<(String, &'static str)>,
}

/// Why a look failed.
enum Looked {
    /// The walls can't stand: nothing can be looked at.
    Refused(Failure),
    /// This look did not work.
    Failed(String),
}

impl Looker {
    fn new(workspace: &Path, read: &[PathBuf]) -> Result<Self> {
        let own = |error: &dyn std::fmt::Display| {
            Failure::failed(format!("finding this program's own file: {error}"))
        };
        let supervisor = Supervisor::this_program().map_err(|error| own(&error))?;
        let program = std::fs::canonicalize("/proc/self/exe").map_err(|error| own(&error))?;
        let program = program.to_str().ok_or_else(|| own(&"its path is no text"))?.to_owned();
        let mut policy = Policy::new(Preset::Strict, workspace.to_owned());
        policy.read = read.iter().map(|path| crate::cli::absolute(path)).collect::<Result<_>>()?;
        let (outside, credentials) = (child_env(programs::variables()), HostCredentials::default());
        let (secret_files, refusals) = (SecretFiles::default(), Refusals::default());
        let confined = Confined { policy, outside, credentials, secret_files, journal: None, refusals };
        Ok(Self {
            sandbox: Sandbox::new(supervisor),
            program,
            confined,
            workspace: workspace.to_owned(),
            settings: Vec::new(),
        })
    }

    /// Takes the filters out of the repository's settings: each is a program that git would start for a file, and in a
    /// workspace whoever worked there named it.
    async fn switch_filters_off(&mut self) -> Result<(), Looked> {
        let listed = self.git(&["config", "--list", "--name-only", "-z"], LIST_BYTES_MAX).await?;
        let names = String::from_utf8_lossy(&listed.stdout).into_owned();
        let settings: BTreeMap<String, &'static str> =
            names.split('\0').filter_map(|name| Some((name.to_owned(), without_filter(name)?))).collect();
        if settings.len() > SETTINGS_MAX {
            let reason = format!("its settings name {} filters, of which none is started", settings.len());
            return Err(Looked::Refused(Failure::failed(reason).mend("remove them from .git/config")));
        }
        self.settings = settings.into_iter().collect();
        Ok(())
    }

    async fn git(&self, args: &[&str], bytes_max: usize) -> Result<Captured, Looked> {
        let args = GIT.iter().chain(args).map(|arg| (*arg).to_owned()).collect();
        self.look("git", args, bytes_max).await
    }

    async fn files(&self, patterns: &[String]) -> Result<Found> {
        let all = ["**".to_owned()];
        let patterns = if patterns.is_empty() { &all[..] } else { patterns };
        match self.look(&self.program, look_for_files(patterns), LIST_BYTES_MAX).await {
            Ok(captured) => serde_json::from_slice(&captured.stdout)
                .map_err(|error| Failure::failed(format!("reading the list of files: {error}"))),
            Err(Looked::Refused(failure)) => Err(failure),
            Err(Looked::Failed(reason)) => Ok(Found { remarks: vec![reason], ..Found::default() }),
        }
    }

    async fn look(&self, program: &str, args: Vec<String>, bytes_max: usize) -> Result<Captured, Looked> {
        let env = [("GIT_OPTIONAL_LOCKS", "0"), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_NO_LAZY_FETCH", "1")];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let count = ("GIT_CONFIG_COUNT".to_owned(), self.settings.len().to_string());
        let settings = self.settings.iter().enumerate().flat_map(|(number, (name, value))| {
            let name = (format!("GIT_CONFIG_KEY_{number}"), name.clone());
            [name, (format!("GIT_CONFIG_VALUE_{number}"), (*value).to_owned())]
        });
        let spec = CommandSpec {
            label: "collect".into(),
            program: program.to_owned(),
            args,
            cwd: self.workspace.clone(),
            env: env.into_iter().chain([count]).chain(settings).collect(),
            stdin: Vec::new(),
            timeout_ms: Some(TIMEOUT_MS),
            grace_ms: GRACE_MS,
            walls: Walls::Up(Box::new(self.confined.clone())),
        };
        let captured = self.sandbox.capture(spec, bytes_max, std::future::pending()).await;
        let captured = captured.map_err(|error| Looked::Refused(Failure::usage(error.to_string())))?;
        match captured.ended.how {
            How::Exited(0) => Ok(captured),
            ref how => {
                let said = String::from_utf8_lossy(&captured.stderr);
                let said = said.lines().next().unwrap_or_default();
                Err(Looked::Failed(format!("{how}: {said}")))
            }
        }
    }
}

/// Returns what takes the program out of a filter's setting; none for other settings.
fn without_filter(name: &str) -> Option<&'static str> {
    let (_, last) = name.strip_prefix("filter.")?.rsplit_once('.')?;
    match last {
        "clean" | "smudge" | "process" => Some(""),
        "required" => Some("false"),
        _ => None,
    }
}

fn print(collected: &Collected) -> Result<()> {
    output::line(format_args!("workspace {}", collected.workspace.display()))?;
    if let Some(commit) = &collected.commit {
        output::line(format_args!("commit {commit}"))?;
    }
    for changed in &collected.status {
        output::line(format_args!("{:<2} {}", changed.code, output::plain(&changed.path)))?;
    }
    for left in &collected.artifacts {
        output::line(format_args!("{:>10} {} {}", left.bytes, left.sha256, output::plain(&left.path)))?;
    }
    for line in collected.diff.iter().flat_map(|diff| diff.lines()) {
        output::line(format_args!("{}", output::plain(line)))?;
    }
    for remark in &collected.remarks {
        output::line(format_args!("note: {}", output::plain(remark)))?;
    }
    Ok(())
}
