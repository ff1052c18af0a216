//! Tokens and the audit by the real binary.

use crate::databases::Database;
use crate::process::{Home, Server, Setup, text};
use serde_json::Value;
use std::fs;

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn serve(home: &Home) -> Server {
    Server::start(home, &Setup { database: &Database::Sqlite, args: &["up", "--no-worker"], env: &[] })
}

#[tokio::test]
async fn a_token_is_printed_once_works_for_commands_and_is_revoked() {
    let home = Home::new();
    let server = serve(&home);
    home.run(&["project", "create", "one"]).good();
    let made = home.run(&[
        "token",
        "create",
        "--role",
        "viewer",
        "--project",
        "1",
        "--expires",
        "7d",
        "--name",
        "ada",
    ]);
    let token = made.good();
    assert!(token.starts_with("spl_1_") && token.lines().count() == 1, "{token}");
    fs::write(home.path("token"), &token).expect("a file");
    let file = home.path("token");
    let with = |args: &[&str]| home.run(&[args, &["--token-file", text(&file)]].concat());
    with(&["project", "list"]).good();
    let denied = with(&["project", "create", "two"]);
    assert!(
        denied.status == Some(2) && denied.stderr.contains("user:ada#1 may not create project"),
        "{denied:?}"
    );
    assert_eq!(with(&["token", "list"]).status, Some(2));
    let list = home.run(&["token", "list", "--json"]).good();
    assert_eq!((&json(&list)[0]["role"], &json(&list)[0]["status"]), (&"viewer".into(), &"active".into()));
    assert!(!list.contains(token.trim()));
    assert!(home.run(&["token", "revoke", "1", "--dry-run"]).good().contains("user:ada#1"));
    with(&["project", "list"]).good();
    home.run(&["token", "revoke", "1"]).good();
    assert_eq!(with(&["project", "list"]).status, Some(2));
    assert_eq!(home.run(&["token", "create", "--role", "owner"]).status, Some(2));
    assert_eq!(home.run(&["token", "create", "--role", "viewer", "--expires", "soon"]).status, Some(2));
    drop(server);
}

#[tokio::test]
async fn the_audit_is_verified_and_a_changed_export_is_found() {
    let home = Home::new();
    let server = serve(&home);
    for name in ["a", "b", "c", "d"] {
        home.run(&["project", "create", name]).good();
    }
    let found = json(&home.run(&["audit", "verify", "--json"]).good());
    assert_eq!((&found["whole"], &found["entries"]), (&true.into(), &4.into()));
    let end = format!("4:{}", found["head"]["hash"].as_str().expect("a digest"));
    assert!(home.run(&["audit", "verify"]).good().contains(&end));
    home.run(&["project", "create", "e"]).good();
    home.run(&["audit", "verify", "--since", &end]).good();
    let other = format!("4:{}", "0".repeat(64));
    let broken = home.run(&["audit", "verify", "--since", &other]);
    assert!(broken.status == Some(1) && broken.stdout.contains("broken at entry 4"), "{broken:?}");

    let export = home.run(&["audit", "export"]).good();
    assert_eq!(export.lines().count(), 5);
    let file = home.path("audit.ndjson");
    let verify = |lines: Vec<&str>| {
        fs::write(&file, lines.join("\n")).expect("a file");
        home.run(&["audit", "verify", "--json", "--file", text(&file)])
    };
    let lines: Vec<&str> = export.lines().collect();
    verify(lines.clone()).good();
    let changed = lines[2].replace("administrator", "mallory");
    for (lines, first) in [
        (vec![lines[0], lines[1], &changed, lines[3], lines[4]], 3),
        (vec![lines[0], lines[2], lines[3], lines[4]], 2),
        (vec![lines[0], lines[2], lines[1], lines[3], lines[4]], 2),
        (vec![lines[0], lines[1], lines[1], lines[2], lines[3]], 3),
        (vec![lines[0], "no entry", lines[2]], 2),
    ] {
        let broken = verify(lines);
        assert_eq!(broken.status, Some(1), "{broken:?}");
        assert_eq!(json(&broken.stdout)["broken"]["id"], first, "{broken:?}");
    }
    drop(server);
}

#[test]
fn beyond_loopback_somebody_has_a_token_of_their_own() {
    let home = Home::new();
    fs::write(home.path("spalla.toml"), "behind_tls_proxy = true\n").expect("a file");
    let alone = home.run(&["serve", "--listen", "0.0.0.0:0"]);
    assert!(alone.status == Some(2) && alone.stderr.contains("spalla token create"), "{alone:?}");
}
