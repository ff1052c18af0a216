//! What is wrong with a request, whatever it asks for.

use crate::raw;
use crate::world::World;
use serde_json::json;

#[tokio::test]
async fn a_path_works_with_and_without_a_slash_at_its_end() {
    let world = World::start().await;
    world.item(json!({})).await;
    for path in
        ["/projects", "/projects/1", "/work-items", "/work-items/1", "/work-items/runs", "/scheduler/queue"]
    {
        assert_eq!(world.get(path).await.json(200), world.get(&format!("{path}/")).await.json(200), "{path}");
    }
    world.send(world.request("POST", "/scheduler/tick/")).await.json(200);
    world.get("/projects//").await.problem(404, "not_found");
}

#[tokio::test]
async fn what_is_not_served_is_a_problem() {
    let world = World::start().await;
    for path in ["/nothing", "/work-items/1/nothing", "/projects/1/vision", "/audits", "/%2e%2e/x", "/%00"] {
        world.get(path).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_know_is_answered_with_those_it_knows() {
    let world = World::start().await;
    let cases = [
        ("PUT", "/projects/", "GET,HEAD,POST"),
        ("POST", "/projects/1", "GET,HEAD,PATCH,DELETE"),
        ("DELETE", "/scheduler/tick", "POST"),
        ("POST", "/health", "GET,HEAD"),
        ("PROPFIND", "/work-items/1/tool-recipe/", "GET,HEAD,POST"),
    ];
    for (method, path, allowed) in cases {
        let answer = world.send(world.request(method, path)).await;
        answer.problem(405, "method_not_allowed");
        let mut given: Vec<&str> = answer.header("allow").split(',').collect();
        let mut allowed: Vec<&str> = allowed.split(',').collect();
        given.sort_unstable();
        allowed.sort_unstable();
        assert_eq!(given, allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn a_head_request_is_answered_like_a_get_without_the_body() {
    let world = World::start().await;
    let answer = world.send(world.request("HEAD", "/projects/")).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    assert_eq!(world.send(world.request("HEAD", "/projects/9")).await.status, 404);
}

#[tokio::test]
async fn a_post_without_a_body_means_an_empty_object() {
    let world = World::start().await;
    world.send(world.request("POST", "/scheduler/tick")).await.json(200);
    world
        .send(world.request("POST", "/scheduler/tick").header("content-type", "application/json"))
        .await
        .json(200);
    assert_eq!(world.send(world.request("POST", "/projects/")).await.invalid(), ["name"]);
}

#[tokio::test]
async fn a_body_has_to_say_that_it_is_json() {
    let world = World::start().await;
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "", "json"]
    {
        let request =
            world.request("POST", "/projects/").header("content-type", kind).body(r#"{"name":"a"}"#);
        world.send(request).await.problem(415, "unsupported_media_type");
    }
    let unnamed = world.request("POST", "/projects/").body(r#"{"name":"a"}"#);
    world.send(unnamed).await.problem(415, "unsupported_media_type");
}

#[tokio::test]
async fn without_a_body_the_content_type_does_not_matter() {
    let world = World::start().await;
    let form =
        world.request("POST", "/scheduler/tick").header("content-type", "application/x-www-form-urlencoded");
    world.send(form).await.json(200);
}

#[tokio::test]
async fn json_that_does_not_parse_is_named_by_line_and_column() {
    let world = World::start().await;
    let send = async |body: &'static [u8]| {
        let request = world.request("POST", "/projects/").header("content-type", "application/json");
        world.send(request.body(body)).await.problem(400, "malformed_json")["errors"][0].clone()
    };
    let error = send(b"{\n  \"name\": \"a\",\n}").await;
    assert_eq!((&error["line"], &error["column"]), (&json!(3), &json!(1)));
    for body in [
        &b"{\"name\": \"a\"} x"[..],
        b"{\"name\": \"\xff\"}",
        b"{\"name\": \"\\ud800\"}",
        b"{\"name\": 1e999}",
        b"\xef\xbb\xbf{}",
    ] {
        assert!(send(body).await["line"].is_number());
    }
}

#[tokio::test]
async fn what_is_no_object_is_refused() {
    let world = World::start().await;
    for body in ["[]", "null", "1", "\"name\""] {
        let request =
            world.request("POST", "/projects/").header("content-type", "application/json").body(body);
        world.send(request).await.problem(422, "invalid");
    }
}

#[tokio::test]
async fn deep_json_is_refused_and_not_followed() {
    let world = World::start().await;
    let (run, token) = world.claimed_run(json!({})).await;
    let path = format!("/work-items/runs/{run}/complete?success=true");
    let nested = |levels: usize| {
        let result = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let body = format!(r#"{{"fencing_token":{token},"result":{result}}}"#);
        world.request("POST", &path).header("content-type", "application/json").body(body)
    };
    for levels in [64, 1_000, 400_000] {
        world.send(nested(levels)).await.problem(422, "invalid");
    }
    world.send(nested(63)).await.json(200);
}

#[tokio::test]
async fn a_body_above_one_mebibyte_is_refused_whether_or_not_it_says_its_length() {
    let world = World::start().await;
    let body = |bytes: usize| format!(r#"{{"name":"{}"}}"#, "x".repeat(bytes - 11));
    let request = |body: String| {
        world.request("POST", "/projects/").header("content-type", "application/json").body(body)
    };
    world.send(request(body(1024 * 1024))).await.problem(422, "invalid");
    world.send(request(body(1024 * 1024 + 1))).await.problem(413, "payload_too_large");
    world.send(request(body(4 * 1024 * 1024))).await.problem(413, "payload_too_large");
    let chunk = format!("{:x}\r\n{}\r\n", 700_000, "x".repeat(700_000));
    let head = format!(
        "POST /projects/ HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n",
        world.address
    );
    let answer = raw::send(&world, format!("{head}{chunk}{chunk}0\r\n\r\n")).await;
    assert_eq!(raw::status(&answer), 413, "{answer}");
}

#[tokio::test]
async fn an_exchange_may_have_eight_mebibytes() {
    let world = World::start().await;
    let request = |bytes: usize| {
        let spaces = " ".repeat(bytes - 17);
        let body = format!(r#"{{{spaces}"worker_id":"w"}}"#);
        world.request("POST", "/scheduler/exchange").header("content-type", "application/json").body(body)
    };
    world.send(request(8 * 1024 * 1024)).await.json(200);
    world.send(request(8 * 1024 * 1024 + 1)).await.problem(413, "payload_too_large");
}

#[tokio::test]
async fn a_query_that_is_not_known_is_refused_on_every_route() {
    let world = World::start().await;
    world.item(json!({})).await;
    for path in
        ["/projects/1", "/work-items/1", "/health", "/metrics", "/openapi.json", "/docs", "/events", "/"]
    {
        assert_eq!(world.get(&format!("{path}?odd=1")).await.invalid(), ["odd"], "{path}");
    }
    for path in ["/projects/", "/scheduler/tick", "/work-items/1/start"] {
        assert_eq!(
            world.post(&format!("{path}?odd=1"), json!({"name": "a"})).await.invalid(),
            ["odd"],
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_request_keeps_its_own_id_if_it_is_sane() {
    let world = World::start().await;
    let id = async |given: &str| {
        let answer = world.send(world.request("GET", "/health").header("x-request-id", given)).await;
        answer.header("x-request-id").to_owned()
    };
    assert_eq!(id("abc-1.2:3").await, "abc-1.2:3");
    for odd in ["", "a b", "<script>", &"x".repeat(129)] {
        let given = id(odd).await;
        assert!(!given.is_empty() && given != odd, "{odd}");
    }
}
