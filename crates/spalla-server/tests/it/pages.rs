//! The start page and the interactive documentation.

use crate::world::World;
use serde_json::json;

#[tokio::test]
async fn the_start_page_shows_queue_and_runs_without_any_script() {
    let world = World::start().await;
    let empty = world.get("/").await;
    assert_eq!((empty.status, empty.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(empty.text.contains("href=\"/docs\"") && empty.text.contains("None yet"));

    world.pending_run(json!({"title": "<script>alert(1)</script>"})).await;
    let page = world.get("/").await;
    assert!(page.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !page.text.contains("<script"));
    assert!(
        page.text.contains("href=\"/work-items/runs/1\"") && page.text.contains("<td>pending"),
        "{}",
        page.text
    );
    assert!(page.header("content-security-policy").starts_with("default-src 'none';"));
}

#[tokio::test]
async fn the_documentation_comes_whole_out_of_this_server() {
    let world = World::start().await;
    for path in ["/docs", "/docs/"] {
        let page = world.get(path).await;
        assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
        assert!(!page.text.contains("http") && !page.text.contains("<script>"), "{}", page.text);
        let policy = page.header("content-security-policy");
        assert!(policy.contains("script-src 'self';") && policy.contains("connect-src 'self';"), "{policy}");
        for file in page.text.split('"').filter(|text| text.starts_with("/docs/")) {
            assert_eq!(world.get(file).await.status, 200, "{file}");
        }
    }
    let start = world.get("/docs/swagger-initializer.js").await;
    assert!(
        start.text.contains("/openapi.json") && start.text.contains("\"validatorUrl\": \"none\""),
        "{}",
        start.text
    );
    world.get("/docs/nothing.js").await.problem(404, "not_found");
    world.get("/docs/..%2fCargo.toml").await.problem(404, "not_found");
}
