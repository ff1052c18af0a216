//! A world of its own for each test: a fake model, a home, a folder to work in, and CLIs that know nothing else.

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};
use spalla_fake_model::{Entry, FakeModel, Script};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::Command;

/// No CLI takes longer, not even on a machine that is busy with something else.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// What a CLI has started is gone soon after it.
const PARTING: Duration = Duration::from_secs(10);

/// What a test has to itself; nothing of the machine's settings reaches it.
pub(crate) struct World {
    pub(crate) model: FakeModel,
    folder: TempDir,
}

/// How a CLI ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// Makes a world whose model plays these rules.
    pub(crate) fn new(rules: Value) -> Self {
        let script = Script::from_value(json!({ "rules": rules })).expect("a script");
        let model = FakeModel::start(script).expect("a server");
        // Outside of this repository: the CLIs look for one around the folder in which they work.
        let folder = tempfile::tempdir().expect("a folder");
        let world = Self { model, folder };
        for part in ["home/.codex", "home/.gemini", "work", "tmp"] {
            std::fs::create_dir_all(world.folder.path().join(part)).expect("a folder");
        }
        world.settle();
        world
    }

    /// Makes a world whose model does the same whatever it is asked.
    pub(crate) fn of_acts(acts: Value) -> Self {
        Self::new(json!([{ "then": acts }]))
    }

    /// The folder in which the CLI works.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A file in it, as it is now.
    pub(crate) fn file(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.work().join(path)).ok()
    }

    /// What the model was asked for, without lists of models and the like.
    pub(crate) fn asked(&self) -> Vec<Entry> {
        self.model.journal().into_iter().filter(|entry| entry.dialect.is_some()).collect()
    }

    /// What the model answered, in a few words each.
    pub(crate) fn answers(&self) -> Vec<String> {
        self.asked().into_iter().map(|entry| entry.answer).collect()
    }

    pub(crate) fn codex(&self) -> Command {
        let mut command = self.command("codex");
        command.env("CODEX_HOME", self.home().join(".codex")).env("FAKE_OPENAI_KEY", "key-of-openai");
        command
    }

    pub(crate) fn claude(&self) -> Command {
        let mut command = self.command("claude");
        command
            .env("ANTHROPIC_BASE_URL", self.model.url())
            .env("ANTHROPIC_API_KEY", "key-of-anthropic")
            .env("CLAUDE_CODE_MAX_RETRIES", "1")
            // Without it Claude Code skips no question of permission where it runs as root.
            .env("IS_SANDBOX", "1");
        for switch in [
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
            "DISABLE_AUTOUPDATER",
            "DISABLE_TELEMETRY",
            "DISABLE_ERROR_REPORTING",
        ] {
            command.env(switch, "1");
        }
        command
    }

    pub(crate) fn gemini(&self) -> Command {
        let mut command = self.command("gemini");
        command
            .env("GOOGLE_GEMINI_BASE_URL", self.model.url())
            .env("GEMINI_API_KEY", "key-of-gemini")
            .env("GEMINI_CLI_NO_RELAUNCH", "true")
            .env("GEMINI_CLI_TRUST_WORKSPACE", "true");
        command
    }

    /// Where the person's settings are.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn command(&self, program: &str) -> Command {
        let program = installed(program);
        // Beside them stands a newer Node.js where the machine's is too old.
        let beside = program.parent().unwrap_or(Path::new("/")).to_owned();
        let own = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(beside).chain(std::env::split_paths(&own)));
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", path.expect("folders without a colon"))
            .env("HOME", self.home())
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env("LANG", "C.UTF-8")
            .current_dir(self.work())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Writes the settings that keep the CLIs from everything but the model.
    fn settle(&self) {
        let codex = format!(
            r#"
            model = "gpt-5.5"
            model_provider = "fake"
            check_for_update_on_startup = false
            [features]
            plugins = false
            [analytics]
            enabled = false
            [model_providers.fake]
            name = "fake"
            base_url = "{}/v1"
            env_key = "FAKE_OPENAI_KEY"
            wire_api = "responses"
            request_max_retries = 1
            stream_max_retries = 1
            "#,
            self.model.url()
        );
        std::fs::write(self.home().join(".codex/config.toml"), codex).expect("a file");
        let gemini = json!({
            "privacy": { "usageStatisticsEnabled": false },
            "telemetry": { "enabled": false },
            "general": { "enableAutoUpdate": false, "maxAttempts": 2 },
            "security": { "auth": { "selectedType": "gemini-api-key" } },
        });
        std::fs::write(self.home().join(".gemini/settings.json"), gemini.to_string()).expect("a file");
    }

    /// Checks that whatever was started in this world ends with its CLI.
    pub(crate) async fn is_deserted(&self) {
        for process in self.inhabitants() {
            let ended = tokio::time::timeout(PARTING, until_it_ends(process)).await;
            assert!(ended.is_ok(), "still there: {}", words_of(process));
        }
        let left: Vec<String> = self.inhabitants().into_iter().map(words_of).collect();
        assert!(left.is_empty(), "still there: {left:?}");
    }

    /// Returns the processes that have this world's home in their environment.
    fn inhabitants(&self) -> Vec<i32> {
        let mark = self.home().into_os_string().into_encoded_bytes();
        let processes = std::fs::read_dir("/proc").expect("/proc").flatten();
        let ids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
        ids.filter(|id: &i32| {
            let environment = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.windows(mark.len()).any(|window| window == mark)
        })
        .collect()
    }
}

#[expect(
    deprecated,
    reason = "sound for a descriptor that is owned here, and the other way is unsafe for any"
)]
async fn until_it_ends(id: i32) {
    let id = Pid::from_raw(id).expect("an id");
    // One that is gone by now needs no waiting for.
    let Ok(handle) = pidfd_open(id, PidfdFlags::NONBLOCK) else { return };
    let handle = AsyncFd::with_interest(handle, Interest::READABLE).expect("a descriptor to wait for");
    let _ = handle.readable().await.expect("an end");
}

fn words_of(id: i32) -> String {
    std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default().replace('\0', " ")
}

/// Runs a CLI to its end.
pub(crate) async fn run(world: &World, command: &mut Command, arguments: &[&str]) -> Ended {
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("a process");
    let output: Output = tokio::time::timeout(LIMIT, child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("{arguments:?} did not end; the model was asked {:?}", world.answers()))
        .expect("an end");
    world.is_deserted().await;
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Ended {
    /// The lines of JSON on its standard output.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let line = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}; all: {self:?}"))
        };
        self.stdout.lines().filter(|line| !line.trim().is_empty()).map(line).collect()
    }

    /// The lines of one type.
    pub(crate) fn of_type(&self, name: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["type"] == name).collect()
    }
}

/// Returns where a CLI is installed.
fn installed(program: &str) -> PathBuf {
    // The tests' own folder stands in the target directory, as the one of the CLIs does.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let path = target.join("agents/node_modules/.bin").join(program);
    assert!(
        path.exists(),
        "{program} is not installed in {}: run scripts/setup-agents.sh, or `make test-agents`, which does it",
        target.join("agents").display()
    );
    path
}
