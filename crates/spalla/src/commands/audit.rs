//! `spalla audit`: shows who wanted what of the server, and what came of it, exports it, and tells whether it is whole.

mod verify;

use super::ServerArgs;
use crate::cli::Global;
use crate::client::query;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output;
use clap::{Args, Subcommand};

/// What can be done with the audit.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Lists who wanted what, newest first
    List(List),
    /// Follows the chain of the whole audit, and names the first entry that is not what it was
    Verify(verify::Verify),
    /// Prints the whole audit, oldest first, one JSON object a line
    Export(verify::Export),
}

/// Which entries are listed.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only of this caller, such as administrator
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// Only about this resource or one beneath it, such as /work-items/runs/7
    #[arg(long, value_name = "PATH")]
    resource: Option<String>,
    /// Only for this, such as "POST /work-items/{id}/start"
    #[arg(long, value_name = "METHOD PATH")]
    operation: Option<String>,
    /// Only with this end: done, refused or failed
    #[arg(long)]
    outcome: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: u32,
    /// Prints the list as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

impl Audit {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::List(list) => list.run(global),
            Self::Verify(verify) => verify.run(global),
            Self::Export(export) => export.run(global),
        }
    }
}

impl List {
    fn run(self, global: &Global) -> Result<Exit> {
        let list = self;
        list.server.clone().talk(global, |client| async move {
            let filter = query(&[
                ("principal", list.principal),
                ("resource", list.resource),
                ("operation", list.operation),
                ("outcome", list.outcome),
                ("limit", Some(list.limit.to_string())),
            ]);
            let entries = client.get(&format!("/audit{filter}")).await?;
            if list.json {
                return output::json(&entries).map(|()| Exit::Done);
            }
            let columns = ["at", "principal", "client", "outcome", "code", "operation", "resource"];
            output::rows(&entries, &columns, "nothing is recorded")?;
            Ok(Exit::Done)
        })
    }
}
