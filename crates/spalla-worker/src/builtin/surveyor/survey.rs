//! The result of a survey: everything that `report.json` holds, and why there may be none.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde::Serialize;

use super::coverage::Coverage;
use super::entry_points::EntryPoint;
use super::findings::Finding;
use super::goal::Section;
use super::graph::InternalDependencies;
use super::history::HistoryReport;
use super::limits::Limits;
use super::manifest::LockFile;
use super::marks::Mark;
use super::packages::{ExternalPackage, Package};
use super::practice::Practice;
use super::priorities::Priority;
use super::role::Role;
use super::rules::Rule;
use super::sizes::{FileRow, FolderRow, LanguageRow, LongFunction, RoleRow};
use super::test_inventory::TestInventory;

/// What a survey is told.
#[derive(Debug, Clone)]
pub struct SurveyOptions {
    /// The goal in the person's own words; it decides which part of the report comes first.
    pub goal: String,
    /// The time of the survey; "recent" is counted from it.
    pub now: Timestamp,
    /// How much is read and kept.
    pub limits: Limits,
    /// Ends the survey half-way.
    pub stop: StopSwitch,
}

/// Lets somebody end a survey that goes on on another thread; its clones are the same switch.
#[derive(Debug, Clone, Default)]
pub struct StopSwitch(Arc<AtomicBool>);

impl StopSwitch {
    /// Ends the survey at the next file.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether the survey is to end.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Makes the end of the survey of it.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.is_stopped() { Err(Error::Stopped) } else { Ok(()) }
    }
}

/// Why a survey or its report failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The root cannot be opened.
    #[error("could not open the folder to survey, {path}; check that it exists and may be read", path = .path.display())]
    Open {
        /// The root.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody ended it half-way.
    #[error("the survey was ended before it was complete")]
    Stopped,
    /// The root is no folder.
    #[error("{path} is not a folder; survey the folder it lies in", path = .path.display())]
    NotAFolder {
        /// The root.
        path: PathBuf,
    },
    /// A part of the report cannot be written.
    #[error("could not write {path}; check that the folder may be written to and the disk has room", path = .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The result cannot be put into JSON.
    #[error("could not put the result of the survey into JSON")]
    Encode(#[source] serde_json::Error),
}

/// The result of a survey. Its fields are the members of `report.json`; they are only ever added to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// Name and version of this form, `spalla.survey/1`.
    pub format: &'static str,
    /// The project.
    pub project: Project,
    /// The goal as it was given, without secrets.
    pub goal: String,
    /// Why the goal needs a model, where it does.
    pub goal_needs_model: Option<&'static str>,
    /// The order of the report's sections.
    pub sections: Vec<Section>,
    /// The time of the survey.
    pub surveyed_at: Timestamp,
    /// What to look at first, by stated rules.
    pub priorities: Vec<Priority>,
    /// The rules of risk and how often each holds.
    pub rules: Vec<RuleCount>,
    /// Risky places, the most severe first.
    pub findings: Vec<Finding>,
    /// Languages, code first, the largest first.
    pub languages: Vec<LanguageRow>,
    /// Folders, opened where the code is.
    pub folders: Vec<FolderRow>,
    /// How much of the tree is source, test, generated …
    pub roles: Vec<RoleRow>,
    /// Packages this tree defines.
    pub packages: Vec<Package>,
    /// Who needs whom within the tree.
    pub internal_dependencies: InternalDependencies,
    /// Packages from outside.
    pub external_dependencies: Vec<ExternalPackage>,
    /// Lock files.
    pub lock_files: Vec<LockFile>,
    /// Ways in.
    pub entry_points: Vec<EntryPoint>,
    /// Tests.
    pub tests: TestInventory,
    /// How the project is worked on: checks by machines, commands, licence, documents.
    pub practice: Practice,
    /// What the history shows; none without one.
    pub history: Option<HistoryReport>,
    /// Marks of unfinished work, the most urgent first.
    pub marks: Vec<Mark>,
    /// How many marks there are, kept or not.
    pub marks_found: usize,
    /// Long functions, the longest first.
    pub long_functions: Vec<LongFunction>,
    /// Unsafe blocks of Rust in the product.
    pub unsafe_blocks: usize,
    /// What was read and what was not.
    pub coverage: Coverage,
    /// The limits that held.
    pub limits: Limits,
    /// Text files, the most code first.
    pub files: Vec<FileRow>,
}

/// What the tree says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Project {
    /// The name of the package in the root, else of the root's folder.
    pub name: String,
    /// What the root's manifest says it is for.
    pub description: Option<String>,
    /// The licence file in the root.
    pub license_file: Option<String>,
    /// The read-me file in the root.
    pub readme: Option<String>,
}

/// A rule and how often it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleCount {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// Places in the product.
    pub in_product: usize,
    /// Places in tests, examples, benchmarks and texts.
    pub elsewhere: usize,
}

impl Survey {
    /// Returns the lines whose age is worth a look, by file: the most urgent marks of the product first.
    pub fn lines_to_date(&self, files_max: usize, lines_max: usize) -> Vec<(String, Vec<u32>)> {
        let mut wanted: Vec<(String, Vec<u32>)> = Vec::new();
        let own = self.marks.iter().filter(|mark| mark.role.is_product());
        for mark in own.take(lines_max) {
            match wanted.iter().position(|(file, _)| *file == mark.file) {
                Some(at) => wanted[at].1.push(mark.line),
                None if wanted.len() < files_max => wanted.push((mark.file.clone(), vec![mark.line])),
                None => {}
            }
        }
        wanted
    }

    /// Takes the ages of lines of one file, as `git blame --porcelain` tells them.
    pub fn date_marks(&mut self, file: &str, blame: &[u8]) {
        let times = super::blame::parse(blame);
        for mark in self.marks.iter_mut().filter(|mark| mark.file == file) {
            mark.since = times.get(&mark.line).copied().or(mark.since);
        }
    }

    /// Returns the lines of product code.
    pub(crate) fn product_lines(&self) -> usize {
        self.folders.iter().map(|row| row.code_lines).sum()
    }

    /// Returns how many files play a part, and how many lines of code are in them.
    pub(crate) fn of_role(&self, role: Role) -> (usize, usize) {
        self.roles.iter().find(|row| row.role == role).map_or((0, 0), |row| (row.files, row.code_lines))
    }
}
