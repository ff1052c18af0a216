//! How often the router picks the agent that a person would pick.

use crate::corpus;
use crate::fleets::{Shipped, ids};
use crate::measure::say;
use serde::Deserialize;
use serde_json::json;
use spalla_router::{Fleet, Index, Options, Question, Router, Weights};
use std::sync::Arc;

#[derive(Deserialize)]
struct Task {
    task: String,
    agent: String,
}

pub(crate) fn measure(tasks: &str, folder: &str) {
    let text = std::fs::read_to_string(tasks).expect("the tasks");
    let tasks: Vec<Task> = text.lines().map(|line| serde_json::from_str(line).expect("a task")).collect();
    for by_meaning in [false, true] {
        // What a search by triggers alone, by meaning alone, and by both finds.
        let mut agents = corpus::read(folder);
        run(&tasks, agents.clone(), by_meaning, if by_meaning { "all stages" } else { "without stage 3" });
        if by_meaning {
            agents.iter_mut().for_each(|agent| agent.keywords.clear());
            run(&tasks, agents, true, "names and stage 3 alone");
        }
    }
}

fn run(tasks: &[Task], agents: Vec<spalla_router::Agent>, by_meaning: bool, what: &str) {
    let count = agents.len();
    let index = Arc::new(Index::build(Fleet::of(agents), Some(Arc::new(Shipped))));
    let router = Router::new(index, Weights::default(), Options { by_meaning, ..Options::default() });
    let (mut first, mut among, mut ambiguous, mut stages) = (0, 0, 0, std::collections::BTreeMap::new());
    for task in tasks {
        let answer = router.route(&Question { task: task.task.clone(), ..Question::default() });
        let found = ids(&answer);
        let place = found.iter().position(|id| *id == task.agent);
        first += usize::from(place == Some(0));
        among += usize::from(place.is_some());
        ambiguous += usize::from(answer.ambiguous);
        let entry: &mut (usize, usize) = stages.entry(format!("{:?}", answer.stage)).or_default();
        entry.0 += 1;
        entry.1 += usize::from(place == Some(0));
        if place != Some(0) && std::env::var_os("SHOW_MISSES").is_some() {
            let show: Vec<String> = answer
                .candidates
                .iter()
                .map(|one| {
                    let words: Vec<&str> = one.matched.iter().map(|found| found.trigger.as_str()).collect();
                    format!("{} {} {words:?}", one.id, one.score)
                })
                .collect();
            eprintln!(
                "{:?} {} ({place:?})\n    want {}\n    {}",
                answer.stage,
                task.task,
                task.agent,
                show.join("\n    ")
            );
        }
    }
    say(&json!({
        "metric": "accuracy", "what": what, "agents": count, "tasks": tasks.len(), "top_1": first, "top_3": among,
        "ambiguous": ambiguous, "stages (asked, first)": stages,
    }));
}
