//! `spalla agents`: which command lines of agents are known, and how each is called.

mod asked;
mod command;
mod list;

use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::Result;
use clap::Subcommand;

/// What can be done with agents.
#[derive(Debug, Subcommand)]
pub(crate) enum Agents {
    /// Lists the agents' command lines that are known, and what of them is on this machine
    List(list::List),
    /// Prints the command that a run would start for a prompt
    Command(command::Command),
}

impl Agents {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::List(args) => args.run(global),
            Self::Command(args) => args.run(global),
        }
    }
}
