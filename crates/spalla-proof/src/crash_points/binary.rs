//! Finds the binary that is to be killed: beside this one, and built where it is not there.

use anyhow::{Context, ensure};
use std::path::PathBuf;
use std::process::Command;

/// Returns its path.
pub(super) fn find() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program")?;
    let beside = own.with_file_name("spalla");
    if !beside.is_file() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args(["build", "--quiet", "--package", "spalla", "--package", "spalla-proof"])
            .status();
        ensure!(status.context("building spalla")?.success(), "building spalla failed");
    }
    ensure!(beside.is_file(), "there is no {}", beside.display());
    Ok(beside)
}
