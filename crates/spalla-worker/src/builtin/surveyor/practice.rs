//! How a project is worked on, as its files say: checks by machines, the commands that build, test and lint it, its licence,
//! and the documents that a newcomer looks for.

use std::collections::BTreeSet;

use serde::Serialize;
use spalla_domain::recipe::infer::{Surroundings, TEXTS, infer};

use super::paths;
use super::read::{Content, Reader};
use super::walk::TreeFile;

/// How a project is worked on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Practice {
    /// Files that tell a service what to check, by service.
    pub checks: Vec<Document>,
    /// How it is built, tested and linted, as far as its files say.
    pub commands: Vec<Command>,
    /// Licences in the root.
    pub licences: Vec<Licence>,
    /// Documents for people who work on it.
    pub documents: Vec<Document>,
    /// Pages in the folders for documentation.
    pub pages: usize,
}

/// A file of a known kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Document {
    /// What it is.
    pub kind: &'static str,
    /// Path, relative to the root.
    pub path: String,
}

/// A command, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Command {
    /// `build`, `test` or `lint`.
    pub purpose: &'static str,
    /// What to type in the root.
    pub command: String,
}

/// A licence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Licence {
    /// Path, relative to the root.
    pub path: String,
    /// Its short name, where its words are known.
    pub name: Option<&'static str>,
}

/// Bytes read of a licence and of a file that commands are read from.
const BYTES_MAX: u64 = 256 * 1024;
/// Files kept of one kind.
const KEPT_MAX: usize = 100;

/// Services that check, by the places of their files.
const SERVICES: [(&str, &str); 10] = [
    (".github/workflows/", "GitHub Actions"),
    (".gitlab-ci.yml", "GitLab CI"),
    (".circleci/config.yml", "CircleCI"),
    (".travis.yml", "Travis CI"),
    ("azure-pipelines.yml", "Azure Pipelines"),
    ("Jenkinsfile", "Jenkins"),
    ("appveyor.yml", "AppVeyor"),
    (".appveyor.yml", "AppVeyor"),
    (".cirrus.yml", "Cirrus CI"),
    (".pre-commit-config.yaml", "pre-commit"),
];

/// Documents, by the beginnings of their names.
const DOCUMENTS: [(&str, &str); 10] = [
    ("readme", "read-me"),
    ("contributing", "how to contribute"),
    ("changelog", "changes"),
    ("changes", "changes"),
    ("history", "changes"),
    ("security", "how to report a weakness"),
    ("code_of_conduct", "code of conduct"),
    ("codeowners", "owners of code"),
    ("authors", "authors"),
    ("architecture", "architecture"),
];

/// Looks at a tree.
pub(super) fn look(reader: &Reader, listed: &[TreeFile]) -> Practice {
    let paths = || listed.iter().map(|file| file.path.as_str());
    let mut checks: Vec<Document> = paths().filter_map(check).take(KEPT_MAX).collect();
    let mut documents: Vec<Document> = paths().filter_map(document).take(KEPT_MAX).collect();
    checks.sort();
    documents.sort();
    Practice {
        checks,
        commands: commands(reader, listed),
        licences: paths()
            .filter(|path| is_licence(path))
            .take(10)
            .map(|path| licence(reader, path))
            .collect(),
        documents,
        pages: paths().filter(|path| is_page(path)).count(),
    }
}

fn check(path: &str) -> Option<Document> {
    let (_, kind) = SERVICES.iter().find(|(place, _)| {
        let is_within = place.ends_with('/')
            && path.starts_with(place)
            && matches!(paths::extension(path), "yml" | "yaml");
        is_within || path == *place
    })?;
    Some(Document { kind, path: path.to_owned() })
}

fn document(path: &str) -> Option<Document> {
    if !matches!(paths::folder(path), "" | ".github" | "docs" | "doc") {
        return None;
    }
    let name = paths::name(path).to_ascii_lowercase();
    if !matches!(paths::extension(&name), "" | "md" | "rst" | "txt" | "adoc") {
        return None;
    }
    let (_, kind) = DOCUMENTS.iter().find(|(start, _)| name.starts_with(start))?;
    Some(Document { kind, path: path.to_owned() })
}

fn is_page(path: &str) -> bool {
    let is_documentation =
        ["docs/", "doc/", "documentation/", "website/"].iter().any(|folder| path.starts_with(folder));
    is_documentation && matches!(paths::extension(path), "md" | "mdx" | "rst" | "adoc")
}

fn is_licence(path: &str) -> bool {
    let name = path.to_ascii_lowercase();
    !path.contains('/')
        && ["license", "licence", "copying", "unlicense"].iter().any(|start| name.starts_with(start))
        && matches!(paths::extension(&name), "" | "md" | "txt" | "rst" | "mit" | "apache" | "bsd")
}

