//! The globs: which agents the files of a task speak for.

use crate::fleet::Number;
use crate::hits::Postings;
use crate::problem::Problems;
use crate::score::Micro;
use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use std::collections::BTreeMap;

/// How many different globs there are at most.
pub(crate) const GLOBS_MAX: usize = 5_000;
/// The longest glob, in bytes.
const GLOB_BYTES_MAX: usize = 256;

/// All globs, numbered in their order.
#[derive(Debug)]
pub(crate) struct Globs {
    set: GlobSet,
    texts: Vec<String>,
    pub(crate) agents: Postings,
}

impl Globs {
    pub(crate) fn build(globs: BTreeMap<String, Vec<Number>>, agents: u32, problems: &mut Problems) -> Self {
        let mut set = GlobSetBuilder::new();
        let mut built = Self { set: GlobSet::empty(), texts: Vec::new(), agents: Postings::new() };
        for (text, numbers) in globs {
            match read(&text, built.texts.len()) {
                Ok(glob) => {
                    set.add(glob);
                    built.agents.push(numbers.into_iter().map(|agent| (agent, Micro::ONE)).collect(), agents);
                    built.texts.push(text);
                }
                Err(why) => problems.add(&text, why),
            }
        }
        match set.build() {
            Ok(set) => built.set = set,
            Err(error) => problems.add("", format!("the globs can't be used together: {error}")),
        }
        built
    }

    /// Finds the globs that a file fits.
    pub(crate) fn find(&self, file: &str, found: &mut Vec<usize>) {
        let file = file.strip_prefix("./").unwrap_or(file);
        self.set.matches_into(file, found);
    }

    /// Returns a glob as it was written.
    pub(crate) fn text(&self, number: u32) -> &str {
        &self.texts[number as usize]
    }
}

fn read(text: &str, count: usize) -> Result<Glob, String> {
    if text.len() > GLOB_BYTES_MAX {
        return Err(format!("it has {} bytes, at most {GLOB_BYTES_MAX}", text.len()));
    }
    if count == GLOBS_MAX {
        return Err(format!("there are {GLOBS_MAX} globs already"));
    }
    // A glob without a folder means files of that name in any.
    let anywhere = if text.contains('/') { text.to_owned() } else { format!("**/{text}") };
    let glob = GlobBuilder::new(anywhere.trim_start_matches("./")).literal_separator(true).build();
    glob.map_err(|error| error.kind().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(globs: &[&str], file: &str) -> Vec<String> {
        let mut problems = Problems::default();
        let all = globs.iter().map(|glob| ((*glob).to_owned(), vec![0])).collect();
        let globs = Globs::build(all, 1, &mut problems);
        assert_eq!(problems.count, 0);
        let mut found = Vec::new();
        globs.find(file, &mut found);
        found.iter().map(|number| globs.text(u32::try_from(*number).unwrap()).to_owned()).collect()
    }

    #[test]
    fn a_glob_without_a_folder_means_any() {
        let globs = ["*.rs", "Dockerfile", "src/**/*.ts", "src/*.py", "*.{tf,tfvars}"];
        assert_eq!(found(&globs, "a/b/c.rs"), ["*.rs"]);
        assert_eq!(found(&globs, "./Dockerfile"), ["Dockerfile"]);
        assert_eq!(found(&globs, "src/a/b.ts"), ["src/**/*.ts"]);
        assert_eq!(found(&globs, "src/a/b.py"), [""; 0]);
        assert_eq!(found(&globs, "infra/x.tfvars"), ["*.{tf,tfvars}"]);
    }

    #[test]
    fn broken_and_long_globs_are_told_and_the_others_hold() {
        let mut problems = Problems::default();
        let all = ["a[", "*.rs", &"x".repeat(300)].map(|glob| (glob.to_owned(), vec![0])).into();
        let globs = Globs::build(all, 1, &mut problems);
        assert_eq!((globs.texts.len(), problems.count), (1, 2));
    }
}
