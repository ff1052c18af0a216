//! Requests that no client of good will would make: each is refused in the provider's form, and the server goes on.

use crate::world::{ask, read, server_of};
use serde_json::{Value, json};
use spalla_fake_model::FakeModel;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn is_well(model: &FakeModel) {
    let (status, _) = ask(model, "/v1/responses", &json!({ "model": "m", "input": "Go." })).await;
    assert_eq!(status, 200);
}

async fn raw(model: &FakeModel, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", model.port())).await.expect("a connection");
    // A server that has heard enough closes before it has read all, and may do so with a reset.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn what_is_no_request_of_a_protocol_is_refused_in_its_form() {
    let model = server_of(json!([{ "say": "Hi." }]));
    let cases: [(&str, Value, &str); 8] = [
        ("/v1/responses", json!([]), "/error/message"),
        ("/v1/responses", json!({ "model": "m", "input": 7 }), "/error/message"),
        ("/v1/responses", json!({ "input": "Go." }), "/error/message"),
        ("/v1/chat/completions", json!({ "model": "m", "messages": {} }), "/error/message"),
        ("/v1/messages", json!({ "model": ["m"], "messages": [] }), "/error/message"),
        ("/v1/messages", json!("hello"), "/error/type"),
        ("/v1beta/models/x:generateContent", json!({ "contents": null }), "/error/status"),
        ("/v1beta/models/x:streamGenerateContent", json!(1), "/error/code"),
    ];
    for (path, body, place) in cases {
        let (status, answer) = ask(&model, path, &body).await;
        assert_eq!(status, 400, "{path} {body}: {answer}");
        assert!(answer.pointer(place).is_some(), "{path} {body}: {answer}");
    }
    is_well(&model).await;
}

#[tokio::test]
async fn items_of_strange_forms_are_passed_over() {
    let model = server_of(json!([{ "say": "Hi." }]));
    let strange = json!([null, 7, "x", [], { "type": 7 }, { "role": "user" }, { "role": "user", "content": { "a": 1 } },
        { "type": "function_call_output" }, { "type": "additional_tools", "tools": "all" }]);
    let body = json!({ "model": "m", "input": strange, "tools": [null, { "type": "function" }, 7], "stream": "yes" });
    assert_eq!(ask(&model, "/v1/responses", &body).await.0, 200);
    let body = json!({ "model": "m", "messages": strange, "system": 7, "tools": { "a": 1 } });
    assert_eq!(ask(&model, "/v1/messages", &body).await.0, 200);
    assert_eq!(ask(&model, "/v1/chat/completions", &body).await.0, 200);
    let body = json!({ "contents": strange, "tools": [{ "functionDeclarations": [7] }] });
    assert_eq!(ask(&model, "/v1beta/models/x:generateContent", &body).await.0, 200);
}

#[tokio::test]
async fn bodies_that_are_no_json_or_nested_without_end_are_refused() {
    let model = server_of(json!([{ "say": "Hi." }]));
    let post = async |body: Vec<u8>| {
        let request = reqwest::Client::new().post(format!("{}/v1/messages", model.url())).body(body);
        let response = request.send().await.expect("a response");
        (response.status().as_u16(), read(response).await)
    };
    for body in
        [Vec::new(), vec![0xff, 0xfe, 0x00], "[".repeat(200_000).into_bytes(), b"{\"model\":".to_vec()]
    {
        let (status, answer) = post(body).await;
        assert_eq!((status, &answer["error"]["type"]), (400, &json!("invalid_request_error")));
    }
    is_well(&model).await;
}

#[tokio::test]
async fn paths_and_methods_that_no_api_has_are_not_found() {
    let model = server_of(json!([{ "say": "Hi." }]));
    for path in ["/", "/v1", "/v1/", "/v1/responses/../models", "/v1beta/models/x:destroy", "/v1/models/%00"]
    {
        assert_eq!(ask(&model, path, &json!({})).await.0, 404, "{path}");
    }
    let read = reqwest::get(format!("{}/v1/responses", model.url())).await.expect("a response");
    assert_eq!(read.status().as_u16(), 404);
}

#[tokio::test]
async fn a_compressed_body_is_refused_in_words() {
    let model = server_of(json!([{ "say": "Hi." }]));
    let request = reqwest::Client::new().post(format!("{}/v1/responses", model.url()));
    let response = request.header("content-encoding", "zstd").body("x").send().await.expect("a response");
    assert_eq!(response.status().as_u16(), 415);
}

#[tokio::test]
async fn noise_broken_off_requests_and_heads_without_end_leave_the_server_well() {
    let model = server_of(json!([{ "say": "Hi." }]));
    raw(&model, b"\x16\x03\x01\x02\x00\x01\x00").await;
    let half = b"POST /v1/responses HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{";
    raw(&model, half).await;
    let endless = [&b"GET / HTTP/1.1\r\n"[..], &b"x: y\r\n".repeat(100_000)].concat();
    let answer = raw(&model, &endless).await;
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    is_well(&model).await;
}
