//! Files that a person answered, where the operator took the walls away: for their owner alone, and gone at the end.

use crate::databases::Database;
use crate::process::{Home, Server, Setup, until};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

fn without_walls(home: &Home) -> Server {
    let env = &[("ORCH_SANDBOX", "none")];
    Server::start(home, &Setup { database: &Database::Sqlite, args: &["up"], env })
}

/// Queues an item whose step says where its file is and then waits for ever, or ends at once; answers what it asks, and
/// returns the file's path as the step saw it.
async fn answered(server: &Server, rest_of_step: &str) -> (i64, PathBuf) {
    let project = server.rest.project(None).await;
    let step = format!("echo \"at $KUBECONFIG.\"; wc -c < $KUBECONFIG; echo told; {rest_of_step}");
    let item = server.rest.queued(project, "roll out to k8s", &[&step], &[]).await;
    let asked = until("a question", || async {
        server.rest.get("/work-items/runs/info-requests").await.as_array()?.first()?["id"].as_i64()
    });
    let respond = format!("/work-items/runs/info-requests/{}/respond", asked.await);
    server.rest.post(&respond, json!({"values": {"KUBECONFIG_CONTENT": "clusters: []"}})).await;
    let log = server.rest.until_log(item, "told").await;
    let path = log.split("at /").nth(1).and_then(|rest| rest.split_once(".\n")).expect("a path").0;
    (item, Path::new("/").join(path))
}

#[tokio::test]
async fn a_secret_file_without_walls_is_for_its_owner_alone_and_goes_after_a_crash_at_the_next_start() {
    let home = Home::new();
    let server = without_walls(&home);
    let (_, file) = answered(&server, "while :; do sleep 0.1; done").await;
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!([mode(&file), mode(file.parent().expect("a folder"))], [0o600, 0o700], "{}", file.display());
    server.process.kill();
    // Nobody was there to remove it, and it still is nobody else's.
    assert_eq!(mode(&file), 0o600, "{}", file.display());
    let server = without_walls(&home);
    until("the file is gone", || async { (!file.exists()).then_some(()) }).await;
    drop(server);
}

#[tokio::test]
async fn a_secret_file_without_walls_goes_with_its_run() {
    let home = Home::new();
    let server = without_walls(&home);
    let (item, file) = answered(&server, "true").await;
    server.rest.until_status(item, "succeeded").await;
    assert!(!file.exists() && !file.parent().is_some_and(Path::exists), "{}", file.display());
}