fn licence(reader: &Reader, path: &str) -> Licence {
    let name = match reader.read(path, BYTES_MAX) {
        Content::Text(text) => named(&text),
        _ => None,
    };
    Licence { path: path.to_owned(), name }
}

/// Knows a licence by words that stand in no other; the narrower ones come first.
fn named(text: &str) -> Option<&'static str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ").to_lowercase();
    let has = |part: &str| text.contains(part);
    let version = |three: &'static str, two: &'static str| if has("version 3") { three } else { two };
    Some(match () {
        () if has("gnu affero general public license") => "AGPL-3.0",
        () if has("gnu lesser general public license") => version("LGPL-3.0", "LGPL-2.1"),
        () if has("gnu general public license") => version("GPL-3.0", "GPL-2.0"),
        () if has("apache license") && has("version 2.0") => "Apache-2.0",
        () if has("mozilla public license") && has("2.0") => "MPL-2.0",
        () if has("boost software license") => "BSL-1.0",
        () if has("released into the public domain") => "Unlicense",
        () if has("redistribution and use in source and binary forms") && has("neither the name") => {
            "BSD-3-Clause"
        }
        () if has("redistribution and use in source and binary forms") => "BSD-2-Clause",
        () if has("permission to use, copy, modify, and/or distribute") => "ISC",
        () if has("permission is hereby granted, free of charge") => "MIT",
        () => return None,
    })
}

/// The commands are those that a run without a recipe would infer, so that the report says what the verifier does.
fn commands(reader: &Reader, listed: &[TreeFile]) -> Vec<Command> {
    let tops: BTreeSet<String> =
        listed.iter().map(|file| file.path.split('/').next().unwrap_or_default().to_owned()).collect();
    let names: Vec<String> = tops.into_iter().collect();
    let text = |name: &str| match reader.read(name, BYTES_MAX) {
        Content::Text(text) if TEXTS.contains(&name) => Some(text),
        _ => None,
    };
    let mut commands: Vec<Command> = Vec::new();
    for purpose in ["build", "test", "lint"] {
        let from =
            Surroundings { title: purpose, labels: &[], names: &names, text: &text, installed: &|_| true };
        for step in infer(&from).map(|inferred| inferred.steps).unwrap_or_default() {
            if !commands.iter().any(|known| known.command == step.run) {
                commands.push(Command { purpose, command: step.run });
            }
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_a_newcomer_looks_for_is_found() {
        let root = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            fs::create_dir_all(root.path().join(path).parent().unwrap()).unwrap();
            fs::write(root.path().join(path), text).unwrap();
            TreeFile { path: path.to_owned(), bytes: text.len() as u64 }
        };
        let listed = [
            put(".github/workflows/ci.yml", "on: push\n"),
            put(".github/CODEOWNERS", "* @a\n"),
            put("Cargo.toml", "[package]\n"),
            put("LICENSE-MIT", "Permission is hereby granted,\nfree of charge, to any person"),
            put("LICENSE", "Apache License\n  Version 2.0, January 2004"),
            put("README.md", "x"),
            put("docs/guide.md", "x"),
            put("src/readme_parser.rs", "x"),
        ];
        let practice = look(&Reader::open(root.path()).unwrap(), &listed);
        let kinds: Vec<_> = practice.documents.iter().map(|one| (one.kind, one.path.as_str())).collect();
        assert_eq!(kinds, [("owners of code", ".github/CODEOWNERS"), ("read-me", "README.md")]);
        assert_eq!(practice.checks.len(), 1);
        let commands: Vec<_> = practice.commands.iter().map(|one| one.command.as_str()).collect();
        assert_eq!(commands, ["cargo build", "cargo test", "cargo clippy --all-targets -- -D warnings"]);
        let licences: Vec<_> = practice.licences.iter().map(|one| one.name).collect();
        assert_eq!(licences, [Some("MIT"), Some("Apache-2.0")]);
        assert_eq!(practice.pages, 1);
    }

    #[test]
    fn licences_are_known_by_their_words() {
        let cases = [
            ("GNU GENERAL PUBLIC LICENSE Version 3", Some("GPL-3.0")),
            ("GNU Lesser General Public License, version 2.1", Some("LGPL-2.1")),
            ("Redistribution and use in source and binary forms … Neither the name of", Some("BSD-3-Clause")),
            ("All rights reserved.", None),
        ];
        for (text, name) in cases {
            assert_eq!(named(text), name, "{text}");
        }
    }
}
