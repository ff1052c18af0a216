//! What has to hold after a death: what was told is there, everything has ended once, files are whole, no process is
//! left, and the person's repository is as it was.

use super::client::Client;
use super::scenario::Arming;
use super::site::{Site, git};
use super::workload::Told;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long processes may take to go when their server has gone.
const GOING: Duration = Duration::from_secs(10);
/// The states in which a run is over.
const ENDS: [&str; 4] = ["succeeded", "failed", "cancelled", "lost"];

/// Looks at a running server and its data folder. Returns what is wrong.
pub(super) async fn of_server(client: &Client, site: &Site, told: &Told) -> Vec<String> {
    let mut wrong = Vec::new();
    announced(site).await;
    if let Err(error) = drained(client).await {
        return vec![format!("it did not drain: {error:#}")];
    }
    for (item, ends) in &told.items {
        wrong.extend(of_item(client, *item, ends).await);
    }
    for (run, shown) in &told.logs {
        wrong.extend(of_log(client, *run, shown).await);
    }
    wrong.extend(of_runs(client).await);
    wrong.extend(of_data(&site.path("data")));
    let workers = fs::read_dir(site.path("data/workers")).into_iter().flatten().flatten();
    wrong.extend(workers.flat_map(|entry| of_worker_data(&entry.path())));
    wrong
}

/// Waits until the server has said where it is, which it does after it can be asked already.
pub(super) async fn announced(site: &Site) {
    let file = site.path("data/server.json");
    let seen = async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    // Without it the audit says so.
    let _ = tokio::time::timeout(Duration::from_secs(10), seen).await;
}

/// Waits until nothing is eligible or under way.
async fn drained(client: &Client) -> anyhow::Result<()> {
    let is_empty = |list: &Value| list.as_array().is_some_and(Vec::is_empty).then_some(());
    client.until("nothing is in the queue", "/scheduler/queue", is_empty).await?;
    client.until("no run is under way", "/work-items/runs?status=running", is_empty).await
}

async fn of_item(client: &Client, item: i64, ends: &[&str]) -> Option<String> {
    match client.get(&format!("/work-items/{item}")).await {
        Ok(found) if ends.iter().any(|end| found["status"] == *end) => None,
        Ok(found) => Some(format!("work item {item} is {}, not {ends:?}", found["status"])),
        Err(error) => Some(format!("work item {item} was acknowledged: {error:#}")),
    }
}

async fn of_log(client: &Client, run: i64, shown: &str) -> Option<String> {
    match client.get(&format!("/work-items/runs/{run}/logs")).await {
        Ok(Value::String(log)) if log.starts_with(shown) => None,
        Ok(log) => Some(format!("the log of run {run} was {shown:?} and is {log}")),
        Err(error) => Some(format!("the log of run {run} was shown: {error:#}")),
    }
}

async fn of_runs(client: &Client) -> Vec<String> {
    let runs = match client.get("/work-items/runs?limit=500").await {
        Ok(runs) => runs,
        Err(error) => return vec![format!("{error:#}")],
    };
    let is_over = |run: &Value| {
        run["status"].as_str().is_some_and(|status| ENDS.contains(&status)) && !run["ended_at"].is_null()
    };
    let open = runs.as_array().into_iter().flatten().filter(|run| !is_over(run));
    open.map(|run| format!("run {} is {} at the end", run["id"], run["status"])).collect()
}

/// Files that others take for whole.
fn of_data(data: &Path) -> Vec<String> {
    let text = |name: &str| fs::read_to_string(data.join(name)).unwrap_or_default();
    let mut wrong = of_worker_data(data);
    let token = text("token");
    if token.trim().len() != 64 || !token.ends_with('\n') {
        wrong.push(format!("the token is {} bytes long", token.len()));
    }
    let key = text("secret.key");
    if key.len() != 45 || !key.ends_with("=\n") {
        wrong.push(format!("the key of the secrets is {} bytes long", key.len()));
    }
    let worker = text("worker-id");
    if !worker.starts_with("embedded-") || !worker.ends_with('\n') {
        wrong.push(format!("the worker's id is {worker:?}"));
    }
    if serde_json::from_str::<Value>(&text("server.json")).is_err() {
        wrong.push(format!("server.json of a running server is {:?}", text("server.json")));
    }
    wrong
}

