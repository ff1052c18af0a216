//! The surveyor: a built-in agent that reads a code base and reports on it, without any model.
//!
//! ```text
//!  root ─ walk ─ read ─ inspect (one file, in parallel) ─┐
//!  git log ─ parse_git_log ──────────────────────────────┤
//!                                                        ▼
//!   packages ─ links ─ graph    history    tests    entry points    findings    marks
//!                                                        ▼
//!                               priorities ─ Survey ─ Markdown, JSON, SVG
//! ```
//!
//! `conduct` does this in order; everything after `read` is pure. The surveyor starts no process and asks
//! no clock: whoever calls it runs git with [`GIT_LOG_ARGS`] in the sandbox and passes the output and the
//! time in. The same tree, history, goal and time give the same bytes. It reads what a stranger may have
//! written: nothing it reads is run or obeyed, no symbolic link is followed, every file and the whole are
//! bounded, and secrets are taken out of what it quotes.

mod blame;
mod blocks;
mod conduct;
mod coverage;
mod entry_points;
mod excerpt;
mod findings;
mod functions;
#[cfg(test)]
mod fuzz;
mod goal;
mod graph;
mod history;
mod imports;
mod inspect;
mod language;
mod limits;
mod links;
mod manifest;
mod markdown;
mod marks;
mod modules;
mod numbers;
mod packages;
mod paths;
mod picture;
mod practice;
mod priorities;
mod read;
mod report;
mod role;
mod rules;
mod secrets;
mod sizes;
mod survey;
mod syntax;
mod test_cases;
mod test_inventory;
mod views;
mod walk;
mod whole_files;

pub use conduct::survey;
pub use coverage::Coverage;
pub use entry_points::{EntryKind, EntryPoint};
pub use findings::Finding;
pub use goal::{Section, goal_needs_model, section_order, wants_change, wants_checks, wants_checks_besides};
pub use graph::{Edge, Graph, InternalDependencies, Node, Pictured};
pub use history::{Area, Coupled, GIT_LOG_ARGS, GitHistory, HistoryReport, HotSpot, Knower, parse_git_log};
pub use language::LanguageKind;
pub use limits::Limits;
pub use manifest::{Duplicate, Ecosystem, LockFile, Scope};
pub use markdown::to_markdown;
pub use marks::{Mark, MarkWord};
pub use packages::{ExternalPackage, Package};
pub use picture::to_svg;
pub use practice::{Command, Document, Licence, Practice};
pub use priorities::Priority;
pub use report::{ReportPaths, write_report};
pub use role::Role;
pub use rules::{Rule, Severity};
pub use sizes::{FileRow, FolderRow, LanguageRow, LongFunction, RoleRow};
pub use survey::{Error, Project, RuleCount, StopSwitch, Survey, SurveyOptions};
pub use test_inventory::{TestCommand, TestFolder, TestInventory};
pub use walk::LeftAside;
