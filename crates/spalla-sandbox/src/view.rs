//! Which parts of the machine's files a command sees, and how: computed before anything is mounted.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The folders of the operating system. One that is a link is shown as that link.
const SYSTEM: [&str; 10] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/nix/store", "/gnu/store"];
/// The devices that programs expect and that lead nowhere.
pub(crate) const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// How a part is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Access {
    /// To read, as far as everybody may.
    System,
    /// To read, as its owner would.
    Read,
    /// To write, as its owner would.
    Write,
    /// A device file.
    Device,
}

impl Access {
    /// Returns the word for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::System | Self::Read => "read",
            Self::Write => "write",
            Self::Device => "device",
        }
    }
}

/// A part of the machine's files, shown at its own path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub(crate) path: PathBuf,
    pub(crate) access: Access,
}

/// What a view shows at one moment: the parts, which files they are and whose, and the links.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    parts: Vec<(Part, Option<[u64; 4]>)>,
    links: Vec<(PathBuf, PathBuf)>,
}

/// All parts, those that hold others first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct View {
    parts: Vec<Part>,
    /// Links to make, and where they lead.
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
}

impl View {
    /// Shows the operating system.
    pub(crate) fn of_system() -> Self {
        let mut view = Self::default();
        for path in SYSTEM.map(Path::new) {
            let Ok(found) = fs::symlink_metadata(path) else { continue };
            if found.is_dir() {
                view.parts.push(Part { path: path.to_owned(), access: Access::System });
            } else if let Ok(to) = fs::read_link(path) {
                view.links.push((path.to_owned(), to));
            }
        }
        for name in DEVICES {
            view.parts.push(Part { path: Path::new("/dev").join(name), access: Access::Device });
        }
        view
    }

    /// Shows a path to read, unless it is shown already.
    pub(crate) fn read(&mut self, path: PathBuf) {
        if !self.shows(&path) {
            self.parts.push(Part { path, access: Access::Read });
        }
    }

    /// Shows a path to write.
    pub(crate) fn write(&mut self, path: PathBuf) {
        if self.access(&path) != Some(Access::Write) {
            self.parts.push(Part { path, access: Access::Write });
        }
    }

    /// Tells whether something real is seen at a path that has no links in it.
    pub(crate) fn shows(&self, path: &Path) -> bool {
        self.access(path).is_some()
    }

    /// Tells whether something that is shown lies directly in a folder.
    pub(crate) fn holds_part(&self, folder: &Path) -> bool {
        self.parts.iter().any(|part| part.path.parent() == Some(folder))
    }

    /// Returns how a path is shown: as the innermost part that holds it.
    pub(crate) fn access(&self, path: &Path) -> Option<Access> {
        let holding = self.parts.iter().filter(|part| path.starts_with(&part.path));
        holding.max_by_key(|part| depth(&part.path)).map(|part| part.access)
    }

    /// Tells whether a path leads to the same file inside: every link on the way is shown, and so is its end.
    pub(crate) fn leads(&self, path: &Path) -> bool {
        let mut path = path.to_owned();
        // As many links as the kernel follows.
        for _ in 0..40 {
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
            let Ok(folder) = fs::canonicalize(folder) else { return false };
            if folder != path.parent().unwrap_or(&folder) && !self.has_link_towards(&path) {
                return false;
            }
            path = folder.join(name);
            if !self.shows(&path) {
                return false;
            }
            match fs::read_link(&path) {
                Ok(to) => path = folder.join(to),
                Err(_) => return true,
            }
        }
        false
    }

    /// Tells whether the only links among the folders of a path are those of the system itself, such as `/bin`, or
    /// are within what is shown.
    fn has_link_towards(&self, path: &Path) -> bool {
        self.links.iter().any(|(at, _)| path.starts_with(at))
            || path
                .ancestors()
                .skip(1)
                .any(|folder| folder.is_symlink() && folder.parent().is_some_and(|parent| self.shows(parent)))
    }

    /// Returns what is seen now: two views that are put up from the same are the same.
    pub(crate) fn seen(&self) -> Seen {
        let which = |part: &Part| {
            let found = fs::metadata(&part.path).ok()?;
            Some([found.dev(), found.ino(), found.uid().into(), found.gid().into()])
        };
        let parts = self.parts().into_iter().map(|part| (part.clone(), which(part)));
        Seen { parts: parts.collect(), links: self.links.clone() }
    }

