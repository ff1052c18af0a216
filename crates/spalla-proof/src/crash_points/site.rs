//! A place of its own for one scenario: a home, a data folder, a person's repository, a port, a database.

use super::scenario::Arming;
use anyhow::{Context, ensure};
use clap::ValueEnum;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use spalla_crash::{AT_VARIABLE, TRACE_VARIABLE};
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[path = "../../../spalla-store/tests/it/postgres_fixture.rs"]
#[expect(dead_code, unreachable_pub, reason = "the fixture of the store's tests can do more")]
mod postgres_fixture;

/// Where the rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Store {
    /// In a file of the data folder.
    Sqlite,
    /// In a fresh database of a real server.
    Postgres,
}

/// An agent as Codex is called and heard: it writes a line, and approves of what others wrote.
const AGENT: &str = r#"#!/bin/sh
case "$*" in
*--version*) echo "codex-cli 0.169.0"; exit ;;
*--help*) echo "--json --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox --add-dir --output-schema"; exit ;;
esac
prompt=$(cat)
echo '{"type":"thread.started","thread_id":"thread"}'
case "$prompt" in
"You review"*) text='{\"verdict\":\"approved\",\"severity\":\"low\",\"text\":\"good\"}' ;;
*)
    echo hello >>hello.txt
    mkdir -p new/deep
    echo x >new/deep/x.txt
    ln -sf hello.txt link
    rm -rf old
    text=written
    ;;
esac
printf '{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"%s"}}\n' "$text"
echo '{"type":"turn.completed","usage":{"input_tokens":10,"cached_input_tokens":0,"output_tokens":2}}'
"#;
/// An agent as Claude Code is called and heard: what may be used is used up.
const LIMITED_AGENT: &str = r#"#!/bin/sh
case "$*" in
*--version*) echo "2.1.328 (Claude Code)"; exit ;;
*--help*) echo "--print --verbose --output-format --strict-mcp-config --dangerously-skip-permissions --add-dir"; exit ;;
esac
cat >/dev/null
echo '{"type":"system","subtype":"init","session_id":"session","model":"none"}'
end=$(($(date +%s) + 86400))
printf '{"type":"result","subtype":"success","is_error":true,"result":"Claude AI usage limit reached|%s","session_id":"session"}\n' "$end"
exit 1
"#;

/// An agent as Claude Code is called and heard, that approves of what others wrote.
const REVIEWER: &str = r#"#!/bin/sh
case "$*" in
*--version*) echo "2.1.328 (Claude Code)"; exit ;;
*--help*) echo "--print --verbose --output-format --strict-mcp-config --dangerously-skip-permissions --add-dir"; exit ;;
esac
cat >/dev/null
echo '{"type":"system","subtype":"init","session_id":"session","model":"none"}'
text='{\"verdict\":\"approved\",\"severity\":\"low\",\"text\":\"good\"}'
printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","session_id":"session"}\n' "$text"
"#;

/// An agent that is spoken with over the Agent Client Protocol, and approves of what others wrote.
const TALKER: &str = r#"#!/bin/sh
while read -r line; do
    id=$(printf '%s' "$line" | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
    case "$line" in
    *'"method":"initialize"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"protocolVersion":1}}' ;;
    *'"method":"session/new"'*) echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"sessionId":"talk"}}' ;;
    *'"method":"session/prompt"'*)
        text='{\"verdict\":\"approved\",\"severity\":\"low\",\"text\":\"good\"}'
        printf '{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"talk","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"%s"}}}}\n' "$text"
        echo '{"jsonrpc":"2.0","id":'"$id"',"result":{"stopReason":"end_turn"}}'
        ;;
    esac
done
"#;
/// How that one is called.
const TALKERS_ADAPTER: &str = "name = 'talker'\ntitle = 'Talker'\nprogram = 'talker'\ninstall = 'write it'\noutput = 'acp'\n\
                               prompt = 'dialogue'\n";

/// How long a server stands still: longer than a worker waits until it takes it for gone.
const STALL: Duration = Duration::from_secs(3);

/// Everything in a folder: each path with its mode and its bytes.
pub(super) type Picture = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// The place.
pub(super) struct Site {
    root: TempDir,
    /// The port of its server; nobody else takes it while this lives, as far as anybody can say.
    pub(super) port: u16,
    /// Whether steps go on when their worker dies.
    pub(super) lets_steps_survive: bool,
    database: Option<String>,
    checkout_before: Picture,
}

