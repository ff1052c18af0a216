//! `POST /api/route`: questions come in as JSON and answers go out; who keeps the agents is somebody else.

use crate::world::{Setup, World};
use serde_json::{Value, json};
use spalla_router::{Agent, Answer, Fleet, Index, Options, Question, Router, Weights};
use spalla_server::{Routing, Unrouted};
use std::sync::Arc;

struct Few(Router);

impl Routing for Few {
    fn route(&self, question: &Question) -> Result<Arc<Answer>, Unrouted> {
        if question.task == "broken" {
            return Err(Unrouted::Unusable("the agents in x: index.json can't be read".into()));
        }
        Ok(self.0.route(question))
    }
}

async fn world() -> World {
    let agent = |id: &str, domain: &str, word: &str, glob: &str| Agent {
        id: id.into(),
        domain: domain.into(),
        keywords: vec![word.into()],
        file_patterns: vec![glob.into()],
        ..Agent::default()
    };
    let agents = vec![agent("a", "web", "docker", "*.go"), agent("b", "data", "docker", "*.sql")];
    let router =
        Router::new(Arc::new(Index::build(Fleet::of(agents), None)), Weights::default(), Options::default());
    World::with(Setup { routing: Arc::new(Few(router)), ..Setup::default() }).await
}

fn ids(answer: &Value) -> Vec<&str> {
    let all = answer["candidates"].as_array().unwrap();
    all.iter().filter_map(|one| one["id"].as_str()).collect()
}

#[tokio::test]
async fn a_question_is_answered_with_what_speaks_for_each() {
    let world = world().await;
    let body = json!({"task": "a docker image", "files": ["src/x.sql"], "top": 2});
    let answer = world.post("/api/route", body).await.json(200);
    assert_eq!(
        (&answer["stage"], ids(&answer), &answer["ambiguous"]),
        (&json!("files"), vec!["b", "a"], &json!(false))
    );
    let best = &answer["candidates"][0];
    let found = json!([{"by": "files", "trigger": "*.sql", "at": 0}, {"by": "keywords", "trigger": "docker", "at": 2}]);
    assert_eq!((&best["matched"], &best["terms"]["penalties"]["load"]), (&found, &json!(0.0)));
    let narrowed = json!({"task": "a docker image", "domain": "web", "top": 1});
    assert_eq!(ids(&world.post("/api/route", narrowed).await.json(200)), ["a"]);
    let excluded = json!({"task": "a docker image", "excluded": ["a"], "tools": ["Bash"]});
    assert_eq!(ids(&world.post("/api/route", excluded).await.json(200)), ["b"]);
}

#[tokio::test]
async fn a_question_that_can_not_be_answered_says_why() {
    let world = world().await;
    for body in
        [json!({}), json!({"task": "  "}), json!({"task": "x", "top": 0}), json!({"task": "x", "top": 51})]
    {
        world.post("/api/route", body).await.problem(422, "invalid");
    }
    let problem = world.post("/api/route", json!({"task": "broken"})).await.problem(409, "no_agents");
    assert!(problem["detail"].as_str().unwrap().contains("index.json"), "{problem}");
    let nobody = World::start().await;
    nobody.post("/api/route", json!({"task": "x"})).await.problem(409, "no_agents");
}

#[tokio::test]
async fn a_question_is_kept_nowhere_not_even_in_the_audit() {
    let world = world().await;
    world.post("/api/route", json!({"task": "a docker image"})).await.json(200);
    world.post("/api/route", json!({"task": "broken"})).await.problem(409, "no_agents");
    assert_eq!(world.get("/audit").await.json(200), json!([]));
}
