//! `/api/agents`, `/schemas/agent.json` and `/api/aliases`: who is published, by which definitions, and under which names.

use crate::world::{Setup, World};
use serde_json::{Value, json};
use spalla_domain::chosen::{ChosenBy, ChosenDefinition};
use spalla_registry::alias::Alias;
use spalla_registry::registry::Registry;
use spalla_router::{Answer, Question};
use spalla_server::{Choice, Definitions, Routing, Unchosen, Unrouted, Work};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// A definition as it is published.
fn definition(id: &str, domain: &str, tier: &str, more: &str) -> String {
    format!(
        "schema_version: 1\nagent:\n  id: {id}\n  name: The {id}\n  description: Does what {id} does.\n  classification:\n    \
         domain: {domain}\n    tier: {tier}\nprovenance:\n  agent.name: file\n{more}"
    )
}

fn publish(folder: &Path, generated_at: &str, more: &str) {
    let agents = [
        ("reviewer", "quality", "specialist"),
        ("keeper", "quality", "generalist"),
        ("poet", "words", "specialist"),
    ];
    let entries = agents.map(
        |(id, domain, tier)| json!({"id": id, "name": format!("The {id}"), "domain": domain, "tier": tier}),
    );
    let index = json!({"version": 1, "generatedAt": generated_at, "digest": format!("{generated_at}-{}", more.len()), "keywords": {"sql": 1},
        "agents": entries});
    let triggers = json!({"keywords": {"sql": ["reviewer"]}, "regex": [], "file_patterns": {}});
    fs::create_dir_all(folder).unwrap();
    for (id, domain, tier) in agents {
        fs::create_dir_all(folder.join(domain)).unwrap();
        let more = if id == "reviewer" { more } else { "" };
        let text = definition(id, domain, tier, more);
        fs::write(folder.join(domain).join(format!("{id}.codex.yaml")), text).unwrap();
    }
    fs::write(folder.join("triggers.json"), triggers.to_string()).unwrap();
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
}

const AT: &str = "2026-01-01T00:00:00Z";
const BOUNDED: &str = "runtime:\n  autonomy_level: 0.9\n  concurrency:\n    max_parallel_tasks: 1\n";

/// Does everything under one alias.
struct ByAlias;

impl Routing for ByAlias {
    fn route(&self, _: &Question) -> Result<Arc<Answer>, Unrouted> {
        Err(Unrouted::Nobody)
    }

    fn choose(&self, work: &Work) -> Result<Option<Choice>, Unchosen> {
        match work.named.as_deref() {
            Some("codex") => return Ok(None),
            Some("lost") => return Err(Unchosen::Named("there is no agent \"lost\"".into())),
            _ => {}
        }
        let alias = work.named.clone();
        let by = if alias.is_some() { ChosenBy::Pinned } else { ChosenBy::Routed };
        let explanation = alias.is_none().then(|| json!({"stage": "keywords", "task": work.task}));
        let definition = ChosenDefinition {
            id: "reviewer".into(),
            alias,
            digest: "d".into(),
            publication: AT.into(),
            by,
            ambiguous: false,
            stands_in: None,
            explanation,
            instructions: "You review.".into(),
        };
        Ok(Some(Choice { agent: "codex".into(), definition, policy: None }))
    }
}

struct Place {
    world: World,
    folder: TempDir,
    registry: Arc<Registry>,
}

impl Place {
    async fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        publish(folder.path(), AT, BOUNDED);
        let registry = Arc::new(Registry::serve(folder.path()));
        let fixed = Alias { id: "poet".into(), overrides: Value::Null, domain: None };
        let configured = BTreeMap::from([("fixed".to_owned(), fixed)]);
        let definitions = Definitions::new(registry.clone(), configured);
        let setup = Setup { definitions, routing: Arc::new(ByAlias), ..Setup::default() };
        Self { world: World::with(setup).await, folder, registry }
    }
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn agents_are_listed_by_domain_tier_and_text_page_by_page() {
    let place = Place::make().await;
    let world = &place.world;
    let all = world.get("/api/agents?count=true").await;
    assert_eq!((all.header("x-total-count"), all.header("x-agents-digest").is_empty()), ("3", false));
    let all = all.json(200);
    assert_eq!(ids(&all), ["reviewer", "keeper", "poet"]);
    let first = &all[0];
    assert_eq!(
        (&first["name"], &first["classification"]["domain"], &first["smoke_gate"], &first["provenance"]),
        (&json!("The reviewer"), &json!("quality"), &json!("none"), &json!({"file": 1}))
    );
    for (query, found) in [
        ("domain=quality", vec!["reviewer", "keeper"]),
        ("tier=generalist", vec!["keeper"]),
        ("q=POET", vec!["poet"]),
        ("q=sql", vec!["reviewer"]),
        ("domain=quality&limit=1&offset=1", vec!["keeper"]),
        ("domain=nobody", vec![]),
    ] {
        assert_eq!(ids(&world.get(&format!("/api/agents?{query}")).await.json(200)), found, "{query}");
    }
    assert_eq!(world.get("/api/agents/state").await.json(200), json!([]), "what they do stays where it was");
    let none = World::start().await;
    assert_eq!(
        ids(&none.get("/api/agents").await.json(200)),
        ["codex-architect", "codex-codegen", "codex-integration"]
    );
}

