//! From a published folder to the first answer.

use crate::fleets;
use crate::measure::{cpu_ns, round, say};
use serde_json::{Map, Value, json};
use spalla_router::{Fleet, Index, Options, Router, Weights};
use std::path::Path;
use std::sync::Arc;

fn publish(folder: &Path, count: u64) {
    let agents = fleets::large(count);
    let (mut keywords, mut globs): (Map<String, Value>, Map<String, Value>) = Default::default();
    let push = |map: &mut Map<String, Value>, key: &str, id: &str| {
        map.entry(key).or_insert_with(|| json!([])).as_array_mut().expect("a list").push(id.into());
    };
    let mut regexes = Vec::new();
    for agent in &agents {
        agent.keywords.iter().for_each(|word| push(&mut keywords, &word.text, &agent.id));
        agent.file_patterns.iter().take(1).for_each(|glob| push(&mut globs, glob, &agent.id));
        regexes.extend(
            agent
                .regexes
                .iter()
                .map(|one| json!({"pattern": one.pattern, "priority": one.priority, "agents": [agent.id]})),
        );
    }
    let lines: Vec<Value> = agents
        .iter()
        .map(|one| json!({"id": one.id, "name": one.id, "domain": one.domain, "tier": one.tier}))
        .collect();
    let index = json!({"version": 1, "generatedAt": "2026-01-01T00:00:00Z", "digest": "", "keywords": {}, "agents": lines});
    let triggers = json!({"keywords": keywords, "regex": regexes, "file_patterns": globs});
    std::fs::write(folder.join("index.json"), index.to_string()).expect("written");
    std::fs::write(folder.join("triggers.json"), triggers.to_string()).expect("written");
}

pub(crate) fn first_route(count: u64) {
    let folder = std::env::temp_dir().join(format!("route-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    publish(&folder, count);
    let question = &fleets::prompts(1)[0];
    let mut took: Vec<(f64, f64)> = (0..7)
        .map(|_| {
            let (started, before) = (std::time::Instant::now(), cpu_ns());
            let read = |name: &str| std::fs::read(folder.join(name)).expect("published");
            let fleet = Fleet::published(&read("index.json"), &read("triggers.json")).expect("a fleet");
            let index = Arc::new(Index::build(fleet, None));
            let router = Router::new(index, Weights::default(), Options::default());
            drop(router.route(question));
            (round(started.elapsed().as_secs_f64() * 1e3), round((cpu_ns() - before) as f64 / 1e6))
        })
        .collect();
    took.sort_by(|one, other| one.0.total_cmp(&other.0));
    std::fs::remove_dir_all(&folder).expect("removed");
    say(&json!({"metric": "first_route", "agents": count, "wall_ms": took[3].0, "cpu_ms": took[3].1}));
}
