//! What an installed program can do: read from its own help, and from the table of versions only where that says nothing.

use crate::definition::Definition;
use crate::pattern::compiled;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

static FLAG: LazyLock<Regex> = LazyLock::new(|| compiled(r"(?m)(?:^|[\s,\[|(])(--?[A-Za-z][A-Za-z0-9-]*)"));
static VERSION: LazyLock<Regex> = LazyLock::new(|| compiled(r"(\d+)\.(\d+)(?:\.(\d+))?"));

/// A version, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u64, pub u64, pub u64);

impl Version {
    /// Finds the first version in a text.
    pub fn find(text: &str) -> Option<Self> {
        let found = VERSION.captures(text)?;
        let part = |number: usize| found.get(number).map_or(Some(0), |part| part.as_str().parse().ok());
        Some(Self(part(1)?, part(2)?, part(3)?))
    }
}

/// What an installed program can do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Installed {
    /// Its version, if it said one.
    pub version: Option<Version>,
    /// Its flags.
    pub flags: BTreeSet<String>,
    /// Whether its own help told them.
    pub is_told: bool,
}

impl Installed {
    /// Reads what the program printed: its version, and its helps together.
    pub fn read(definition: &Definition, version: &str, help: &str) -> Self {
        let version = Version::find(version);
        let told: BTreeSet<String> = FLAG.captures_iter(help).map(|flag| flag[1].to_owned()).collect();
        // A program that does not know its own help says a line about it, which names at most that.
        if told.iter().filter(|flag| flag.starts_with("--")).count() > 2 {
            return Self { version, flags: told, is_told: true };
        }
        let since = |known: &&crate::definition::KnownFlags| match (Version::find(&known.since), version) {
            (Some(since), Some(version)) => since <= version,
            // A version that nobody knows is taken as a new one.
            (_, None) => true,
            (None, _) => false,
        };
        let known = definition.known.iter().filter(since).flat_map(|known| known.flags.clone());
        Self { version, flags: known.collect(), is_told: false }
    }

    /// Tells whether it has a flag.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.contains(flag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codex() -> Definition {
        Definition::parse(include_str!("../adapters/codex.toml")).unwrap()
    }

    #[test]
    fn flags_are_read_from_the_help_of_the_program() {
        let help = "Options:\n  -s, --sandbox <MODE>  [possible values: read-only, workspace-write]\n      --add-dir <DIR>\n\
                    \x20     --json            Print events (see also --output-schema)\n";
        let installed = Installed::read(&codex(), "codex-cli 0.169.0", help);
        assert!(installed.is_told);
        assert_eq!(installed.version, Some(Version(0, 169, 0)));
        assert!(
            ["-s", "--sandbox", "--add-dir", "--json", "--output-schema"]
                .iter()
                .all(|flag| installed.has(flag))
        );
        assert!(!installed.has("--skip-git-repo-check") && !installed.has("-only"));
    }

    #[test]
    fn without_a_help_the_table_of_versions_counts() {
        let read =
            |version: &str| Installed::read(&codex(), version, "error: unexpected argument '--help' found");
        assert!(!read("codex-cli 0.58.0").has("--add-dir"));
        assert!(read("codex-cli 0.77.1").has("--add-dir"));
        assert!(read("codex-cli 0.77.1").has("--json") && !read("codex-cli 0.77.1").has("--ephemeral"));
        assert!(read("no version").has("--ephemeral"));
    }
}
