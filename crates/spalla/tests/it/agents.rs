//! The agents' command lines that are known: listed, called, and told of where a file can't be used.

use crate::process::{Ended, Home, ended, text};
use crate::repository;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

const OWN: &str = "name = 'mine'\ntitle = 'My agent'\nprogram = 'my-agent'\ninstall = 'write it'\n\
                   version = ['--version']\nhelp = [['--help']]\noutput = 'jsonl-events'\nprompt = 'argument'\n\
                   [login]\nvariables = ['MY_KEY']\n\
                   [command]\nfirst = ['run']\nparts = [{ when = 'model', flag = '--model', args = ['--model', '{model}'] }]\n";

/// A program that says its version and its flags.
const PROGRAM: &str = "#!/bin/sh\ncase $1 in\n--version) echo my-agent 3.2.1 ;;\n\
                       --help) echo '--model M  --quiet  --loud' ;;\nesac\n";

struct Agents {
    home: Home,
}

impl Agents {
    /// A home in which `my-agent` is installed and described, beside a file that can't be read.
    fn new() -> Self {
        let home = Home::new();
        for folder in ["home/.config/spalla/adapters", "data/adapters", "bin"] {
            fs::create_dir_all(home.path(folder)).expect("a folder");
        }
        fs::write(home.path("home/.config/spalla/adapters/mine.toml"), OWN).expect("a file");
        fs::write(home.path("data/adapters/broken.toml"), "name = 'b'\ncolour = 1\n").expect("a file");
        let agents = Self { home };
        agents.install("my-agent", PROGRAM);
        agents
    }

    fn install(&self, name: &str, script: &str) {
        let path = self.home.path("bin").join(name);
        fs::write(&path, script).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command.env("PATH", format!("{}:/usr/bin:/bin", self.home.path("bin").display()));
        command
    }

    fn run(&self, args: &[&str]) -> Ended {
        ended(self.command(args).output().expect("it runs"))
    }

