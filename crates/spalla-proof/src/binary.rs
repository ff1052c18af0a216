//! The program under test: the real one, built now where it is missing or stale.

use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The workspace, as it was when this program was built.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");

/// Builds the program and returns its path: it lies beside this one.
pub(crate) fn spalla() -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding this program's own file")?;
    // Cargo knows best what is stale, and says nothing where nothing is.
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // By their names and not by their packages: the libraries get what all packages want of them, as in the tests' build.
    build
        .args(["build", "--quiet", "--bin", "spalla", "--bin", "spalla-proof", "--manifest-path", WORKSPACE])
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
