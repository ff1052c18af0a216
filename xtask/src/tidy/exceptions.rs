//! Every exception to a check, in one place, with its reason. The lists are meant to shrink: an exception
//! that covers no file any more is itself a finding.

use super::finding::Finding;
use super::tree::Tree;

/// A part of the tree to which a check does not apply.
pub(crate) struct Exception {
    /// The beginning of the paths it covers.
    pub(crate) under: &'static str,
    /// Why the check does not apply there.
    pub(crate) reason: &'static str,
}

/// Where operating system processes may be born.
pub(crate) const PROCESS_BIRTHPLACES: &[Exception] = &[
    Exception {
        under: "crates/spalla-worker/src/sandbox",
        reason: "the one place in which a run's processes are made, owned and reaped",
    },
    Exception {
        under: "crates/spalla-sandbox/src/",
        reason: "the walls themselves; its processes end with their supervisor, by the kernel",
    },
    Exception {
        under: "xtask/src/tidy/tree.rs",
        reason: "a developer's tool asks git and waits for the answer",
    },
    Exception {
        under: "crates/spalla/src/sessions/revise.rs",
        reason: "the person's own editor, at their terminal, which is waited for",
    },
    Exception { under: "xtask/src/crash_points.rs", reason: "builds spalla and waits for cargo's end" },
    Exception { under: "xtask/src/proof.rs", reason: "starts spalla-proof and waits for its end" },
    Exception {
        under: "crates/spalla-proof/src/",
        reason: "starts, kills and stops real servers, workers and databases, and ends them all",
    },
];

/// Where async tasks may be born; each of these owns what it starts.
pub(crate) const TASK_BIRTHPLACES: &[Exception] = &[];

/// Where something may be left behind outside of a crash point.
pub(crate) const OUTSIDE_CRASH_POINTS: &[Exception] = &[
    Exception { under: "crates/spalla-crash/src/", reason: "the points themselves" },
    Exception {
        under: "crates/spalla-worker/src/scratchpad/mode.rs",
        reason: "nobody refuses anything to root, as who the proof kills, so that it never comes there",
    },
    Exception {
        under: "crates/spalla-registry/src/publish/staging.rs",
        reason: "what an old publication has is removed in one way of three, around which one point stands",
    },
    Exception { under: "crates/spalla-proof/src/", reason: "the proof is not shipped, and kills others" },
    Exception {
        under: "crates/spalla-fake-model/src/",
        reason: "a double for tests, which is not shipped; its journal is one appended line each",
    },
    Exception {
        under: "crates/spalla-sandbox/src/",
        reason: "nothing it makes outlives its supervisor but empty groups of processes, which the next one removes, and \
                 what a step that survives says and writes, whose words pass a point as they are sent",
    },
    Exception {
        under: "crates/spalla/src/commands/man.rs",
        reason: "pages of the manual, which the next call writes anew and nothing reads back",
    },
    Exception {
        under: "crates/spalla/src/sessions/revise.rs",
        reason: "a copy for the person's editor, before anything begins, which nothing reads back later",
    },
    Exception {
        under: "crates/spalla/src/session_log.rs",
        reason: "lines of a log, which nothing reads back; files that a killed process had half turned are turned by the next one",
    },
    Exception {
        under: "crates/spalla/src/saved.rs",
        reason: "a copy that a person asked for, which takes its place only when it is whole and nothing reads back",
    },
    Exception {
        under: "crates/spalla-worker/src/credentials.rs",
        reason: "files that go with their run; what a killed worker leaves is removed when the next one starts",
    },
    Exception {
        under: "crates/spalla-worker/src/journals.rs",
        reason: "forgets what was heard; what a killed worker leaves is told and forgotten by the next one",
    },
    Exception {
        under: "crates/spalla-store/src/batch.rs",
        reason: "its write_all hands rows to the driver, which passes a point",
    },
    Exception {
        under: "crates/spalla-store/src/desk.rs",
        reason: "its write_all hands rows to the driver, which passes a point",
    },
    Exception {
        under: "crates/spalla-store/src/sql/postgres/session.rs",
        reason: "the connection itself: its begin, statements and commit pass points by name",
    },
    Exception {
        under: "crates/spalla-store/src/sql/sqlite/session.rs",
        reason: "the connection itself: its begin, statements, commit and checkpoints pass points by name",
    },
];

