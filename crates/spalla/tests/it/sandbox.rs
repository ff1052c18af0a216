//! `spalla sandbox`: a command behind the walls, with neither server nor data folder.

use crate::databases::{Database, on_both};
use crate::process::{Ended, Home, Server, text};
use crate::repository;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

on_both!(a_run_shows_which_walls_stood_around_it);

async fn a_run_shows_which_walls_stood_around_it(database: Database) {
    let home = Home::new();
    let server = Server::up(&home, &database);
    let project = server.rest.project(None).await;
    let item = server.rest.queued(project, "walled", &["test ! -e /var/lib"], &[]).await;
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
}

#[test]
fn what_was_left_is_collected_and_nothing_of_it_is_run() {
    let home = Home::new();
    let place = workspace(&home);
    repository::make(&place);
    let trap = home.path("trap");
    let plant = format!("#!/bin/sh\ntouch {}\n", trap.display());
    fs::write(place.join("trap.sh"), plant).expect("a file");
    fs::set_permissions(place.join("trap.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("a mode");
    for (name, value) in
        [("core.fsmonitor", "./trap.sh"), ("diff.external", "./trap.sh"), ("filter.x.clean", "./trap.sh")]
    {
        repository::git(&place, &["config", name, value]);
    }
    fs::write(place.join(".gitattributes"), "* filter=x\n").expect("a file");
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
    assert!(!trap.exists() && !home.data().exists(), "{said}");
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
