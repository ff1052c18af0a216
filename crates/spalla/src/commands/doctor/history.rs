//! `spalla doctor --check-history`: reads the whole event log and the rows beside it, and names every law they break.

use crate::app::open_store;
use crate::config::{Settings, location, without_password};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use spalla_engine::history::{self, Report, Rules};
use spalla_store::Location;

/// Checks the database that a server would use, whether one runs or not. Nothing of it is changed, except that an
/// older one is brought up to date first, as a server would.
pub(super) async fn check(settings: &Settings, drained: bool) -> Result<Report> {
    check_present(settings)?;
    let store = open_store(settings).await?;
    // How many takeovers were allowed when each run was lost is not known.
    let rules = Rules { approvals_required: settings.require_approval, takeovers_max: None };
    let checked = history::check(store.read(), rules, drained).await;
    store.close().await;
    checked.map_err(|error| Failure::failed(format!("reading the history: {error}")))
}

/// Refuses a database that opening would make.
fn check_present(settings: &Settings) -> Result<()> {
    match location(&settings.database, &settings.data)? {
        Location::Sqlite(path) if !path.exists() => {
            Err(Failure::usage(format!("there is no database {}", path.display()))
                .mend("name another with --database URL or --data DIR"))
        }
        Location::Sqlite(_) | Location::Postgres(_) | Location::Memory(_) => Ok(()),
    }
}

/// Prints what was found; returns how the program ends.
pub(super) fn print(report: &Report, settings: &Settings) -> Result<Exit> {
    for violation in &report.violations {
        output::line(format_args!("{}  {}", output::bad("fail"), output::plain(&violation.to_string())))?;
    }
    let unsaid = report.violation_count - report.violations.len() as u64;
    if unsaid > 0 {
        output::line(format_args!("      and {unsaid} more"))?;
    }
    if !report.rows_compared {
        let detail = "the store kept changing, so that only the log was checked, not the rows";
        output::line(format_args!("{}  {detail}", output::notable("warn")))?;
    }
    let (status, found) = match report.violation_count {
        0 => (output::good("ok  ").to_string(), "no law is broken".to_owned()),
        count => (output::bad("fail").to_string(), format!("{count} violations")),
    };
    let database = match settings.database.as_str() {
        "" => settings.data.display().to_string(),
        url => without_password(url),
    };
    let counts = report.counts;
    output::line(format_args!(
        "{status}  {} events, {} work items, {} runs in {}: {found}",
        counts.events,
        counts.items,
        counts.runs,
        output::plain(&database)
    ))?;
    Ok(exit(report))
}

/// Returns how the program ends.
pub(super) fn exit(report: &Report) -> Exit {
    if report.is_good() { Exit::Done } else { Exit::Failed }
}
