//! Whatever leaves something behind stands in a crash point: a file written, a process born or reaped, a statement, a
//! message. A point's name is a literal that stands once in the source, and one point holds one act.

use super::exceptions::{Exception, OUTSIDE_CRASH_POINTS, covered};
use super::finding::Finding;
use super::rust_source::{Call, PathUse, RustSource};
use super::tree::{File, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// Functions that change the file system, by module and name.
const FILE_PATHS: &[(&str, &str)] = &[
    ("DirBuilder", "new"),
    ("File", "create"),
    ("File", "create_new"),
    ("File", "options"),
    ("NamedTempFile", "new"),
    ("NamedTempFile", "new_in"),
    ("OpenOptions", "new"),
    ("fs", "copy"),
    ("fs", "create_dir"),
    ("fs", "create_dir_all"),
    ("fs", "hard_link"),
    ("fs", "remove_dir"),
    ("fs", "remove_dir_all"),
    ("fs", "remove_file"),
    ("fs", "rename"),
    ("fs", "symlink"),
    ("fs", "write"),
    ("tempfile", "tempdir"),
    ("tempfile", "tempdir_in"),
    ("tempfile", "tempfile"),
    ("tempfile", "tempfile_in"),
];

/// Methods that change the file system, speak on a socket, or run a script on a driver's connection.
const METHODS: &[&str] = &[
    "batch_execute",
    "execute_batch",
    "persist",
    "persist_noclobber",
    "set_len",
    "sync_all",
    "sync_data",
    "tempdir_in",
    "tempfile_in",
    "write_all",
    "write_all_at",
    "write_at",
];

/// Methods that do it only without arguments: a request is sent, a command is spawned; a channel takes what it sends,
/// and a set what it spawns.
const BARE_METHODS: &[&str] = &["send", "spawn"];

/// Methods of a command or child, which elsewhere mean something else.
const PROCESS_METHODS: &[&str] = &["output", "status", "try_wait", "wait", "wait_with_output"];

/// Functions that reap.
const REAPERS: &[&str] = &["wait4", "waitid", "waitpid"];

const BARE: &str = "leaves something behind outside of a crash point: write crash_point!(\"crate.what.act\", …) \
     around it, or enter the file with its reason in xtask/src/tidy/exceptions.rs";

/// One point that a process can be killed at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Point {
    /// The name that is passed at run time.
    pub(crate) name: String,
    /// Where it stands.
    pub(crate) path: String,
    /// At which line.
    pub(crate) line: usize,
}

/// Returns every point of shipped code by its name.
pub(crate) fn points(tree: &Tree) -> Vec<Point> {
    let mut points = Vec::new();
    for (file, rust) in shipped(tree) {
        for point in rust.crash_points.iter().filter(|point| !point.in_test) {
            let names = if point.has_act {
                vec![format!("{}.before", point.name), format!("{}.after", point.name)]
            } else {
                vec![point.name.clone()]
            };
            let of = |name| Point { name, path: file.path.clone(), line: point.line };
            points.extend(names.into_iter().map(of));
        }
    }
    points.sort();
    points
}

/// Finds acts outside of points, points with several acts, and names that are none or not unique.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, OUTSIDE_CRASH_POINTS)
}

fn check_with(tree: &Tree, exceptions: &[Exception]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in shipped(tree) {
        let acts = acts(rust);
        if !covered(exceptions, &file.path) {
            let bare = acts.iter().filter(|act| act.point.is_none());
            findings.extend(bare.map(|act| fault(file, act.line, format!("`{}` {BARE}", act.name))));
        }
        findings.extend(crowded(file, rust, &acts));
    }
    findings.extend(misnamed(tree));
    findings
}

fn shipped(tree: &Tree) -> impl Iterator<Item = (&File, &RustSource)> {
    tree.rust_files()
        .filter(|(file, _)| file.path.starts_with("crates/") && file.path.contains("/src/") && !file.is_test)
}

/// Something that leaves something behind.
struct Act {
    line: usize,
    name: String,
    point: Option<usize>,
}

fn acts(rust: &RustSource) -> Vec<Act> {
    let has_processes = rust.paths.iter().any(|path| path.contains("process", "Command"));
    let paths = rust.paths.iter().filter(|path| !path.in_test && changes_files(path));
    let paths = paths.map(|path| Act { line: path.line, name: path.segments.join("::"), point: path.point });
    let calls = rust.calls.iter().filter(|call| !call.in_test && is_act(call, has_processes));
    let calls = calls.map(|call| Act { line: call.line, name: call.name.clone(), point: call.point });
    paths.chain(calls).collect()
}