fn of_worker_data(data: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let config = fs::read_to_string(data.join("git.config"));
    if config.is_ok_and(|text| !text.contains("[safe]") || !text.contains("[maintenance]\n\tauto = false\n"))
    {
        wrong.push(format!("{} is cut", data.join("git.config").display()));
    }
    let (repositories, sessions) = (data.join("repositories"), data.join("sessions"));
    let mirrors = below(&repositories);
    // A session's repository is whole once its record says what it began with.
    let begun = below(&sessions).filter(|folder| folder.join("session.json").exists());
    let all = mirrors.chain(begun.map(|folder| folder.join("repo.git")).filter(|path| path.exists()));
    for mirror in all.filter(|path| path.extension().is_some_and(|end| end == "git")) {
        if let Err(error) = git(&mirror, &["-c", "safe.directory=*", "fsck", "--connectivity-only"]) {
            wrong.push(format!("the mirror {} is not whole: {error:#}", mirror.display()));
        }
    }
    // An agent's report is one file, beside its events; the verifier's has other parts.
    let is_surveyors = |folder: &PathBuf| {
        let text = fs::read_to_string(folder.join("report.md"));
        !folder.join("events.jsonl").exists() && text.is_ok_and(|text| !text.starts_with("# Verification"))
    };
    for folder in below(&data.join("reports")).filter(is_surveyors) {
        let json = fs::read(folder.join("report.json")).unwrap_or_default();
        if serde_json::from_slice::<Value>(&json).is_err() || !folder.join("dependencies.svg").exists() {
            wrong.push(format!("the report in {} has not all of its parts", folder.display()));
        }
    }
    wrong
}

fn below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Looks at what is left when every server has gone. Ends what should not be there, and returns what is wrong.
pub(super) async fn left_over(site: &Site) -> Vec<String> {
    let mut wrong = Vec::new();
    let started = Instant::now();
    while !processes(site).is_empty() && started.elapsed() < GOING {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (pid, command) in processes(site) {
        wrong.push(format!("process {pid} is left over: {command}"));
        let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
    }
    if !site.is_checkout_untouched() {
        wrong.push("the person's repository is not as it was".to_owned());
    }
    wrong
}

/// Has the whole history checked, event by event, when every server has gone.
pub(super) async fn of_history(site: &Site) -> anyhow::Result<Option<String>> {
    let args = ["doctor", "--check-history", "--drained", "--json"].map(str::to_owned);
    let mut command = tokio::process::Command::from(site.command(&args, &Arming::None, 0)?);
    let output = command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().await?;
    let said = [output.stdout, output.stderr].concat();
    Ok((!output.status.success()).then(|| format!("the history: {}", String::from_utf8_lossy(&said).trim())))
}

/// Returns the processes of a place: those of its binary, and those with its home in their environment.
fn processes(site: &Site) -> Vec<(i32, String)> {
    let (binary, home) = (site.path("spalla"), format!("HOME={}", site.path("home").display()));
    let pids = below(Path::new("/proc")).filter_map(|path| path.file_name()?.to_str()?.parse::<i32>().ok());
    let is_ours = |pid: &i32| {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let environment = fs::read(proc.join("environ")).unwrap_or_default();
        fs::read_link(proc.join("exe")).is_ok_and(|exe| exe == binary)
            || environment.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes())
    };
    let words = |pid: i32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        (pid, String::from_utf8_lossy(&line).replace('\0', " "))
    };
    pids.filter(is_ours).map(words).collect()
}
