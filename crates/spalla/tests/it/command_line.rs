//! The command line: what it lists, what it refuses, in which words and with which exit status.

use crate::databases::Database;
use crate::process::{Ended, Home, Process, Server, Setup, ended, text};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

fn json_of(ended: Ended) -> Value {
    serde_json::from_str(&ended.good()).expect("JSON")
}

fn refused(ended: &Ended, status: i32, wanted: &[&str]) {
    assert_eq!(ended.status, Some(status), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    for words in wanted {
        assert!(ended.stderr.contains(words), "{words:?} is missing in {:?}", ended.stderr);
    }
}

#[test]
fn help_lists_every_command_and_every_exit_status() {
    let help = Home::new().run(&["--help"]).good();
    for command in [
        "up",
        "serve",
        "worker",
        "orchestrate",
        "session",
        "agents",
        "project",
        "item",
        "queue",
        "tick",
        "runs",
        "logs",
        "approve",
        "answer",
        "audit",
        "config",
        "doctor",
        "demo",
        "task",
        "pipeline",
        "sandbox",
        "secrets",
        "token",
        "completions",
        "man",
    ] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))),
            "{command}: {help}"
        );
    }
    for status in ["0 ", "1 ", "2 ", "3 ", "4 ", "124 ", "130 "] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(status)), "{status}: {help}");
    }
    assert!(!help.contains("__supervise") && !help.contains("__sandbox"));
    assert!(Home::new().run(&["up", "--help"]).good().contains("--no-worker"));
}

#[test]
fn typing_errors_are_usage_errors_with_a_suggestion() {
    let home = Home::new();
    for (args, wanted) in [
        (&["orchestarte", "x"][..], "'orchestrate'"),
        (&["pipline", "up"], "'pipeline'"),
        (&["item", "craete"], "'create'"),
        (&["demo", "azur"], "'azure'"),
        (&["up", "--no-wroker"], "'--no-worker'"),
        (&["item", "list", "--lable", "x"], "'--label'"),
        (&["task", "x", "--dryrun"], "'--dry-run'"),
        (&["completions", "bsh"], "'bash'"),
    ] {
        let ended = home.run(args);
        assert_eq!(ended.status, Some(2), "{ended:?}");
        let tip = ended.stderr.lines().find(|line| line.contains("tip:") && line.contains("similar"));
        assert!(tip.is_some_and(|tip| tip.contains(wanted)), "{wanted}: {ended:?}");
    }
    let ended = home.run(&["config", "get", "max_retires"]);
    refused(&ended, 2, &["max_retires", "did you mean `max_retries`?"]);
    fs::write(home.path("spalla.toml"), "max_retires = 1\n").expect("a file");
    refused(&home.run(&["config", "show"]), 2, &["max_retires", "did you mean `max_retries`?"]);
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let ended = home.run(&["up", "--no-open", "--listen", &address]);
    refused(&ended, 2, &[&address, "taken", "--listen"]);
    assert!(!home.data().join("server.json").exists());
}

#[tokio::test]
async fn a_second_server_on_one_data_folder_is_told_who_the_first_is() {
    let home = Home::new();
    let server = Server::up(&home, &Database::Sqlite);
    let pid = server.process.pid().to_string();
    let ended = home.run(&["up", "--no-open", "--listen", "127.0.0.1:0"]);
    refused(&ended, 2, &["in use by process", &pid, &server.rest.url]);
    assert_eq!(server.rest.get("/health").await["status"], "ok");
}

#[test]
fn strangers_are_kept_out() {
    let home = Home::new();
    let open = home.run(&["up", "--no-open", "--auth", "none", "--listen", "0.0.0.0:0"]);
    refused(&open, 2, &["0.0.0.0:0", "loopback", "--auth token"]);
    let clear = home.run(&["serve", "--listen", "0.0.0.0:0"]);
    refused(&clear, 2, &["TLS", "behind_tls_proxy"]);
    refused(&home.run(&["up", "--auth", "maybe"]), 2, &["--auth", "token, none"]);
}

