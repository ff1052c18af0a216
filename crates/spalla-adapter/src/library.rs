//! All adapters that are known: those that are built in, and those that a person adds or puts in their places. A file that
//! can't be used is kept with the reason, and never stops the others.

use crate::definition::{Definition, Error, built_in};
use spalla_domain::session::INTEGRATOR;

/// The agents that are no command lines; no adapter can be called like them.
const OF_SPALLA: [&str; 3] = ["surveyor", "verifier", INTEGRATOR];

/// All adapters that are known.
#[derive(Debug, Clone)]
pub struct Library {
    entries: Vec<Entry>,
    broken: Vec<Broken>,
}

/// One adapter with where it came from.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The adapter.
    pub definition: Definition,
    /// Its file; none where it is built in.
    pub file: Option<String>,
}

/// A file that can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub file: String,
    /// Why.
    pub why: String,
}

impl Library {
    /// Returns the adapters that are built in.
    pub fn built_in() -> Result<Self, Error> {
        let entries = built_in()?.into_iter().map(|definition| Entry { definition, file: None });
        Ok(Self { entries: entries.collect(), broken: Vec::new() })
    }

    /// Adds a file by its text, or the reason why it has none.
    pub fn add(&mut self, file: &str, text: Result<String, String>) {
        let added = text
            .and_then(|text| Definition::parse(&text).map_err(|error| error.to_string()))
            .and_then(|definition| self.take(file, definition));
        if let Err(why) = added {
            self.broken.push(Broken { file: file.to_owned(), why });
        }
    }

    fn take(&mut self, file: &str, definition: Definition) -> Result<(), String> {
        let name = &definition.name;
        if OF_SPALLA.contains(&name.as_str()) {
            return Err(format!("name {name:?}: an agent of Spalla's own is called so"));
        }
        let entry = Entry { file: Some(file.to_owned()), ..Entry::from(definition.clone()) };
        match self.entries.iter_mut().find(|known| known.definition.name == *name) {
            None => self.entries.push(entry),
            Some(Entry { file: Some(other), .. }) => {
                return Err(format!("name {name:?}: the adapter in {other} is called so"));
            }
            Some(_) if !definition.replaces => {
                return Err(format!(
                    "name {name:?}: an adapter that is built in is called so; write `replaces = true` to put this one in its place"
                ));
            }
            Some(known) => *known = entry,
        }
        Ok(())
    }

    /// Returns the adapters with where they came from, the built-in ones in front.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the files that can't be used.
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// Returns the adapters alone.
    pub fn definitions(&self) -> Vec<Definition> {
        self.entries.iter().map(|entry| entry.definition.clone()).collect()
    }
}

impl From<Definition> for Entry {
    fn from(definition: Definition) -> Self {
        Self { definition, file: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    fn text(name: &str, more: &str) -> Result<String, String> {
        Ok(format!(
            "name = '{name}'\ntitle = 't'\nprogram = 'p'\ninstall = 'i'\noutput = 'text'\nprompt = 'stdin'\n{more}"
        ))
    }

    fn names(library: &Library) -> Vec<&str> {
        library.entries().iter().map(|entry| entry.definition.name.as_str()).collect()
    }

    #[test]
    fn a_broken_file_is_kept_by_name_and_stops_no_other() {
        let mut library = Library::built_in().unwrap();
        library.add("a.toml", text("mine", "colour = 1\n"));
        library.add("b.toml", text("mine", ""));
        library.add("c.toml", Err("it is not UTF-8".into()));
        assert_eq!(names(&library), ["codex", "claude", "gemini", "jsonl", "text", "acp", "mine"]);
        assert_eq!(library.entries()[6].file.as_deref(), Some("b.toml"));
        let files: Vec<_> = library.broken().iter().map(|broken| broken.file.as_str()).collect();
        assert_eq!(files, ["a.toml", "c.toml"]);
        let why = &library.broken()[0].why;
        assert!(why.starts_with("line 7, colour: unknown field"), "{why}");
    }

    #[test]
    fn the_example_that_people_are_shown_is_an_adapter() {
        let page = include_str!("../../../docs/adapters.md");
        let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let mut library = Library::built_in().unwrap();
        library.add("fixer.toml", Ok(example.to_owned()));
        assert_eq!((library.broken(), names(&library)[6]), (&[][..], "fixer"));
    }

    /// Its patterns take long to compile.
    static BUILT_IN: LazyLock<Library> = LazyLock::new(|| Library::built_in().unwrap());

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn a_damaged_file_is_an_adapter_or_is_told_on_one_line(at in 0..2_000_usize, cut in 0..40_usize, more in "[\\PC\\n\0\\[\\]='\"]{0,6}") {
            let whole = include_str!("../adapters/codex.toml");
            let at = whole.floor_char_boundary(at);
            let rest = &whole[whole.floor_char_boundary(at + cut)..];
            let mut library = BUILT_IN.clone();
            library.add("own.toml", Ok(format!("{}{more}{rest}", &whole[..at])));
            prop_assert!(library.entries().len() + library.broken().len() >= 7);
            for broken in library.broken() {
                prop_assert!(!broken.why.trim().is_empty() && !broken.why.contains('\n'), "{}", broken.why);
            }
        }
    }

    #[test]
    fn a_name_is_taken_by_who_has_it_unless_a_built_in_one_is_replaced() {
        let mut library = Library::built_in().unwrap();
        library.add("a.toml", text("codex", ""));
        assert!(library.broken()[0].why.contains("replaces = true"));
        library.add("b.toml", text("codex", "replaces = true\n"));
        assert_eq!(library.entries()[0].file.as_deref(), Some("b.toml"));
        assert_eq!(library.entries()[0].definition.program, "p");
        library.add("c.toml", text("codex", "replaces = true\n"));
        assert!(library.broken()[1].why.contains("b.toml"), "{:?}", library.broken());
        for own in ["surveyor", "verifier", "integrator"] {
            library.add("d.toml", text(own, "replaces = true\n"));
            assert!(library.broken().last().unwrap().why.contains("Spalla's own"), "{own}");
        }
        assert_eq!(names(&library), ["codex", "claude", "gemini", "jsonl", "text", "acp"]);
    }
}
