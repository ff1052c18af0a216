//! The bounds of one survey: how much of a tree is read, and how much of what was found is kept.

use serde::Serialize;

/// Bounds on one survey. What falls outside is counted and named in the report, never dropped in silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Files looked at; a tree with more is cut in path order.
    pub files_max: usize,
    /// Largest file that is read.
    pub file_bytes_max: u64,
    /// Bytes read in all; files beyond it, in path order, are counted but not read.
    pub total_bytes_max: u64,
    /// Deepest folder that is entered.
    pub depth_max: usize,
    /// Findings kept; the most severe are kept first.
    pub findings_max: usize,
    /// Marks of unfinished work kept.
    pub marks_max: usize,
    /// Long functions kept, the longest first.
    pub long_functions_max: usize,
    /// Files listed one by one in the JSON report, the largest first.
    pub files_listed_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A very large monorepo has some hundred thousand files; past that a survey of the parts says
            // more.
            files_max: 200_000,
            // Source written by people stays far below; larger files are data or were generated.
            file_bytes_max: 2 << 20,
            // Keeps the worst case to about a minute on one core.
            total_bytes_max: 1 << 30,
            // Deeper trees are only seen in test data made to break tools.
            depth_max: 64,
            // Nobody reads more; the counts per rule stay exact.
            findings_max: 10_000,
            marks_max: 10_000,
            long_functions_max: 5_000,
            files_listed_max: 50_000,
        }
    }
}
