//! How often the router picks the agent that a person would pick, of what `spalla convert` published of people's files.

use crate::fleets::{Shipped, ids};
use crate::measure::say;
use serde::Deserialize;
use serde_json::{Value, json};
use spalla_embedding::Embedding;
use spalla_router::{Details, Fleet, Index, Options, Question, Router, Source, Told, Weights};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A task, and the file of the agent that a person would pick, without its folder and end.
#[derive(Deserialize)]
struct Task {
    task: String,
    agent: String,
}

/// Answers the tasks of a file with the agents of a published folder, with stage 3 and without.
pub(crate) fn measure(tasks: &str, folder: &str) {
    let text = std::fs::read_to_string(tasks).expect("the tasks");
    let tasks: Vec<Task> = text.lines().map(|line| serde_json::from_str(line).expect("a task")).collect();
    let published = Published(folder.into());
    let files = published.files();
    for task in tasks.iter().filter(|task| !files.values().any(|file| *file == task.agent)) {
        panic!("nobody is published of {}.md", task.agent);
    }
    for by_meaning in [false, true] {
        run(&tasks, &published, &files, by_meaning);
    }
}

fn run(tasks: &[Task], published: &Published, files: &BTreeMap<String, String>, by_meaning: bool) {
    let read = |name: &str| std::fs::read(published.0.join(name)).expect("published");
    let fleet = Fleet::published(&read("index.json"), &read("triggers.json")).expect("a fleet");
    let index = Arc::new(Index::build(fleet, Some(Arc::new(published.clone()))));
    let router = Router::new(index, Weights::default(), Options { by_meaning, ..Options::default() });
    let (mut first, mut among, mut ambiguous) = (0, 0, 0);
    let mut stages: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for Task { task, agent } in tasks {
        let answer = router.route(&Question { task: task.clone(), ..Question::default() });
        let place = ids(&answer).iter().position(|id| files[*id] == *agent);
        first += usize::from(place == Some(0));
        among += usize::from(place.is_some());
        ambiguous += usize::from(answer.ambiguous);
        let entry = stages.entry(format!("{:?}", answer.stage)).or_default();
        *entry = (entry.0 + 1, entry.1 + usize::from(place == Some(0)));
        if place != Some(0) && std::env::var_os("SHOW_MISSES").is_some() {
            eprintln!("{:?} {task} ({place:?})\n    want {agent}", answer.stage);
            for one in &answer.candidates {
                let words: Vec<&str> = one.matched.iter().map(|found| found.trigger.as_str()).collect();
                eprintln!("    {} {} {words:?}", one.id, one.score);
            }
        }
    }
    let what = if by_meaning { "all stages" } else { "without stage 3" };
    say(&json!({
        "metric": "accuracy", "what": what, "agents": files.len(), "tasks": tasks.len(), "top_1": first, "top_3": among,
        "ambiguous": ambiguous, "stages (asked, first)": stages,
    }));
}

/// A folder that `spalla convert` wrote.
#[derive(Clone)]
struct Published(PathBuf);

impl Published {
    fn text(&self, told: Told<'_>) -> Result<String, String> {
        let Told { id, domain, subdomain } = told;
        let place = self.0.join(domain).join(subdomain).join(format!("{id}.codex.yaml"));
        std::fs::read_to_string(place).map_err(|error| error.to_string())
    }

    /// Returns of each agent which file it was made of, without its folder and end.
    fn files(&self) -> BTreeMap<String, String> {
        let index = std::fs::read(self.0.join("index.json")).expect("an index");
        let index: Value = serde_json::from_slice(&index).expect("an index");
        let entries = index["agents"].as_array().expect("agents");
        let file = |entry: &Value| {
            let field = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let (id, domain, subdomain) = (field("id"), field("domain"), field("subdomain"));
            let text = self.text(Told { id: &id, domain: &domain, subdomain: &subdomain }).expect("an agent");
            let line = text.lines().next().expect("a line that names the source");
            let path = line.rsplit(" from ").next().and_then(|rest| rest.split(": ").next());
            let stem = Path::new(path.expect("a path")).file_stem().expect("a name").to_string_lossy();
            (id, stem.into_owned())
        };
        entries.iter().map(file).collect()
    }
}

impl Source for Published {
    fn details(&self, agent: Told<'_>) -> Result<Details, String> {
        Details::parse(&self.text(agent)?)
    }

    fn embedding(&self) -> Result<Arc<Embedding>, String> {
        Shipped.embedding()
    }
}
