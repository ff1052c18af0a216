//! Steps that survive their worker: killed with it, and taken up by the next one as if nothing had happened.

use crate::databases::{Database, on_both};
use crate::process::{Home, Process, Server, Setup, until, worker};
use crate::rest::{Rest, id, string};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

on_both!(
    a_killed_worker_is_followed_by_one_that_carries_its_step_on,
    a_killed_server_is_followed_by_one_that_carries_its_step_on,
);

const SURVIVES: (&str, &str) = ("ORCH_SANDBOX_LIFETIME", "survive-restart");
const NO_WALLS: (&str, &str) = ("ORCH_SANDBOX", "none");
/// How many lines a step prints before and behind its gate.
const LINES: u32 = 600;

/// A step that says who it is, prints lines, waits at a gate, and prints more.
struct Gate {
    file: PathBuf,
    marks: PathBuf,
}

impl Gate {
    fn new(home: &Home) -> Self {
        Self { file: home.shared("gate"), marks: home.shared("marks") }
    }

    fn steps(&self) -> [String; 2] {
        let (gate, marks) = (self.file.display(), self.marks.display());
        let who = "$$ in $(readlink /proc/$$/ns/pid)";
        let lines = "while [ $i -lt $end ]; do i=$((i+1)); echo line $i; \
                     if [ $((i % 7)) = 0 ]; then echo also $i >&2; fi; done";
        let step = format!(
            "echo began by {who}; i=0; end={LINES}; {lines}; echo waiting; \
             until [ -e {gate} ]; do sleep 0.02; done; end=$((i + {LINES})); {lines}; echo ended by {who}; \
             echo \"$SPALLA_WORK_ITEM_ID first\" >> {marks}"
        );
        [step, format!("echo second; echo \"$SPALLA_WORK_ITEM_ID second\" >> {marks}")]
    }

    async fn queue(&self, rest: &Rest) -> i64 {
        let project = rest.project(None).await;
        let steps = self.steps();
        let item = rest.queued(project, "survivor", &steps.each_ref().map(String::as_str), &[]).await;
        rest.until_log(item, "waiting").await;
        item
    }

    fn open(&self) {
        fs::write(&self.file, "").expect("the gate opens");
    }

    /// How many processes have the step among their arguments.
    fn processes(&self) -> usize {
        let gate = self.file.display().to_string();
        let waits = |process: &fs::DirEntry| {
            let arguments = fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&arguments).contains(&gate)
        };
        fs::read_dir("/proc").expect("processes").flatten().filter(waits).count()
    }

    async fn is_gone(&self) {
        until("nothing of the step is left", || async { (self.processes() == 0).then_some(()) }).await;
    }

    /// Holds the one run of an item against what it would be if nobody had been killed.
    async fn is_as_if_nothing_had_happened(&self, rest: &Rest, item: i64) {
        let runs = rest.runs(item).await;
        assert_eq!(runs.len(), 1, "{runs:?}");
        let run = &runs[0];
        let seen = (&run["status"], &run["attempt"], &run["takeovers"]);
        assert_eq!(seen, (&json!("succeeded"), &json!(1), &json!(0)), "{run}");
        let log = rest.log(id(run)).await;
        let of = |word: &str| -> Vec<String> {
            log.lines().filter_map(|line| line.strip_prefix(word)).map(str::to_owned).collect()
        };
        let numbers = |numbers: Vec<u32>| numbers.iter().map(u32::to_string).collect::<Vec<_>>();
        assert_eq!(of("line "), numbers((1..=2 * LINES).collect()), "every line once and in order");
        assert_eq!(of("also "), numbers((1..=2 * LINES).filter(|n| n % 7 == 0).collect()));
        assert_eq!(of("began by "), of("ended by "), "the same process");
        assert_eq!((of("began by ").len(), of("step 1: echo").len(), of("step 2: echo").len()), (1, 1, 1));
        assert_eq!((of("step 1: exit status 0").len(), of("second").len()), (1, 1), "{log}");
        assert_eq!((of("worker ").len(), of("the run succeeded").len()), (1, 1), "{log}");
        let steps = run["result"]["steps"].as_array().expect("its steps");
        assert!(steps.iter().all(|step| step["exit_code"] == 0 && step["attempts"] == 1), "{steps:?}");
        let marks = fs::read_to_string(&self.marks).expect("marks");
        assert_eq!(marks, format!("{item} first\n{item} second\n"), "each step was carried out once");
        self.is_gone().await;
    }
}

