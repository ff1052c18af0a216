//! One goal of several pieces, several agents.

use crate::workshop::Workshop;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

fn writes(word: &str, path: &str, text: &str) -> Value {
    json!({ "when": { "user": word }, "then": [
        { "write": { "path": path, "text": text, "replaces": true } },
        { "say": "It is written." },
    ] })
}

fn verdict(opinion: &str) -> Value {
    json!({ "verdict": opinion, "severity": "low", "text": "I looked at it." })
}

fn approves() -> Value {
    json!({ "when": { "user": "You review another agent" }, "then": [{ "json": verdict("approved") }] })
}

/// A goal of three pieces that need nothing of each other.
const THREE_PIECES: &str = "- Add alpha.txt\n- Add beta.txt\n- Add gamma.txt\n";

/// A model that does these pieces, and approves of each.
fn with_three_pieces() -> Workshop {
    Workshop::new(json!([
        approves(),
        writes("alpha", "alpha.txt", "a\n"),
        writes("beta", "beta.txt", "b\n"),
        writes("gamma", "gamma.txt", "c\n"),
    ]))
}

#[tokio::test]
async fn three_pieces_are_done_by_three_agents_merged_and_applied() {
    let workshop = with_three_pieces();
    let before = workshop.state();
    let done = workshop.orchestrate("codex,claude,gemini", THREE_PIECES).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.starts_with("tier 1: "), "{done:?}");
    assert_eq!(workshop.state(), before);
    let session = workshop.session().await;
    let items = session["items"].as_array().unwrap();
    let of_kind = |kind: &str| -> Vec<&str> {
        items.iter().filter(|item| item["kind"] == kind).map(|item| item["agent"].as_str().unwrap()).collect()
    };
    assert_eq!(of_kind("work"), ["codex", "claude", "gemini"], "{session}");
    assert_eq!((of_kind("review").len(), of_kind("merge").len()), (6, 3), "{session}");
    let decisions = session["decisions"].as_array().unwrap();
    assert!(decisions.iter().all(|decision| decision["decision"] == "CONTINUE"), "{session}");
    assert_eq!(decisions.len(), 3, "{session}");
    let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    for (name, text) in [("alpha.txt", "a\n"), ("beta.txt", "b\n"), ("gamma.txt", "c\n")] {
        assert_eq!(workshop.file(name).as_deref(), Some(text), "{applied:?}");
    }
}

#[tokio::test]
async fn a_change_that_conflicts_is_given_back_to_its_agent_which_does_it_on_what_was_merged() {
    let again = json!({ "when": { "user": "could not be merged" }, "then": [
        { "run": "echo both >> notes.txt" },
        { "say": "Now it fits." },
    ] });
    let edit = |word: &str, text: &str| {
        json!({ "when": { "user": word }, "then": [
            { "run": format!("echo {text} > notes.txt") },
            { "say": "It is written." },
        ] })
    };
    let workshop = Workshop::new(json!([approves(), again, edit("alpha", "alpha"), edit("beta", "beta")]));
    let done =
        workshop.orchestrate("codex,claude", "- Put alpha into notes.txt\n- Put beta into notes.txt\n").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("is given back to"), "{done:?}");
    let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    let notes = workshop.file("notes.txt").unwrap();
    assert!(notes.ends_with("both\n") && notes.lines().count() == 2, "{notes}");
}

#[tokio::test]
async fn a_change_that_breaks_the_build_is_not_merged() {
    let workshop = Workshop::new(json!([{ "then": [
        { "run": "printf 'test:\\n\\tfalse\\n' > Makefile" },
        { "say": "It is written." },
    ] }]));
    std::fs::write(workshop.target().join("Makefile"), "test:\n\ttrue\n").unwrap();
    workshop.git(&["add", "--all"]);
    workshop.git(&["commit", "--quiet", "--message", "Test"]);
    let done = workshop.orchestrate("codex", "Change the Makefile").await;
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stdout.contains("the change does not pass"), "{done:?}");
    let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert!(applied.stdout.contains("nothing"), "{applied:?}");
    assert_eq!(workshop.file("Makefile").as_deref(), Some("test:\n\ttrue\n"));
}

