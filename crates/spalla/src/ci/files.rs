//! Writes what CI is told into its files.

use super::gathered::Gathered;
use super::{Hidden, annotate, junit, sarif, summary};
use crate::failure::{Failure, Result, file};
use crate::output;
use crate::saved::Saved;
use spalla_crash::crash_point;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Where the files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Paths {
    /// JUnit's XML.
    pub(crate) junit: PathBuf,
    /// SARIF.
    pub(crate) sarif: PathBuf,
    /// The summary.
    pub(crate) summary: PathBuf,
}

/// Writes the files into a folder, the summary into the one that the runner names, and annotates where GitHub Actions listens.
/// What the folder held from an earlier time is replaced.
pub(crate) fn write(
    mut gathered: Gathered,
    hidden: &Hidden,
    folder: &Path,
    runner: &Runner,
) -> Result<Paths> {
    hidden.hide(&mut gathered);
    crash_point!("ci.folder.create", fs::create_dir_all(folder)).map_err(file("making", folder))?;
    let sarif = serde_json::to_string_pretty(&sarif::document(&gathered))
        .map_err(|error| Failure::failed(format!("writing SARIF: {error}")))?;
    let paths = Paths {
        junit: place(folder, "junit.xml", &junit::document(&gathered))?,
        sarif: place(folder, "report.sarif", &format!("{sarif}\n"))?,
        summary: summarize(&gathered, folder, runner)?,
    };
    if runner.is_actions {
        annotate::lines(&gathered).iter().try_for_each(output::line)?;
    }
    Ok(paths)
}

/// What is known of whoever runs the pipeline.
#[derive(Debug, Clone, Default)]
pub(crate) struct Runner {
    /// Whether it is GitHub Actions.
    pub(crate) is_actions: bool,
    /// The file that takes summaries of steps.
    pub(crate) summary: Option<PathBuf>,
}

impl Runner {
    /// Returns what the environment says of it.
    pub(crate) fn of_process() -> Self {
        let text = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let is_actions = text("GITHUB_ACTIONS").is_some_and(|value| value == "true");
        Self { is_actions, summary: text("GITHUB_STEP_SUMMARY").map(PathBuf::from) }
    }
}

fn place(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    let mut saved = Saved::begin(&path)?;
    saved.write(text.as_bytes())?;
    saved.finish()?;
    // Other programs of the pipeline read them, who may be others.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(&path, mode).map_err(file("writing", &path))?;
    Ok(path)
}

/// The runner's file gets one summary after another: ours is added.
fn summarize(gathered: &Gathered, folder: &Path, runner: &Runner) -> Result<PathBuf> {
    let text = summary::document(gathered);
    let Some(path) = &runner.summary else { return place(folder, "summary.md", &text) };
    let opened = crash_point!("ci.summary.open", fs::File::options().append(true).create(true).open(path));
    let mut opened = opened.map_err(file("opening the summary of the step", path))?;
    crash_point!("ci.summary.append", opened.write_all(format!("{text}\n").as_bytes()))
        .map_err(file("writing the summary of the step", path))?;
    Ok(path.clone())
}
