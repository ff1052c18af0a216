//! A machine with agents that are played by scripts, and a repository for them to change.

use crate::databases::Database;
use crate::process::Ended;
use crate::process::{Home, Server, Setup, ended, text, until};
use crate::repository;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

/// Codex, as it is called and heard; what it is told is kept. Once it may go, it writes a line; it approves of what others wrote, and plans two pieces
/// as long as nobody keeps it from it.
const CODEX: &str = r#"#!/bin/sh
case "$*" in
*--version*) echo "codex-cli 0.169.0"; exit ;;
*--help*) echo "--json --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox --add-dir --output-schema"; exit ;;
esac
prompt=$(cat)
printf '%s\n' "$prompt" >>SHARED/prompts
echo '{"type":"thread.started","thread_id":"thread"}'
text=written
case "$prompt" in
"You review"*) text='{\"verdict\":\"approved\",\"severity\":\"low\",\"text\":\"good\"}' ;;
"You plan"*)
    text='{\"items\":[{\"key\":\"b\",\"title\":\"second\",\"prompt\":\"Write more\",\"depends_on\":[\"a\"],\"acceptance\":\"x\"},{\"key\":\"a\",\"title\":\"first\",\"prompt\":\"Write hello\",\"depends_on\":[],\"acceptance\":\"x\"}]}'
    [ ! -e SHARED/no-plan ] || text='I would rather not.'
    ;;
"You did"*"with a blocker"*) echo mended >>hello.txt ;;
"You and other"*) text='Say hello.' ;;
*"claude says (reply of claude"*) echo heard >>hello.txt ;;
*"once it may"*) [ ! -e SHARED/mended ] || echo hello >>hello.txt ;;
*"with a blocker"*)
    echo half >hello.txt
    echo '{"type":"blocker","payload":{"text":"the other half is missing"}}'
    while [ ! -e SHARED/go ]; do sleep 0.05; done
    echo hello >>hello.txt
    ;;
*)
    touch SHARED/begun
    while [ ! -e SHARED/go ]; do sleep 0.05; done
    echo hello >>hello.txt
    ;;
esac
printf '{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"%s"}}\n' "$text"
echo '{"type":"turn.completed","usage":{"input_tokens":10,"cached_input_tokens":0,"output_tokens":2}}'
"#;

/// Claude Code, that approves of everything, unless it was told to think otherwise of what goes on; it may be denied something
/// until a person looks.
const CLAUDE: &str = r#"#!/bin/sh
case "$*" in
*--version*) echo "2.1.328 (Claude Code)"; exit ;;
*--help*) echo "--print --verbose --output-format --strict-mcp-config --dangerously-skip-permissions --add-dir"; exit ;;
esac
prompt=$(cat)
echo '{"type":"system","subtype":"init","session_id":"session","model":"none"}'
opinion=approved
denied=
case "$prompt" in
"A person looked"*) echo mended >hello.txt ;;
"Write with a denial"*) denied='{"tool_name":"Write","tool_use_id":"u","tool_input":{"file_path":"/etc/hello"}}' ;;
"You look"*)
    cp hello.txt SHARED/seen
    [ ! -e SHARED/opinion ] || opinion=$(cat SHARED/opinion)
    ;;
esac
text="{\\\"verdict\\\":\\\"$opinion\\\",\\\"severity\\\":\\\"low\\\",\\\"text\\\":\\\"I think so\\\"}"
printf '{"type":"assistant","message":{"id":"m","role":"assistant","content":[{"type":"text","text":"%s"}]},"session_id":"session"}\n' "$text"
printf '{"type":"result","subtype":"success","is_error":false,"result":"%s","permission_denials":[%s],"session_id":"session"}\n' "$text" "$denied"
"#;

/// A machine with agents and a repository.
pub(crate) struct Place {
    pub(crate) home: Home,
    pub(crate) target: PathBuf,
}

impl Place {
    pub(crate) fn make() -> Self {
        let home = Home::new();
        let target = home.path("target");
        repository::make(&target);
        fs::create_dir(home.path("agents")).expect("a folder");
        for (name, script) in [("codex", CODEX), ("claude", CLAUDE)] {
            let path = home.path("agents").join(name);
            fs::write(&path, script.replace("SHARED", text(&home.path("shared")))).expect("a script");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        }
        Self { home, target }
    }

    fn path(&self) -> String {
        let usual = std::env::var("PATH").expect("there is a PATH");
        format!("{}:{usual}", text(&self.home.path("agents")))
    }

    /// Pursues a goal to its end, with what is said besides in flags and variables.
    pub(crate) fn orchestrate(&self, goal: &str, flags: &[&str], env: &[(&str, &str)]) -> Ended {
        let usual = ["orchestrate", "--no-dashboard", "--target", text(&self.target)];
        let mut command = self.home.command(&[&usual[..], flags, &[goal]].concat());
        command.env("PATH", self.path()).env("ORCH_BACKOFF_BASE_SECONDS", "0.05").envs(env.iter().copied());
        ended(command.output().expect("the binary runs"))
    }

    /// Goes on with the newest session.
    pub(crate) fn resume(&self) -> Ended {
        ended(self.command(&["session", "resume"]).output().expect("the binary runs"))
    }

    /// Prepares a call of the binary that finds the agents.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command.env("PATH", self.path()).env("ORCH_BACKOFF_BASE_SECONDS", "0.05");
        command
    }

    /// Starts a server whose worker finds the agents.
    pub(crate) fn up(&self) -> Server {
        self.up_with(&[])
    }

    /// The same with further variables.
    pub(crate) fn up_with(&self, env: &[(&str, &str)]) -> Server {
        let path = self.path();
        let usual =
            [("PATH", path.as_str()), ("ORCH_BACKOFF_BASE_SECONDS", "0.05"), ("AGENT_CLAIM_TTL", "2")];
        let env = [&usual[..], env].concat();
        let args = ["up", "--auth", "none", "--concurrency", "4"];
        Server::start(&self.home, &Setup { database: &Database::Sqlite, args: &args, env: &env })
    }

    pub(crate) fn wish(&self, agents: &[&str]) -> Value {
        json!({"goal": "Write hello.txt", "target": self.target, "agents": agents})
    }

    pub(crate) fn let_go(&self) {
        fs::write(self.home.shared("go"), "").expect("a file");
    }

    pub(crate) async fn until_begun(&self) {
        let begun = self.home.shared("begun");
        until("the agent works", || async { begun.exists().then_some(()) }).await;
    }

    /// Brings it into the target, and returns what the agent wrote there.
    pub(crate) fn applied(&self) -> String {
        self.home.run(&["session", "apply", "latest", "--yes"]).good();
        fs::read_to_string(self.target.join("hello.txt")).expect("the file")
    }
}
