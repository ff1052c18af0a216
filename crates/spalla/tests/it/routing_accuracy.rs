//! How often the router picks the agent that a person would pick: of the files that people wrote, as they are converted and published
//! here, for the tasks of `bench/route`. The floors stand a little below what is reached, so that they tell of what is lost.

use serde::Deserialize;
use spalla_embedding::Embedding;
use spalla_registry::convert::{self, Memory};
use spalla_registry::publish;
use spalla_router::{Details, Fleet, Index, Options, Question, Router, Source, Told, Weights};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

/// The files, each a line with its path and its text.
const CORPUS: &[u8] = include_bytes!("../../../../bench/route/corpus/agents.jsonl.zst");
/// The tasks by which the converter was made better.
const TASKS: &str = include_str!("../../../../bench/route/tasks.jsonl");
/// Those by which it was not.
const HELD_OUT: &str = include_str!("../../../../bench/route/held_out.jsonl");
/// Those that were written before scores knew ranks, in other words than the files'.
const FRESH: &str = include_str!("../../../../bench/route/fresh.jsonl");
const AT: &str = "2026-01-01T00:00:00Z";

#[derive(Deserialize)]
struct File {
    path: String,
    text: String,
}

/// A task, and the file of the agent that a person would pick, without its folder and end.
#[derive(Deserialize)]
struct Task {
    task: String,
    agent: String,
}

/// What is published of the corpus.
struct Published {
    _room: tempfile::TempDir,
    folder: PathBuf,
    /// Of each agent the file that it was made of, as a task names it.
    files: BTreeMap<String, String>,
}

static PUBLISHED: LazyLock<Arc<Published>> = LazyLock::new(|| {
    let room = tempfile::tempdir().expect("a folder");
    let (sources, folder) = (room.path().join("sources"), room.path().join("published"));
    let text = zstd::decode_all(CORPUS).expect("the corpus");
    for line in String::from_utf8(text).expect("UTF-8").lines() {
        let File { path, text } = serde_json::from_str(line).expect("a file");
        let place = sources.join(path);
        fs::create_dir_all(place.parent().expect("a folder")).expect("its folder");
        fs::write(place, text).expect("written");
    }
    let mut memory = Memory::default();
    let read = convert::read(&sources, None, 1, &mut memory).expect("read");
    let converted = convert::convert(&read, AT, 1, &mut memory);
    publish::publish(&converted.files, &folder).expect("published");
    let stem = |path: &str| Path::new(path).file_stem().expect("a name").to_string_lossy().into_owned();
    let file = |(id, definition): (&String, &Arc<spalla_registry::definition::Definition>)| {
        let source = definition.source().expect("a source");
        (id.clone(), stem(source["path"].as_str().expect("a path")))
    };
    let files = converted.definitions.iter().map(file).collect();
    Arc::new(Published { _room: room, folder, files })
});

/// The details of published agents, and the table that is shipped.
struct Files(Arc<Published>);

impl Source for Files {
    fn details(&self, Told { id, domain, subdomain }: Told<'_>) -> Result<Details, String> {
        let place = self.0.folder.join(domain).join(subdomain).join(format!("{id}.codex.yaml"));
        Details::parse(&fs::read_to_string(place).map_err(|error| error.to_string())?)
    }

    fn embedding(&self) -> Result<Arc<Embedding>, String> {
        let table = include_bytes!("../../../spalla-embedding/assets/minilm-256.bin");
        Embedding::load(table).map(Arc::new).map_err(|error| error.to_string())
    }
}

/// Returns for how many tasks the best is right, and for how many one of the three.
fn right(tasks: &str, by_meaning: bool) -> (usize, usize) {
    let published = Arc::clone(&PUBLISHED);
    let read = |name: &str| fs::read(published.folder.join(name)).expect("published");
    let fleet = Fleet::published(&read("index.json"), &read("triggers.json")).expect("a fleet");
    let index = Index::build(fleet, Some(Arc::new(Files(Arc::clone(&published)))));
    let options = Options { by_meaning, ..Options::default() };
    let router = Router::new(Arc::new(index), Weights::default(), options);
    let (mut first, mut among) = (0, 0);
    for line in tasks.lines() {
        let Task { task, agent } = serde_json::from_str(line).expect("a task");
        assert!(published.files.values().any(|file| *file == agent), "nobody is published of {agent}.md");
        let answer = router.route(&Question { task, ..Question::default() });
        let place = answer.candidates.iter().position(|one| published.files[&one.id] == agent);
        first += usize::from(place == Some(0));
        among += usize::from(place.is_some());
    }
    (first, among)
}

#[test]
fn the_agent_that_a_person_would_pick_is_picked_with_meanings_and_without() {
    for by_meaning in [true, false] {
        for (tasks, (first_min, among_min)) in [(TASKS, (49, 51)), (HELD_OUT, (22, 26)), (FRESH, (15, 22))] {
            let (first, among) = right(tasks, by_meaning);
            assert!(
                first >= first_min && among >= among_min,
                "{first} and {among} of {}, by meaning: {by_meaning}",
                tasks.lines().count()
            );
        }
    }
}