    fn bin(&self, name: &str) -> PathBuf {
        self.home.path("bin").join(name)
    }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn agents_are_listed_with_what_of_them_is_here() {
    let agents = Agents::new();
    let ended = agents.run(&["agents", "list", "--json"]);
    let broken = "data/adapters/broken.toml is not used: line 2, colour: unknown field";
    assert!(ended.stderr.contains(broken), "{ended:?}");
    let all = json_of(&ended.good());
    let names: Vec<&str> =
        all.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    let (lines, definitions) = names.split_at(7);
    assert_eq!(lines, ["codex", "claude", "gemini", "jsonl", "text", "acp", "mine"]);
    assert_eq!(definitions, ["codex-architect", "codex-codegen", "codex-integration"]);
    assert_eq!((&all[6]["kind"], &all[7]["kind"]), (&json!("command-line"), &json!("definition")));
    let mine = &all[6];
    assert_eq!(mine["version"], "3.2.1");
    assert_eq!((&mine["login"], &mine["output"]), (&json!(false), &json!("jsonl-events")));
    assert_eq!(mine["file"], agents.bin("my-agent").display().to_string());
    assert!(mine["source"].as_str().is_some_and(|file| file.ends_with("adapters/mine.toml")), "{mine}");
    assert_eq!(
        (&all[0]["file"], &all[0]["source"], &all[4]["program"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let table = ended_with_key(&agents);
    let line = table.lines().find(|line| line.contains("my-agent")).expect("its line");
    assert!(line.contains("found") && line.contains("3.2.1"), "{table}");
}

fn ended_with_key(agents: &Agents) -> String {
    ended(agents.command(&["agents", "list"]).env("MY_KEY", "k").output().expect("it runs")).good()
}

#[test]
fn a_command_is_printed_as_a_run_would_call_it() {
    let agents = Agents::new();
    let file = agents.bin("my-agent").display().to_string();
    let said = agents.run(&["agents", "command", "mine", "it's done", "--model", "m", "--json"]).good();
    assert_eq!(json_of(&said), json!([file, "run", "--model", "m", "it's done"]));
    let line = agents.run(&["agents", "command", "mine", "it's done"]).good();
    assert_eq!(line, format!("{file} run 'it'\\''s done'\n"));
    // A flag that the installed program lacks is left out, and told.
    agents.install("my-agent", &PROGRAM.replace("--model M", "--other"));
    let ended = agents.run(&["agents", "command", "mine", "x", "--model", "m"]);
    assert!(ended.stderr.contains("no way to do what is wished: Model"), "{ended:?}");
    assert_eq!(ended.good(), format!("{file} run x\n"));
}

#[test]
fn settings_reach_the_command_and_the_flags_come_before_them() {
    let agents = Agents::new();
    let argv_and_notes = |flags: &[&str], env: &[(&str, &str)]| {
        let args = [&["agents", "command", "codex", "do it", "--json"], flags].concat();
        let ended = ended(agents.command(&args).envs(env.iter().copied()).output().expect("it runs"));
        assert!(ended.stderr.contains("not installed"), "{ended:?}");
        let notes = ended.stderr.clone();
        let argv: Vec<String> = serde_json::from_str(&ended.good()).expect("a list");
        (argv.join(" "), notes)
    };
    let (plain, notes) = argv_and_notes(&["--model", "own"], &[]);
    assert_eq!(plain, "codex app-server -c features.shell_snapshot=false -c web_search=\"disabled\"");
    assert!(notes.contains("said in the conversation") && !notes.contains("no way"), "{notes}");
    // A profile can be named in one way alone, and so what else is wished is said in that.
    let said = |flags: &[&str], env: &[(&str, &str)]| {
        let (argv, notes) = argv_and_notes(flags, &[env, &[("CODEX__PROFILE", "work")]].concat());
        assert!(notes.contains("standard input"), "{notes}");
        argv
    };
    let plain = said(&[], &[]);
    assert!(plain.starts_with("codex exec --json") && plain.ends_with(" -"), "{plain}");
    assert!(
        plain.contains("--dangerously-bypass-approvals-and-sandbox") && plain.contains("--add-dir"),
        "{plain}"
    );
    assert!(!plain.contains("--model") && plain.contains("web_search=\"disabled\""), "{plain}");
    let env = [
        ("CODEX__MODEL", "theirs"),
        ("CODEX__COMMAND", r#"["no-such-npx", "codex"]"#),
        ("CODEX__ENABLE_WEB_SEARCH", "true"),
    ];
    let set = said(&[], &env);
    assert!(set.starts_with("no-such-npx codex exec --json"), "{set}");
    for part in ["--model theirs", "--profile work", "web_search=\"live\""] {
        assert!(set.contains(part), "{set}");
    }
    let flags = said(&["--model", "own", "--no-web-search", "--approval", "guarded"], &env);
    for part in ["--model own", "--profile work", "web_search=\"disabled\"", "--sandbox workspace-write"] {
        assert!(flags.contains(part), "{flags}");
    }
    assert!(said(&[], &[("ORCH_SANDBOX", "none")]).contains("--sandbox workspace-write"));
    assert!(said(&["--review"], &[("ORCH_SANDBOX", "none")]).contains("--sandbox read-only"));
}

#[test]
fn an_agent_that_cannot_be_called_is_a_usage_error() {
    let agents = Agents::new();
    for (args, wanted) in [
        (&["agents", "command", "mien", "x"][..], "did you mean `mine`?"),
        (&["agents", "command", "text", "x"], "adapter.command"),
        (&["agents", "command", "mine", "x", "--target", "/no/such"], "/no/such"),
    ] {
        let ended = agents.run(args);
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(wanted), "{ended:?}");
    }
}

#[test]
fn an_agent_of_a_persons_own_pursues_a_goal_and_a_broken_file_is_told() {
    let agents = Agents::new();
    let work = "*) echo fixed >> README.md; echo \"It is done.\" ;;\nesac";
    agents.install("my-agent", &PROGRAM.replace("esac", work));
    let target = agents.home.path("target");
    repository::make(&target);
    let before = repository::picture(&target);
    let data = text(&agents.home.data()).to_owned();
    let goal = "Add a line to the README";
    let args = [
        "orchestrate",
        "--data",
        &data,
        "--target",
        text(&target),
        "--no-dashboard",
        "--yes",
        "--agents",
        "mine",
        goal,
    ];
    // The flag alone says where the data is, and with it where adapters are.
    let mut command = agents.command(&args);
    let ended = ended(command.env_remove("SPALLA_DATA").output().expect("it runs"));
    assert!(ended.stdout.contains("broken.toml is not used"), "{ended:?}");
    assert!(ended.stdout.contains("It is done."), "{ended:?}");
    ended.good();
    assert_eq!(repository::picture(&target), before);
    let change = agents.run(&["session", "diff"]).good();
    assert!(change.contains("README.md") && change.contains("+fixed"), "{change}");
}

#[test]
fn the_doctor_names_adapters_that_cannot_be_used_and_those_that_can() {
    let agents = Agents::new();
    let checks = json_of(&agents.run(&["doctor", "--json"]).stdout);
    let detail = |name: &str| {
        let found = checks.as_array().expect("a list").iter().find(|check| check["name"] == name);
        let found = found.unwrap_or_else(|| panic!("{name}: {checks}"));
        (found["status"].clone(), found["detail"].as_str().expect("words").to_owned())
    };
    let (status, said) = detail("adapters");
    assert!(status == "warn" && said.contains("broken.toml is not used: line 2, colour"), "{said}");
    assert!(detail("agents").1.contains("mine (no login was found)"), "{checks}");
}
