//! The plan of a session: the pieces of the goal, who does each, and what speaks against it.

use super::advance::item;
use super::agents::Agents;
use super::screen::Screen;
use crate::failure::{Failure, Result, file};
use crate::output;
use crate::routing::ByDefinition;
use serde_json::Value;
use spalla_domain::chosen::ChosenDefinition;
use spalla_domain::plan::{PieceExecutor, PlanItem};
use spalla_domain::session::{ItemKind, LeftOut, SessionItem};
use spalla_worker::builtin::surveyor::{goal_needs_model, wants_checks, wants_checks_besides};
use std::collections::BTreeMap;
use std::path::Path;

/// The built-in agent that needs no model.
const SURVEYOR: &str = "surveyor";
/// The built-in agent that builds, lints and tests.
const VERIFIER: &str = "verifier";

/// Why a piece that names a definition can't be done without one.
const NEEDS_COMMAND_LINE: &str = "the agent that it names works by a command line, and none is there";
/// What is said for an agent where the worker carries out the steps of a recipe.
const RECIPE: &str = "recipe";

/// A piece of the plan with what speaks against it.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// The title and the person's words.
    pub(crate) item: PlanItem,
    /// Who does it.
    pub(crate) agent: String,
    /// By which definition; none where its agent is told the task alone.
    pub(crate) definition: Option<Box<ChosenDefinition>>,
    /// Why it can't be done without a model; none means that its agent can do it.
    pub(crate) needs_model: Option<&'static str>,
}

/// Says with which means the goal is pursued.
pub(crate) fn introduce(screen: &Screen, target: &Path, agents: &Agents) -> Result<()> {
    screen.say(agents.tier())?;
    for note in &agents.notes {
        screen.say(format_args!("note: {note}"))?;
    }
    screen.say(format_args!("target: {}", target.display()))
}

/// Says who does what, in the order of the plan. A plan of which nothing can be done is an error.
pub(crate) fn lay_out(screen: &Screen, items: Vec<PlanItem>, agents: &Agents) -> Result<Vec<Piece>> {
    let mut load = BTreeMap::<String, u32>::new();
    for agent in items.iter().filter_map(|item| item.agent.clone()) {
        *load.entry(agent).or_default() += 1;
    }
    let piece = |(number, item): (usize, PlanItem)| -> Result<Piece> {
        let is_recipe = item.wishes.executor == Some(PieceExecutor::Recipe);
        // A recipe is nobody's load.
        let named = item.agent.clone().filter(|_| !is_recipe);
        let is_own = |name: &String| [SURVEYOR, VERIFIER].contains(&name.as_str());
        let pinned = named.as_ref().filter(|name| !is_own(name)).and_then(|name| agents.pinned(name));
        let pinned = pinned.transpose().map_err(|why| refused(&item.title, &why))?;
        let named = named.filter(|_| pinned.is_none());
        let spread = |load: &mut _| if is_recipe { None } else { agents.for_piece(number, load) };
        let plain = |item, agent: &str, needs_model| Piece {
            item,
            agent: agent.into(),
            definition: None,
            needs_model,
        };
        Ok(match (named, pinned) {
            _ if is_recipe => plain(item, RECIPE, None),
            (Some(agent), _) => plain(item, &agent, None),
            (None, pinned) => match spread(&mut load) {
                Some(agent) => {
                    let routed =
                        || agents.routed(&item).transpose().map_err(|why| refused(&item.title, &why));
                    let found = pinned.map_or_else(routed, |pinned| Ok(Some(pinned)))?;
                    let (definition, policy) =
                        found.map(|ByDefinition { chosen, policy }| (Box::new(chosen), policy)).unzip();
                    let mut item = item;
                    item.wishes.policy = item.wishes.policy.take().or(policy);
                    Piece { item, agent, definition, needs_model: None }
                }
                None if pinned.is_some() => plain(item, SURVEYOR, Some(NEEDS_COMMAND_LINE)),
                None if wants_checks(&item.prompt) => plain(item, VERIFIER, None),
                None => {
                    let needs_model = goal_needs_model(&item.prompt);
                    plain(item, SURVEYOR, needs_model)
                }
            },
        })
    };
    let pieces: Vec<Piece> = items.into_iter().enumerate().map(piece).collect::<Result<_>>()?;
    let pieces: Vec<Piece> = pieces.into_iter().flat_map(with_checks).collect();
    screen.say("plan:")?;
    for (number, piece) in (1..).zip(&pieces) {
        let means = piece.needs_model.map_or_else(|| who(piece), |why| format!("left out: {why}"));
        screen.say(format_args!("  {number}. {} ({means})", output::plain(&piece.item.title)))?;
    }
    refuse_nothing(&pieces)?;
    Ok(pieces)
}

/// What stands behind the key of a piece whose checks are a piece of their own.
const CHECKS: &str = "-checks";

/// Returns a piece that is measured, and its checks beside it where it asks for them as well: without a model nobody does both.
fn with_checks(piece: Piece) -> Vec<Piece> {
    let is_both = piece.agent == SURVEYOR && piece.needs_model.is_none();
    if !is_both || piece.item.agent.is_some() || !wants_checks_besides(&piece.item.prompt) {
        return vec![piece];
    }
    let key = format!("{}{CHECKS}", piece.item.key);
    let checks =
        Piece { item: PlanItem { key, ..piece.item.clone() }, agent: VERIFIER.to_owned(), ..piece.clone() };
    vec![piece, checks]
}

