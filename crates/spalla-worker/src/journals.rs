//! The journals of runs, in which supervisors write down how commands ended. Of a run that ended here nothing is left; one
//! whose worker was killed leaves its own, and whoever carries the run out next says in its log what is in it.

use crate::run::Run;
use spalla_domain::Timestamp;
use spalla_sandbox::{Entry, read_journal};
use std::fs::DirBuilder;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The folder of the journals, below the data folder.
const FOLDER: &str = "journals";
/// How long a journal waits for its run to come back, in milliseconds: a week.
const KEPT_MS: i64 = 7 * 24 * 3_600_000;

/// Makes the folder, and removes journals that nobody asked for.
pub(crate) fn open(data_dir: &Path, now: Timestamp) -> io::Result<()> {
    let folder = data_dir.join(FOLDER);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let changed_ms = entry.metadata()?.mtime().saturating_mul(1_000);
        if now.ms().saturating_sub(changed_ms) > KEPT_MS {
            remove(&entry.path());
        }
    }
    Ok(())
}

impl Run<'_> {
    /// Returns the journal of this run under its token.
    pub(crate) fn journal(&self) -> PathBuf {
        self.options.data_dir.join(FOLDER).join(self.label())
    }

    /// Says what commands did of which no worker heard the end, under earlier tokens of the same run.
    pub(crate) async fn tell_untold(&self) {
        let folder = self.options.data_dir.join(FOLDER);
        let before = format!("run-{}-", self.assignment.run_id);
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let is_earlier = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(&before) && *path != self.journal()
        };
        let journals: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_earlier).collect();
        for journal in journals {
            for entry in read_journal(&journal).iter().filter(|entry| !entry.told) {
                self.log.say(in_words(entry)).await;
            }
            remove(&journal);
        }
    }

    /// The run ended here, and all that its journal says was heard.
    pub(crate) fn forget_journal(&self) {
        remove(&self.journal());
    }
}

fn in_words(entry: &Entry) -> String {
    let how = match entry.signal {
        Some(signal) => format!("was ended by signal {signal}"),
        None => format!("ended with exit status {}", entry.code),
    };
    let why = if entry.lost { "; no worker had taken it up in time" } else { "" };
    format!("a command of an earlier worker ({}) {how} after that worker was gone{why}", entry.label)
}

fn remove(journal: &Path) {
    match std::fs::remove_file(journal) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(journal = %journal.display(), %error, "a run's journal was not removed");
        }
        _ => {}
    }
}
