//! What the walls must not stop: ordinary builds, with whatever tools this machine has.

use super::arena::{Arena, Said, Who, command, everybody, words};
use serde_json::json;

/// Runs a build inside, as everybody for whom the tool works outside.
fn build(tool: &str, asked: &str, files: &[(&str, &str)], script: &str, check: impl Fn(&Arena, &Said)) {
    for who in everybody().into_iter().filter(|who| works(*who, tool, asked)) {
        let arena = Arena::new(who);
        for (name, text) in files {
            arena.plant(name, text);
        }
        let said = arena.run_inside(&words(&["/bin/sh", "-c", script]), &json!({}));
        assert_eq!(said.code, Some(0), "{tool} as {who:?}: {said:?}");
        check(&arena, &said);
    }
}

fn works(who: Who, tool: &str, asked: &str) -> bool {
    let mut asking = command(who, "/usr/bin/env");
    asking.args([tool, asked]).output().is_ok_and(|output| output.status.success())
}

#[test]
fn cargo_builds_and_tests_a_crate_without_a_network() {
    let files = [
        ("Cargo.toml", "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
        ("src/lib.rs", "#[test]\nfn works() { assert_eq!(1 + 1, 2); }\n"),
    ];
    build("cargo", "--version", &files, "cargo test --offline 2>&1", |arena, said| {
        assert!(said.stdout.contains("1 passed"), "{said:?}");
        assert!(arena.workspace.join("target/debug").is_dir());
    });
}

#[test]
fn npm_runs_a_script() {
    let files = [(
        "package.json",
        "{ \"name\": \"tiny\", \"scripts\": { \"hello\": \"node -e 'console.log(6 * 7)'\" } }",
    )];
    build("npm", "--version", &files, "npm run hello 2>&1", |_, said| {
        assert!(said.stdout.contains("42"), "{said:?}")
    });
}

#[test]
fn python_runs_its_tests() {
    let text = "import unittest\nclass T(unittest.TestCase):\n    def test_works(self):\n        self.assertEqual(1 + 1, 2)\n";
    build("python3", "--version", &[("test_tiny.py", text)], "python3 -m unittest 2>&1", |_, said| {
        assert!(said.stdout.contains("OK"), "{said:?}");
    });
}

#[test]
fn make_compiles_a_program() {
    let files = [
        ("Makefile", "all: tiny\n\t./tiny\n"),
        ("tiny.c", "#include <stdio.h>\nint main(void) { puts(\"compiled\"); }\n"),
    ];
    build("cc", "--version", &files, "make 2>&1", |_, said| {
        assert!(said.stdout.contains("compiled"), "{said:?}")
    });
}

#[test]
fn git_commits() {
    let script = "git init -q . && git add file && git -c user.name=a -c user.email=a@b commit -q -m one && git log --oneline && git status --short";
    build("git", "--version", &[("file", "x")], script, |arena, said| {
        assert_eq!(said.stdout.lines().count(), 1, "{said:?}");
        assert!(arena.workspace.join(".git/HEAD").is_file());
    });
}
