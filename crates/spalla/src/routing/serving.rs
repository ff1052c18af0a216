//! The agents of a process that goes on: those that passed the gates, the router over them, and what a piece of work is given of
//! the one that it is for.

use super::standing::Standing;
use super::{ByDefinition, Current, Peers, built_in};
use crate::adapters::library;
use crate::config::{RoutingSettings, Settings};
use crate::sessions::Agents;
use spalla_domain::agent_policy::AgentPolicy;
use spalla_domain::chosen::{ChosenBy, ChosenDefinition, StandsIn, instructions};
use spalla_domain::session::INTEGRATOR;
use spalla_embedding::Embedding;
use spalla_registry::registry::{PRELOAD, Registry, Resolved, Snapshot};
use spalla_router::{Answer, Details, Fleet, Index, Question, Router, Source, Told, Weights};
use spalla_server::{Choice, Definitions, Routing, Unchosen, Unrouted, Work};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// The agents that are carried out by the worker itself.
const OWN: [&str; 3] = ["surveyor", "verifier", INTEGRATOR];

/// The agents that serve.
pub(crate) struct Serving {
    definitions: Definitions,
    settings: Settings,
    routed: Mutex<Option<(Arc<Snapshot>, Arc<Router>)>>,
    turns: AtomicUsize,
    /// Whose newest runs break what was promised of them.
    breakers: Mutex<Arc<BTreeSet<String>>>,
}

impl fmt::Debug for Serving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serving").field("folder", &self.registry().folder()).finish_non_exhaustive()
    }
}

impl Serving {
    /// Opens the folder of the settings. What can't be served is kept as refused.
    pub(crate) fn open(settings: &Settings) -> crate::failure::Result<Self> {
        let registry = Registry::serve(&settings.agents.dir);
        let configured = settings.aliases()?;
        registry.set_aliases(configured.clone());
        let definitions = Definitions::new(Arc::new(registry), configured);
        let (settings, routed, breakers) = (settings.clone(), Mutex::default(), Mutex::default());
        Ok(Self { definitions, settings, routed, turns: AtomicUsize::new(0), breakers })
    }

    /// Returns the definitions, as a server shows them.
    pub(crate) fn definitions(&self) -> Definitions {
        self.definitions.clone()
    }

    /// Returns what is published.
    pub(crate) fn registry(&self) -> &Registry {
        &self.definitions.registry
    }

    fn routing(&self) -> &RoutingSettings {
        &self.settings.routing
    }

    /// Reads ahead what work most often leads to, and makes the router; returns how many definitions were read.
    pub(crate) fn warm(&self) -> usize {
        let read = self.registry().preload(PRELOAD);
        if let Err(error) = self.current() {
            tracing::warn!("the agents can't be chosen from: {error}");
        }
        read
    }

