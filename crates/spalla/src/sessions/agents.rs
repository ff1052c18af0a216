//! Which agents a session has: those that a person names, or those that are installed and have a login.

use super::balance::Balance;
use crate::adapters::{has_login, library, program_of};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::failure::{Failure, Result};
use crate::programs;
use crate::routing::{ByDefinition, Peers, Serving};
use spalla_adapter::definition::Definition;
use spalla_adapter::library::Library;
use spalla_domain::plan::PlanItem;
use spalla_domain::session::Selector;
use spalla_domain::tier::Tier;
use spalla_store::Clock as _;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The agents of a session, the one that works first in front.
#[derive(Debug, Clone, Default)]
pub(crate) struct Agents {
    /// Their names.
    pub(crate) names: Vec<String>,
    /// What the person should know of those that were left out.
    pub(crate) notes: Vec<String>,
    /// How pieces are spread among them that name none.
    pub(crate) balance: Balance,
    /// Who says which of them takes a piece that names none.
    pub(crate) selector: Selector,
    /// The definitions by which pieces are done, named or found; none where nobody chooses.
    pub(crate) definitions: Option<Arc<Serving>>,
}

/// In which order agents are taken where the person names none: who implements comes first.
const ORDER: [&str; 3] = ["claude", "codex", "gemini"];

impl Agents {
    /// Takes those that a person names. One that is not there is an error: the person counts on it.
    pub(crate) fn named(settings: &Settings, names: &[String]) -> Result<Self> {
        let balance = Balance::of(settings, SystemClock.now())?;
        Ok(Self { balance, ..Known::read(settings)?.named(names)? })
    }

    /// Takes those that are installed and have a login.
    pub(crate) fn found(settings: &Settings) -> Result<Self> {
        let balance = Balance::of(settings, SystemClock.now())?;
        Ok(Self { balance, ..Known::read(settings)?.found() })
    }

    /// Has pieces done by the definitions that they are for.
    #[must_use]
    pub(crate) fn by(self, definitions: &Arc<Serving>) -> Self {
        Self { definitions: Some(Arc::clone(definitions)), ..self }
    }

    /// Has pieces spread by what the records of agents say, where that matters; the records are asked for then.
    #[must_use]
    pub(crate) async fn weighed(self, trust: impl Future<Output = BTreeMap<String, f64>>) -> Self {
        if self.names.len() < 2 || !self.balance.asks_for_records(self.selector) {
            return self;
        }
        let balance = self.balance.by_records(&trust.await);
        Self { balance, ..self }
    }

    /// Returns the definition that a piece names in the place of an agent of the session; none where nobody has that name, and
    /// the reason where its work can't be done by it.
    pub(crate) fn pinned(&self, name: &str) -> Option<Result<ByDefinition, String>> {
        let definitions = self.definitions.as_ref().filter(|_| self.names.iter().all(|own| own != name))?;
        if definitions.registry().knows(name) {
            return Some(definitions.pinned(name).and_then(|found| self.review(found)));
        }
        definitions.registry().refused().map(|why| Err(format!("no definition can be used: {why}")))
    }

    /// Returns the definition that a piece is for that names nobody; none where there is none, and the reason where its work can't
    /// be done by it.
    pub(crate) fn routed(&self, item: &PlanItem) -> Option<Result<ByDefinition, String>> {
        let task = format!("{}\n\n{}", item.title, item.prompt);
        let found = self.definitions.as_ref()?.routed(&task)?;
        Some(self.review(found))
    }

    fn review(&self, found: ByDefinition) -> Result<ByDefinition, String> {
        found.among(Peers::InSession(self.names.len()))
    }

    /// Returns with how many agents the session works.
    pub(crate) fn tier(&self) -> Tier {
        Tier::of(&self.names)
    }

    /// Returns the agent that does the piece with this number, where nobody is named for it, given how many pieces each has
    /// to do already; and takes note of it.
    pub(crate) fn for_piece(&self, number: usize, load: &mut BTreeMap<String, u32>) -> Option<String> {
        let chosen = self.balance.choose(&self.names, load, number)?;
        let name = self.names.get(chosen.place)?.clone();
        *load.entry(name.clone()).or_default() += 1;
        Some(name)
    }
}

/// The agents that can be called, and the programs that the settings name in the place of theirs.
struct Known {
    library: Library,
    programs: BTreeMap<String, String>,
}

impl Known {
    fn read(settings: &Settings) -> Result<Self> {
        let library = library(settings)?;
        let wishes = settings.wishes();
        let program = |one: &Definition| (one.name.clone(), program_of(one, &wishes).to_owned());
        let programs = library.definitions().iter().map(program).collect();
        Ok(Self { library, programs })
    }