#[test]
fn a_data_folder_that_can_not_be_written_is_one_clear_line() {
    let home = Home::new();
    fs::write(home.path("file"), "").expect("a file");
    let below = home.path("file/data");
    let ended = home.run(&["up", "--no-open", "--listen", "127.0.0.1:0", "--data", text(&below)]);
    refused(&ended, 2, &[text(&below)]);
}

#[tokio::test]
async fn only_the_token_opens_and_everything_kept_is_for_its_owner_alone() {
    let home = Home::new();
    let mut server = Server::start(&home, &Setup { database: &Database::Sqlite, args: &["up"], env: &[] });
    let link = server.process.next_line();
    let code = link.split("?code=").nth(1).expect("a start link").to_owned();
    let token = home.run(&["token", "show"]).good();
    assert_eq!((token.len(), token.trim().len()), (65, 64), "the token alone on one line");
    assert!(!link.contains(token.trim()));

    let bare =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let projects = format!("{}/projects/", server.rest.url);
    assert_eq!(bare.get(&projects).send().await.expect("an answer").status(), 401);
    let entered = bare.get(format!("{}/?code={code}", server.rest.url)).send().await.expect("an answer");
    let cookie = entered.headers()["set-cookie"].to_str().expect("text").to_owned();
    assert!(
        entered.status() == 303 && cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let again = bare.get(format!("{}/?code={code}", server.rest.url)).send().await.expect("an answer");
    assert_eq!(again.status(), 401, "the link works once");

    let project = server.rest.project(None).await;
    let item = server.rest.queued(project, "writes", &["umask; echo x > here"], &[]).await;
    server.rest.until_status(item, "succeeded").await;
    let open = open_to_others(&home.data());
    assert!(open.is_empty(), "others can use {open:?}");
}

fn open_to_others(folder: &Path) -> Vec<String> {
    let mut open = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        let data = fs::symlink_metadata(&path).expect("its mode");
        if !data.is_symlink() && data.mode() & 0o077 != 0 {
            found.push(format!("{} {:o}", path.display(), data.mode()));
        }
        if data.is_dir() {
            open.extend(fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("an entry").path()));
        }
    }
    found
}

#[tokio::test]
async fn commands_find_the_server_of_their_data_folder() {
    let home = Home::new();
    let server = Server::start(&home, &Setup { database: &Database::Sqlite, args: &["up"], env: &[] });
    let project = json_of(home.run(&["project", "create", "mine", "--json"]));
    assert_eq!((&project["id"], &project["name"]), (&json!(1), &json!("mine")));
    fs::write(home.path("recipe.yaml"), "steps:\n  - echo from the recipe\n").expect("a file");
    let create = [
        "item",
        "create",
        "--project",
        "1",
        "--title",
        "first",
        "--recipe",
        "recipe.yaml",
        "--label",
        "a",
        "--enqueue",
    ];
    assert!(home.run(&create).good().starts_with("work item 1 is "));
    server.rest.until_status(1, "succeeded").await;
    let after = [
        "item",
        "create",
        "--project",
        "1",
        "--title",
        "second",
        "--depends-on",
        "1:failure",
        "--priority",
        "9",
        "--json",
    ];
    let second = json_of(home.run(&after));
    assert_eq!(
        (&second["priority"], &second["depends_on"]),
        (&json!(9), &json!([{"id": 1, "when": "failure"}]))
    );

    let log = home.run(&["logs", "1", "-f"]).good();
    assert!(
        log.starts_with("Starting run 1 of work item 1 (attempt 1)") && log.contains("from the recipe"),
        "{log}"
    );
    assert!(
        home.run(&["logs", "1", "--q", "FROM THE", "--json"])
            .good()
            .lines()
            .all(|line| line.contains("\"seq\""))
    );
    assert_eq!(json_of(home.run(&["item", "list", "--json"])).as_array().map(Vec::len), Some(2));
    assert_eq!(
        json_of(home.run(&["item", "list", "--status", "succeeded", "--json"])).as_array().map(Vec::len),
        Some(1)
    );
    assert!(home.run(&["runs", "list"]).good().contains("succeeded"));
    assert_eq!(json_of(home.run(&["runs", "show", "1", "--json"]))["status"], "succeeded");
    assert!(home.run(&["item", "show", "1"]).good().contains("first"));
    assert!(home.run(&["queue"]).good().contains("nothing waits"));
    assert_eq!(json_of(home.run(&["queue", "list", "--json"])), json!([]));
    assert!(home.run(&["tick"]).good().contains("nothing waits"));
    assert!(home.run(&["project", "list"]).good().contains("mine"));
    assert_eq!(json_of(home.run(&["project", "archive", "1", "--json"]))["status"], "archived");
    refused(&home.run(&["item", "show", "99"]), 2, &["99"]);
    refused(&home.run(&["item", "cancel", "2"]), 3, &["no run that is not over"]);
}

