//! Finds programs as a shell would.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Returns the file of a program on the `PATH` of an environment.
pub(crate) fn find(name: &str, env: &BTreeMap<String, String>) -> Option<PathBuf> {
    let path = env.get("PATH")?;
    // An empty or relative part would mean the folder of whoever asks.
    let folders = path.split(':').map(Path::new).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(name)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_executed_is_found() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("plain"), "").unwrap();
        let env = |path: String| BTreeMap::from([("PATH".to_owned(), path)]);
        let path = format!("relative::{}:/bin:/usr/bin", folder.path().display());
        assert!(find("sh", &env(path.clone())).is_some());
        assert_eq!(find("plain", &env(path)), None);
        assert_eq!(find("sh", &BTreeMap::new()), None);
    }
}