    /// Returns the router over what serves now. Whoever asks while it is made waits for it.
    fn current(&self) -> Result<Current, Unrouted> {
        let snapshot = self.registry().snapshot();
        let folder = self.registry().folder().display();
        if !snapshot.is_published() {
            if let Some(reason) = self.registry().refused() {
                return Err(Unrouted::Unusable(format!("the agents in {folder}: {reason}")));
            }
            let note = format!("no agents are published in {folder}; these are the built-in ones");
            let router = self.router(built_in::fleet(), None);
            return Ok(Current { looks: None, router, note: Some(note) });
        }
        let mut routed = self.routed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, router)) = routed.as_ref().filter(|(of, _)| Arc::ptr_eq(of, &snapshot)) {
            return Ok(Current { looks: None, router: router.clone(), note: None });
        }
        let (index, triggers) = snapshot.texts().ok_or_else(|| {
            Unrouted::Unusable(format!("the agents in {folder} have an index.json and no triggers.json"))
        })?;
        let fleet = Fleet::published(index, triggers)
            .map_err(|error| Unrouted::Unusable(format!("the agents in {folder}: {error}")))?;
        let router = self.router(fleet, Some(Arc::new(OfSnapshot(snapshot.clone()))));
        for problem in &router.index().problems().told {
            tracing::warn!("the agents in {folder}: {problem}");
        }
        *routed = Some((snapshot, router.clone()));
        Ok(Current { looks: None, router, note: None })
    }

    fn router(&self, fleet: Fleet, source: Option<Arc<dyn Source>>) -> Arc<Router> {
        let index = Index::build(fleet, source);
        Arc::new(Router::new(Arc::new(index), Weights::default(), self.routing().options()))
    }

    /// Takes note of whose newest runs break what was promised of them.
    pub(super) fn note_breakers(&self, breakers: BTreeSet<String>) {
        let mut known = self.breakers.lock().unwrap_or_else(PoisonError::into_inner);
        if **known != breakers {
            tracing::info!("agents that break what was promised of their runs: {breakers:?}");
            *known = Arc::new(breakers);
        }
    }

    /// Adds to a question how agents stand just now.
    fn with_standing(&self, question: &Question) -> Question {
        let breakers = Arc::clone(&self.breakers.lock().unwrap_or_else(PoisonError::into_inner));
        let down = self.registry().snapshot().failing().map(str::to_owned).collect();
        let Standing { version, conditions } = Standing::of(&breakers, &down);
        let mut question = question.clone();
        for (id, condition) in conditions {
            question.conditions.entry(id).or_insert(condition);
        }
        question.standing = question.standing.or(version);
        question
    }

    fn answer(&self, question: &Question) -> Result<(Arc<Answer>, Option<String>), Unrouted> {
        let Current { router, note, .. } = self.current()?;
        let question = &self.with_standing(question);
        let started = Instant::now();
        let answer = router.route_until(question, &|| started.elapsed() > self.routing().matchers());
        Ok((answer, note))
    }

    /// Returns the names by which a definition can be pinned: aliases and ids.
    pub(crate) fn names(&self) -> Vec<String> {
        let snapshot = self.registry().snapshot();
        let aliases = self.registry().aliases();
        let published = snapshot.index().agents.iter().map(|entry| entry.id.clone());
        aliases.keys().cloned().chain(published).collect()
    }

    /// Returns the definition that a name means, or, where it is not there, the one of the generalist of its domain; the error says
    /// why it can't be used.
    pub(crate) fn pinned(&self, name: &str) -> Result<ByDefinition, String> {
        let resolved = self.registry().resolve(name, None).map_err(|missing| missing.to_string())?;
        self.chosen(resolved, ChosenBy::Pinned, None)
    }

    /// Returns the definition that a task is for; none where nothing is published, or nobody fits who can be used.
    pub(crate) fn routed(&self, task: &str) -> Option<ByDefinition> {
        if !self.registry().snapshot().is_published() {
            return None;
        }
        let question = Question { task: task.to_owned(), ..Question::default() };
        let answer = match self.answer(&question) {
            Ok((answer, _)) => answer,
            Err(error) => {
                tracing::warn!("no agent is chosen for a task: {error}");
                return None;
            }
        };
        let best = answer.candidates.first()?;
        let chosen = match self.registry().resolve(&best.id, Some(&best.domain)) {
            Ok(resolved) => self.chosen(resolved, ChosenBy::Routed, Some(&answer)),
            Err(missing) => Err(missing.to_string()),
        };
        chosen.inspect_err(|why| tracing::warn!("the agent that a task is for can't be used: {why}")).ok()
    }

    fn chosen(
        &self,
        Resolved { loaded, escalation }: Resolved,
        by: ChosenBy,
        answer: Option<&Answer>,
    ) -> Result<ByDefinition, String> {
        let id = &loaded.definition.agent.id;
        let unusable = |why: String| format!("the agent {id:?} can't be used: {why}");
        let given = self.registry().given(&loaded).map_err(|error| unusable(error.to_string()))?;
        let policy = self.registry().policy(given.alias.as_ref().unwrap_or(&given.id)).map_err(unusable)?;
        let strict_tools = self.settings.policy.strict_tools;
        let stands_in = escalation.map(|one| StandsIn { wanted: one.wanted, notify: one.notify });
        if let Some(StandsIn { wanted, .. }) = &stands_in {
            tracing::warn!("the agent {wanted} is not there; {id} does its work");
        }
        let chosen = ChosenDefinition {
            id: given.id,
            alias: given.alias,
            digest: given.digest,
            publication: given.publication,
            by,
            ambiguous: answer.is_some_and(|answer| answer.ambiguous),
            stands_in,
            explanation: answer.and_then(|answer| serde_json::to_value(answer).ok()),
            instructions: instructions(&given.instructions),
        };
        Ok(ByDefinition { chosen, policy: Box::new(AgentPolicy { strict_tools, ..policy }) })
    }

    /// Tells whether a name is that of something that carries work out, and not of a definition.
    fn carries_out(&self, name: &str) -> bool {
        let known =
            || library(&self.settings).is_ok_and(|all| all.definitions().iter().any(|one| one.name == name));
        OWN.contains(&name) || known()
    }

    /// Chooses the command line that carries work out: by tier and balance, as sessions do.
    fn command_line(&self) -> Result<String, Unchosen> {
        let agents =
            Agents::found(&self.settings).map_err(|failure| Unchosen::Nobody(failure.to_string()))?;
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        agents.for_piece(turn, &mut BTreeMap::new()).ok_or_else(|| {
            let notes = agents.notes.iter().map(|note| format!("; {note}")).collect::<String>();
            Unchosen::Nobody(format!("no agent's command line is installed and logged in{notes}"))
        })
    }
}

