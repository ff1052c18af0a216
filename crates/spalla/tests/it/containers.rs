//! The compose files and the image, as far as they can be tried without Docker: their form, that the port stays on this
//! machine and the token comes from `.env`, and that their command lines do what they should.

use crate::process::{Home, Process, ended};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn file(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn service(name: &str, service: &str) -> Value {
    let compose: Value =
        serde_saphyr::from_str(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    compose["services"][service].clone()
}

fn words(list: &Value) -> Vec<String> {
    let words = list.as_array().expect("a list").iter();
    words.map(|word| word.as_str().expect("text").to_owned()).collect()
}

/// Prepares the command line of a service with its variables, the token put in as compose does it.
fn command(home: &Home, service: &Value, command_line: &[String]) -> Command {
    let args: Vec<&str> = command_line.iter().map(String::as_str).collect();
    let mut command = home.command(&args);
    for (name, value) in service["environment"].as_object().expect("variables") {
        let value = value.as_str().expect("text");
        command.env(name, if value.starts_with("${ORCH_TOKEN:?") { TOKEN } else { value });
    }
    command
}

#[test]
fn ports_are_published_on_this_machine_alone_and_the_token_comes_from_the_env_file() {
    let (server, agent) =
        (service("docker-compose.yml", "spalla"), service("docker-compose.agent.yml", "agent"));
    assert_eq!(server["ports"], json!(["127.0.0.1:18080:18080"]));
    assert!(agent["ports"].is_null());
    for (service, variable) in [(&server, "SPALLA_SERVER_TOKEN"), (&agent, "ORCH_TOKEN")] {
        let token = service["environment"][variable].as_str().expect("text");
        assert!(token.starts_with("${ORCH_TOKEN:?"), "without one compose says so: {token}");
        assert_eq!((&service["privileged"], &service["network_mode"]), (&Value::Null, &Value::Null));
        assert_eq!(service["cap_drop"], json!(["ALL"]));
    }
    let example = file(".env.example");
    assert!(example.lines().any(|line| line == "ORCH_TOKEN="), "no token is shipped");
    assert!(file(".gitignore").lines().any(|line| line == "/.env"));
    for kept_out in ["/.env", "/.git", "/target"] {
        assert!(file(".dockerignore").lines().any(|line| line == kept_out), "{kept_out}");
    }
}

#[tokio::test]
async fn the_command_lines_of_the_compose_files_work_without_docker() {
    let (home, worker_home) = (Home::new(), Home::new());
    let server = service("docker-compose.yml", "spalla");
    let mut serve = command(&home, &server, &words(&server["command"]));
    // The port is the only thing that a test can't have as it is.
    let listen = server["environment"]["SPALLA_LISTEN"].as_str().expect("text").replace(":18080", ":0");
    serve.env("SPALLA_LISTEN", listen);
    let (_server, line) = Process::start(&home, "server.log", serve);
    let port = line.rsplit(':').next().expect("a port");
    let url = format!("http://127.0.0.1:{port}");

    let http = reqwest::Client::new();
    let ask = |host: &str, token: &str| {
        http.get(format!("{url}/projects/")).header("host", host).bearer_auth(token).send()
    };
    assert_eq!(ask("spalla:18080", TOKEN).await.expect("an answer").status(), 200);
    assert_eq!(ask("spalla:18080", "another").await.expect("an answer").status(), 401);
    assert_eq!(ask("evil.example", TOKEN).await.expect("an answer").status(), 421);

    let health = words(&server["healthcheck"]["test"]);
    assert_eq!(health[..2], ["CMD", "spalla"]);
    let health: Vec<String> =
        health[2..].iter().map(|word| word.replace("http://127.0.0.1:18080", &url)).collect();
    let healthy = ended(command(&home, &server, &health).output().expect("it runs"));
    assert_eq!(healthy.status, Some(0), "{healthy:?}");

    let agent = service("docker-compose.agent.yml", "agent");
    let args: Vec<String> =
        words(&agent["command"]).iter().map(|word| word.replace("http://spalla:18080", &url)).collect();
    let (_worker, line) = Process::start(&worker_home, "worker.log", command(&worker_home, &agent, &args));
    assert!(line.starts_with("worker ") && line.ends_with(&url), "{line}");
    let made = |path: &str, body: Value| {
        let request = http.post(format!("{url}{path}")).bearer_auth(TOKEN).json(&body);
        async move { request.send().await.expect("an answer").status().as_u16() }
    };
    assert_eq!(made("/projects/", json!({"name": "in a container"})).await, 201);
    let item = json!({"project_id": 1, "title": "greet", "recipe": "steps: [\"echo hello\"]"});
    assert_eq!(made("/work-items/", item).await, 201);
    assert!(made("/scheduler/enqueue", json!({"work_item_id": 1})).await < 300);
    let followed = home.run(&["token", "show"]).good();
    assert_eq!(followed.trim(), TOKEN, "the commands of the data folder have it too");
    let client = crate::rest::Rest::new(url, Some(TOKEN.into()));
    client.until_status(1, "succeeded").await;
}

#[test]
fn the_image_runs_as_nobody_special_and_its_command_line_is_ours() {
    let dockerfile = file("Dockerfile");
    let last = |word: &str| {
        let mut lines = dockerfile.lines().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' '));
        lines.next_back().unwrap_or_else(|| panic!("no {word}")).trim().to_owned()
    };
    assert_eq!(last("USER"), "spalla");
    assert!(dockerfile.matches("\nFROM ").count() >= 2, "the toolchain stays behind");
    assert_eq!(last("ENTRYPOINT"), "[\"spalla\"]");
    let mut args: Vec<String> = serde_json::from_str(&last("CMD")).expect("a list");
    args.push("--help".into());
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Home::new().run(&args).good();
    let rust = file("Cargo.toml");
    let version = rust.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a version");
    assert!(dockerfile.contains(&format!("FROM rust:{}-", version.trim_matches('"'))), "{version}");
}