fn serve(home: &Home, database: &Database) -> Server {
    Server::start(home, &Setup { database, args: &["serve", "--auth", "none"], env: &[] })
}

fn up(home: &Home, database: &Database, env: &[(&str, &str)]) -> Server {
    Server::start(home, &Setup { database, args: &["up", "--auth", "none"], env })
}

/// The folders in which runs wait for a worker.
fn left_behind(home: &Home) -> Vec<PathBuf> {
    let of = |data: PathBuf| fs::read_dir(data.join("left-behind")).into_iter().flatten().flatten();
    [home.data(), home.data().join("workers/1")].into_iter().flat_map(of).map(|entry| entry.path()).collect()
}

async fn nothing_is_left_behind(home: &Home) {
    until("nothing is kept of the run", || async { left_behind(home).is_empty().then_some(()) }).await;
}

async fn a_killed_worker_is_followed_by_one_that_carries_its_step_on(database: Database) {
    for walls in [&[SURVIVES][..], &[SURVIVES, NO_WALLS]] {
        let home = Home::new();
        let gate = Gate::new(&home);
        let server = serve(&home, &database);
        let first = worker(&home, &server.rest.url, walls);
        let item = gate.queue(&server.rest).await;
        first.kill();
        let second = worker(&home, &server.rest.url, walls);
        gate.open();
        server.rest.until_status(item, "succeeded").await;
        gate.is_as_if_nothing_had_happened(&server.rest, item).await;
        nothing_is_left_behind(&home).await;
        drop(second);
    }
}

async fn a_killed_server_is_followed_by_one_that_carries_its_step_on(database: Database) {
    for walls in [&[SURVIVES][..], &[SURVIVES, NO_WALLS]] {
        let home = Home::new();
        let gate = Gate::new(&home);
        let server = up(&home, &database, walls);
        let item = gate.queue(&server.rest).await;
        // A second death: whoever took it up may be killed as well.
        server.process.kill();
        let server = up(&home, &database, walls);
        until("it is taken up", || async {
            let (_, run) = server.rest.call("GET", &format!("/work-items/{item}/runs"), None).await?;
            (run[0]["status"] == "running").then_some(())
        })
        .await;
        server.process.kill();
        let server = up(&home, &database, walls);
        gate.open();
        server.rest.until_status(item, "succeeded").await;
        gate.is_as_if_nothing_had_happened(&server.rest, item).await;
        nothing_is_left_behind(&home).await;
        drop(server);
    }
}

#[tokio::test]
async fn a_worker_killed_in_the_middle_of_a_line_loses_and_doubles_none() {
    let home = Home::new();
    let server = serve(&home, &Database::Sqlite);
    let (gate, marks) = (home.shared("gate"), home.shared("marks"));
    let project = server.rest.project(None).await;
    // Half a line, and at the same moment another one elsewhere, stand there when the worker is killed.
    let step = format!(
        "printf 'first ha'; printf 'other ha' >&2; echo whole; touch {0}; \
         until [ -e {1} ]; do sleep 0.02; done; echo lf; echo lf >&2",
        marks.display(),
        gate.display()
    );
    let first = worker(&home, &server.rest.url, &[SURVIVES]);
    let item = server.rest.queued(project, "half", &[&step], &[]).await;
    until("it stands in the middle", || async { marks.exists().then_some(()) }).await;
    first.kill();
    let _second = worker(&home, &server.rest.url, &[SURVIVES]);
    fs::write(&gate, "").expect("the gate opens");
    server.rest.until_status(item, "succeeded").await;
    let log = server.rest.log(id(&server.rest.runs(item).await[0])).await;
    let lines: Vec<&str> =
        log.lines().filter(|line| !line.contains("printf") && line.ends_with(['e', 'f'])).collect();
    assert_eq!(lines, ["first hawhole", "lf", "other half"], "{log}");
}