/// A session in which one agent works and two review it, with these opinions of the first change.
async fn reviewed(claude: &str, gemini: &str) -> (Workshop, crate::workshop::Done) {
    let of = |provider: &str, opinion: &str| json!({ "when": { "provider": provider, "user": "You review another agent" }, "then": [{ "json": verdict(opinion) }] });
    let workshop = Workshop::new(json!([
        { "when": { "user": "You review another agent(.|\\n)*second thought" }, "then": [{ "json": verdict("approved") }] },
        of("anthropic", claude),
        of("gemini", gemini),
        { "when": { "user": "your reviewers have concerns" }, "then": [
            { "write": { "path": "alpha.txt", "text": "second thought\n" } },
            { "say": "Answered." },
        ] },
        { "then": [{ "write": { "path": "alpha.txt", "text": "first\n" } }, { "say": "It is written." }] },
    ]));
    let done = workshop.orchestrate("codex,claude,gemini", "Add alpha.txt").await;
    (workshop, done)
}

#[tokio::test]
async fn one_blocker_stops_and_nothing_is_merged() {
    let (workshop, done) = reviewed("approved", "blocker").await;
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.stdout.contains("STOP_AND_ESCALATE") && done.stdout.contains("I looked at it."), "{done:?}");
    let session = workshop.session().await;
    assert_eq!(
        (&session["status"], &session["decisions"][0]["decision"]),
        (&json!("stopped"), &json!("STOP_AND_ESCALATE"))
    );
    let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert!(applied.stdout.contains("nothing"), "{applied:?}");
    assert_eq!(workshop.file("alpha.txt"), None);

    let resumed = workshop.spalla(&["session", "resume", "latest"]).await;
    assert_eq!(resumed.code, Some(3), "it stays stopped: {resumed:?}");
    let resumed = workshop.spalla(&["session", "resume", "latest", "--overrule"]).await;
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(workshop.file("alpha.txt").as_deref(), Some("first\n"));
}