    /// Returns what it shows besides another view that stands already; none where that has to be put up anew, since
    /// something of it is shown otherwise, or would be covered.
    pub(crate) fn beyond(&self, standing: &Self) -> Option<Self> {
        let is_shown = |part: &Part| self.parts.contains(part);
        let is_linked = |link: &(PathBuf, PathBuf)| self.links.contains(link);
        if !standing.parts.iter().all(is_shown) || !standing.links.iter().all(is_linked) {
            return None;
        }
        let is_new = |part: &&&Part| !standing.parts.contains(part);
        let parts: Vec<Part> = self.parts().iter().filter(is_new).map(|part| (*part).clone()).collect();
        let covers = |part: &Part| standing.parts.iter().any(|shown| shown.path.starts_with(&part.path));
        if parts.iter().any(covers) {
            return None;
        }
        let links = self.links.iter().filter(|link| !standing.links.contains(link)).cloned();
        Some(Self { parts, links: links.collect() })
    }

    /// Returns the parts in the order in which they are mounted.
    pub(crate) fn parts(&self) -> Vec<&Part> {
        let mut parts: Vec<&Part> = self.parts.iter().collect();
        parts.sort_by_key(|part| depth(&part.path));
        let mut seen = BTreeSet::new();
        // The last word on a path counts: what is written besides being read is written.
        let mut kept: Vec<&Part> = parts.into_iter().rev().filter(|part| seen.insert(&part.path)).collect();
        kept.reverse();
        kept
    }
}

fn depth(path: &Path) -> usize {
    path.components().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let mut view = View::default();
        view.read("/home/me/tools".into());
        view.write("/home/me/tools/project".into());
        view
    }

    #[test]
    fn the_innermost_part_says_how_a_path_is_shown() {
        assert_eq!(view().access(Path::new("/home/me/tools/a")), Some(Access::Read));
        assert_eq!(view().access(Path::new("/home/me/tools/project/a")), Some(Access::Write));
        assert_eq!(view().access(Path::new("/home/me")), None);
        assert_eq!(view().access(Path::new("/home/me/tools-2")), None);
    }

    #[test]
    fn outer_parts_are_mounted_before_inner_ones_and_each_once() {
        let mut view = View::default();
        view.write("/a/b/c".into());
        view.read("/a".into());
        view.write("/a".into());
        let parts = view.parts();
        let shown: Vec<_> = parts.iter().map(|part| (part.path.to_str().unwrap(), part.access)).collect();
        assert_eq!(shown, [("/a", Access::Write), ("/a/b/c", Access::Write)]);
    }

    #[test]
    fn a_view_goes_on_from_one_that_stands_unless_that_would_be_covered_or_shown_otherwise() {
        let (mut standing, mut whole) = (View::default(), View::default());
        for view in [&mut standing, &mut whole] {
            view.read("/usr/lib".into());
            view.links.push(("/bin".into(), "usr/bin".into()));
        }
        whole.write("/work".into());
        let beyond = whole.beyond(&standing).unwrap();
        assert_eq!(beyond.parts, [Part { path: "/work".into(), access: Access::Write }]);
        assert!(beyond.links.is_empty() && standing.beyond(&whole).is_none());
        for over in ["/usr", "/usr/lib"] {
            let mut covering = View { parts: whole.parts.clone(), links: whole.links.clone() };
            covering.write(over.into());
            assert!(covering.beyond(&standing).is_none(), "{over}");
        }
    }

    #[test]
    fn a_file_that_takes_the_place_of_another_is_not_what_was_seen() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        fs::write(&path, "one").unwrap();
        let mut view = View::default();
        view.read(path.clone());
        let seen = view.seen();
        fs::write(&path, "changed").unwrap();
        assert_eq!(view.seen(), seen);
        fs::write(place.path().join("other"), "two").unwrap();
        fs::rename(place.path().join("other"), &path).unwrap();
        assert_ne!(view.seen(), seen);
    }

    #[test]
    fn the_system_is_shown_and_the_home_is_not() {
        let view = View::of_system();
        assert!(view.shows(Path::new("/usr/bin/env")));
        for path in ["/home", "/var/lib", "/opt", "/sys", "/boot", "/run", "/proc/1", "/dev/sda"] {
            assert!(!view.shows(Path::new(path)), "{path}");
        }
    }
}
