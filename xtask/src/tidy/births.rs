//! Nothing is fire-and-forget: processes and async tasks are born only where somebody owns them.

use super::exceptions::{Exception, PROCESS_BIRTHPLACES, TASK_BIRTHPLACES, covered};
use super::finding::Finding;
use super::rust_source::{PathUse, RustSource};
use super::tree::{File, Tree};

const PROCESS: &str = "a process is born outside the sandbox: go through spalla-worker's sandbox, \
     or enter the file with its reason in xtask/src/tidy/exceptions.rs";
const TASK: &str = "a task without an owner: use a JoinSet or the supervisor that awaits or aborts it, \
     or enter the file with its reason in xtask/src/tidy/exceptions.rs";

/// Finds processes and tasks made outside their birthplaces; tests are free to make both.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, PROCESS_BIRTHPLACES, TASK_BIRTHPLACES)
}

fn check_with(tree: &Tree, process_places: &[Exception], task_places: &[Exception]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, rust) in tree.rust_files().filter(|(file, _)| !file.is_test) {
        if !covered(process_places, &file.path) {
            findings.extend(report(file, rust, PROCESS, |path| makes_process(path, rust)));
        }
        if !covered(task_places, &file.path) {
            findings.extend(report(file, rust, TASK, makes_task));
        }
    }
    findings
}

fn report(
    file: &File,
    rust: &RustSource,
    message: &str,
    is_birth: impl Fn(&PathUse) -> bool,
) -> Vec<Finding> {
    let births = rust.paths.iter().filter(|path| !path.in_test && is_birth(path));
    births.map(|path| Finding::fault(&file.path, path.line, message)).collect()
}

/// `Command` alone says nothing, argument parsers have one too: what counts is where the name comes from.
fn makes_process(path: &PathUse, rust: &RustSource) -> bool {
    let imported = |name: &str| {
        rust.paths.iter().any(|import| {
            import.contains("process", "Command")
                && import.segments.ends_with(&["Command".to_owned()])
                && import.alias.as_deref().unwrap_or("Command") == name
        })
    };
    match path.segments.as_slice() {
        [.., module, name, verb] if verb == "new" && module == "process" && name == "Command" => true,
        [name, verb] if verb == "new" => imported(name),
        _ => path.contains("unistd", "fork"),
    }
}

fn makes_task(path: &PathUse) -> bool {
    path.contains("tokio", "spawn") || path.contains("task", "spawn")
}

#[cfg(test)]
mod tests {
    use super::{check, check_with};
    use crate::tidy::exceptions::Exception;
    use crate::tidy::tree::Tree;

    fn lines_found(text: &str) -> Vec<String> {
        let found = check(&Tree::of([("crates/a/src/lib.rs", text)]));
        found.iter().map(|finding| finding.to_string().split(": ").next().unwrap_or("").to_owned()).collect()
    }

    #[test]
    fn a_process_is_found_under_whatever_name_it_is_imported() {
        let whole = "fn f() { std::process::Command::new(\"sh\"); }";
        let imported = "use tokio::process::{Child, Command};\nfn f() { Command::new(\"sh\"); }";
        let renamed = "use std::process::Command as Sh;\n\nfn f() { Sh::new(\"sh\"); }";
        let module = "use std::process;\nfn f() { process::Command::new(\"sh\"); }";
        assert_eq!(lines_found(whole), ["crates/a/src/lib.rs:1"]);
        assert_eq!(lines_found(imported), ["crates/a/src/lib.rs:2"]);
        assert_eq!(lines_found(renamed), ["crates/a/src/lib.rs:3"]);
        assert_eq!(lines_found(module), ["crates/a/src/lib.rs:2"]);
    }

    #[test]
    fn an_argument_parsers_command_is_no_process() {
        assert!(lines_found("use clap::Command;\nfn f() { Command::new(\"spalla\"); }").is_empty());
        assert!(lines_found("use std::process::ExitCode;\nfn f() { Command::new(\"x\"); }").is_empty());
    }

    #[test]
    fn a_task_without_owner_is_found_and_an_owned_one_passes() {
        assert_eq!(lines_found("fn f() { tokio::spawn(g()); }"), ["crates/a/src/lib.rs:1"]);
        assert_eq!(lines_found("use tokio::task;\nfn f() { task::spawn(g()); }"), ["crates/a/src/lib.rs:2"]);
        assert!(lines_found("fn f(set: &mut JoinSet<()>) { set.spawn(g()); }").is_empty());
        assert!(lines_found("fn f() { tokio::task::spawn_blocking(g); }").is_empty());
    }

    #[test]
    fn tests_and_listed_files_are_free() {
        let birth = "fn f() { tokio::spawn(g()); std::process::Command::new(\"sh\"); }";
        let inline = format!("#[cfg(test)]\nmod tests {{ {birth} }}");
        assert!(lines_found(&inline).is_empty());
        assert!(check(&Tree::of([("crates/a/tests/it/main.rs", birth)])).is_empty());
        let listed = [Exception { under: "crates/a/src/sandbox", reason: "r" }];
        let tree = Tree::of([("crates/a/src/sandbox/init.rs", birth)]);
        assert!(check_with(&tree, &listed, &listed).is_empty());
        assert_eq!(check_with(&tree, &[], &[]).len(), 2);
    }
}