#[tokio::test]
async fn two_concerns_go_to_the_worker_which_answers_them() {
    let (workshop, done) = reviewed("concern", "concern").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let session = workshop.session().await;
    let decisions: Vec<_> = session["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| decision["decision"].clone())
        .collect();
    assert_eq!(decisions, ["PAUSE_AND_CLARIFY", "CONTINUE"], "{session}");
    workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(workshop.file("alpha.txt").as_deref(), Some("second thought\n"));
}

#[tokio::test]
async fn one_concern_warns_and_goes_on() {
    let (workshop, done) = reviewed("approved", "concern").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let session = workshop.session().await;
    assert_eq!(session["decisions"][0]["decision"], "LOG_WARNING", "{session}");
}

#[tokio::test]
async fn a_reviewer_cannot_edit_what_it_reviews() {
    for (name, provider) in [("codex", "openai"), ("claude", "anthropic"), ("gemini", "gemini")] {
        let author = if name == "codex" { "claude" } else { "codex" };
        let workshop = Workshop::new(json!([
            { "when": { "provider": provider }, "then": [
                { "run": "echo spoiled > alpha.txt; echo spoiled > other.txt; cat alpha.txt" },
                { "json": verdict("approved") },
            ] },
            { "then": [{ "write": { "path": "alpha.txt", "text": "good\n" } }, { "say": "It is written." }] },
        ]));
        let done = workshop.orchestrate(&format!("{author},{name}"), "Add alpha.txt").await;
        assert_eq!(done.code, Some(0), "{name}: {done:?}");
        let asked = workshop.world.asked();
        assert!(
            asked.iter().any(|entry| format!("{entry:?}").contains("Read-only file system")),
            "{name}: {asked:?}"
        );
        workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
        assert_eq!(workshop.file("alpha.txt").as_deref(), Some("good\n"), "{name}");
        assert_eq!(workshop.file("other.txt"), None, "{name}");
    }
}

#[tokio::test]
async fn a_planned_piece_begins_on_what_was_merged_before_it() {
    let workshop = Workshop::new(json!([
        approves(),
        { "when": { "user": "second step" }, "then": [
            { "run": "cat first.txt > second.txt && echo second >> second.txt" },
            { "say": "It is written." },
        ] },
        { "then": [{ "write": { "path": "first.txt", "text": "first\n" } }, { "say": "It is written." }] },
    ]));
    let plan = workshop.world.work().join("plan.json");
    let items = json!({ "items": [
        { "key": "second", "prompt": "Do the second step", "agent": "codex", "depends_on": ["first"] },
        { "key": "first", "prompt": "Do the first step", "agent": "claude", "acceptance": "first.txt is there" },
    ] });
    std::fs::write(&plan, items.to_string()).unwrap();
    let mut command = workshop.orchestration("codex,claude", "Both");
    command.arg("--plan").arg(&plan);
    let done = workshop.end_of(command).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(workshop.file("second.txt").as_deref(), Some("first\nsecond\n"));
    let asked = workshop.world.asked();
    assert!(
        asked.iter().any(|entry| format!("{entry:?}").contains("first.txt is there")),
        "reviewers know the acceptance"
    );
}

/// Returns numbers that nobody knows beforehand, and the seed by which they come again.
fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        // Knuth's MMIX: good enough to choose moments.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    }
}

#[tokio::test]
async fn a_session_of_three_agents_that_is_killed_ten_times_ends_as_if_it_never_was() {
    let workshop = with_three_pieces();
    let before = workshop.state();
    let begin = || workshop.orchestration("codex,claude,gemini", THREE_PIECES);
    let resume = || workshop.command(&["session", "resume", "latest"]);
    let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
    let mut number = random(seed);
    let mut has_begun = false;
    let mut kills = 0;
    while kills < 10 {
        let mut child = if has_begun { resume() } else { begin() }.spawn().expect("a process");
        let mut said = BufReader::new(child.stdout.take().expect("its words")).lines();
        let moment = 1 + number(25);
        let mut lines = 0;
        while lines < moment && said.next_line().await.expect("a line").is_some() {
            lines += 1;
        }
        if lines < moment {
            // It came to its end before, or was killed before there was anything to go on with.
            let code = child.wait().await.expect("its end").code();
            match (has_begun, code) {
                (true, Some(2)) => has_begun = false,
                (_, Some(0)) => break,
                _ => panic!("seed {seed}: it ended with {code:?} after {lines} lines"),
            }
            continue;
        }
        child.kill().await.expect("it dies");
        has_begun = true;
        kills += 1;
        assert_eq!(workshop.state(), before, "seed {seed}: the target was touched");
    }
    let last = workshop.end_of(resume()).await;
    assert_eq!(last.code, Some(0), "seed {seed}: {last:?}");
    let session = workshop.session().await;
    assert_eq!(session["status"], "done", "seed {seed}: {session}");
    let applied = workshop.spalla(&["session", "apply", "latest", "--yes"]).await;
    assert_eq!(applied.code, Some(0), "seed {seed}: {applied:?}");
    for (name, text) in [("alpha.txt", "a\n"), ("beta.txt", "b\n"), ("gamma.txt", "c\n")] {
        assert_eq!(workshop.file(name).as_deref(), Some(text), "seed {seed}: {applied:?}");
    }
    let merged = workshop.git(&["log", "--format=%s", "--grep=Add "]);
    assert_eq!(merged.lines().count(), 3, "seed {seed}: something was merged twice: {merged}");
    workshop.world.is_deserted().await;
}
