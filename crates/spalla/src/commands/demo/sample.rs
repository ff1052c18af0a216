//! The sample application, carried inside the program so that the demo works anywhere.

use crate::failure::{Failure, Result, file};
use spalla_crash::crash_point;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

macro_rules! sample_files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../../../../examples/sample-app/", $path))),)*]
    };
}

/// The files with their contents.
const FILES: &[(&str, &str)] = sample_files![
    ".gitignore",
    "Makefile",
    "README.md",
    "VERSION",
    "build.sh",
    "deploy.sh",
    "package.sh",
    "recipes/build.yaml",
    "recipes/deploy.yaml",
    "recipes/package.yaml",
    "recipes/test.yaml",
    "src/app.sh",
    "src/invoice.awk",
    "test.sh",
    "tests/orders.csv",
    "tests/orders.txt",
];

/// What is done with the sample, in order, each with its recipe.
pub(super) const RECIPES: [(&str, &str); 4] = [
    ("build", include_str!("../../../../../examples/sample-app/recipes/build.yaml")),
    ("test", include_str!("../../../../../examples/sample-app/recipes/test.yaml")),
    ("package", include_str!("../../../../../examples/sample-app/recipes/package.yaml")),
    ("deploy", include_str!("../../../../../examples/sample-app/recipes/deploy.yaml")),
];

/// How many demos one data folder may see.
const COPIES_MAX: u32 = 1_000;

/// Writes the files into a new folder and returns it.
pub(super) fn unpack(below: &Path) -> Result<PathBuf> {
    let folder = free_folder(below)?;
    for (name, text) in FILES {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(&folder);
        crash_point!("demo.sample.folder.create", fs::create_dir_all(parent))
            .map_err(file("making", parent))?;
        crash_point!("demo.sample.file.write", fs::write(&path, text)).map_err(file("writing", &path))?;
        if name.ends_with(".sh") {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
                .map_err(file("making executable", &path))?;
        }
    }
    Ok(folder)
}

/// An earlier demo's copy stays as it is: somebody may have worked on it.
fn free_folder(below: &Path) -> Result<PathBuf> {
    let name = |number| if number == 1 { "sample-app".to_owned() } else { format!("sample-app-{number}") };
    let free = (1..=COPIES_MAX).map(|number| below.join(name(number))).find(|path| !path.exists());
    free.ok_or_else(|| {
        Failure::usage(format!("{} is full of earlier demos", below.display()))
            .mend("name another folder with --data DIR")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn files_below(folder: &Path) -> BTreeSet<String> {
        let mut open = vec![folder.to_owned()];
        let mut found = BTreeSet::new();
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
                let name = entry.strip_prefix(folder).unwrap().display().to_string();
                match name.as_str() {
                    // What the sample's own build makes, and ignores.
                    "dist" | "deployed" => {}
                    _ if entry.is_dir() => open.push(entry),
                    _ => drop(found.insert(name)),
                }
            }
        }
        found
    }

    #[test]
    fn the_program_carries_every_file_of_the_sample() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sample-app");
        let carried = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(files_below(&source), carried);
    }

    #[test]
    fn a_second_copy_leaves_the_first_alone() {
        let root = tempfile::tempdir().unwrap();
        let (first, second) = (unpack(root.path()).unwrap(), unpack(root.path()).unwrap());
        assert_ne!(first, second);
        assert_eq!(files_below(&first), files_below(&second));
        assert_ne!(fs::metadata(second.join("build.sh")).unwrap().permissions().mode() & 0o100, 0);
    }
}
