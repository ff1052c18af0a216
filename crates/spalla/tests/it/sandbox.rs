//! `spalla sandbox`: a command behind the walls, with neither server nor data folder.

use crate::databases::{Database, on_both};
use crate::process::{Ended, Home, Server, ended, text};
use crate::repository;
use serde_json::json;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;

on_both!(a_run_shows_which_walls_stood_around_it);

async fn a_run_shows_which_walls_stood_around_it(database: Database) {
    let home = Home::new();
    let server = Server::up(&home, &database);
    let project = server.rest.project(None).await;
    let item = server
        .rest
        .queued(
            project,
            "walled",
            &["test ! -e /var/lib", "grep -q 'core file size  *1  *1  *bytes' /proc/self/limits"],
            &[],
        )
        .await;
    server.rest.until_status(item, "succeeded").await;
    let run = &server.rest.runs(item).await[0];
    let walls = &run["sandbox"];
    assert_eq!((&walls["preset"], walls["policy_hash"].as_str().map(str::len)), (&json!("strict"), Some(64)));
    let policy = &walls["policy"];
    assert_eq!(
        (&policy["network"], &policy["limits"]["memory_mb"]),
        (&json!({"mode": "none"}), &json!(2_048))
    );
    let layers = walls["layers"].as_array().expect("a list");
    assert_eq!(layers.len(), 6, "{walls}");
    assert!(layers.iter().all(|layer| layer["state"] != "off"), "{walls}");
    let shown = home.run(&["runs", "show", &run["id"].to_string()]).good();
    assert!(shown.contains("strict, policy ") && shown.contains("namespaces  enforced"), "{shown}");
    assert!(shown.contains("policy network        {\"mode\":\"none\"}"), "{shown}");
    assert!(shown.contains("limit memory_mb       2048 (operator)"), "{shown}");
}