impl Routing for Serving {
    fn route(&self, question: &Question) -> Result<Arc<Answer>, Unrouted> {
        let (answer, note) = self.answer(question)?;
        let Some(note) = note else { return Ok(answer) };
        let mut answer = Answer::clone(&answer);
        answer.notes.insert(0, note);
        Ok(Arc::new(answer))
    }

    fn choose(&self, work: &Work) -> Result<Option<Choice>, Unchosen> {
        let found = match &work.named {
            Some(name) if self.carries_out(name) => return Ok(None),
            Some(name) if self.registry().knows(name) => self.pinned(name).map_err(Unchosen::Named)?,
            // A worker elsewhere may know it.
            Some(_) => return Ok(None),
            None => match self.routed(&work.task) {
                Some(found) => found,
                None => return Ok(None),
            },
        };
        let ByDefinition { chosen, policy } = found.among(Peers::Nobody).map_err(Unchosen::Named)?;
        Ok(Some(Choice { agent: self.command_line()?, definition: chosen, policy: Some(policy) }))
    }
}

/// The files of one publication.
#[derive(Debug)]
struct OfSnapshot(Arc<Snapshot>);

impl Source for OfSnapshot {
    fn details(&self, agent: Told<'_>) -> Result<Details, String> {
        let text = self.0.text(agent.id).map_err(|missing| missing.to_string())?;
        let said = |why: String| format!("{}: {}", agent.id, why.lines().next().unwrap_or_default());
        Details::parse(&text).map_err(said)
    }

    fn embedding(&self) -> Result<Arc<Embedding>, String> {
        super::details::embedding()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Sources};

    #[test]
    fn whoever_breaks_a_promise_pays_and_the_answer_says_by_which_version() {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources {
            data_default: folder.path().to_owned(),
            files: vec![],
            env: vec![],
            dot_env: vec![],
            flags: vec![],
        };
        let mut settings = Config::load(sources).unwrap().settings;
        settings.agents.dir = folder.path().join("none");
        let serving = Serving::open(&settings).unwrap();
        let question = Question { task: "let claude or codex do it".into(), ..Question::default() };
        let answer = |serving: &Serving| {
            let answer = serving.route(&question).unwrap();
            let best = answer.candidates.first().map(|one| one.id.clone()).unwrap();
            (best, answer.standing.is_some())
        };
        assert_eq!(answer(&serving), ("claude".to_owned(), false));
        serving.note_breakers(["claude".to_owned()].into());
        assert_eq!(answer(&serving), ("codex".to_owned(), true));
        serving.note_breakers(BTreeSet::new());
        assert_eq!(answer(&serving), ("claude".to_owned(), false));
    }
}
