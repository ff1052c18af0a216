//! The program under test: the real one, built now where it is missing or stale.

use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Builds the program and returns its path: it lies beside this one.
pub(crate) fn spalla() -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    // Cargo knows best what is stale, and says nothing where nothing is.
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Both packages together, as the tests build them, so that no library is built twice.
    build
        .args(["build", "--quiet", "--package", "spalla", "--package", "spalla-proof"])
        .stdout(Stdio::null());
    let folder = own.parent().context("finding this program's own folder")?;
    if folder.ends_with("release") {
        build.arg("--release");
    }
    if let Some(target) = folder.parent() {
        build.arg("--target-dir").arg(target);
    }
    let status = build.status().context("building spalla")?;
    ensure!(status.success(), "building spalla: {status}");
    let path = own.with_file_name("spalla");
    ensure!(path.exists(), "{} is not there after the build", path.display());
    Ok(path)
}