#[tokio::test]
async fn a_definition_is_shown_read_or_to_the_byte() {
    let Place { world, folder, .. } = Place::make().await;
    let shown = world.get("/api/agents/reviewer").await.json(200);
    assert_eq!(
        (&shown["agent"]["id"], &shown["runtime"]["autonomy_level"]),
        (&json!("reviewer"), &json!(0.9))
    );
    let text = fs::read_to_string(folder.path().join("quality/reviewer.codex.yaml")).unwrap();
    let raw = world.bare("GET", "/api/agents/reviewer?raw=true").send().await.unwrap();
    assert_eq!(raw.headers()["content-type"], "application/yaml");
    assert_eq!(raw.text().await.unwrap(), text);
    let accepted =
        world.bare("GET", "/api/agents/reviewer").header("accept", "application/yaml").send().await;
    assert_eq!(accepted.unwrap().text().await.unwrap(), text);
    world.get("/api/agents/nobody").await.problem(404, "not_found");
    let schema = world.bare("GET", "/schemas/agent.json").send().await.unwrap();
    assert_eq!(schema.headers()["content-type"], "application/schema+json");
    assert_eq!(schema.json::<Value>().await.unwrap()["$id"], "/schemas/agent.json");
}

#[tokio::test]
async fn what_is_refused_leaves_what_served_and_is_said_with_the_list() {
    let Place { world, folder, registry } = Place::make().await;
    // Its definition was read before, so that it serves on.
    world.get("/api/agents/reviewer").await.json(200);
    publish(folder.path(), "2025-01-01T00:00:00Z", "");
    assert!(registry.reload(|_, _| Ok(())).is_err());
    let list = world.get("/api/agents").await;
    assert!(list.header("x-agents-refused").contains("older"), "{}", list.header("x-agents-refused"));
    publish(folder.path(), "2026-01-02T00:00:00Z", "testing:\n  smoke: \"false\"\n");
    let reloaded = registry.reload(|_, _| Err("it failed".into())).unwrap();
    assert_eq!((reloaded.held[0].id.as_str(), registry.refused()), ("reviewer", None));
    let list = world.get("/api/agents").await;
    assert_eq!(list.header("x-agents-refused"), "");
    assert_eq!(list.json(200)[0]["smoke_gate"], "failed");
    assert_eq!(world.get("/api/agents/reviewer").await.json(200)["runtime"]["autonomy_level"], 0.9);
}

#[tokio::test]
async fn an_alias_says_some_fields_otherwise_and_the_agent_stays_as_it_is() {
    let place = Place::make().await;
    let world = &place.world;
    let wish = |level: f64| json!({"name": "careful", "id": "reviewer", "overrides": {"runtime": {"autonomy_level": level}}});
    let made = world.post("/api/aliases", wish(0.2)).await.json(201);
    assert_eq!(
        (&made["id"], &made["configured"], &made["problem"]),
        (&json!("reviewer"), &json!(false), &Value::Null)
    );
    world.post("/api/aliases", wish(0.3)).await.json(200);
    let level = async |id: &str| {
        world.get(&format!("/api/agents/{id}")).await.json(200)["runtime"]["autonomy_level"].clone()
    };
    assert_eq!((level("careful").await, level("reviewer").await), (json!(0.3), json!(0.9)));
    let listed = world.get("/api/aliases?count=true").await;
    assert_eq!(listed.header("x-total-count"), "2");
    let names: Vec<Value> =
        listed.json(200).as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["fixed", "careful"]);
    world.delete("/api/aliases/careful").await;
    world.get("/api/agents/careful").await.problem(404, "not_found");
    world.delete("/api/aliases/careful").await.problem(404, "not_found");
}

