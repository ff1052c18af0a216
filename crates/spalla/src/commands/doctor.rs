//! `spalla doctor`: checks what Spalla needs on this machine; each line says ok, warn or fail, and how to mend it.

mod checks;
mod history;

use super::block_on_all_cores;
use crate::cli::Global;
use crate::config::{Override, Settings};
use crate::exit::Exit;
use crate::failure::Result;
use crate::output;
use clap::Args;
use serde::Serialize;

/// Checks what Spalla needs on this machine.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The database that a server would use [default: SQLite in the data folder]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Prints the checks as JSON
    #[arg(long)]
    json: bool,
    /// Checks the whole event log and the rows beside it instead: nothing lost, nothing done twice, and so on
    #[arg(long)]
    check_history: bool,
    /// Says that everything that could run has run: whatever still waits without a reason is an error, too
    #[arg(long, requires = "check_history")]
    drained: bool,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// All is well.
    Ok,
    /// It works, but somebody should look.
    Warn,
    /// It does not work.
    Fail,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// What was checked.
    pub(crate) name: &'static str,
    /// How it came out.
    pub(crate) status: Status,
    /// What was found.
    pub(crate) detail: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mend: Option<String>,
}

impl Doctor {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let database = self.database.iter();
        let flags = database.map(|url| Override { name: "database", flag: "--database", text: url.clone() });
        let config = global.config(flags.collect())?;
        global.listen(&config, "error")?;
        if self.check_history {
            return self.history(&config.settings);
        }
        let checks = block_on_all_cores(async { Ok(checks::all(&config.settings).await) })?;
        if self.json {
            output::json(&checks)?;
        } else {
            checks.iter().try_for_each(print)?;
        }
        let failed = checks.iter().any(|check| check.status == Status::Fail);
        Ok(if failed { Exit::Failed } else { Exit::Done })
    }

    fn history(&self, settings: &Settings) -> Result<Exit> {
        let report = block_on_all_cores(history::check(settings, self.drained))?;
        if !self.json {
            return history::print(&report, settings);
        }
        output::json(&report)?;
        Ok(history::exit(&report))
    }
}

fn print(check: &Check) -> Result<()> {
    let status = match check.status {
        Status::Ok => output::good("ok  ").to_string(),
        Status::Warn => output::notable("warn").to_string(),
        Status::Fail => output::bad("fail").to_string(),
    };
    let mend = check.mend.as_ref().map(|mend| format!("; {mend}")).unwrap_or_default();
    output::line(format_args!("{status}  {:<12}  {}{mend}", check.name, output::plain(&check.detail)))
}