impl Site {
    /// Makes everything; nothing of Spalla is there yet.
    pub(super) fn make(binary: &Path, store: Store) -> anyhow::Result<Self> {
        let root = tempfile::Builder::new().prefix("spalla-crash-").tempdir().context("making a place")?;
        for folder in ["home", "shared"] {
            fs::create_dir(root.path().join(folder))?;
        }
        // A link of its own: whoever of this binary is left over is known by the path.
        let own = root.path().join("spalla");
        if fs::hard_link(binary, &own).is_err() {
            fs::copy(binary, &own).context("copying the binary")?;
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let database = match store {
            Store::Sqlite => None,
            Store::Postgres => Some(postgres_fixture::Cluster::shared().create_database()),
        };
        make_repository(&root.path().join("checkout"))?;
        make_checked(&root.path().join("checked"))?;
        let checkout_before = picture(&root.path().join("checkout"))?;
        Ok(Self { root, port, lets_steps_survive: false, database, checkout_before })
    }

    /// Returns a path in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Returns the person's repository as text.
    pub(super) fn checkout(&self) -> String {
        self.path("checkout").display().to_string()
    }

    /// Makes the folder that agents are to change, and the agents: one that works, and one that reviews, or in a repository
    /// met its limit.
    pub(super) fn make_target(&self, is_git: bool) -> anyhow::Result<()> {
        let target = self.path("target");
        fs::create_dir_all(target.join("old"))?;
        fs::write(target.join("old/only.txt"), "old\n")?;
        fs::write(target.join("README.md"), "# Target\n")?;
        if is_git {
            git(&target, &["init", "--quiet", "--initial-branch=main"])?;
            commit(&target, "first")?;
        }
        fs::create_dir(self.path("agents"))?;
        let other = if is_git { LIMITED_AGENT } else { REVIEWER };
        for (name, text) in [("claude", other), ("codex", AGENT), ("talker", TALKER)] {
            let path = self.path("agents").join(name);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        }
        fs::create_dir_all(self.path("home/.config/spalla/adapters"))?;
        fs::write(self.path("home/.config/spalla/adapters/talker.toml"), TALKERS_ADAPTER)?;
        let own = self.path("home/.codex");
        fs::create_dir_all(&own)?;
        fs::write(own.join("config.toml"), "model = \"none\"\n")?;
        Ok(())
    }

    /// Lets the person go on in the target while the session works.
    pub(super) fn go_on_in_target(&self) -> anyhow::Result<()> {
        let target = self.path("target");
        if target.join("own.txt").exists() {
            return Ok(());
        }
        fs::write(target.join("own.txt"), "own\n")?;
        commit(&target, "own")?;
        // A file of the change is there already, just as it is to be.
        fs::create_dir_all(target.join("new/deep"))?;
        fs::write(target.join("new/deep/x.txt"), "x\n").map_err(Into::into)
    }

    /// Returns what is not as the agent's work should have made it, done once.
    pub(super) fn wrong_in_target(&self, is_git: bool) -> Vec<String> {
        let target = self.path("target");
        let mut wrong = Vec::new();
        let hello = fs::read_to_string(target.join("hello.txt")).unwrap_or_default();
        if hello != "hello\n" {
            wrong.push(format!("hello.txt in the target is {hello:?}"));
        }
        let is_there = |name: &str| target.join(name).symlink_metadata().is_ok();
        if is_there("old") || !is_there("new/deep/x.txt") || !is_there("link") {
            wrong.push("the target has not all of the change".to_owned());
        }
        if is_git {
            let said = |args: &[&str]| git(&target, args).unwrap_or_else(|error| format!("{error:#}"));
            let (status, commits) =
                (said(&["status", "--porcelain"]), said(&["rev-list", "--count", "HEAD"]));
            if !status.is_empty() || commits.trim() != "4" {
                wrong.push(format!("the target has {} commits and is {status:?}", commits.trim()));
            }
        }
        wrong
    }

    /// Makes the folder without git that a scratchpad copies.
    pub(super) fn make_plain(&self) -> anyhow::Result<()> {
        let plain = self.path("plain");
        fs::create_dir(&plain)?;
        fs::write(plain.join("a.txt"), "a\n")?;
        std::os::unix::fs::symlink("a.txt", plain.join("link")).map_err(Into::into)
    }

    /// Makes the files of two agents, of which one has a trial of its own.
    pub(super) fn make_agents(&self) -> anyhow::Result<()> {
        let source = self.path("agents-source");
        fs::create_dir(&source)?;
        fs::write(source.join("first.md"), agent_of("first", "testing:\n  smoke: 'true'\n"))?;
        fs::write(source.join("second.md"), agent_of("second", ""))?;
        Ok(())
    }

    /// Changes one of them, and puts something of its own beside what is published.
    pub(super) fn change_agents(&self) -> anyhow::Result<()> {
        fs::write(self.path("agents-source/second.md"), agent_of("second", "color: red\n"))?;
        let out = self.path("published");
        fs::write(out.join("own.txt"), "own\n")?;
        match std::os::unix::fs::symlink("own.txt", out.join("link")) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Returns what is not as it should be when agents were published and exported.
    pub(super) fn wrong_in_agents(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let exported = self.path("exported");
        let texts = ["first.md", "second.md"].map(|name| found_below(&exported, name));
        let wanted = [agent_of("first", "testing:\n  smoke: 'true'\n"), agent_of("second", "color: red\n")];
        if texts != wanted.map(Some) {
            wrong.push(format!("what was exported is {texts:?}"));
        }
        if fs::read_to_string(self.path("published/link")).unwrap_or_default() != "own\n" {
            wrong.push("what somebody put beside the published agents is gone".to_owned());
        }
        if self.path(".published.publishing").exists() {
            wrong.push("a half-made publication is left".to_owned());
        }
        wrong
    }

    /// Lets the server stand still while a run prints, until whoever keeps its lines has died or has kept them for long enough.
    pub(super) async fn stall_server(&self) -> anyhow::Result<()> {
        let file = fs::read_to_string(self.path("data/server.json")).context("looking for the server")?;
        let file: serde_json::Value = serde_json::from_str(&file).context("looking for the server")?;
        let pid = file["pid"].as_i64().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        let pid = pid.context("the server has no process")?;
        kill_process(pid, Signal::STOP).context("stopping the server")?;
        fs::write(self.path("shared/go"), "").context("letting the run print")?;
        let began = Instant::now();
        while began.elapsed() < STALL && !self.witness().exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        kill_process(pid, Signal::CONT).context("letting the server go on")
    }

    /// Does in every scratchpad what an agent does.
    pub(super) fn work_in_scratchpads(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(self.path("data/scratchpad"))? {
            let path = entry?.path();
            // One whose making was interrupted has not all of it.
            if path.join("output").is_dir() && path.join("work").is_dir() {
                fs::create_dir_all(path.join("output/deep"))?;
                fs::write(path.join("output/deep/made.txt"), "made\n")?;
                fs::write(path.join("work/made.txt"), "made\n")?;
            }
        }
        Ok(())
    }

    /// Returns what is not as it should be when scratchpads were exported and removed.
    pub(super) fn wrong_in_scratchpads(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        let made = fs::read_to_string(self.path("export/output/deep/made.txt")).unwrap_or_default();
        let patch = fs::read_to_string(self.path("patch")).unwrap_or_default();
        if made != "made\n" || !patch.contains("+made") {
            wrong.push(format!("the export has {made:?}, and the patch {patch:?}"));
        }
        let left = ["data/scratchpad", "data/scratchpad/.records"].map(|folder| self.path(folder));
        let left = left.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
        let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
        if left != [".records", "lock"] {
            wrong.push(format!("of the scratchpads is left {left:?}"));
        }
        wrong
    }

    /// Returns the address of its server.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Tells whether the person's repository is as it was.
    pub(super) fn is_checkout_untouched(&self) -> bool {
        picture(&self.path("checkout")).is_ok_and(|now| now == self.checkout_before)
    }

    /// Returns the arguments of a server with everything that makes it this place's.
    pub(super) fn server(&self, extra: &[&str]) -> Vec<String> {
        let listen = format!("127.0.0.1:{}", self.port);
        let mut args: Vec<String> =
            ["up", "--auth", "none", "--no-open", "--listen", &listen].map(str::to_owned).into();
        args.extend(extra.iter().map(|arg| (*arg).to_owned()));
        args
    }

    /// Prepares a call of the binary with an environment of its own, armed or not. Its words go to a file.
    pub(super) fn command(
        &self,
        args: &[String],
        arming: &Arming,
        process: usize,
    ) -> anyhow::Result<Command> {
        let mut command = Command::new(self.path("spalla"));
        command.args(args).current_dir(self.root.path()).env_clear().stdin(Stdio::null());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.path("agents")).chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path)?);
        command.env("HOME", self.path("home")).env("SPALLA_DATA", self.path("data"));
        command.env("ORCH_SANDBOX_WRITE", self.path("shared"));
        command.env("ORCH_BACKOFF_BASE_SECONDS", "0.05").env("SPALLA_LOG", "info");
        // Summaries of steps for CI are added to this file.
        command.env("GITHUB_STEP_SUMMARY", self.path("step-summary.md"));
        // The time of a scratchpad is over at once.
        command.env("SCRATCHPAD_RETENTION_HOURS", "0");
        // An agent that is spoken with is kept for the next run.
        command.env("SPALLA_POOL_SIZE", "1");
        // Clients ask far more often than people.
        command.env("ORCH_RATE_LIMIT_PER_MIN", "0");
        // A worker of its own is found missing quickly.
        command.env("AGENT_CLAIM_TTL", "2").env("AGENT_HEARTBEAT_INTERVAL", "0.2");
        if self.lets_steps_survive {
            command.env("ORCH_SANDBOX_LIFETIME", "survive-restart");
        }
        command.envs(self.database.iter().map(|url| ("ORCH_DATABASE_URL", url)));
        match arming {
            Arming::None => {}
            Arming::Trace => drop(command.env(TRACE_VARIABLE, self.trace(process))),
            Arming::Death { point, nth, process: armed } => {
                if *armed == process {
                    command.env(AT_VARIABLE, format!("{point}:{nth}:{}", self.witness().display()));
                }
            }
        }
        let said = fs::File::options().create(true).append(true).open(self.path("said"))?;
        command.stdout(said.try_clone()?).stderr(said);
        Ok(command)
    }

    /// Returns the file that says that the death has come.
    pub(super) fn witness(&self) -> PathBuf {
        self.path("witness")
    }

    /// Returns the file in which a process writes what it passes.
    pub(super) fn trace(&self, process: usize) -> PathBuf {
        self.path(&format!("trace-{process}"))
    }

    /// Keeps everything for a person to look at, and says where it is.
    pub(super) fn keep(self) -> PathBuf {
        self.root.keep()
    }
}

