//! The supervisor: a process of one thread between whoever wants a command and that command. It reads its order from
//! its standard input, has the command carried out, tells how it goes, and leaves when nothing of it is left.

use crate::ahead::{self, Called};
use crate::attestation::Attestation;
use crate::blank::Blank;
use crate::journal::Entry;
use crate::kernel;
use crate::order::{SupervisedOrder, Word};
use crate::output_file::OutputWriter;
use crate::policy::Preset;
use crate::pump::Pump;
use crate::reattach::Line;
use crate::refusal::Error;
use crate::start::{Start, file_in_memory};
use crate::stdio::Stdio;
use crate::supervise::{Ended, Heard, How, Watcher, run_in};
use crate::survival::Survival;
use crate::unwalled;
use crate::walls::Walls;
use rustix::net::{RecvFlags, recv};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

/// When a supervisor was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Birth {
    /// For a command that is wanted now.
    Wanted,
    /// Before anybody knew of one: it may be that none comes.
    Early,
}

/// Runs as a supervisor.
pub(crate) fn supervise_main(label: &str, birth: Birth) -> ExitCode {
    match supervise(label, birth) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "spalla: the supervisor can't go on: {error}");
            ExitCode::FAILURE
        }
    }
}

fn supervise(label: &str, birth: Birth) -> io::Result<()> {
    close_foreign_descriptors()?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let blank = match birth {
        Birth::Wanted => None,
        Birth::Early => {
            let blank = Blank::put_up().ok();
            let comes =
                blank.as_ref().map_or_else(|| comes_an_order(&socket), |it| it.is_called_for(socket.as_fd()));
            if !comes {
                return Ok(());
            }
            blank
        }
    };
    let (first, input) = SupervisedOrder::read(&socket)?;
    let (supervised, input, behind) = match first.ahead {
        false => (first, input, Behind::Blank(blank.map(Box::new))),
        true => match ahead::wait(&first, &socket, blank)? {
            Some(Called { supervised, input, walls, start }) => {
                (supervised, input, Behind::Walls(Box::new(walls), start))
            }
            None => return Ok(()),
        },
    };
    let stdin = input_of(&input)?;
    drop(input);
    let label = supervised.label.clone().unwrap_or_else(|| label.to_owned());
    if birth == Birth::Early {
        // Only for whoever looks at the list of processes.
        let _ = kernel::show_label(&label);
    }
    let (journal, survival) = (supervised.journal.clone(), supervised.survival.clone());
    let wanted = Wanted { supervised, behind };
    let entry = match survival {
        None => wanted.accompany(&socket, stdin)?,
        Some(survival) => wanted.outlive(&survival, socket, stdin)?,
    };
    match (journal, entry) {
        (Some(journal), Some(entry)) => Entry { label, ..entry }.write(&journal),
        _ => Ok(()),
    }
}

/// Waits for whoever started this process; tells whether they want anything, and are not gone.
fn comes_an_order(socket: &UnixStream) -> bool {
    let mut first = [0; 1];
    let peeked = rustix::io::retry_on_intr(|| recv(socket, &mut first[..], RecvFlags::PEEK));
    peeked.is_ok_and(|(length, _)| length > 0)
}

/// A command that is to be carried out, and the walls that stand for it already.
struct Wanted {
    supervised: SupervisedOrder,
    behind: Behind,
}

/// What stands already.
enum Behind {
    /// At most an inside that is nobody's yet.
    Blank(Option<Box<Blank>>),
    /// All walls of this command.
    Walls(Box<Walls>, Start),
}

impl Wanted {
    /// Carries the command out as long as whoever wants it is there. Returns what is to be written down of its end.
    fn accompany(self, socket: &UnixStream, stdin: OwnedFd) -> io::Result<Option<Entry>> {
        let stdio = Stdio {
            stdin,
            stdout: io::stdout().as_fd().try_clone_to_owned()?,
            stderr: io::stderr().as_fd().try_clone_to_owned()?,
        };
        // Whoever is gone is seen by the watch as the end of the socket.
        let mut hear = |heard: Heard<'_>| drop(Word::from(heard).write(socket));
        let word = self.carry_out(stdio, &mut Watcher { lifeline: Some(socket.as_fd()), hear: &mut hear });
        let told = word.write(socket).is_ok();
        Ok(entry_of(&word, told))
    }

    /// Carries the command out also when whoever wants it is gone, and lets them come back.
    fn outlive(self, survival: &Survival, socket: UnixStream, stdin: OwnedFd) -> io::Result<Option<Entry>> {
        let (mut line, lifeline) = match Line::open(survival, socket.try_clone()?) {
            Ok(opened) => opened,
            Err(error) => {
                let reason = format!("keeping what lets it survive: {error}");
                Word::NotStarted { reason, missing: false }.write(&socket)?;
                return Ok(None);
            }
        };
        drop(socket);
        let output = OutputWriter::new(survival.create(survival.output())?, survival.output_bytes_max);
        let ((stdout, written), (stderr, complained)) = (io::pipe()?, io::pipe()?);
        let stdio = Stdio { stdin, stdout: written.into(), stderr: complained.into() };
        let (mut unread, mut pump) = (Some(([stdout, stderr], output)), None);
        // Threads only from the start on: walls are put up by a process of one.
        let mut hear = |heard: Heard<'_>| {
            if let (Heard::Started(..), Some((pipes, output))) = (&heard, unread.take()) {
                pump = Pump::start(pipes, output).ok();
                line.tend();
            }
            line.say(&heard.into());
        };
        let mut word =
            self.carry_out(stdio, &mut Watcher { lifeline: Some(lifeline.as_fd()), hear: &mut hear });
        if let Word::Ended { dropped, lost, .. } = &mut word {
            // The end is told when all that the command wrote is kept.
            *dropped = pump.map_or(0, Pump::finish);
            *lost = line.is_lost();
        }
        line.say(&word);
        let told = line.finish();
        let _ = std::fs::remove_file(survival.socket());
        Ok(entry_of(&word, told))
    }

    fn carry_out(self, stdio: Stdio, watcher: &mut Watcher<'_>) -> Word {
        let (order, outside) = (&self.supervised.order, &self.supervised.outside);
        let ended = match (self.behind, order.policy.preset) {
            (Behind::Walls(walls, start), _) => walls.carry_out(&start, outside, stdio, watcher),
            (_, Preset::None) => unwalled::run(&order.policy, &order.command, stdio, watcher),
            (Behind::Blank(blank), _) => {
                run_in(blank.map(|blank| *blank), (&order.policy, &order.command), outside, stdio, watcher)
            }
        };
        ended.map_or_else(Word::from, Word::from)
    }
}

/// Returns what is written down of an end; the label is to be added.
fn entry_of(word: &Word, told: bool) -> Option<Entry> {
    let Word::Ended { code, signal, leftovers, survivors, lost, .. } = *word else { return None };
    Some(Entry { label: String::new(), code, signal, leftovers, survivors, told, lost })
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

impl From<Heard<'_>> for Word {
    fn from(heard: Heard<'_>) -> Self {
        match heard {
            Heard::Started(attestation, pid) => Self::Started { attestation: attestation.clone(), pid },
            Heard::HostRefused(refused) => Self::HostRefused(refused.clone()),
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
            dropped: 0,
            lost: false,
            used: ended.used,
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
