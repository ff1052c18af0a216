//! When the newest source changed: `SOURCE_DATE_EPOCH`, or git's newest commit and what was changed since, or the files'
//! own times.

use crate::commands::block_on_all_cores;
use crate::failure::{Failure, Result};
use crate::git;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// The variable that says it for everything that is built.
const VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// Returns the time that the environment fixes, in seconds since 1970.
pub(super) fn fixed() -> Result<Option<i64>> {
    let Some(text) = std::env::var_os(VARIABLE) else { return Ok(None) };
    let seconds =
        text.to_str().and_then(|text| text.trim().parse::<i64>().ok()).filter(|seconds| *seconds >= 0);
    let wrong = || {
        Failure::usage(format!("{VARIABLE} is {text:?}")).mend("set it to seconds since 1970, or not at all")
    };
    seconds.map(Some).ok_or_else(wrong)
}

/// Returns when the newest source changed, as git and the files say. `newest_s` is that of the files alone, which counts
/// where nothing is committed.
pub(super) fn newest(source: &Path, newest_s: i64) -> i64 {
    block_on_all_cores(async { Ok(asked(source).await.unwrap_or(newest_s)) }).unwrap_or(newest_s)
}

/// Asks git for the newest commit that touches a folder, and looks at what was changed since.
async fn asked(source: &Path) -> Option<i64> {
    let said = git::call(source, &["log", "-1", "--format=%ct", "--", "."]).await.ok()?;
    let committed = said.trim().parse().ok()?;
    let top = git::call(source, &["rev-parse", "--show-toplevel"]).await.ok()?;
    let top = Path::new(top.trim_end_matches('\n'));
    let args = ["status", "--porcelain", "-z", "--untracked-files=all", "--", "."];
    let status = git::call(source, &args).await.ok()?;
    let changed = status.split('\0').filter_map(|line| line.get(3..)).filter(|path| !path.is_empty());
    Some(changed.filter_map(|path| modified_s(&top.join(path))).fold(committed, i64::max))
}

/// What is gone changed its folder.
fn modified_s(path: &Path) -> Option<i64> {
    let data = path.symlink_metadata().or_else(|_| path.parent().unwrap_or(path).symlink_metadata()).ok()?;
    let since = data.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_secs()).ok()
}