#[test]
fn what_was_left_is_collected_and_nothing_of_it_is_run() {
    let home = Home::new();
    let place = workspace(&home);
    repository::make(&place);
    let trap = home.path("trap");
    let plant = format!("#!/bin/sh\ntouch {} trapped\n", trap.display());
    fs::write(place.join("trap.sh"), plant).expect("a file");
    fs::set_permissions(place.join("trap.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a mode");
    for (name, value) in [
        ("core.fsmonitor", "./trap.sh"),
        ("diff.external", "./trap.sh"),
        ("filter.x.clean", "./trap.sh"),
        ("filter.y=.z.process", "./trap.sh"),
        ("filter.y=.z.required", "true"),
    ] {
        repository::git(&place, &["config", name, value]);
    }
    fs::write(place.join(".gitattributes"), "* filter=x\nsrc/* filter=y=.z\n").expect("a file");
    fs::write(place.join("src/main.rs"), "fn main() {}\n").expect("a file");
    let args = ["sandbox", "collect", "--json", "--workspace", text(&place)];
    let said: serde_json::Value = serde_json::from_str(&home.run(&args).good()).expect("JSON");
    let changed = said["status"].as_array().expect("a list").iter();
    let changed: Vec<_> = changed.map(|entry| (entry["code"].as_str(), entry["path"].as_str())).collect();
    assert!(changed.contains(&(Some(" M"), Some("src/main.rs"))), "{said}");
    assert!(changed.contains(&(Some("??"), Some("trap.sh"))), "{said}");
    let files: Vec<_> =
        said["artifacts"].as_array().expect("a list").iter().map(|left| &left["path"]).collect();
    assert!(files.contains(&&json!("trap.sh")), "{said}");
    assert!(said["diff"].as_str().is_some_and(|diff| diff.contains("+fn main() {}")), "{said}");
    assert!(!trap.exists() && !place.join("trapped").exists() && !home.data().exists(), "{said}");
}

/// Something outside that nobody is to read, in a repository of its own.
fn somebody_elses(home: &Home) -> PathBuf {
    let outside = home.path("outside");
    fs::create_dir_all(&outside).expect("a folder");
    repository::make(&outside);
    fs::write(outside.join("src/main.rs"), "what nobody may know\n").expect("a file");
    outside
}

#[test]
fn what_leads_out_of_a_workspace_is_not_followed_by_who_collects_it() {
    let home = Home::new();
    let outside = somebody_elses(&home);
    let secret = outside.join("src/main.rs");
    let plant = |place: &std::path::Path, kind: &str| {
        use std::os::unix::fs::symlink;
        let git = place.join(".git");
        match kind {
            "a file that names another repository" => {
                fs::remove_dir_all(&git).expect("it goes");
                fs::write(&git, format!("gitdir: {}\n", outside.join(".git").display())).expect("a file");
            }
            "a link to another repository" => {
                fs::remove_dir_all(&git).expect("it goes");
                symlink(outside.join(".git"), &git).expect("a link");
            }
            "a worktree somewhere else" => {
                repository::git(place, &["config", "core.worktree", text(&outside)]);
            }
            "objects of somebody else" => {
                let objects = format!("{}\n", outside.join(".git/objects").display());
                fs::write(git.join("objects/info/alternates"), objects).expect("a file");
            }
            "settings of somebody else" => {
                repository::git(place, &["config", "include.path", text(&secret)]);
            }
            "a link among the files" => symlink(&secret, place.join("left")).expect("a link"),
            "a folder that is a link" => symlink(&outside, place.join("dist")).expect("a link"),
            "a pipe that nobody writes into" => {
                nix::unistd::mkfifo(&place.join("left"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
            }
            "an index that is none" => fs::write(git.join("index"), vec![b'x'; 1 << 20]).expect("a file"),
            _ => unreachable!("{kind}"),
        }
    };
    for (number, kind) in [
        "a file that names another repository",
        "a link to another repository",
        "a worktree somewhere else",
        "objects of somebody else",
        "settings of somebody else",
        "a link among the files",
        "a folder that is a link",
        "a pipe that nobody writes into",
        "an index that is none",
    ]
    .into_iter()
    .enumerate()
    {
        let place = home.path(&format!("planted-{number}"));
        fs::create_dir(&place).expect("a folder");
        repository::make(&place);
        plant(&place, kind);
        let args = ["sandbox", "collect", "--json", "--workspace", text(&place), "--artifact", "**"];
        let said = home.run(&args);
        let told = format!("{}{}", said.stdout, said.stderr);
        assert_eq!(said.status, Some(0), "{kind}: {told}");
        assert!(!told.contains("nobody may know"), "{kind}: {told}");
        let told: serde_json::Value = serde_json::from_str(&said.stdout).expect("JSON");
        let files = told["artifacts"].as_array().expect("a list");
        let leads_out = |left: &&serde_json::Value| {
            let path = left["path"].as_str().unwrap_or_default();
            path == "left" || path.starts_with("dist/")
        };
        assert_eq!(files.iter().find(leads_out), None, "{kind}: {told}");
    }
}

fn workspace(home: &Home) -> PathBuf {
    let path = home.path("workspace");
    fs::create_dir_all(&path).expect("a folder");
    path
}

fn sandboxed(home: &Home, flags: &[&str], command: &[&str]) -> Ended {
    let workspace = workspace(home);
    let mut args = vec!["sandbox", "run", "--workspace", workspace.to_str().expect("UTF-8")];
    args.extend(flags);
    args.push("--");
    args.extend(command);
    home.run(&args)
}

#[test]
fn a_sandboxed_command_has_its_own_output_and_status() {
    let home = Home::new();
    let ended =
        sandboxed(&home, &["--env", "GREETING=hello"], &["sh", "-c", "echo $GREETING | tee made; exit 7"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (Some(7), "hello\n"), "{ended:?}");
    assert_eq!(fs::read_to_string(workspace(&home).join("made")).expect("it stays"), "hello\n");
    assert!(!home.data().exists(), "no data folder is made");
}

#[test]
fn a_sandboxed_command_ends_with_its_time() {
    let home = Home::new();
    let ended = sandboxed(&home, &["--timeout", "1"], &["sleep", "60"]);
    assert_eq!(ended.status, Some(124), "{ended:?}");
    assert!(ended.stderr.contains("its time was over"), "{ended:?}");
}

#[test]
fn a_policy_that_can_not_be_held_is_refused_with_the_mend() {
    let home = Home::new();
    for (flags, wanted) in [
        (&["--preset", "none"][..], "only the operator's configuration"),
        (&["--workspace", "/"], "choose a folder of its own"),
        (&["--allow-host", "example.org"], "add --network proxy"),
        (&["--inject", "api.openai.com=OPENAI_API_KEY"], "add --network proxy"),
        (&["--network", "proxy", "--allow-host", "http://example.org"], "leave the scheme"),
        (&["--network", "proxy", "--allow-host", "me:word@example.org"], "leave the user out"),
        (&["--network", "proxy", "--allow-host", "bücher.example"], "xn--"),
        (&["--network", "proxy", "--allow-host", "*"], "*.example.org"),
        (&["--preset", "agent", "--allow-host", "example.org:0"], "no port 0"),
        (&["--preset", "agent", "--inject", "llm.example=KEY"], "hosts that are known: api.openai.com"),
        (&["--preset", "agent", "--inject", "http://llm.example=KEY"], "in the clear"),
        (&["--preset", "agent", "--inject", "api.openai.com=NOT_SET_ANYWHERE"], "which is not set; set it"),
        (&["--processes", "0"], "give every limit at least 1"),
    ] {
        let mut args = vec!["sandbox", "run"];
        let place = workspace(&home);
        if !flags.contains(&"--workspace") {
            args.extend(["--workspace", place.to_str().expect("UTF-8")]);
        }
        args.extend(flags);
        args.extend(["--", "true"]);
        let ended = home.run(&args);
        assert_eq!(ended.status, Some(2), "{ended:?}");
        assert!(ended.stderr.contains(wanted), "{wanted}: {ended:?}");
    }
}

/// A server of models that hears one request, and says what it heard.
fn model() -> (u16, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let heard = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            let mut chunk = [0; 1024];
            let length = client.read(&mut chunk).expect("a head");
            assert!(length > 0, "the head ends early");
            heard.extend_from_slice(&chunk[..length]);
        }
        client
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nanswered")
            .expect("a client that hears");
        String::from_utf8(heard).expect("text")
    });
    (port, heard)
}

#[test]
fn a_host_gets_a_credential_that_the_command_never_holds() {
    let home = Home::new();
    let place = workspace(&home);
    let (port, heard) = model();
    let inject = format!("127.0.0.1:{port}=OPENAI_API_KEY");
    let flags = ["--preset", "agent", "--workspace", text(&place), "--inject", &inject];
    let call = |verb: &str, command: &[&str]| {
        let args = [&["sandbox", verb][..], &flags, command].concat();
        let mut call = home.command(&args);
        call.env("OPENAI_API_KEY", "sk-what-nobody-may-know");
        call.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        call.spawn().expect("the binary runs")
    };
    let shown = call("run", &["--", "env"]).wait_with_output().expect("an end");
    let shown = ended(shown).good();
    assert!(shown.contains("OPENAI_API_KEY=spalla-injected\n") && !shown.contains("sk-what"), "{shown}");

    let own = env!("CARGO_BIN_EXE_spalla");
    let mut talk = call("run", &["--", own, spalla_sandbox::HIDDEN_ARG, "trial", "{}", "talk"]);
    let request = format!("127.0.0.1:{port}\nGET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
    talk.stdin.take().expect("its input").write_all(request.as_bytes()).expect("it reads");
    let said = ended(talk.wait_with_output().expect("an end")).good();
    assert!(said.contains("answered"), "{said}");
    let heard = heard.join().expect("it was asked");
    assert!(heard.contains("authorization: Bearer sk-what-nobody-may-know\r\n"), "{heard}");

    let explained = ended(call("explain", &[]).wait_with_output().expect("an end")).good();
    let line = format!("OPENAI_API_KEY for 127.0.0.1:{port}, inside at http://127.0.0.1:{port}");
    assert!(explained.contains(&line) && !explained.contains("sk-what"), "{explained}");
}

#[test]
fn the_walls_of_this_machine_are_explained() {
    let home = Home::new();
    let place = workspace(&home);
    let args = ["sandbox", "explain", "--json", "--workspace", place.to_str().expect("UTF-8")];
    let said: serde_json::Value = serde_json::from_str(&home.run(&args).good()).expect("JSON");
    let layers = said["explanation"]["attestation"]["layers"].as_array().expect("a list");
    assert_eq!(layers.len(), 6, "{said}");
    let trials = said["trials"].as_array().expect("a list");
    assert!(trials.len() == 10 && trials.iter().all(|trial| trial["held"] == true), "{said}");
}