/// The file of an agent as a person writes it.
fn agent_of(name: &str, more: &str) -> String {
    format!(
        "---\nname: {name}\ndescription: Does the {name} part of the work\n{more}---\n\nYou are the {name} one.\n"
    )
}

/// Reads the file of that name, wherever it is beneath a folder.
fn found_below(folder: &Path, name: &str) -> Option<String> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        let found = match path.is_dir() {
            true => found_below(&path, name),
            false if entry.file_name() == name => fs::read_to_string(&path).ok(),
            false => None,
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

fn make_repository(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("src/main.rs"), "fn main() {\n    println!(\"hello\");\n}\n")?;
    fs::write(folder.join("Cargo.toml"), "[package]\nname = \"hello\"\nversion = \"0.1.0\"\n")?;
    git(folder, &["init", "--quiet", "--initial-branch=main"])?;
    commit(folder, "first")?;
    fs::write(folder.join("notes.txt"), "not committed\n")?;
    Ok(())
}

/// A repository that can be built and tested wherever `make` is.
fn make_checked(folder: &Path) -> anyhow::Result<()> {
    fs::create_dir(folder)?;
    fs::write(folder.join("Makefile"), "build:\n\ttrue\ntest:\n\ttrue\n")?;
    git(folder, &["init", "--quiet", "--initial-branch=main"])?;
    commit(folder, "first")
}

fn commit(folder: &Path, message: &str) -> anyhow::Result<()> {
    let me = ["-c", "user.name=Me", "-c", "user.email=me@localhost"];
    git(folder, &["add", "--all"])?;
    git(folder, &[&me[..], &["commit", "--quiet", "-m", message]].concat()).map(drop)
}

/// Runs git, undisturbed by the settings of this machine.
pub(super) fn git(folder: &Path, args: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("git");
    command
        .current_dir(folder)
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.env("GIT_OPTIONAL_LOCKS", "0").output().context("calling git")?;
    ensure!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn picture(folder: &Path) -> anyhow::Result<Picture> {
    let mut open = vec![folder.to_owned()];
    let mut seen = Picture::new();
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            let data = fs::symlink_metadata(&path)?;
            let bytes = if data.is_file() { fs::read(&path)? } else { Vec::new() };
            if data.is_dir() {
                open.push(path.clone());
            }
            seen.insert(path, (data.mode(), bytes));
        }
    }
    Ok(seen)
}