#[tokio::test]
async fn what_a_run_had_done_before_is_kept_and_what_is_left_is_done() {
    let home = Home::new();
    let server = up(&home, &Database::Sqlite, &[SURVIVES]);
    let project = server.rest.project(None).await;
    let gate = home.shared("gate");
    let flaky = format!(
        "test -e tried && {{ echo second try; exit 0; }}; touch tried; echo first try; \
         until [ -e {} ]; do sleep 0.02; done; exit 1",
        gate.display()
    );
    let recipe = json!({"steps": [
        {"run": "echo made > made.txt", "artifacts": ["made.txt"]},
        {"run": "echo never", "if": "failure()"},
        {"run": flaky, "retries": 1},
        {"run": "cat made.txt"},
    ]});
    let item = json!({"project_id": project, "title": "several", "recipe": recipe.to_string()});
    let item = server.rest.item(item).await;
    server.rest.enqueue(item).await;
    server.rest.until_log(item, "first try").await;
    server.process.kill();
    let server = up(&home, &Database::Sqlite, &[SURVIVES]);
    fs::write(&gate, "").expect("the gate opens");
    server.rest.until_status(item, "succeeded").await;
    let run = &server.rest.runs(item).await[0];
    let steps = run["result"]["steps"].as_array().expect("its steps");
    let seen: Vec<_> = steps.iter().map(|step| (&step["attempts"], &step["skipped"])).collect();
    let (no, yes) = (json!(false), json!(true));
    let (zero, one, two) = (json!(0), json!(1), json!(2));
    assert_eq!(seen, [(&one, &no), (&zero, &yes), (&two, &no), (&one, &no)]);
    assert_eq!(run["result"]["artifacts"][0]["path"], "made.txt", "{run}");
    let log = server.rest.log(id(run)).await;
    for line in
        ["first try", "step 3 is tried again (1 of 1)", "second try", "made", "step 1: echo made > made.txt"]
    {
        assert_eq!(log.lines().filter(|said| *said == line).count(), 1, "{line}: {log}");
    }
}

#[tokio::test]
async fn a_step_that_ended_while_no_worker_was_there_counts() {
    for walls in [&[SURVIVES][..], &[SURVIVES, NO_WALLS]] {
        let home = Home::new();
        let gate = Gate::new(&home);
        let server = up(&home, &Database::Sqlite, walls);
        let item = gate.queue(&server.rest).await;
        server.process.kill();
        gate.open();
        until("the step is over", || async { gate.marks.exists().then_some(()) }).await;
        let server = up(&home, &Database::Sqlite, walls);
        server.rest.until_status(item, "succeeded").await;
        gate.is_as_if_nothing_had_happened(&server.rest, item).await;
        nothing_is_left_behind(&home).await;
    }
}

#[tokio::test]
async fn a_step_that_ended_alone_counts_also_when_its_supervisor_has_gone() {
    let home = Home::new();
    let gate = Gate::new(&home);
    let env = [SURVIVES, ("ORCH_SANDBOX_REATTACH_GRACE_MS", "3000")];
    let server = up(&home, &Database::Sqlite, &env);
    let item = gate.queue(&server.rest).await;
    server.process.kill();
    gate.open();
    until("the step is over", || async { gate.marks.exists().then_some(()) }).await;
    let has_socket = || {
        let files =
            left_behind(&home).into_iter().flat_map(|folder| fs::read_dir(folder).expect("its files"));
        files.flatten().any(|file| file.path().extension().is_some_and(|ending| ending == "socket"))
    };
    until("the supervisor has gone", || async { (!has_socket()).then_some(()) }).await;
    let server = up(&home, &Database::Sqlite, &env);
    server.rest.until_status(item, "succeeded").await;
    gate.is_as_if_nothing_had_happened(&server.rest, item).await;
}