    fn program<'a>(&'a self, definition: &'a Definition) -> &'a str {
        self.programs.get(&definition.name).unwrap_or(&definition.program)
    }

    fn named(&self, names: &[String]) -> Result<Agents> {
        let known = self.library.definitions();
        let mut taken: Vec<String> = Vec::new();
        for name in names.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()) {
            let Some(definition) = known.iter().find(|definition| definition.name == name) else {
                return Err(self.unknown(&name));
            };
            self.check_installed(definition)?;
            if !taken.contains(&name) {
                taken.push(name);
            }
        }
        if taken.is_empty() {
            return Err(Failure::usage("--agents names nobody")
                .mend("name some of them, or leave it out: then those are taken that are installed and have a login"));
        }
        Ok(Agents { names: taken, notes: self.notes_of_broken(), ..Agents::default() })
    }

    fn unknown(&self, name: &str) -> Failure {
        let all: Vec<_> = self.library.entries().iter().map(|one| one.definition.name.as_str()).collect();
        let broken =
            self.library.broken().iter().map(|one| format!("; {} is not used: {}", one.file, one.why));
        Failure::usage(format!("--agents: there is no agent {name:?}")).mend(format!(
            "name some of {}{}",
            all.join(", "),
            broken.collect::<String>()
        ))
    }

    fn check_installed(&self, definition: &Definition) -> Result<()> {
        let Definition { title, install, .. } = definition;
        match self.program(definition) {
            "" => Err(Failure::usage(format!("{title} has no program of its own")).mend(install)),
            program if programs::find(program).is_none() => {
                let what = format!("{title} is not installed: {program} is not on the PATH");
                Err(Failure::usage(what).mend(format!("install it with `{install}`")))
            }
            _ => Ok(()),
        }
    }

    fn found(&self) -> Agents {
        let known = self.library.definitions();
        let environment: BTreeMap<String, String> = programs::variables().collect();
        let mut agents = Agents { notes: self.notes_of_broken(), ..Agents::default() };
        let in_order = ORDER.iter().filter_map(|name| known.iter().find(|one| one.name == *name));
        for definition in in_order.filter(|one| programs::find(self.program(one)).is_some()) {
            if has_login(definition, &environment) {
                agents.names.push(definition.name.clone());
            } else {
                let Definition { title, name, .. } = definition;
                agents.notes.push(format!(
                    "{title} is installed, and no login or key for it was found; --agents {name} uses it all the same"
                ));
            }
        }
        agents
    }

    fn notes_of_broken(&self) -> Vec<String> {
        let broken = self.library.broken().iter();
        broken.map(|one| format!("the adapter {} is not used: {}", one.file, one.why)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_go_round() {
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let agents = Agents { names, ..Agents::default() };
        let mut load = BTreeMap::new();
        let spread = [0, 1, 2, 3].map(|number| agents.for_piece(number, &mut load).unwrap());
        assert_eq!(spread, ["a", "b", "c", "a"]);
        assert_eq!(Agents::default().for_piece(0, &mut load), None);
    }

    fn known(files: &[(&str, &str)]) -> Known {
        let mut library = Library::built_in().unwrap();
        for (file, text) in files {
            library.add(file, Ok((*text).to_owned()));
        }
        Known { library, programs: BTreeMap::from([("codex".into(), "sh".into())]) }
    }

    #[test]
    fn an_agent_that_nobody_knows_is_named_with_those_that_are_known() {
        let error = known(&[("x.toml", "name = 1")]).named(&["clod".into()]).err().unwrap().to_string();
        assert!(known(&[]).named(&["".into(), " ".into()]).is_err(), "who names nobody counts on somebody");
        let wanted = ["clod", "codex, claude, gemini", "x.toml is not used: line 1, name"];
        assert!(wanted.iter().all(|part| error.contains(part)), "{error}");
    }

    #[test]
    fn an_agent_of_a_persons_own_is_taken_where_its_program_is_there() {
        let own = "name = 'mine'\ntitle = 'Mine'\nprogram = 'sh'\ninstall = 'i'\noutput = 'text'\nprompt = 'stdin'\n";
        let known = known(&[("mine.toml", own)]);
        assert_eq!(
            known.named(&["mine".into(), " MINE".into(), "codex".into()]).unwrap().names,
            ["mine", "codex"]
        );
        let error = known.named(&["text".into()]).err().unwrap().to_string();
        assert!(error.contains("no program of its own"), "{error}");
    }
}