/// Refuses a piece that can't be done by the definition that it names, or is for.
fn refused(title: &str, why: &str) -> Failure {
    Failure::usage(format!("\"{}\" can't be done: {why}", output::plain(title)))
        .mend("name another agent for it in the plan, or further ones for the session")
}

/// Says who does a piece, and as whom.
fn who(piece: &Piece) -> String {
    let Some(chosen) = &piece.definition else { return piece.agent.clone() };
    let name = chosen.alias.as_ref().unwrap_or(&chosen.id);
    let doubt = if chosen.ambiguous { ", ambiguous" } else { "" };
    format!("{} as {}{doubt}", piece.agent, output::plain(name))
}

fn refuse_nothing(pieces: &[Piece]) -> Result<()> {
    let Some(why) = pieces.iter().find_map(|piece| piece.needs_model) else { return Ok(()) };
    if pieces.iter().any(|piece| piece.needs_model.is_none()) {
        return Ok(());
    }
    let what = if pieces.len() == 1 {
        format!("this goal needs a model: {why}")
    } else {
        "every item of this goal needs a model".into()
    };
    Err(Failure::failed(what).mend(
        "install an agent CLI and log in with it: Codex CLI (`npm install -g @openai/codex`), Claude Code (`npm install -g \
         @anthropic-ai/claude-code`) or Gemini CLI (`npm install -g @google/gemini-cli`); or ask for something that can be \
         measured, such as \"Analyze the codebase structure\"",
    ))
}

/// Reads a plan from a file, for a session with these agents.
pub(crate) fn of_file(path: &Path, agents: &Agents) -> Result<Vec<PlanItem>> {
    let text = std::fs::read_to_string(path).map_err(file("reading the plan", path))?;
    of_text(&text, agents)
        .map_err(|wrong| Failure::usage(format!("the plan {} can't be used: {wrong}", path.display())))
}

/// Reads a plan for a session with these agents, or says all that is wrong with it.
pub(crate) fn of_text(text: &str, agents: &Agents) -> Result<Vec<PlanItem>, String> {
    let mut named = agents.names.clone();
    named.extend([SURVEYOR, VERIFIER].map(str::to_owned));
    let pinned = pinned_in(text, &named, agents)?;
    let published = agents.definitions.iter().flat_map(|definitions| definitions.names());
    let known: Vec<String> = named.iter().cloned().chain(published).chain(pinned.keys().cloned()).collect();
    let mut items = spalla_domain::plan::read(text, &known).map_err(|wrong| wrong.join("; "))?.items;
    for item in &mut items {
        let found = item.agent.as_ref().and_then(|agent| pinned.get(agent));
        // Several may do it, each by what it says: a tournament gives it to one agent after another.
        item.wishes.policy = found.map(|found| found.policy.clone());
        // A role whose agent is not of the session is taken by whoever is.
        item.agent = item.agent.take().filter(|agent| named.contains(agent) || pinned.contains_key(agent));
    }
    Ok(items)
}

/// Returns the definitions that the pieces of a plan name beside who is there, or why one of them can't be used.
fn pinned_in(
    text: &str,
    there: &[String],
    agents: &Agents,
) -> Result<BTreeMap<String, ByDefinition>, String> {
    let plan: Value = serde_json::from_str(text).unwrap_or_default();
    let items = plan["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = BTreeMap::new();
    for name in items.iter().filter_map(|item| item["agent"].as_str()) {
        if there.iter().any(|agent| agent == name) || found.contains_key(name) {
            continue;
        }
        if let Some(pinned) = agents.pinned(name) {
            found.insert(name.to_owned(), pinned?);
        }
    }
    Ok(found)
}

/// Tells whether the pieces are worked on in worktrees, so that the session needs a repository of its own.
pub(crate) fn needs_repository(pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| piece.needs_model.is_none() && piece.agent != SURVEYOR)
}

/// Returns the pieces that nobody here can do, with the reasons.
pub(crate) fn left_out_of(pieces: &[Piece]) -> Vec<LeftOut> {
    let left_out = |piece: &Piece| {
        let reason = piece.needs_model?.to_owned();
        Some(LeftOut { title: piece.item.title.clone(), reason })
    };
    pieces.iter().filter_map(left_out).collect()
}

/// Returns the session's first items: the pieces that can be done.
pub(crate) fn items_of(pieces: &[Piece]) -> Vec<SessionItem> {
    let done = pieces.iter().filter(|piece| piece.needs_model.is_none());
    done.map(|piece| {
        let PlanItem { key, title, prompt, why, depends_on, acceptance, timeout_ms, wishes, part, .. } =
            piece.item.clone();
        let item = item(key, ItemKind::Work, title, prompt, &piece.agent);
        let definition = piece.definition.clone();
        SessionItem { why, definition, depends_on, acceptance, timeout_ms, wishes, part, ..item }
    })
    .collect()
}