#[tokio::test]
async fn a_step_that_nobody_takes_up_in_time_is_ended_and_its_run_is_lost() {
    for walls in [&[SURVIVES][..], &[SURVIVES, NO_WALLS]] {
        let home = Home::new();
        let gate = Gate::new(&home);
        let env = [walls, &[("ORCH_SANDBOX_REATTACH_GRACE_MS", "100"), ("ORCH_MAX_RETRIES", "0")]].concat();
        let server = up(&home, &Database::Sqlite, &env);
        let item = gate.queue(&server.rest).await;
        server.process.kill();
        gate.is_gone().await;
        until("it is written down as lost", || async {
            let journals = fs::read_dir(home.data().join("journals")).ok()?.flatten();
            let journal: String = journals.filter_map(|file| fs::read_to_string(file.path()).ok()).collect();
            journal.contains("\"told\":false,\"lost\":true").then_some(())
        })
        .await;
        let server = up(&home, &Database::Sqlite, &env);
        server.rest.until_status(item, "failed").await;
        let run = &server.rest.runs(item).await[0];
        assert_eq!(run["error"]["class"], "lost", "{run}");
        let log = server.rest.log(id(run)).await;
        assert!(
            log.contains("the run failed: step 1 was ended, since no worker took it up in time"),
            "{log}"
        );
        nothing_is_left_behind(&home).await;
    }
}

#[tokio::test]
async fn a_run_whose_supervisor_was_killed_too_is_lost_and_carried_out_anew() {
    let home = Home::new();
    let gate = Gate::new(&home);
    let env = [SURVIVES, NO_WALLS, ("ORCH_BACKOFF_BASE_SECONDS", "0.05")];
    let server = up(&home, &Database::Sqlite, &env);
    let item = gate.queue(&server.rest).await;
    let run = id(&server.rest.runs(item).await[0]);
    server.process.kill();
    kill_supervisor(&home);
    gate.open();
    let server = up(&home, &Database::Sqlite, &env);
    server.rest.until_status(item, "succeeded").await;
    let runs = server.rest.runs(item).await;
    let lost = runs.iter().find(|found| found["id"] == run).expect("the first run");
    assert_eq!((runs.len(), &lost["error"]["class"]), (2, &json!("lost")), "{runs:?}");
    let log = server.rest.log(run).await;
    assert!(
        log.contains("waiting\n") && log.contains("the run failed: the step's supervisor is gone"),
        "{log}"
    );
    gate.is_gone().await;
}

/// Kills the supervisor of the one step that goes on alone; its files bear the name by which it is known.
fn kill_supervisor(home: &Home) {
    let files = left_behind(home).into_iter().flat_map(|folder| fs::read_dir(folder).expect("its files"));
    let socket =
        files.flatten().map(|file| file.path()).find(|file| file.extension().is_some_and(|e| e == "socket"));
    let name = socket.expect("its socket").file_stem().expect("a name").to_string_lossy().into_owned();
    let mark = format!("SPALLA_TREE={name}");
    let is_it = |process: &fs::DirEntry| {
        let read = |file| fs::read(process.path().join(file)).unwrap_or_default();
        let is_marked = read("environ").split(|byte| *byte == 0).any(|word| word == mark.as_bytes());
        is_marked && String::from_utf8_lossy(&read("cmdline")).contains("supervise")
    };
    let supervisor = fs::read_dir("/proc").expect("processes").flatten().find(is_it).expect("a supervisor");
    let pid = supervisor.file_name().into_string().expect("a number");
    let killed = std::process::Command::new("kill").args(["-s", "KILL", &pid]).status();
    assert!(killed.expect("kill runs").success());
}

async fn claim(rest: &Rest) -> Value {
    let body = json!({"worker_id": "heir", "max": 1, "wait_seconds": 30, "ttl_seconds": 60.0});
    let answer = rest.post("/scheduler/claim", body).await;
    answer["runs"].get(0).cloned().unwrap_or_else(|| panic!("the heir got nothing: {answer}"))
}

#[tokio::test]
async fn a_step_whose_lease_was_lost_meanwhile_is_ended_and_leaves_no_trace() {
    let home = Home::new();
    let gate = Gate::new(&home);
    let server = serve(&home, &Database::Sqlite);
    let rest = &server.rest;
    let env = [SURVIVES, ("AGENT_CLAIM_TTL", "1"), ("AGENT_HEARTBEAT_INTERVAL", "0.2")];
    let first = worker(&home, &rest.url, &env);
    let item = gate.queue(rest).await;
    first.kill();
    // Answered only when the lease of the killed worker is over.
    let heir = claim(rest).await;
    assert!(gate.processes() > 0, "the step goes on meanwhile");
    let second = worker(&home, &rest.url, &env);
    gate.is_gone().await;
    nothing_is_left_behind(&home).await;
    drop(second);
    let run = &rest.runs(item).await[0];
    assert_eq!((&run["status"], &run["takeovers"]), (&json!("running"), &json!(1)), "{run}");
    let (run, fence) = (id(run), heir["fencing_token"].as_i64().expect("a token"));
    assert_eq!(rest.append_text(run, fence, "written by the heir\n").await.0, 200);
    let log = rest.log(run).await;
    let is_silent = !log.contains("the run was ended") && !log.contains("step 1 was ended");
    assert!(log.trim_end().ends_with("\nwritten by the heir") && is_silent, "{log}");
    assert!(!gate.marks.exists());
}

