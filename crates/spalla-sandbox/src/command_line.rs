//! Running one command in a sandbox as a person or script asks for it: output on ours, and one exit status.

use crate::policy::Policy;
use crate::stdio::{Pipes, Stdio};
use crate::supervise::{Command, Ended, Heard, Watcher, run};
use crate::supervisor::{Birth, supervise_main};
use crate::trials::{Ground, attempt};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// The hidden first argument behind which a program offers [`hidden_main`].
pub const HIDDEN_ARG: &str = "__sandbox";
/// The word behind it that makes the program the supervisor of one command.
pub const SUPERVISE: &str = "supervise";
/// The word that makes it one that waits until it is told for what.
pub const WAIT: &str = "wait";
/// How long what a command wrote may take to be read when the command is over.
const READ_WITHIN: Duration = Duration::from_secs(10);
/// The exit status of a command whose time was over.
const TIMED_OUT: u8 = 124;
/// The exit status of a command that ended well and was not heard.
const UNHEARD: u8 = 1;
/// The exit status of a call that can't be carried out as it is.
const REFUSED: u8 = 2;

/// One command and what it may do, as one argument.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    /// What it may do.
    pub policy: Policy,
    /// The command.
    pub command: Command,
}

/// How a command in a sandbox ended, for the exit status of whoever asked.
#[derive(Debug)]
pub enum Outcome {
    /// It ran.
    Ended(Ended),
    /// It ran, and not all that it wrote could be handed on, for this reason.
    Unheard(Ended, String),
    /// It did not, for this reason.
    Refused(String),
}

impl Outcome {
    /// Returns the exit status: the command's own, 124 when its time was over, 2 when it did not run; never that of
    /// success where what it wrote is not there.
    pub fn code(&self) -> u8 {
        match self {
            Self::Refused(_) => REFUSED,
            Self::Ended(ended) => code_of(ended),
            Self::Unheard(ended, _) => match code_of(ended) {
                0 => UNHEARD,
                code => code,
            },
        }
    }

    /// Returns what is to be said about it; nothing about a command that just ended.
    pub fn notices(&self) -> Vec<String> {
        let ended = match self {
            Self::Refused(reason) => return vec![reason.clone()],
            Self::Ended(ended) | Self::Unheard(ended, _) => ended,
        };
        let mut notices: Vec<String> =
            ended.refused_hosts.iter().map(|host| format!("a host was refused: {host}")).collect();
        if ended.survivors > 0 {
            notices.push(format!("{} processes hang in the kernel and could not be ended", ended.survivors));
        }
        if ended.timed_out {
            notices.push("its time was over".into());
        }
        if let Some(limit) = &ended.exceeded {
            notices.push(format!("ended because it reached its limit of {limit}"));
        }
        if let Self::Unheard(_, reason) = self {
            notices.push(format!("not all that it wrote could be handed on: {reason}"));
        }
        notices
    }
}

fn code_of(ended: &Ended) -> u8 {
    match ended.stopped_by {
        _ if ended.timed_out => TIMED_OUT,
        Some(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        None => u8::try_from(ended.how.code()).unwrap_or(u8::MAX),
    }
}

/// Runs a command, with its output on ours. Only for a process of one thread.
pub fn run_here(order: &Order) -> Outcome {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment = environment.collect();
    let (stdio, pipes) = match Stdio::piped() {
        Ok(made) => made,
        Err(error) => return Outcome::Refused(error.story()),
    };
    let mut relay = None;
    let mut pipes = Some(pipes);
    let mut hear = |heard: Heard<'_>| {
        if let Heard::Started(..) = heard {
            relay = pipes.take().map(Pipes::relay);
        }
    };
    let mut watcher = Watcher { lifeline: None, hear: &mut hear };
    let ended = run(&order.policy, &order.command, &environment, stdio, &mut watcher);
    let heard = relay.map_or(Ok(()), |relay| relay.finish(READ_WITHIN));
    match (ended, heard) {
        (Ok(ended), Ok(())) => Outcome::Ended(ended),
        (Ok(ended), Err(error)) => Outcome::Unheard(ended, error.to_string()),
        (Err(error), _) => Outcome::Refused(error.story()),
    }
}

/// Does what the arguments behind the hidden one ask for: `supervise LABEL`, `wait LABEL`, `run ORDER`, or `trial GROUND NAME…`.
pub fn hidden_main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Option<Vec<String>> = arguments.into_iter().map(|word| word.into_string().ok()).collect();
    match words.as_deref() {
        Some([verb, label @ ..]) if verb == SUPERVISE => supervise_main(&label.join(" "), Birth::Wanted),
        Some([verb, label @ ..]) if verb == WAIT => supervise_main(&label.join(" "), Birth::Early),
        Some([verb, order]) if verb == "run" => match serde_json::from_str::<Order>(order) {
            Ok(order) => {
                let outcome = run_here(&order);
                outcome.notices().iter().for_each(|notice| complain(notice));
                outcome.code().into()
            }
            Err(error) => wrong(&error.to_string()),
        },
        Some([verb, ground, names @ ..]) if verb == "trial" => match serde_json::from_str::<Ground>(ground) {
            Ok(ground) => {
                for name in names {
                    let _ = writeln!(std::io::stdout(), "{}", attempt(name, &ground));
                }
                ExitCode::SUCCESS
            }
            Err(error) => wrong(&error.to_string()),
        },
        _ => wrong("expected `supervise LABEL`, `run ORDER` or `trial GROUND NAME…`"),
    }
}

fn wrong(reason: &str) -> ExitCode {
    complain(reason);
    REFUSED.into()
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "sandbox: {text}");
}
