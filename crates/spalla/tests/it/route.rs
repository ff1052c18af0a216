//! `spalla route` over a published folder and over none, and the server's same answer.

use crate::process::{Ended, Home, ended};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::process::Stdio;

/// A folder with three agents, as the registry publishes it.
fn publish(home: &Home) {
    let root = home.path("codex/agents");
    fs::create_dir_all(root.join("infra/cloud")).expect("a folder");
    fs::create_dir_all(root.join("web")).expect("a folder");
    let index = json!({"version": 1, "generatedAt": "2026-01-01T00:00:00Z", "digest": "d", "keywords": {"docker": 1}, "agents": [
        {"id": "docker-expert", "name": "Docker Expert", "domain": "infra", "subdomain": "cloud", "tier": "specialist"},
        {"id": "css-artist", "name": "CSS Artist", "domain": "web", "tier": "specialist"},
        {"id": "lost", "name": "Lost", "domain": "web", "tier": "specialist"}]});
    let triggers = json!({"keywords": {"docker": ["docker-expert"], "css": ["css-artist", "lost"]},
        "regex": [{"pattern": "dockerfiles?", "priority": 10, "agents": ["docker-expert"]}, {"pattern": "(", "priority": 1,
        "agents": ["lost"]}], "file_patterns": {"*.css": ["css-artist"]}});
    let file = |description: &str, tools: &str| {
        format!(
            "agent:\n  description: {description}\ncapabilities:\n  detail:\n    tools: {{allowed: [{tools}]}}\n"
        )
    };
    for (path, text) in [
        ("index.json", index.to_string()),
        ("triggers.json", triggers.to_string()),
        ("infra/cloud/docker-expert.codex.yaml", file("Packs programs into small container images", "'*'")),
        ("web/css-artist.codex.yaml", file("Makes pages beautiful with colours and layouts", "Read")),
    ] {
        fs::write(root.join(path), text).expect("a file");
    }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["candidates"].as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect()
}

fn route(home: &Home, args: &[&str]) -> Ended {
    home.run(&[&["route"], args].concat())
}

fn answer(home: &Home, args: &[&str]) -> Value {
    json_of(&route(home, &[args, &["--json"]].concat()).good())
}

/// Calls it with something on its standard input.
fn piped(home: &Home, args: &[&str], input: &[u8]) -> Ended {
    let mut command = home.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("its input");
    // One that ends before it has read all has seen enough.
    let _ = stdin.write_all(input);
    drop(stdin);
    ended(child.wait_with_output().expect("it ends"))
}

#[test]
fn a_task_finds_its_agent_by_words_patterns_and_files() {
    let home = Home::new();
    publish(&home);
    let found = answer(&home, &["Write a Dockerfile for docker"]);
    assert_eq!((&found["stage"], ids(&found)), (&json!("keywords"), vec!["docker-expert"]));
    let terms = &found["candidates"][0]["terms"];
    let sum: f64 = ["files", "keyword", "regex", "domain", "semantic", "reward"]
        .iter()
        .filter_map(|name| terms[name].as_f64())
        .sum();
    assert!((sum - found["candidates"][0]["score"].as_f64().expect("a score")).abs() < 1e-9, "{found}");
    let found = answer(&home, &["mend this", "--files", "a/b.css"]);
    assert_eq!((&found["stage"], ids(&found)), (&json!("files"), vec!["css-artist"]));
    let told = route(&home, &["Write a Dockerfile for docker", "--explain"]).good();
    for part in ["docker-expert", "keywords", "docker at 23", "dockerfiles? at 8", "reward"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_task_without_a_trigger_finds_its_agent_by_what_it_means() {
    let home = Home::new();
    publish(&home);
    let found = answer(&home, &["the web site has ugly colors, choose a nicer palette and design"]);
    assert_eq!((&found["stage"], ids(&found)[0]), (&json!("semantic"), "css-artist"), "{found}");
    let note = found["notes"][0].as_str().expect("what is wrong with a file");
    assert!(ids(&found).len() == 1 || note.contains("lost.codex.yaml"), "{found}");
}

#[test]
fn tools_and_domains_leave_agents_out() {
    let home = Home::new();
    publish(&home);
    assert_eq!(ids(&answer(&home, &["css and docker"])).len(), 3);
    assert_eq!(ids(&answer(&home, &["css and docker", "--tools", "Bash"])), ["docker-expert", "lost"]);
    assert_eq!(
        ids(&answer(&home, &["css and docker", "--domain", "infra", "--top", "1"])),
        ["docker-expert"]
    );
}

#[test]
fn the_task_may_come_from_standard_input() {
    let home = Home::new();
    publish(&home);
    let found = piped(&home, &["route", "--json"], b"a docker image\n").good();
    assert_eq!(ids(&json_of(&found)), ["docker-expert"]);
    let wrong = piped(&home, &["route"], b"docker \xff");
    assert_eq!(wrong.status, Some(2));
    assert!(wrong.stderr.contains("not UTF-8, from byte 7 on"), "{wrong:?}");
    let long = [b"docker ".repeat(200_000), b"css".to_vec()].concat();
    let cut = json_of(&piped(&home, &["route", "--json"], &long).good());
    assert_eq!((ids(&cut), &cut["cut"][0]), (vec!["docker-expert"], &json!("prompt")));
}

#[test]
fn what_is_wrong_is_said_with_the_right_status() {
    let home = Home::new();
    publish(&home);
    let empty = route(&home, &["  "]);
    assert_eq!((empty.status, empty.stderr.contains("the task is empty")), (Some(2), true));
    let nobody = route(&home, &["docker", "--domain", "nowhere"]);
    assert_eq!(
        (nobody.status, nobody.stderr.contains("no agent is for this")),
        (Some(1), true),
        "{nobody:?}"
    );
    let open = route(&home, &["some css", "--ask"]);
    assert_eq!((open.status, open.stdout.contains("css-artist")), (Some(4), true), "{open:?}");
    fs::write(home.path("codex/agents/index.json"), "{\"agents\": [").expect("a file");
    let broken = route(&home, &["docker"]);
    assert_eq!(broken.status, Some(2));
    assert!(broken.stderr.contains("index.json can't be read: EOF"), "{broken:?}");
}

#[test]
fn where_no_agents_are_published_the_built_in_ones_are_chosen_and_it_says_so() {
    let home = Home::new();
    let found = answer(&home, &["Analyze the codebase structure"]);
    assert_eq!(ids(&found), ["surveyor"]);
    let note = found["notes"][0].as_str().expect("a note");
    assert!(note.starts_with("no agents are published in codex/agents"), "{note}");
    let other = route(&home, &["run the tests and report", "--agents", "elsewhere"]);
    assert!(other.stderr.contains("elsewhere") && other.stdout.contains("verifier"), "{other:?}");
}

#[test]
fn the_answer_is_the_same_after_a_restart() {
    let home = Home::new();
    publish(&home);
    let args = ["route", "docker css", "--files", "x.css", "--json"];
    assert_eq!(home.run(&args).good(), home.run(&args).good());
}
