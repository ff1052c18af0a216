//! `spalla token`: prints the administrator token of a data folder, and nothing else.

use crate::cli::Global;
use crate::data_folder::DataFolder;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use clap::Subcommand;

/// What can be done with the token.
#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Prints the administrator token alone on one line
    Show,
}

impl Token {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        let folder = DataFolder::at(&config.settings.data);
        let token = folder.token()?.ok_or_else(|| {
            Failure::usage(format!("{} holds no token yet", folder.path().display()))
                .mend("start a server there once (`spalla up`), or name another folder with --data DIR")
        })?;
        output::line(token)?;
        Ok(Exit::Done)
    }
}
