//! What the files of a foreign repository can do to the surveyor.

use super::inspect::{TreeContext, inspect};
use super::manifest;
use super::role::Attributes;
use super::secrets::redact;
use crate::damage::{ODD, damaged, odd_text};
use proptest::prelude::*;
use proptest::sample::select;

const FILES: &[&str] = &[
    "[package]\nname = \"a\"\nversion = \"1.0\"\n[dependencies]\nserde = { version = \"1\", features = [\"derive\"] }\n",
    "{\"name\": \"a\", \"dependencies\": {\"b\": \"^1.2\"}, \"scripts\": {\"test\": \"jest\"}, \"bin\": {\"a\": \"a.js\"}}",
    "//! doc\nuse std::{fmt, io::{self, Read}};\n#[cfg(test)]\nmod tests { #[test] fn a() { assert!(r#\"x\"#.is_empty()); } }\n\
     fn main() { unsafe { /* TODO: é */ } }\n",
    "import os, sys\nfrom . import a\ndef f(x):\n    '''doc'''\n    password = \"hunter2hunter2\"  # FIXME\n    return f\"{x!r}\"\n",
    "<project><dependencies><dependency><groupId>a</groupId><artifactId>b</artifactId></dependency></dependencies></project>",
    "module a/b\n\ngo 1.22\n\nrequire (\n\tc/d v1.0.0 // indirect\n)\n",
    "FROM alpine:3 AS build\nRUN --mount=type=secret make\nENTRYPOINT [\"/a\"]\n",
    "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n      - run: |\n          make\n",
    "#!/usr/bin/env node\nconst a = require('b'); import c from `d`; export default (e) => { /* ] */ return /[/]\\//.test(e) }\n",
    "# A\n\n- [ ] b\n\n```rust\nfn c() {}\n```\n<!-- d -->\n",
];

const PATHS: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "package.json",
    "package-lock.json",
    "yarn.lock",
    "src/main.rs",
    "a.py",
    "setup.py",
    "setup.cfg",
    "pyproject.toml",
    "requirements.txt",
    "Pipfile",
    "pom.xml",
    "build.gradle",
    "libs.versions.toml",
    "go.mod",
    "go.sum",
    "Gemfile",
    "a.gemspec",
    "composer.json",
    "mix.exs",
    "pubspec.yaml",
    "Package.swift",
    "Dockerfile",
    ".github/workflows/ci.yml",
    "a.csproj",
    "a.js",
    "a.tsx",
    "a.go",
    "a.java",
    "a.c",
    "a.h",
    "a.rb",
    "a.php",
    "a.kt",
    "a.cs",
    "a.sh",
    "a.sql",
    "a.html",
    "a.css",
    "a.vue",
    "a.ini",
    "Makefile",
    "README.md",
    "é/\u{202e}x.rs",
    "a",
    "",
];

proptest! {
    #[test]
    fn no_file_of_a_repository_stops_the_survey(
        path in select(PATHS), text in prop_oneof![4 => damaged(FILES), 1 => odd_text()],
        attributes in damaged(&["*.rs linguist-generated\nvendor/** -linguist-vendored\n[attr]x y\n", ""]),
    ) {
        let context = TreeContext { headers_are_cpp: false, attributes: Attributes::parse(&attributes) };
        let facts = inspect(path, &text, &context);
        prop_assert!(facts.lines.code + facts.lines.comment + facts.lines.blank <= text.split('\n').count() + 1);
        manifest::read(path, &text);
        manifest::read_lock(path, Some(&text));
    }

    #[test]
    fn no_secret_of_a_known_shape_is_left_in_an_excerpt(
        secret in prop_oneof!["ghp_[A-Za-z0-9]{36}", "AKIA[A-Z0-9]{16}"],
        (before, after) in (select(ODD), select(ODD)),
    ) {
        for text in [format!("{before} {secret} {after}"), format!("key: \"{secret}\"{after}"), format!("x={secret}\n{after}")] {
            prop_assert!(!redact(&text).contains(&secret), "{:?}", text);
        }
    }

    #[test]
    fn no_password_in_a_url_or_in_quotes_is_left_in_an_excerpt(
        secret in "[A-Za-z0-9]{12,40}", around in select(ODD), name in select(vec!["password", "API_KEY", "db_secret", "token"]),
    ) {
        for text in [
            format!("postgres://me:{secret}@host/db{around}"), format!("{name} = \"{secret}\"{around}"),
            format!("\"{name}\": '{secret}' {around}"),
        ] {
            prop_assert!(!redact(&text).contains(&secret), "{:?} became {:?}", text, redact(&text));
        }
    }
}
