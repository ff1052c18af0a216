//! What every session here begins with: a repository to work on, a data folder, and the program with every CLI on its path.

use crate::world::{LIMIT, World};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// A target and a data folder beside a world.
pub(crate) struct Workshop {
    pub(crate) world: World,
    folder: TempDir,
}

/// How the program ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    #[expect(dead_code, reason = "shown where a test fails")]
    pub(crate) stderr: String,
}

impl Workshop {
    /// Begins with a model that plays these rules, and a repository of two files.
    pub(crate) fn new(rules: Value) -> Self {
        let workshop = Self { world: World::new(rules), folder: tempfile::tempdir().expect("a folder") };
        std::fs::create_dir(workshop.target()).expect("a folder");
        for (name, text) in [("README.md", "# Sample\n"), ("notes.txt", "one\ntwo\nthree\n")] {
            std::fs::write(workshop.target().join(name), text).expect("a file");
        }
        workshop.git(&["init", "--quiet", "--initial-branch=main"]);
        workshop.git(&["add", "--all"]);
        workshop.git(&["commit", "--quiet", "--message", "Begin"]);
        workshop
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A file of the target, as it is now.
    pub(crate) fn file(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.target().join(path)).ok()
    }

    /// Everything of the target that a person would miss or notice.
    pub(crate) fn state(&self) -> String {
        ["HEAD", "--all"].map(|what| self.git(&["rev-parse", what])).join("|")
            + &self.git(&["status", "--porcelain", "--ignored"])
    }

    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=Person", "-c", "user.email=person@localhost"])
            .args(args)
            .current_dir(self.target())
            .output()
            .expect("git");
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Pursues a goal with these agents.
    pub(crate) async fn orchestrate(&self, agents: &str, goal: &str) -> Done {
        self.end_of(self.orchestration(agents, goal)).await
    }

    /// The program about to pursue a goal, not started.
    pub(crate) fn orchestration(&self, agents: &str, goal: &str) -> tokio::process::Command {
        let mut command = self.command(&["orchestrate", "--agents", agents, "--no-dashboard", "--yes", goal]);
        command.arg("--target").arg(self.target());
        command
    }

    /// Runs the program on the data folder.
    pub(crate) async fn spalla(&self, args: &[&str]) -> Done {
        self.end_of(self.command(args)).await
    }

    /// Runs a command to its end.
    pub(crate) async fn end_of(&self, mut command: tokio::process::Command) -> Done {
        let child = command.spawn().expect("a process");
        let output = tokio::time::timeout(2 * LIMIT, child.wait_with_output()).await;
        let output = output
            .unwrap_or_else(|_| {
                panic!("{command:?} did not end; the model was asked {:?}", self.world.answers())
            })
            .expect("an end");
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Done { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The program on the data folder, not started.
    pub(crate) fn command(&self, args: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_spalla"));
        command.env_clear().current_dir(self.world.work()).stdin(Stdio::null()).kill_on_drop(true);
        // Each of the CLIs is set up as its person would.
        for of_one in [self.world.codex(), self.world.claude(), self.world.gemini()] {
            let variables = of_one.as_std().get_envs();
            command.envs(variables.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))));
        }
        command.args(args).arg("--data").arg(self.data());
        // Without a model the Gemini CLI asks another one first which it should be, and waits for an answer of a shape.
        command.env("GEMINI_MODEL", "gemini-2.5-pro");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The newest session, as it is shown to programs.
    pub(crate) async fn session(&self) -> Value {
        let done = self.spalla(&["session", "show", "latest", "--json"]).await;
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"))
    }
}
