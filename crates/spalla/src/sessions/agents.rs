//! Which agents a session has: those that a person names, or those that are installed and have a login.

use crate::failure::{Failure, Result};
use crate::programs;
use spalla_adapter::definition::{Definition, built_in};
use spalla_domain::tier::Tier;
use std::collections::BTreeMap;
use std::path::Path;

/// The agents of a session, the one that works first in front.
#[derive(Debug, Clone, Default)]
pub(crate) struct Agents {
    /// Their names.
    pub(crate) names: Vec<String>,
    /// What the person should know of those that were left out.
    pub(crate) notes: Vec<String>,
}

/// In which order agents are taken where the person names none: who implements comes first.
const ORDER: [&str; 3] = ["claude", "codex", "gemini"];

impl Agents {
    /// Takes those that a person names. One that is not there is an error: the person counts on it.
    pub(crate) fn named(names: &[String]) -> Result<Self> {
        let known = known()?;
        let mut taken: Vec<String> = Vec::new();
        for name in names.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()) {
            let Some(definition) = known.iter().find(|definition| definition.name == name) else {
                let all: Vec<&str> = known.iter().map(|definition| definition.name.as_str()).collect();
                return Err(Failure::usage(format!("--agents: there is no agent {name:?}"))
                    .mend(format!("name some of {}", all.join(", "))));
            };
            if programs::find(&definition.program).is_none() {
                let Definition { title, program, install, .. } = definition;
                return Err(Failure::usage(format!(
                    "{title} is not installed: {program} is not on the PATH"
                ))
                .mend(format!("install it with `{install}`")));
            }
            if !taken.contains(&name) {
                taken.push(name);
            }
        }
        Ok(Self { names: taken, notes: Vec::new() })
    }

    /// Takes those that are installed and have a login.
    pub(crate) fn found() -> Result<Self> {
        let known = known()?;
        let environment: BTreeMap<String, String> = programs::variables().collect();
        let mut agents = Self::default();
        let in_order = ORDER.iter().filter_map(|name| known.iter().find(|one| one.name == *name));
        for definition in in_order.filter(|one| programs::find(&one.program).is_some()) {
            if has_login(definition, &environment) {
                agents.names.push(definition.name.clone());
            } else {
                let Definition { title, name, .. } = definition;
                agents.notes.push(format!(
                    "{title} is installed, and no login or key for it was found; --agents {name} uses it all the same"
                ));
            }
        }
        Ok(agents)
    }

    /// Returns with how many agents the session works.
    pub(crate) fn tier(&self) -> Tier {
        Tier::of(&self.names)
    }

    /// Returns the agent that does the piece with this number, where nobody is named for it.
    pub(crate) fn for_piece(&self, number: usize) -> Option<String> {
        self.names.get(number.checked_rem(self.names.len())?).cloned()
    }
}

/// Returns the agents that can be called.
pub(crate) fn known() -> Result<Vec<Definition>> {
    built_in().map_err(|error| Failure::failed(format!("the built-in adapters: {error}")))
}

/// Tells whether anything speaks for a login: a variable that holds a key, or a file that the program keeps one in.
fn has_login(definition: &Definition, environment: &BTreeMap<String, String>) -> bool {
    let is_set = |name: &String| environment.get(name).is_some_and(|value| !value.trim().is_empty());
    if definition.login.variables.iter().any(is_set) {
        return true;
    }
    let home = &definition.home;
    let named = home.variable.as_ref().and_then(|variable| environment.get(variable));
    let named =
        named.map(|path| if home.is_parent { Path::new(path).join(&home.folder) } else { path.into() });
    let usual = || environment.get("HOME").map(|person| Path::new(person).join(&home.folder));
    let folder = named.or_else(usual);
    folder.is_some_and(|folder| definition.login.files.iter().any(|file| folder.join(file).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_go_round() {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let agents = Agents { names, notes: vec![] };
        assert_eq!([0, 4].map(|number| agents.for_piece(number)), [Some("a".into()), Some("b".into())]);
        assert_eq!(Agents::default().for_piece(0), None);
    }

    #[test]
    fn a_login_is_a_key_or_a_file() {
        let codex = known().unwrap().into_iter().find(|one| one.name == "codex").unwrap();
        let home = tempfile::tempdir().unwrap();
        let environment = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let folder = home.path().to_str().unwrap();
        assert!(!has_login(&codex, &environment(&[("CODEX_HOME", folder), ("OPENAI_API_KEY", " ")])));
        assert!(has_login(&codex, &environment(&[("OPENAI_API_KEY", "k")])));
        std::fs::write(home.path().join("auth.json"), "{}").unwrap();
        assert!(has_login(&codex, &environment(&[("CODEX_HOME", folder)])));
    }

    #[test]
    fn an_agent_that_nobody_knows_is_named_with_those_that_are_known() {
        let error = Agents::named(&["clod".into()]).unwrap_err().to_string();
        assert!(error.contains("clod") && error.contains("codex, claude, gemini"), "{error}");
    }
}
