//! `spalla sandbox run`: one command behind the walls.

use super::PolicyArgs;
use crate::cli::complain;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use clap::Args;
use spalla_sandbox::{Command, Order, Outcome, run_here};
use std::collections::BTreeMap;

/// Runs a command in a sandbox, with its output here, and ends with its status; 124 when its time is over, 2 when it is
/// refused.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    policy: PolicyArgs,
    /// A variable of the command's environment; of this one it gets nothing
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Run {
    pub(crate) fn run(self) -> Result<Exit> {
        let policy = self.policy.policy()?;
        let mut words = self.command.into_iter();
        let command = Command {
            program: words.next().unwrap_or_default(),
            arguments: words.collect(),
            environment: self.env.into_iter().collect::<BTreeMap<_, _>>(),
            folder: None,
            umask: None,
            secret_files: spalla_sandbox::SecretFiles::default(),
        };
        let outcome = run_here(&Order { policy, command });
        if let Outcome::Refused(reason) = outcome {
            return Err(Failure::usage(reason));
        }
        outcome.notices().into_iter().for_each(|notice| complain(&Failure::failed(notice)));
        Ok(Exit::OfTask(outcome.code()))
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".into()),
    }
}
