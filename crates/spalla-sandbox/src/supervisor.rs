//! The supervisor: a process of one thread between whoever wants a command and that command. It reads its order from
//! its standard input, has the command carried out, tells how it goes, and leaves when nothing of it is left.

use crate::ahead::{self, Called};
use crate::attestation::Attestation;
use crate::journal::Entry;
use crate::order::{SupervisedOrder, Word};
use crate::policy::Preset;
use crate::refusal::Error;
use crate::start::file_in_memory;
use crate::stdio::Stdio;
use crate::supervise::{Ended, Heard, How, Watcher, run};
use crate::unwalled;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// Runs as a supervisor.
pub(crate) fn supervise_main(label: &str) -> ExitCode {
    match supervise(label) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "spalla: the supervisor can't go on: {error}");
            ExitCode::FAILURE
        }
    }
}

fn supervise(label: &str) -> io::Result<()> {
    close_foreign_descriptors()?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let (first, input) = SupervisedOrder::read(&socket)?;
    let (supervised, input, behind) = match first.ahead {
        false => (first, input, None),
        true => match ahead::wait(&first, &socket)? {
            Some(Called { supervised, input, walls, start }) => (supervised, input, Some((walls, start))),
            None => return Ok(()),
        },
    };
    let stdio = Stdio {
        stdin: input_of(&input)?,
        stdout: io::stdout().as_fd().try_clone_to_owned()?,
        stderr: io::stderr().as_fd().try_clone_to_owned()?,
    };
    drop(input);
    // Whoever is gone is seen by the watch as the end of the socket.
    let mut hear = |heard: Heard<'_>| {
        let word = match heard {
            Heard::Started(attestation, pid) => Word::Started { attestation: attestation.clone(), pid },
            Heard::HostRefused(refused) => Word::HostRefused(refused.clone()),
        };
        let _ = word.write(&socket);
    };
    let order = &supervised.order;
    let mut watcher = Watcher { lifeline: Some(socket.as_fd()), hear: &mut hear };
    let ended = match (behind, order.policy.preset) {
        (Some((walls, start)), _) => walls.carry_out(&start, &supervised.outside, stdio, &mut watcher),
        (None, Preset::None) => unwalled::run(&order.policy, &order.command, stdio, &mut watcher),
        (None, _) => run(&order.policy, &order.command, &supervised.outside, stdio, &mut watcher),
    };
    let word = ended.map_or_else(Word::from, Word::from);
    let told = word.write(&socket).is_ok();
    match (&supervised.journal, word) {
        (Some(journal), Word::Ended { code, signal, leftovers, survivors, .. }) => {
            Entry { label: label.to_owned(), code, signal, leftovers, survivors, told }.write(journal)
        }
        _ => Ok(()),
    }
}

/// Closes what the starter itself was born with and never meant to hand on. Nothing of ours is open yet.
fn close_foreign_descriptors() -> io::Result<()> {
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|fd| *fd > 2)
        .collect();
    for fd in open {
        // The folder that was just read is among them, and closed already.
        let _ = nix::unistd::close(fd);
    }
    Ok(())
}

/// Returns what the command reads: nothing, or a file that lives in memory.
fn input_of(bytes: &[u8]) -> io::Result<OwnedFd> {
    if bytes.is_empty() {
        return Ok(File::open("/dev/null")?.into());
    }
    let mut file = file_in_memory("stdin")?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

impl From<Error> for Word {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refusal.into(),
            Error::Policy { .. } => Self::Impossible { reason: error.story() },
            Error::Program { reason, .. } => Self::NotStarted { reason, missing: true },
            Error::Path { ref path, ref source } => {
                let missing = matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
                Self::NotStarted { reason: format!("{}: {source}", path.display()), missing }
            }
            Error::System { .. } => Self::NotStarted { reason: error.story(), missing: false },
        }
    }
}

impl From<Ended> for Word {
    fn from(ended: Ended) -> Self {
        let (code, signal) = match ended.how {
            How::Exited(code) => (code, None),
            How::Signalled(signal) => (0, Some(signal)),
            How::Killed => (0, Some(libc::SIGKILL)),
        };
        Self::Ended {
            code,
            signal,
            leftovers: ended.leftovers,
            survivors: u32::try_from(ended.survivors).unwrap_or(u32::MAX),
            timed_out: ended.timed_out,
            exceeded: ended.exceeded,
        }
    }
}

impl Attestation {
    /// What is attested of a command without walls.
    pub(crate) fn of_nothing(policy: &crate::policy::Policy) -> Self {
        use crate::attestation::State;
        use crate::policy::Layer;
        let mut attestation = Self::of(policy);
        for layer in [
            Layer::Namespaces,
            Layer::Landlock,
            Layer::Seccomp,
            Layer::Privileges,
            Layer::Cgroup,
            Layer::Disk,
        ] {
            attestation.add(layer, State::Off, "the operator's configuration runs commands without walls");
        }
        attestation
    }
}