#[tokio::test]
async fn a_person_says_yes_or_no() {
    let home = Home::new();
    let server = Server::up(&home, &Database::Sqlite);
    let project = server.rest.project(None).await;
    let item = server
        .rest
        .item(json!({"project_id": project, "title": "risky", "recipe": "steps: [\"true\"]"}))
        .await;
    let id =
        server.rest.post(&format!("/work-items/{item}/approvals"), json!({"kind": "deploy"})).await["id"]
            .to_string();
    server.rest.enqueue(item).await;
    refused(&home.run(&["item", "start", &item.to_string()]), 4, &["approv"]);
    assert!(home.run(&["approve", "list"]).good().contains("risky"));
    assert!(home.run(&["approve", &id, "--by", "me"]).good().contains("approved"));
    server.rest.until_status(item, "succeeded").await;
    refused(&home.run(&["approve", &id, "--reject"]), 3, &["already"]);
    assert!(home.run(&["approve", "list"]).good().contains("nothing waits for a person"));
    assert_eq!(home.run(&["approve"]).status, Some(2));
}

#[test]
fn without_a_server_a_command_says_how_to_get_one() {
    let home = Home::new();
    let ended = home.run(&["runs", "list", "--server", "http://127.0.0.1:1"]);
    refused(&ended, 2, &["http://127.0.0.1:1", "connection refused", "spalla up"]);
    refused(&home.run(&["token", "show"]), 2, &["holds no token yet", "spalla up"]);
}

#[test]
fn settings_are_shown_with_their_origin_and_without_secrets() {
    let home = Home::new();
    fs::write(home.path("spalla.toml"), "max_retries = 1\nmax_takeovers = 2\n").expect("a file");
    let mut command = home.command(&["config", "show", "--json"]);
    command.env("ORCH_MAX_RETRIES", "7").env("ORCH_TOKEN", "very-secret");
    let shown = ended(command.output().expect("it runs"));
    assert!(!shown.stdout.contains("very-secret"));
    let shown = json_of(shown);
    let entry = |name: &str| (shown[name]["value"].clone(), shown[name]["source"].clone());
    assert_eq!(entry("max_retries"), (json!(7), json!("environment ORCH_MAX_RETRIES")));
    assert_eq!(entry("max_takeovers"), (json!(2), json!("file spalla.toml")));
    assert_eq!(entry("auth"), (json!("token"), json!("default")));
    assert_eq!(home.run(&["config", "get", "max_takeovers"]).good(), "2\n");
}

