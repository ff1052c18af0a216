//! The stream of events.

use crate::answer::Answer;
use crate::world::World;
use reqwest::Response;
use serde_json::{Value, json};

/// A client that follows the events.
struct Follower {
    response: Response,
    text: String,
}

impl Follower {
    async fn begin(world: &World, query: &str, last: Option<&str>) -> Self {
        let request = world.request("GET", &format!("/events?{query}"));
        let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut follower = Self { response, text: String::new() };
        // The greeting says that the server listens for this client from here on.
        assert!(follower.block().await.starts_with("retry: "));
        follower
    }

    /// Returns the next block of lines.
    async fn block(&mut self) -> String {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return block;
            }
            let chunk = self.response.chunk().await.unwrap().expect("the stream goes on");
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// Returns the next event.
    async fn next(&mut self) -> Value {
        let block = self.block().await;
        let line = |name: &str| {
            block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        let event: Value = serde_json::from_str(&line("data: ")).expect(&block);
        assert_eq!(
            (event["id"].to_string(), event["type"].as_str().unwrap()),
            (line("id: "), line("event: ").as_str())
        );
        event
    }

    async fn types(&mut self, count: usize) -> Vec<String> {
        let mut types = vec![];
        for _ in 0..count {
            types.push(self.next().await["type"].as_str().unwrap().to_owned());
        }
        types
    }
}

#[tokio::test]
async fn a_change_arrives_as_an_event() {
    let world = World::start().await;
    let mut follower = Follower::begin(&world, "", None).await;
    world.project().await;
    assert_eq!(
        follower.next().await,
        json!({"id": 1, "type": "project.created", "timestamp": "2023-11-14T22:13:20.000Z", "project_id": 1,
               "work_item_id": null, "run_id": null, "payload": {"name": "app"}})
    );
}

#[tokio::test]
async fn a_client_that_comes_back_gets_what_it_missed_and_then_what_happens() {
    let world = World::start().await;
    let run = world.pending_run(json!({})).await;
    let everything =
        ["project.created", "work_item.created", "work_item.queued", "work_item.ready", "run.created"];
    let mut all = Follower::begin(&world, "after=0", None).await;
    assert_eq!(all.types(5).await, everything);
    let mut back = Follower::begin(&world, "after=0", Some("3")).await;
    assert_eq!(back.types(2).await, everything[3..]);
    let mut fresh = Follower::begin(&world, "", None).await;
    world.post(&format!("/work-items/runs/{run}/cancel"), json!({})).await.json(200);
    for follower in [&mut all, &mut back, &mut fresh] {
        assert_eq!(follower.types(2).await, ["run.cancelled", "work_item.finished"]);
    }
}

#[tokio::test]
async fn events_are_chosen_by_project_item_run_and_type() {
    let world = World::start().await;
    let first = world.pending_run(json!({})).await;
    let second = world.pending_run(json!({})).await;
    let queries = [
        ("project_id=2&type=project.created", 2, "project.created"),
        ("work_item_id=2&type=work_item.created,work_item.queued", 2, "work_item.created"),
        ("type=run.*", 1, "run.created"),
        ("project_id=2&run_id=2&type=run.created, run.cancelled", 2, "run.created"),
    ];
    for (query, project, kind) in queries {
        let event = Follower::begin(&world, &format!("after=0&{query}"), None).await.next().await;
        assert_eq!((&event["project_id"], &event["type"]), (&json!(project), &json!(kind)), "{query}");
    }
    let mut follower = Follower::begin(&world, &format!("run_id={second}"), None).await;
    for run in [first, second] {
        world.post(&format!("/work-items/runs/{run}/cancel"), json!({})).await.json(200);
    }
    assert_eq!(follower.next().await["run_id"], second);
}

#[tokio::test]
async fn a_refused_host_is_told_of_once_while_its_run_goes_on() {
    for world in World::on_both_stores().await {
        let (run, token) = world.claimed_run(json!({})).await;
        let mut follower = Follower::begin(&world, "type=run.host_refused", None).await;
        let report = async |token: i64, hosts: &[&str]| {
            let host = |host: &&str| json!({"host": host, "port": 443, "reason": "not on the list"});
            let hosts: Vec<_> = hosts.iter().map(host).collect();
            let report = json!({"fencing_token": token, "hosts": hosts});
            world.post(&format!("/work-items/runs/{run}/refused-hosts"), report).await
        };
        assert_eq!(report(token, &["a.test"]).await.status, 204);
        assert_eq!(report(token, &["a.test", "b.test"]).await.status, 204);
        for host in ["a.test", "b.test"] {
            let event = follower.next().await;
            let payload = json!({"host": host, "port": 443, "reason": "not on the list"});
            assert_eq!((&event["run_id"], &event["payload"]), (&json!(run), &payload));
        }
        report(token + 1, &["c.test"]).await.problem(409, "stale_token");
    }
}

#[tokio::test]
async fn no_event_is_missed_or_repeated_at_the_seam() {
    const EVENTS: i64 = 1_500;
    let world = World::start().await;
    let make = async {
        for _ in 0..EVENTS {
            let new = spalla_domain::project::NewProject {
                name: "p".into(),
                description: None,
                repository: None,
                limits: None,
            };
            world.store.execute(spalla_store::Command::CreateProject(new)).await.unwrap();
        }
    };
    let follow = async {
        let (mut seen, mut last) = (vec![], 0);
        // Comes back again and again in the midst of it, each time after the last number it saw.
        while last < EVENTS {
            let mut follower = Follower::begin(&world, "after=0", Some(&last.to_string())).await;
            for _ in 0..(EVENTS - last).min(100) {
                last = follower.next().await["id"].as_i64().unwrap();
                seen.push(last);
            }
        }
        seen
    };
    let ((), seen) = tokio::join!(make, follow);
    assert_eq!(seen, (1..=EVENTS).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_nobody_up_and_misses_nothing() {
    const EVENTS: i64 = 3_000;
    let world = World::start().await;
    let mut slow = Follower::begin(&world, "", None).await;
    let mut quick = Follower::begin(&world, "", None).await;
    let name = "p".repeat(200);
    for _ in 0..EVENTS {
        let new = spalla_domain::project::NewProject {
            name: name.clone(),
            description: None,
            repository: None,
            limits: None,
        };
        world.store.execute(spalla_store::Command::CreateProject(new)).await.unwrap();
    }
    for follower in [&mut quick, &mut slow] {
        for expected in 1..=EVENTS {
            assert_eq!(follower.next().await["id"], expected);
        }
    }
}

#[tokio::test]
async fn an_id_that_was_never_given_out_begins_with_what_happens_now() {
    let world = World::start().await;
    let mut follower = Follower::begin(&world, "", Some("999")).await;
    world.project().await;
    assert_eq!(follower.next().await["id"], 1);
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_its_name() {
    let world = World::start().await;
    let odd = world.request("GET", "/events").header("last-event-id", "x").send().await.unwrap();
    assert_eq!(Answer::read(odd).await.invalid(), ["Last-Event-ID"]);
    assert_eq!(world.get("/events?after=-1").await.invalid(), ["after"]);
    assert_eq!(world.get("/events?run_id=x").await.invalid(), ["run_id"]);
    assert_eq!(world.get("/events?session_id=a%2Fb").await.invalid(), ["session_id"]);
}

#[tokio::test]
async fn a_client_has_a_bounded_number_of_streams() {
    let world = World::start().await;
    let mut open = vec![];
    for _ in 0..64 {
        open.push(Follower::begin(&world, "", None).await);
    }
    world.get("/events").await.problem(429, "too_many_streams");
    assert_eq!(world.get("/health").await.json(200)["details"]["streams"], 64);
    world.project().await;
    for follower in &mut open {
        assert_eq!(follower.next().await["type"], "project.created");
    }
}
