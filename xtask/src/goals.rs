//! `cargo xtask goals`: sets the figures of a bench beside the goals, as tables of Markdown. Measures nothing itself.

use clap::Args;
use figures::Figures;
use std::path::PathBuf;
use std::process::ExitCode;

mod comparison;
mod figures;
mod rows;
mod table;

#[derive(Args)]
pub(crate) struct Goals {
    /// Figures as `make bench` keeps them: a line of JSON each
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Say only what was measured, not what was to be reached
    #[arg(long)]
    medians: bool,
}

/// Prints the tables.
pub(crate) fn run(asked: &Goals) -> anyhow::Result<ExitCode> {
    let figures = Figures::read(&asked.files)?;
    if !asked.medians {
        println!("{}", table::goals(rows::ROWS, &figures));
    }
    print!("{}", table::medians(&figures));
    Ok(ExitCode::SUCCESS)
}
