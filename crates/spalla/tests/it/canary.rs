//! A secret that a person answered with reaches the step that asked, and is found nowhere else: in no answer, no log, no
//! file of the server, no core file and no list of arguments.

use crate::databases::{Database, on_both};
use crate::process::{Home, Server, Setup, text, until};
use crate::{repository, rest};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::json;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

on_both!(
    a_secret_answer_is_seen_by_its_step_alone,
    a_secret_file_is_on_no_disk_while_it_is_used_and_after_a_kill
);

const CANARY: &str = "canary/7f3a+secret==";

/// Returns the files below a folder that hold the canary, and those that are core files.
fn leaks(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("its kind"));
        if kind.is_dir() {
            found.extend(leaks(&path));
        } else if kind.is_file() {
            let is_core = entry.file_name().to_string_lossy().split('.').next() == Some("core");
            let bytes = fs::read(&path).expect("a file");
            if is_core || bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()) {
                found.push(path);
            }
        }
    }
    found
}

/// Tells whether any process has the canary among its arguments.
fn is_an_argument() -> bool {
    let processes = fs::read_dir("/proc").expect("processes").flatten();
    let mut arguments = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    arguments.any(|bytes| String::from_utf8_lossy(&bytes).contains(CANARY))
}

async fn a_secret_answer_is_seen_by_its_step_alone(database: Database) {
    // What is started here may leave core files, unless it sees to it that there are none.
    let (_, most) = getrlimit(Resource::RLIMIT_CORE).expect("a limit");
    setrlimit(Resource::RLIMIT_CORE, most, most).expect("core files are allowed");
    let home = Home::new();
    let (checkout, gate) = (home.path("checkout"), home.shared("gate"));
    fs::create_dir(&checkout).expect("a folder");
    repository::make(&checkout);
    let server = Server::start(&home, &Setup { database: &database, args: &["up"], env: &[] });
    let rest = &server.rest;
    let project = rest.project(Some(text(&checkout))).await;
    let steps = [
        "printf %s \"$AWS_SECRET_ACCESS_KEY\" | cksum; echo $AWS_SECRET_ACCESS_KEY",
        &format!("echo at the gate; while [ ! -e {} ]; do sleep 0.1; done", gate.display()),
        "sh -c 'kill -ABRT $$' || echo a step crashed",
    ];
    let item = rest.queued(project, "Deploy to AWS", &steps, &[]).await;
    let requests = "/work-items/runs/1/info-requests";
    until("the run asks", || async {
        let (status, asked) = rest.call("GET", requests, None).await?;
        (status == 200 && !asked.as_array()?.is_empty()).then_some(())
    })
    .await;
    let values = json!({
        "AWS_ACCESS_KEY_ID": "AKIA0", "AWS_SECRET_ACCESS_KEY": CANARY, "AWS_DEFAULT_REGION": "eu-central-1",
    });
    let mut answers =
        vec![rest.post("/work-items/runs/info-requests/1/respond", json!({"values": values})).await];
    until("it is at the gate", || async {
        let (_, log) = rest.call("GET", "/work-items/runs/1/logs", None).await?;
        rest::string(&log).contains("at the gate").then_some(())
    })
    .await;
    assert!(!is_an_argument(), "a process has the secret among its arguments");
    fs::write(&gate, "").expect("the gate opens");
    rest.until_status(item, "succeeded").await;

    for path in
        [requests, "/work-items/runs/1", "/work-items/runs/1/logs?format=json", "/metrics", "/openapi.json"]
    {
        answers.push(rest.get(path).await);
    }
    let log = rest::string(&rest.get("/work-items/runs/1/logs").await);
    assert!(log.contains("[redacted:AWS_SECRET_ACCESS_KEY]") && log.contains(" 20\n"), "{log}");
    assert!(log.contains("a step crashed"), "{log}");
    answers.push(json!(log));
    assert!(!json!(answers).to_string().contains(CANARY), "{answers:?}");

    let Server { process, .. } = server;
    process.signal("ABRT");
    let status = process.wait();
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false), "{status:?}");
    assert_eq!(leaks(home.data().parent().expect("its folder")), Vec::<PathBuf>::new());
}

async fn a_secret_file_is_on_no_disk_while_it_is_used_and_after_a_kill(database: Database) {
    let home = Home::new();
    let (checkout, gate) = (home.path("checkout"), home.shared("gate"));
    fs::create_dir(&checkout).expect("a folder");
    repository::make(&checkout);
    let server = Server::start(&home, &Setup { database: &database, args: &["up"], env: &[] });
    let rest = &server.rest;
    let project = rest.project(Some(text(&checkout))).await;
    let waits = format!("while [ ! -e {} ]; do sleep 0.1; done", gate.display());
    let steps = [format!("stat -c %a $KUBECONFIG; cksum < $KUBECONFIG; echo at the gate; {waits}")];
    rest.queued(project, "Roll out to kubernetes", &steps.each_ref().map(String::as_str), &[]).await;
    until("the run asks", || async {
        let (status, asked) = rest.call("GET", "/work-items/runs/1/info-requests", None).await?;
        (status == 200 && !asked.as_array()?.is_empty()).then_some(())
    })
    .await;
    let values = json!({"KUBECONFIG_CONTENT": CANARY});
    rest.post("/work-items/runs/info-requests/1/respond", json!({"values": values})).await;
    until("it is at the gate", || async {
        let (_, log) = rest.call("GET", "/work-items/runs/1/logs", None).await?;
        rest::string(&log).contains("at the gate").then_some(())
    })
    .await;
    let log = rest::string(&rest.get("/work-items/runs/1/logs").await);
    assert!(log.contains("600\n") && log.contains(" 20\n"), "the step has the file: {log}");
    // The data folder, the workspace in it, and what else is of the test lie below one folder of the machine's own.
    let root = home.data().parent().expect("its folder").to_owned();
    assert_eq!(leaks(&root), Vec::<PathBuf>::new(), "while the step uses it");
    let Server { process, .. } = server;
    process.kill();
    assert_eq!(leaks(&root), Vec::<PathBuf>::new(), "after its server was killed");
}
