//! Nothing in the repository depends on where it was built or from where its packages came.

use super::exceptions::{SUPERUSER_HOME, covered};
use super::finding::Finding;
use super::tree::Tree;

/// A lock file names its sources by design.
const LOCK_FILE: &str = "Cargo.lock";

/// Hosts of package registries, in parts, so that this file does not name them either.
const REGISTRIES: &[&[&str]] = &[
    &["crates", "io"],
    &["npmjs", "org"],
    &["npmjs", "com"],
    &["yarnpkg", "com"],
    &["pypi", "org"],
    &["pythonhosted", "org"],
    &["deb", "debian", "org"],
    &["security", "debian", "org"],
    &["archive", "ubuntu", "com"],
    &["proxy", "golang", "org"],
    &["rubygems", "org"],
    &["maven", "org"],
    &["repo", "maven", "apache", "org"],
];

/// Finds absolute folders of a build machine and hosts of registries.
pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files().filter(|file| file.path != LOCK_FILE) {
        let home_is_free = file.is_test || covered(SUPERUSER_HOME, &file.path);
        for (index, line) in file.text.lines().enumerate() {
            if names_folder(line, "work") || (!home_is_free && names_folder(line, "root")) {
                let message = "an absolute path of the machine it was written on";
                findings.push(Finding::fault(&file.path, index + 1, message));
            }
            if REGISTRIES.iter().any(|host| names_host(line, &host.join("."))) {
                findings.push(Finding::fault(&file.path, index + 1, "names the host of a package registry"));
            }
        }
    }
    findings
}

/// Tells whether the line names something in that folder of the file system's root.
fn names_folder(line: &str, folder: &str) -> bool {
    let absolute = format!("/{folder}/");
    let goes_on = |letter: char| letter.is_alphanumeric() || "._-~/}*".contains(letter);
    line.match_indices(&absolute).any(|(at, _)| !line[..at].ends_with(goes_on))
}

fn names_host(line: &str, host: &str) -> bool {
    let part_of_name = |letter: char| letter.is_alphanumeric() || letter == '-';
    line.match_indices(host).any(|(at, _)| {
        !line[..at].ends_with(part_of_name) && !line[at + host.len()..].starts_with(part_of_name)
    })
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tidy::tree::Tree;

    fn found(path: &str, parts: &[&str]) -> usize {
        check(&Tree::of([(path, parts.concat())])).len()
    }

    #[test]
    fn folders_of_a_machine_are_found() {
        assert_eq!(found("docs/a.md", &["see `/", "work/main`\n"]), 1);
        assert_eq!(found("a.rs", &["let home = \"/", "root/.cargo\";\n"]), 1);
        assert_eq!(found("docs/a.md", &["crates/", "work/x and /work", "-items/ and a/", "root/b\n"]), 0);
    }

    #[test]
    fn the_superusers_home_is_free_in_the_sandbox_and_in_tests() {
        assert_eq!(found("crates/spalla-sandbox/src/mount_view.rs", &["\"/", "root/\""]), 0);
        assert_eq!(found("crates/spalla-store/tests/it/main.rs", &["\"/", "root/\""]), 0);
        assert_eq!(found("crates/spalla-store/tests/it/main.rs", &["\"/", "work/\""]), 1);
    }

    #[test]
    fn registries_are_found_everywhere_but_in_the_lock_file() {
        assert_eq!(found("README.md", &["from https://index.", "crates", ".io/x\n"]), 1);
        assert_eq!(found("Makefile", &["curl ", "pypi", ".org\n"]), 1);
        assert_eq!(found("Cargo.lock", &["registry+https://", "crates", ".io\n"]), 0);
        assert_eq!(found("README.md", &["my", "crates", ".io and ", "crates", ".iov\n"]), 0);
    }
}