#[tokio::test]
async fn what_a_person_answered_is_masked_in_what_is_read_again() {
    let home = Home::new();
    let gate = home.shared("gate");
    let env = [SURVIVES];
    let server = up(&home, &Database::Sqlite, &env);
    let project = server.rest.project(None).await;
    let canary = "canary/7f3a+secret==";
    let steps = [
        format!(
            "echo key $AWS_SECRET_ACCESS_KEY; until [ -e {} ]; do sleep 0.02; done; \
             echo key $AWS_SECRET_ACCESS_KEY",
            gate.display()
        ),
        "printf %s \"$AWS_SECRET_ACCESS_KEY\" | cksum".to_owned(),
    ];
    let item = server.rest.queued(project, "Deploy to AWS", &steps.each_ref().map(String::as_str), &[]).await;
    let requests = "/work-items/runs/1/info-requests";
    until("the run asks", || async {
        let (status, asked) = server.rest.call("GET", requests, None).await?;
        (status == 200 && !asked.as_array()?.is_empty()).then_some(())
    })
    .await;
    let values = json!({
        "AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": canary, "AWS_DEFAULT_REGION": "eu-central-1",
    });
    server.rest.post("/work-items/runs/info-requests/1/respond", json!({"values": values})).await;
    let masked = "key [redacted:AWS_SECRET_ACCESS_KEY]";
    server.rest.until_log(item, masked).await;
    server.process.kill();
    let server = up(&home, &Database::Sqlite, &env);
    fs::write(&gate, "").expect("the gate opens");
    server.rest.until_status(item, "succeeded").await;
    let runs = server.rest.runs(item).await;
    let log = server.rest.log(id(&runs[0])).await;
    assert_eq!(log.lines().filter(|line| *line == masked).count(), 2, "{log}");
    assert!(log.contains(" 20\n") && !log.contains("canary"), "the next step has the values: {log}");
    assert_eq!(log.matches("info request 1 asks for").count(), 1, "{log}");
    assert_eq!(server.rest.get(requests).await.as_array().map(Vec::len), Some(1));
    nothing_is_left_behind(&home).await;
}

#[tokio::test]
async fn a_worker_told_to_go_ends_its_step_also_where_steps_survive() {
    let home = Home::new();
    let gate = Gate::new(&home);
    let env = [SURVIVES, ("SPALLA_SHUTDOWN_GRACE_SECONDS", "0")];
    let server = up(&home, &Database::Sqlite, &env);
    let item = gate.queue(&server.rest).await;
    server.process.signal("TERM");
    assert!(server.process.wait().success());
    assert_eq!((gate.processes(), left_behind(&home)), (0, Vec::new()));
    gate.open();
    let server = up(&home, &Database::Sqlite, &env);
    server.rest.until_status(item, "succeeded").await;
    assert_eq!(server.rest.runs(item).await[0]["takeovers"], 0);
}

#[tokio::test]
async fn a_step_is_cancelled_while_no_worker_is_there() {
    let home = Home::new();
    let gate = Gate::new(&home);
    let server = serve(&home, &Database::Sqlite);
    let first = worker(&home, &server.rest.url, &[SURVIVES]);
    let item = gate.queue(&server.rest).await;
    let run = id(&server.rest.runs(item).await[0]);
    first.kill();
    server.rest.post(&format!("/work-items/runs/{run}/cancel"), json!({})).await;
    let _second: Process = worker(&home, &server.rest.url, &[SURVIVES]);
    gate.is_gone().await;
    nothing_is_left_behind(&home).await;
    assert_eq!(string(&server.rest.runs(item).await[0]["status"]), "cancelled");
    assert!(!gate.marks.exists());
}