/// Where SQL may stand in a Rust string.
pub(crate) const SQL_IN_STRINGS: &[Exception] = &[
    Exception { under: "xtask/src/tidy/sql_strings.rs", reason: "its tests show what it finds" },
    Exception { under: "crates/spalla-store/src/sql/probe.rs", reason: "a table of the drivers' own tests" },
    Exception {
        under: "crates/spalla-store/src/sql/sqlite/tests/many.rs",
        reason: "a table of the drivers' own tests",
    },
    Exception { under: "bench/", reason: "the bare loop of commits to compare with" },
    Exception {
        under: "crates/spalla-store/src/sql/statement/tests.rs",
        reason: "shows what becomes of a statement's text",
    },
    Exception {
        under: "crates/spalla-store/src/sql/postgres/tests/locks.rs",
        reason: "asks the server who waits, and ends the wait",
    },
    Exception {
        under: "crates/spalla-proof/src/bench/growth/",
        reason: "fills a database by hand, past the store, as an administrator would",
    },
    Exception {
        under: "crates/spalla-proof/src/bench/startup.rs",
        reason: "asks Postgres how much an idle server asks it",
    },
    Exception {
        under: "crates/spalla/tests/it/crash_and_recover.rs",
        reason: "asks the database behind the server",
    },
    Exception {
        under: "crates/spalla-store/tests/it/conformance/tampering.rs",
        reason: "does to the database what somebody does who can write it",
    },
];

/// Where marks of unfinished work may stand in string literals.
pub(crate) const MARKS_AS_DATA: &[Exception] = &[
    Exception {
        under: "crates/spalla-worker/src/builtin/",
        reason: "the surveyor looks for these marks in other people's code",
    },
    Exception {
        under: "crates/spalla-worker/src/executors/agent/surveyor.rs",
        reason: "says how many the surveyor found",
    },
    Exception {
        under: "crates/spalla-worker/tests/it/repositories.rs",
        reason: "gives the surveyor one to find",
    },
    Exception { under: "crates/spalla/tests/it/orchestrate.rs", reason: "gives the surveyor one to find" },
    Exception { under: "xtask/src/tidy/marks.rs", reason: "this check names what it looks for" },
];

/// Where the superuser's home may be named.
pub(crate) const SUPERUSER_HOME: &[Exception] =
    &[Exception { under: "crates/spalla-sandbox/src/", reason: "it is what the sandbox hides" }];

const ALL: &[&[Exception]] = &[
    PROCESS_BIRTHPLACES,
    TASK_BIRTHPLACES,
    OUTSIDE_CRASH_POINTS,
    SQL_IN_STRINGS,
    MARKS_AS_DATA,
    SUPERUSER_HOME,
];

/// Tells whether one of the exceptions covers the path.
pub(crate) fn covered(exceptions: &[Exception], path: &str) -> bool {
    exceptions.iter().any(|exception| path.starts_with(exception.under))
}

/// Finds exceptions that cover nothing.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    stale(tree, ALL)
}

fn stale(tree: &Tree, lists: &[&[Exception]]) -> Vec<Finding> {
    let unused = |exception: &&Exception| !tree.files().any(|file| file.path.starts_with(exception.under));
    lists
        .iter()
        .flat_map(|list| list.iter())
        .filter(unused)
        .map(|exception| {
            let message = format!(
                "the exception for `{}` ({}) covers no file: remove it",
                exception.under, exception.reason
            );
            Finding::fault("xtask/src/tidy/exceptions.rs", 1, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Exception, stale};
    use crate::tidy::tree::Tree;

    #[test]
    fn an_exception_that_covers_nothing_is_found() {
        let tree = Tree::of([("crates/a/src/sandbox/mount.rs", "")]);
        let used = [Exception { under: "crates/a/src/sandbox", reason: "r" }];
        let unused = [Exception { under: "crates/b", reason: "r" }];
        assert!(stale(&tree, &[&used]).is_empty());
        assert_eq!(stale(&tree, &[&used, &unused]).len(), 1);
    }
}
