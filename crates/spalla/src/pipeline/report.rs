//! What became of the tasks: for `--json`, and for the status with which the program ends.

use super::Task;
use crate::exit::Exit;
use crate::failure::Failure;
use serde::Serialize;

/// What became of a sequence of tasks.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// The status with which the program ends.
    pub(crate) exit_code: u8,
    /// Each task in its order, also those that were not begun.
    pub(crate) tasks: Vec<Entry>,
}

/// What became of one task.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// Its name.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) status: Status,
    /// The exit status of its last command; none where it has not ended by itself.
    pub(crate) exit_code: Option<i32>,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: u64,
}

/// How a task stands at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// It was not begun, because one before it failed.
    NotBegun,
    /// It is a service that goes on.
    Running,
    /// All its commands ended well.
    Succeeded,
    /// A command of it failed.
    Failed,
    /// Its time was over.
    TimedOut,
    /// A signal ended it.
    Interrupted,
    /// A service that was ended because what it was there for is over, or a task beside which a service failed.
    Stopped,
}

/// How a task's commands ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// All of them well.
    Well,
    /// This one not, with this status.
    Badly { command: String, code: i32 },
    /// The time was over during this one.
    Late { command: String },
    /// They were stopped.
    Stopped,
}

impl Report {
    pub(super) fn new(tasks: &[&Task]) -> Self {
        let entry = |task: &&Task| Entry {
            name: task.name.clone(),
            status: Status::NotBegun,
            exit_code: None,
            duration_ms: 0,
        };
        Self { exit_code: Exit::Done.code(), tasks: tasks.iter().map(entry).collect() }
    }

    /// Takes down how a task ended; answers the failure, where it is one.
    pub(super) fn ended(&mut self, index: usize, end: &End, duration_ms: u64) -> Option<Failure> {
        let entry = &mut self.tasks[index];
        entry.duration_ms = duration_ms;
        let name = entry.name.clone();
        (entry.status, entry.exit_code) = match end {
            End::Well => (Status::Succeeded, Some(0)),
            End::Badly { code, .. } => (Status::Failed, Some(*code)),
            End::Late { .. } => (Status::TimedOut, None),
            // Whoever stopped it had a reason, which may stand here already.
            End::Stopped if entry.status == Status::TimedOut => (Status::TimedOut, None),
            End::Stopped => (Status::Stopped, None),
        };
        match end {
            End::Well | End::Stopped => None,
            End::Badly { command, code } => {
                // A status that is none can't be passed on; it is a failure all the same.
                let code = u8::try_from(*code).ok().filter(|code| *code != 0);
                let exit = code.map_or(Exit::Failed, Exit::OfTask);
                let status = exit.code();
                Some(Failure::new(exit, format!("task {name}: exit status {status} of `{}`", first(command))))
            }
            End::Late { command } => {
                let what = format!("task {name}: its time was over during `{}`", first(command));
                Some(Failure::new(Exit::TimedOut, what))
            }
        }
    }
}

/// Returns the first line of a command, which is enough to know it by.
fn first(command: &str) -> &str {
    command.trim().lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(end: &End) -> (Option<Failure>, Status) {
        let mut report = Report { exit_code: 0, tasks: Vec::new() };
        let entry = Entry { name: "t".into(), status: Status::NotBegun, exit_code: None, duration_ms: 0 };
        report.tasks.push(entry);
        (report.ended(0, end, 1), report.tasks[0].status)
    }

    #[test]
    fn the_program_ends_as_the_command_did() {
        for (code, expected) in [(7, 7), (255, 255), (137, 137), (256, 1), (-1, 1), (0, 1)] {
            let (failure, status) = ended(&End::Badly { command: "a\nb".into(), code });
            let failure = failure.unwrap();
            assert_eq!((failure.exit.code(), status), (expected, Status::Failed));
            assert_eq!(failure.to_string(), format!("task t: exit status {expected} of `a`"));
        }
        let (late, status) = ended(&End::Late { command: "a".into() });
        assert_eq!((late.unwrap().exit, status), (Exit::TimedOut, Status::TimedOut));
        assert!(ended(&End::Well).0.is_none() && ended(&End::Stopped).0.is_none());
    }
}
