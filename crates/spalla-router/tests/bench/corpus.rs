//! People's agent files, read as plainly as can be: the front matter's name and description, the folder as domain, and words
//! that few have as keywords.

use spalla_router::{Agent, Details, Keyword};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Words that say nothing.
const SILENT: &str = "a about across after against all also an and any are as at be been before being best between both but by \
    can do does during each etc ensure ensures every for from get give has have how if in including into invoke is it its like \
    make makes many more most need needs new not of on one only or other our out over own per so some such than that the their \
    them then these they this those through to turn turns up use used user users uses using via want wants we what when where \
    which while who will with within without work works you your agent expert specialist specializing master masters senior \
    professional comprehensive complete designing building implementing optimizing requiring require requires developing";
/// How many keywords an agent has.
const KEYWORDS_MAX: usize = 16;

struct File {
    id: String,
    name: String,
    domain: String,
    description: String,
}

pub(crate) fn read(folder: &str) -> Vec<Agent> {
    let mut files = Vec::new();
    walk(Path::new(folder), &mut files);
    files.sort_by(|one, other| one.id.cmp(&other.id));
    let silent: BTreeSet<&str> = SILENT.split_whitespace().collect();
    let told = |file: &File| terms(&format!("{} . {}", file.name, file.description), &silent);
    let all: Vec<Vec<String>> = files.iter().map(told).collect();
    let mut having: BTreeMap<&str, usize> = BTreeMap::new();
    for terms in &all {
        for term in terms.iter().map(String::as_str).collect::<BTreeSet<_>>() {
            *having.entry(term).or_default() += 1;
        }
    }
    files.iter().zip(&all).map(|(file, terms)| agent(file, terms, &having, files.len())).collect()
}

fn agent(file: &File, terms: &[String], having: &BTreeMap<&str, usize>, all: usize) -> Agent {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    terms.iter().for_each(|term| *counts.entry(term).or_default() += 1);
    let name = file.name.to_lowercase().replace('-', " ");
    let worth = |term: &str, count: usize| {
        let in_name = if name.split_whitespace().any(|word| word == term) { 3.0 } else { 1.0 };
        (1.0 + (count as f64).ln()) * (all as f64 / having[term] as f64).ln() * in_name
    };
    let mut ranked: Vec<(&str, f64)> =
        counts.iter().map(|(term, count)| (*term, worth(term, *count))).collect();
    ranked.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(other.0)));
    let keywords = ranked.into_iter().take(KEYWORDS_MAX).map(|(term, _)| Keyword::from(term)).collect();
    Agent {
        id: file.id.clone(),
        name: file.name.clone(),
        domain: file.domain.clone(),
        tier: "specialist".into(),
        keywords,
        details: Details { description: file.description.clone(), ..Details::default() },
        ..Agent::default()
    }
}

/// Returns the words that say something, and each two of them that stand side by side.
fn terms(text: &str, silent: &BTreeSet<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for part in text.to_lowercase().split(['.', ',', ';', ':', '(', ')', '—', '"', '\'']) {
        let mut before: Option<String> = None;
        for word in part.split(|letter: char| !letter.is_alphanumeric() && letter != '+' && letter != '#') {
            if word.len() < 2 || silent.contains(word) {
                before = None;
                continue;
            }
            found.extend(before.map(|before| format!("{before} {word}")));
            found.push(word.to_owned());
            before = Some(word.to_owned());
        }
    }
    found
}

fn walk(folder: &Path, files: &mut Vec<File>) {
    for entry in std::fs::read_dir(folder).expect("the corpus").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            walk(&entry, files);
        } else if entry.extension().is_some_and(|end| end == "md") {
            let text = std::fs::read_to_string(&entry).expect("text");
            files.extend(front_matter(&entry, &text));
        }
    }
}

fn front_matter(path: &Path, text: &str) -> Option<File> {
    let head = text.strip_prefix("---\n")?.split("\n---").next()?;
    let field = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.map(|value| value.trim().trim_matches('"').to_owned())
    };
    let part = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    Some(File {
        id: path.file_stem()?.to_string_lossy().into_owned(),
        name: field("name")?,
        domain: part(path.parent()?)?,
        description: field("description")?,
    })
}