#[test]
fn the_summary_shows_each_switch_and_where_it_was_set() {
    let home = Home::new();
    fs::write(home.path("spalla.toml"), "[codex]\nenable_caching = false\n").expect("a file");
    fs::write(home.path(".env"), "LANGCACHE_ENABLED=true\nAGENT_SECRET_KEY=very-secret\n").expect("a file");
    let shown = |args: &[&str]| {
        let mut command = home.command(&[&["config", "show"], args].concat());
        ended(command.env("CODEX__ENABLE_WEB_SEARCH", "1").output().expect("it runs"))
    };
    let summary = json_of(shown(&["--summary", "--json"]));
    let switches = ["langcache_enabled", "scratchpad_enabled", "web_search_enabled", "caching_enabled"];
    assert_eq!(
        switches.map(|switch| summary[switch].as_bool()),
        [Some(true), Some(true), Some(true), Some(false)]
    );
    for switch in
        ["process_reuse_enabled", "task_batching_enabled", "adaptive_budgeting_enabled", "retries_enabled"]
    {
        assert!(summary[switch].is_boolean(), "{summary}");
    }
    let lines = shown(&["--summary"]).good();
    for (switch, source) in [
        ("langcache_enabled", "file .env LANGCACHE_ENABLED"),
        ("web_search_enabled", "environment CODEX__ENABLE_WEB_SEARCH"),
        ("caching_enabled", "file spalla.toml"),
        ("scratchpad_enabled", "default"),
    ] {
        let line = lines.lines().map(str::trim).find(|line| line.starts_with(switch)).expect("the switch");
        assert!(line.ends_with(source), "{line}");
    }
    for idle in ["caching_enabled", "claude_task_batching_enabled", "gemini_adaptive_budgeting_enabled"] {
        let line = lines.lines().map(str::trim).find(|line| line.starts_with(idle)).expect("the switch");
        assert!(line.contains("(no effect: "), "{line}");
    }
    let reuse = lines.lines().map(str::trim).find(|line| line.starts_with("process_reuse_enabled"));
    assert!(reuse.is_some_and(|line| !line.contains("no effect")), "{lines}");
    let whole = shown(&["--json"]).good();
    assert!(!whole.contains("very-secret"), "{whole}");
    let whole: Value = serde_json::from_str(&whole).expect("JSON");
    assert_eq!(whole["worker.secret_key"]["source"], "file .env AGENT_SECRET_KEY");
    assert!(whole["codex.enable_caching"]["no_effect"].is_string(), "{whole}");
    assert!(whole["codex.enable_process_reuse"].get("no_effect").is_none(), "{whole}");
}

#[test]
fn the_program_prints_its_completions_and_its_manual() {
    let home = Home::new();
    assert!(home.run(&["completions", "bash"]).good().contains("complete "));
    assert!(home.run(&["man"]).good().contains(".TH spalla"));
    let folder = home.path("man1");
    assert!(home.run(&["man", "--out", text(&folder)]).good().contains(" pages are in "));
    assert!(folder.join("spalla-item-create.1").exists());
}

#[test]
fn the_doctor_says_what_is_wrong_and_how_to_mend_it() {
    let home = Home::new();
    let well = json_of(home.run(&["doctor", "--json"]));
    let checks = well.as_array().expect("a list");
    assert!(checks.iter().all(|check| check["status"] != "fail"), "{well}");
    let mut command = home.command(&["doctor"]);
    command.env("AGENT_SHELL", "/no/such/shell").env("ORCH_DATABASE_URL", "postgres://127.0.0.1:1/none");
    let ill = ended(command.output().expect("it runs"));
    assert_eq!(ill.status, Some(1), "{ill:?}");
    for wanted in ["AGENT_SHELL", "ORCH_DATABASE_URL"] {
        assert!(ill.stdout.lines().any(|line| line.starts_with("fail") && line.contains(wanted)), "{ill:?}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let home = Home::new();
    let mut command = home.command(&["config", "show"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let ended = ended(child.wait_with_output().expect("it ends"));
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_token_that_others_can_read_is_refused() {
    let home = Home::new();
    drop(Server::start(&home, &Setup { database: &Database::Sqlite, args: &["serve"], env: &[] }));
    let token = home.data().join("token");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).expect("its mode");
    refused(&home.run(&["token", "show"]), 2, &["chmod 600"]);
    let (args, name) = (["serve", "--listen", "127.0.0.1:0"], "server.log");
    refused(&home.run(&args), 2, &["chmod 600"]);
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("its mode");
    drop(Process::start(&home, name, home.command(&args)));
}
