//! Ways to reach other processes, to use too much, and to have what was never given.

use super::{Ground, Outcome};
use crate::kernel::{Call, attempt};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};

/// What each of several takes, in bytes.
const SHARE_BYTES: usize = 48 * 1024 * 1024;
/// How many take it.
const SHARES: usize = 4;
/// How much is written at once.
const PIECE_BYTES: usize = 1024 * 1024;

pub(super) fn see_process(ground: &Ground) -> Outcome {
    Outcome::of(fs::read_to_string(format!("/proc/{}/cmdline", ground.pid)))
}

pub(super) fn environment_of_other(ground: &Ground) -> Outcome {
    Outcome::of(fs::read(format!("/proc/{}/environ", ground.pid)))
}

pub(super) fn root_of_other(ground: &Ground) -> Outcome {
    let secret = ground.outside.join("secret");
    Outcome::of(fs::read(format!("/proc/{}/root{}", ground.pid, secret.display())))
}

pub(super) fn signal_outside(ground: &Ground) -> Outcome {
    Outcome::of(
        Pid::from_raw(ground.pid)
            .ok_or("no process")
            .map_err(io::Error::other)
            .and_then(|pid| Ok(test_kill_process(pid)?)),
    )
}

pub(super) fn ptrace_outside(ground: &Ground) -> Outcome {
    Outcome::of(attempt(Call::Ptrace(ground.pid)))
}

/// A process's own child, which it may trace anywhere else.
pub(super) fn ptrace_child(_: &Ground) -> Outcome {
    match sleeper() {
        Ok(mut child) => {
            let outcome = Outcome::of(attempt(Call::Ptrace(i32::try_from(child.id()).unwrap_or_default())));
            end(&mut child);
            outcome
        }
        Err(error) => Outcome::Held(error.to_string()),
    }
}

/// An address that is not there is a fault only for who may look.
pub(super) fn memory_of_other(ground: &Ground) -> Outcome {
    match attempt(Call::ReadMemory(ground.pid)) {
        Err(error) if error.raw_os_error() != Some(libc::EFAULT) => Outcome::Held(error.to_string()),
        _ => Outcome::Escaped("allowed to look".into()),
    }
}

/// The first process of the namespace; outside that of this process's parent.
pub(super) fn kill_init(_: &Ground) -> Outcome {
    let parent = rustix::process::getppid().unwrap_or(Pid::INIT);
    let killed = kill_process(parent, Signal::CONT);
    Outcome::of(killed)
}

pub(super) fn look_into_init(_: &Ground) -> Outcome {
    let parent = rustix::process::getppid().unwrap_or(Pid::INIT);
    let place = format!("/proc/{}", parent.as_raw_nonzero());
    let environment =
        fs::read(format!("{place}/environ")).is_ok_and(|text| text.iter().any(|byte| *byte != 0));
    let root = fs::read_dir(format!("{place}/root/")).is_ok();
    let open = fs::read_dir(format!("{place}/fd")).is_ok();
    match (environment, root, open) {
        (false, false, false) => Outcome::Held("nothing to see".into()),
        seen => Outcome::Escaped(format!("environment, root, descriptors: {seen:?}")),
    }
}

/// Starts so many processes.
pub(super) fn fork_bomb(ground: &Ground) -> Outcome {
    let mut children = Vec::new();
    let outcome = loop {
        if u64::try_from(children.len()).is_ok_and(|count| count >= ground.amount) {
            break Outcome::Escaped(format!("{} processes", children.len()));
        }
        match sleeper() {
            Ok(child) => children.push(child),
            Err(error) => break Outcome::Held(format!("after {} processes: {error}", children.len())),
        }
    };
    children.iter_mut().for_each(end);
    outcome
}

/// Several processes of which each takes less than is allowed.
pub(super) fn memory_together(_: &Ground) -> Outcome {
    let start = || -> io::Result<Child> {
        let own = std::env::args_os().next().ok_or(io::ErrorKind::NotFound)?;
        let arguments: Vec<_> = std::env::args_os().skip(1).collect();
        // The same program with the same hidden arguments but the name of the trial.
        let arguments = arguments
            .into_iter()
            .map(|word| if word == "memory-together" { "memory-share".into() } else { word });
        Command::new(own).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    };
    let take = || -> io::Result<()> {
        let mut children = (0..SHARES).map(|_| start()).collect::<Result<Vec<_>, _>>()?;
        for child in &mut children {
            let mut word = [0; 1];
            child.stdout.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.read_exact(&mut word)?;
        }
        super::look_back();
        // Only what all hold at the same time counts: one that was ended made room for the others.
        let mut alive = 0;
        for child in &mut children {
            alive += usize::from(child.try_wait()?.is_none());
            end(child);
        }
        if alive == SHARES { Ok(()) } else { Err(io::Error::other(format!("{alive} of {SHARES} are left"))) }
    };
    Outcome::of(take())
}

/// Memory that no process maps: files that are nowhere but in memory.
pub(super) fn memory_nameless(_: &Ground) -> Outcome {
    let take = || -> io::Result<usize> {
        let mut files = Vec::new();
        for _ in 0..SHARES {
            let file = rustix::fs::memfd_create("share", rustix::fs::MemfdFlags::CLOEXEC)?;
            let mut file = File::from(file);
            for _ in 0..SHARE_BYTES / PIECE_BYTES {
                file.write_all(&[1; PIECE_BYTES])?;
            }
            files.push(file);
        }
        super::look_back();
        Ok(files.len())
    };
    Outcome::of(take())
}

/// One of them: takes its share, says so, and holds it until its input ends.
pub(super) fn memory_share(_: &Ground) -> Outcome {
    let taken = vec![1_u8; SHARE_BYTES];
    let said = io::stdout().write_all(b"x").and_then(|()| io::stdout().flush());
    let _ = io::stdin().read(&mut [0; 1]);
    Outcome::of(said.map(|()| taken.len()))
}

pub(super) fn inherited_variable(_: &Ground) -> Outcome {
    match std::env::var("SPALLA_TRIAL_SECRET") {
        Ok(_) => Outcome::Escaped("a variable of the outside".into()),
        Err(error) => Outcome::Held(error.to_string()),
    }
}

pub(super) fn inherited_descriptor(_: &Ground) -> Outcome {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let leads = entries.filter_map(|entry| {
        let number: u32 = entry.file_name().to_str()?.parse().ok()?;
        let to = fs::read_link(entry.path()).ok()?;
        (number > 2 && !to.starts_with("/proc")).then(|| to.display().to_string())
    });
    match leads.collect::<Vec<_>>().join(" ") {
        none if none.is_empty() => Outcome::Held("none".into()),
        some => Outcome::Escaped(some),
    }
}

fn sleeper() -> io::Result<Child> {
    Command::new("/bin/sleep")
        .arg("60")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