#[test]
fn a_guessable_token_is_refused_without_being_shown() {
    let home = Home::new();
    let mut serve = home.command(&["serve", "--listen", "127.0.0.1:0"]);
    let refused = ended(serve.env("SPALLA_SERVER_TOKEN", "hunter2").output().expect("it runs"));
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("openssl rand") && !refused.stderr.contains("hunter2"), "{refused:?}");
}

#[tokio::test]
async fn the_example_of_an_env_file_serves_a_server_and_its_commands() {
    for (token, expected) in [("", None), (TOKEN, Some(TOKEN))] {
        let home = Home::new();
        let text = file(".env.example").replace("\nORCH_TOKEN=\n", &format!("\nORCH_TOKEN={token}\n"));
        fs::write(home.path(".env"), text).expect("a file");
        let (_server, line) =
            Process::start(&home, "server.log", home.command(&["serve", "--listen", "127.0.0.1:0"]));
        assert!(line.starts_with("listening on "), "{line}");
        home.run(&["project", "list"]).good();
        let shown = home.run(&["token", "show"]).good();
        assert!(shown.trim().len() == 64 && expected.is_none_or(|token| token == shown.trim()));
    }
}

#[test]
fn the_background_script_starts_once_and_stops_twice() {
    let home = Home::new();
    let script = |verb: &str, kind: &str| {
        let mut command = Command::new(root().join("scripts/background.sh"));
        command.args([verb, kind, env!("CARGO_BIN_EXE_spalla")]).current_dir(home.path(".")).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home.path("home"));
        command.env("SPALLA_DATA", home.data()).env("SPALLA_LISTEN", "127.0.0.1:0");
        let ended = ended(command.output().expect("it runs"));
        assert_eq!(ended.status, Some(0), "{verb} {kind}: {ended:?}");
        ended.stdout
    };
    let started = script("start", "server");
    assert!(started.starts_with("listening on http://127.0.0.1:"), "{started}");
    assert!(started.contains("?code=") && started.contains("make down"), "{started}");
    let pid = fs::read_to_string(home.data().join("server.pid")).expect("its pid file");
    assert!(script("start", "server").contains(&format!("runs already, as process {}", pid.trim())));
    assert!(script("start", "worker").contains("takes runs from"));
    assert!(home.run(&["demo", "seed"]).good().contains("project 1"));
    assert_eq!(script("stop", "worker"), "the worker is stopped\n");
    assert_eq!(script("stop", "server"), "the server is stopped\n");
    assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists());
    assert!(!home.data().join("server.pid").exists() && !home.data().join("server.json").exists());
    for kind in ["server", "worker"] {
        assert_eq!(script("stop", kind), format!("no {kind} runs that was started in the background\n"));
    }
}

#[test]
fn the_background_script_says_why_a_server_does_not_start() {
    let home = Home::new();
    let mut command = Command::new(root().join("scripts/background.sh"));
    command.args(["start", "server", env!("CARGO_BIN_EXE_spalla")]).current_dir(home.path(".")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home.path("home"));
    command.env("SPALLA_DATA", home.data()).env("SPALLA_LISTEN", "0.0.0.0:0");
    let ended = ended(command.output().expect("it runs"));
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("TLS"), "{ended:?}");
    assert!(!home.data().join("server.pid").exists());
}

#[test]
fn make_knows_every_target_that_is_promised() {
    let promised = "up down dev seed agent up-agent down-agent demo-aws demo-gcp demo-azure codex-up codex-agent \
        codex-demo-aws codex-demo-gcp codex-demo-azure codex-test";
    for target in promised.split_whitespace() {
        let made =
            Command::new("make").args(["--dry-run", target]).current_dir(root()).output().expect("make");
        let made = ended(made);
        assert_eq!(made.status, Some(0), "{target}: {made:?}");
        assert!(made.stdout.contains("spalla"), "{target}: {made:?}");
        assert!(!made.stdout.contains("docker"), "{target} needs no Docker");
    }
}
