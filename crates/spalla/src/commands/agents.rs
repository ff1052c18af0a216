//! `spalla agents`: which agents are known, as definitions and as command lines; what each says, and how it is called.

mod asked;
mod command;
mod explain;
mod export;
mod list;
mod show;
mod validate;

use crate::cli::Global;
use crate::exit::Exit;
use crate::failure::Result;
use clap::Subcommand;

/// What can be done with agents.
#[derive(Debug, Subcommand)]
pub(crate) enum Agents {
    /// Lists the definitions that are known, and the agents' command lines with what of them is on this machine
    List(list::List),
    /// Shows one definition
    Show(show::Show),
    /// Says where each field of a definition came from
    Explain(explain::Explain),
    /// Looks at published definitions: schema, index, triggers, and with --full their own tests
    Validate(validate::Validate),
    /// Writes definitions as files of an agent's command line, and tells what those can't say
    Export(export::Export),
    /// Prints the command that a run would start for a prompt
    Command(command::Command),
}

impl Agents {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::List(args) => args.run(global),
            Self::Show(args) => args.run(global),
            Self::Explain(args) => args.run(global),
            Self::Validate(args) => args.run(global),
            Self::Export(args) => args.run(global),
            Self::Command(args) => args.run(global),
        }
    }
}