#[tokio::test]
async fn an_alias_that_can_not_be_is_refused_with_its_reason() {
    let place = Place::make().await;
    let world = &place.world;
    world.post("/api/aliases", json!({"name": "a", "id": "nobody"})).await.problem(404, "not_found");
    for (wish, path) in [
        (
            json!({"name": "a", "id": "reviewer", "overrides": {"runtime": {"autonomy_level": 7}}}),
            "overrides",
        ),
        (json!({"name": "a", "id": "reviewer", "overrides": {"agent": {"id": "b"}}}), "overrides"),
        (json!({"name": "a", "id": "reviewer", "overrides": {"colour": 1}}), "overrides"),
        (json!({"name": "poet", "id": "reviewer"}), "name"),
    ] {
        let problem = world.post("/api/aliases", wish.clone()).await.problem(422, "invalid");
        assert_eq!(problem["errors"][0]["path"], path, "{wish}: {problem}");
    }
    world
        .post("/api/aliases", json!({"name": "fixed", "id": "reviewer"}))
        .await
        .problem(409, "alias_configured");
    world.delete("/api/aliases/fixed").await.problem(409, "alias_configured");
}

#[tokio::test]
async fn work_is_done_by_the_definition_that_is_named_or_found_and_keeps_why() {
    let place = Place::make().await;
    let world = &place.world;
    let project = world.project().await;
    let make = async |body: Value| world.post("/work-items/", body).await;
    let routed =
        make(json!({"project_id": project, "title": "mend it", "prompt": "the sql", "executor": "agent"}))
            .await
            .json(201);
    let definition = &routed["definition"];
    assert_eq!(
        (&routed["agent"], &definition["id"], &definition["by"]),
        (&json!("codex"), &json!("reviewer"), &json!("routed"))
    );
    assert_eq!(definition["explanation"], json!({"stage": "keywords", "task": "mend it\n\nthe sql"}));
    assert!(definition.get("instructions").is_none(), "only whoever carries it out is told: {definition}");
    let plain = make(json!({"project_id": project, "title": "a", "executor": "agent", "agent": "codex"}))
        .await
        .json(201);
    assert_eq!(plain["definition"], Value::Null);
    make(json!({"project_id": project, "title": "a", "executor": "agent", "agent": "lost"}))
        .await
        .problem(422, "invalid");
    let many = json!([{"project_id": project, "title": "a", "executor": "agent", "agent": "careful"}]);
    let id = world.post("/work-items/bulk", many).await.json(201)[0].clone();
    let item = world.get(&format!("/work-items/{id}")).await.json(200);
    assert_eq!(
        (&item["definition"]["alias"], &item["labels"]),
        (&json!("careful"), &json!(["alias:careful"]))
    );
    let changed = world.patch(&format!("/work-items/{id}"), json!({"agent": "codex"})).await.json(200);
    assert_eq!((&changed["definition"], &changed["labels"]), (&Value::Null, &json!([])));
}

#[tokio::test]
async fn what_waits_for_an_alias_is_bounded_by_how_much_it_does_at_a_time() {
    let place = Place::make().await;
    let world = &place.world;
    world.post("/api/aliases", json!({"name": "careful", "id": "reviewer"})).await.json(201);
    let project = world.project().await;
    let make = async || {
        let body = json!({"project_id": project, "title": "a", "executor": "agent", "agent": "careful"});
        world.item(body).await
    };
    let first = world
        .claimed_run(json!({"project_id": project, "title": "a", "executor": "agent", "agent": "careful"}))
        .await;
    world.complete(first.0, first.1).await;
    world.clock.advance(1_000);
    let waiting = make().await;
    world.enqueue(waiting).await;
    for _ in 1..10 {
        world.enqueue(make().await).await;
    }
    let last = make().await;
    let refused = world.post("/scheduler/enqueue", json!({"work_item_id": last})).await;
    assert!(!refused.header("retry-after").is_empty());
    let problem = refused.problem(429, "alias_queue_full");
    assert!(problem["detail"].as_str().unwrap().contains("careful"), "{problem}");
    let many = json!([{"work_item_id": last}]);
    world.post("/scheduler/enqueue/bulk", many).await.problem(429, "alias_queue_full");
    let again = json!({"work_item_id": last});
    world.post("/scheduler/requeue/work-item", again).await.problem(429, "alias_queue_full");
    let path = format!("/scheduler/requeue/run/{}", first.0);
    world.post(&path, json!({})).await.problem(429, "alias_queue_full");
    // What waits already takes no more room.
    world.post("/scheduler/enqueue", json!({"work_item_id": waiting})).await.json(201);
    let other =
        world.item(json!({"project_id": project, "title": "a", "executor": "agent", "agent": "codex"})).await;
    world.enqueue(other).await;
}