fn changes_files(path: &PathUse) -> bool {
    FILE_PATHS.iter().any(|(module, name)| path.contains(module, name))
}

fn is_act(call: &Call, has_processes: bool) -> bool {
    let name = call.name.as_str();
    if REAPERS.contains(&name) {
        return true;
    }
    let is_bare = !call.has_arguments;
    call.is_method
        && (METHODS.contains(&name)
            || is_bare && BARE_METHODS.contains(&name)
            || is_bare && has_processes && PROCESS_METHODS.contains(&name))
}

/// A point around two acts could not be told from one between them.
fn crowded(file: &File, rust: &RustSource, acts: &[Act]) -> Vec<Finding> {
    let count = |index| acts.iter().filter(|act| act.point == Some(index)).count();
    let points = rust.crash_points.iter().enumerate().filter(|(index, _)| count(*index) > 1);
    points
        .map(|(_, point)| {
            fault(file, point.line, format!("`{}` stands around several acts: one each", point.name))
        })
        .collect()
}

fn misnamed(tree: &Tree) -> Vec<Finding> {
    let is_name = |name: &str| {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        name.contains('.') && name.split('.').all(part)
    };
    let mut seen = BTreeMap::new();
    let mut findings = BTreeSet::new();
    for point in points(tree) {
        let Point { name, path, line } = point;
        if !is_name(&name) {
            let message = format!("`{name}` is no name of a crash point: a literal of dotted small words");
            findings.insert(Finding::fault(&path, line, message));
        } else if let Some((other, at)) = seen.insert(name.clone(), (path.clone(), line)) {
            let message = format!("the crash point `{name}` stands in {other}:{at} already");
            findings.insert(Finding::fault(&path, line, message));
        }
    }
    findings.into_iter().collect()
}

fn fault(file: &File, line: usize, message: String) -> Finding {
    Finding::fault(&file.path, line, message)
}

#[cfg(test)]
mod tests {
    use super::{check_with, points};
    use crate::tidy::tree::Tree;

    fn tree(text: &str) -> Tree {
        Tree::of([("crates/a/src/lib.rs", text)])
    }

    fn found(text: &str) -> usize {
        check_with(&tree(text), &[]).len()
    }

    #[test]
    fn an_act_outside_of_a_point_is_found_and_one_inside_passes() {
        for act in [
            "std::fs::rename(a, b)",
            "OpenOptions::new().write(true).open(path)",
            "file.sync_all()",
            "client.batch_execute(\"commit\").await",
            "request.send().await",
            "waitpid(None, None)",
            "paths.for_each(fs::remove_file)",
        ] {
            assert_eq!(found(&format!("fn f() {{ {act}; }}")), 1, "{act}");
            assert_eq!(found(&format!("fn f() {{ crash_point!(\"a.b\", {act})?; }}")), 0, "{act}");
        }
        let reap = |reap: &str| format!("use tokio::process::Command;\nfn f() {{ {reap}; }}");
        assert_eq!(found(&reap("child.wait().await")), 1);
        assert_eq!(found(&reap("crash_point!(\"a.b\", timeout(limit, child.wait()).await)")), 0);
    }

    #[test]
    fn what_only_sounds_like_an_act_passes() {
        for harmless in
            ["channel.send(1)", "set.spawn(task())", "answer.status()", "signals.wait()", "fs::read(path)"]
        {
            assert_eq!(found(&format!("fn f() {{ {harmless}; }}")), 0, "{harmless}");
        }
        assert_eq!(found("#[cfg(test)]\nmod tests { fn f() { fs::write(a, b); } }"), 0);
        assert!(check_with(&Tree::of([("xtask/src/a.rs", "fn f() { fs::write(a, b); }")]), &[]).is_empty());
    }

    #[test]
    fn a_point_has_one_act_and_a_name_of_its_own() {
        assert_eq!(found("fn f() { crash_point!(\"a.b\", { fs::write(a, b)?; fs::rename(a, c) }); }"), 1);
        assert_eq!(found("fn f() { crash_point!(\"a.b\"); }\nfn g() { crash_point!(\"a.b\"); }"), 1);
        assert_eq!(found("fn f() { crash_point!(NAME); }"), 1);
        assert_eq!(found("fn f() { crash_point!(\"a.b\"); crash_point!(\"a.c\"); }"), 0);
    }

    #[test]
    fn the_points_are_listed_as_they_are_passed() {
        let tree = tree("fn f() { spalla_crash::crash_point!(\"a.b\", g()); crash_point!(\"a.a\"); }");
        let names: Vec<String> = points(&tree).into_iter().map(|point| point.name).collect();
        assert_eq!(names, ["a.a", "a.b.after", "a.b.before"]);
    }
}
