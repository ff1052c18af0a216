//! A program of a few lines in another language reads what is published.

use crate::{AT, Rooms};
use std::process::Command;

/// Walks the index, opens every definition, and matches the triggers by `includes` and `RegExp`.
const PROGRAM: &str = r"
const fs = require('fs'), path = require('path'), [dir, text] = process.argv.slice(1);
const index = JSON.parse(fs.readFileSync(path.join(dir, 'index.json'))), triggers = JSON.parse(fs.readFileSync(path.join(dir, 'triggers.json')));
for (const a of index.agents) fs.readFileSync(path.join(dir, a.domain, ...(a.subdomain ? [a.subdomain] : []), `${a.id}.codex.yaml`));
const words = Object.entries(triggers.keywords).filter(([word]) => text.includes(word)).flatMap(([, ids]) => ids);
console.log(JSON.stringify({ agents: index.agents.length, version: index.version, at: index.generatedAt, found: [...new Set([...words, ...triggers.regex.filter(r => new RegExp(r.pattern).test(text)).flatMap(r => r.agents)])].sort(), files: Object.keys(triggers.file_patterns).length }));
";

#[test]
fn a_node_program_of_five_lines_walks_the_index_and_matches_the_triggers() {
    let rooms = Rooms::odd();
    rooms.publish(AT);
    let text = "please check the gdpr consent, and the schemas";
    let ended = Command::new("node")
        .args(["-e", PROGRAM, "--"])
        .arg(rooms.out())
        .arg(text)
        .output()
        .expect("node is installed");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let told: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(
        (&told["agents"], &told["version"], &told["at"]),
        (&crate::fixtures::AGENTS.into(), &1.into(), &AT.into())
    );
    let found: Vec<&str> = told["found"].as_array().unwrap().iter().filter_map(|id| id.as_str()).collect();
    assert!(found.contains(&"colon") && found.contains(&"full"), "{told}");
    assert!(told["files"].as_u64().is_some_and(|files| files > 2), "{told}");
}
