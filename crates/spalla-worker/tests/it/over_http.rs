//! The claim protocol over HTTP, against a server of a few lines that records what it is sent.

use crate::site::Site;
use spalla_domain::claim::{ClaimRequest, Completion, Exchange, Heartbeat, LogBatch};
use spalla_domain::log::{LogLine, Stream};
use spalla_domain::work_item::Executor;
use spalla_domain::{Fence, RunId, Timestamp, WorkerId};
use spalla_worker::{Coordinator, CoordinatorError, HttpCoordinator, Worker};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

/// Answers one request after another, and returns what they were.
async fn serve(answers: Vec<&'static str>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let mut requests = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut reader = BufReader::new(&mut stream);
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                reader.read_line(&mut head).await.unwrap();
                if let Some(value) = head[start..].to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).await.unwrap();
            requests.push(head + &String::from_utf8(body).unwrap());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        requests
    });
    (url, served)
}

fn claim() -> ClaimRequest {
    ClaimRequest {
        worker_id: WorkerId::new("w").unwrap(),
        max: 2,
        ttl_ms: 1_500,
        executors: vec![Executor::Recipe],
        labels: vec!["gpu".into()],
        resources: None,
    }
}

const LEASE: Heartbeat = Heartbeat { run_id: RunId(7), fencing_token: Fence(3) };

#[tokio::test]
async fn an_exchange_is_one_request_and_its_answer() {
    let reply = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"completed\":[7],\"refused\":[{\"run_id\":8,\"reason\":\
                 \"stale_token\"}],\"heartbeats\":[{\"run_id\":7,\"cancel\":true,\"pause\":false}],\"runs\":[{\"run_id\":9,\
                 \"work_item_id\":4,\"project_id\":1,\"fencing_token\":1,\"expires_at\":\"2023-11-14T22:13:20Z\",\
                 \"attempt\":1,\"trace_id\":\"ab\",\"next_log_seq\":2,\"executor\":\"recipe\",\"title\":\"t\",\
                 \"timeout_ms\":1000,\"something\":\"newer\"}]}";
    let (url, served) = serve(vec![reply]).await;
    let completion = Completion {
        run_id: RunId(7),
        fencing_token: Fence(3),
        success: true,
        exit_code: Some(0),
        result: Some(serde_json::value::to_raw_value(&[1]).unwrap()),
        usage: None,
        error: None,
        sandbox: None,
    };
    let exchange = Exchange { completed: vec![completion], heartbeats: vec![LEASE], claim: claim() };
    let coordinator = HttpCoordinator::new(&url, Some("secret".into())).unwrap();
    let reply = coordinator.exchange(exchange, 20_000).await.unwrap();
    assert_eq!(
        (reply.completed[0], reply.refused[0].run_id, reply.runs[0].run_id),
        (RunId(7), RunId(8), RunId(9))
    );
    assert!(reply.heartbeats[0].cancel);
    let request = served.await.unwrap().remove(0);
    assert!(request.starts_with("POST /scheduler/exchange HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Bearer secret\r\n"), "{request}");
    let body = "{\"worker_id\":\"w\",\"completed\":[{\"run_id\":7,\"fencing_token\":3,\"success\":true,\"exit_code\":0,\
                \"result\":[1]}],\"heartbeats\":[{\"run_id\":7,\"fencing_token\":3}],\"max\":2,\"wait_seconds\":20,\
                \"ttl_seconds\":1.5,\"executors\":[\"recipe\"],\"labels\":[\"gpu\"]}";
    assert!(request.ends_with(body), "{request}");
}

#[tokio::test]
async fn log_lines_and_returned_runs_name_their_token() {
    let ok = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
    let gone = "HTTP/1.1 409 Conflict\r\nconnection: close\r\n\r\n{\"code\":\"stale_token\",\"detail\":\"the token is 4\"}";
    let (url, served) = serve(vec![ok, gone, ok]).await;
    let line = |text: &str| LogLine {
        at: Timestamp::from_ms(0),
        stream: Stream::Stderr,
        step: Some(1),
        text: text.into(),
    };
    let lines = vec![line("one"), line("two")];
    let batch = LogBatch { run_id: RunId(7), fencing_token: Fence(3), first_seq: Some(2), lines };
    let coordinator = HttpCoordinator::new(&url, None).unwrap();
    coordinator.append_logs(batch.clone()).await.unwrap();
    let refused = coordinator.append_logs(batch).await.unwrap_err();
    assert_eq!(
        refused,
        CoordinatorError::Refused { code: "stale_token".into(), detail: "the token is 4".into() }
    );
    coordinator.hand_back(vec![LEASE]).await.unwrap();
    let requests = served.await.unwrap();
    let logs = &requests[0];
    assert!(logs.starts_with("POST /work-items/runs/7/logs HTTP/1.1\r\n"), "{logs}");
    for header in ["content-type: application/x-ndjson", "x-fencing-token: 3", "x-first-seq: 2"] {
        assert!(logs.contains(header), "{logs}");
    }
    let body = "{\"at\":\"1970-01-01T00:00:00.000Z\",\"stream\":\"stderr\",\"step\":1,\"text\":\"one\"}\n";
    assert!(logs.contains(body), "{logs}");
    assert!(requests[2].starts_with("POST /work-items/runs/7/release HTTP/1.1\r\n"), "{}", requests[2]);
    assert!(requests[2].ends_with("{\"fencing_token\":3}"), "{}", requests[2]);
}

#[tokio::test]
async fn nobody_there_is_tried_again_and_a_wrong_token_is_said_at_once() {
    let nobody = HttpCoordinator::new("http://127.0.0.1:1", None).unwrap();
    let exchange = Exchange { completed: Vec::new(), heartbeats: Vec::new(), claim: claim() };
    let error = nobody.exchange(exchange, 0).await.unwrap_err();
    assert!(matches!(error, CoordinatorError::Unavailable { .. }), "{error}");

    let no = "HTTP/1.1 401 Unauthorized\r\nconnection: close\r\n\r\n{\"code\":\"unauthorized\",\"detail\":\"the token is not known\"}";
    let (url, served) = serve(vec![no]).await;
    let coordinator = Arc::new(HttpCoordinator::new(&url, Some("wrong".into())).unwrap());
    let (worker, _handle) = Worker::new(Site::new().options(), coordinator).unwrap();
    let error = worker.run().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the server does not accept this worker: rejected with status 401: the token is not known; check the server's \
         address and the token"
    );
    served.await.unwrap();
}
