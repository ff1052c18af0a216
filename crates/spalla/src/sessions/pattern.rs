//! Patterns of work: in which order the pieces of a plan go on, and templates by which one piece becomes several.
//!
//! ```text
//! parallel       a   b   c             tournament   a.try-1  a.try-2  ─▶ the best is merged
//! sequential     a ─▶ b ─▶ c           debate       positions ─▶ replies ─▶ a, who heard them
//!                                      map-reduce   a.map-1  a.map-2  ─▶ a, who heard them
//! ```

use crate::failure::{Failure, Result};
use globset::Glob;
use ignore::WalkBuilder;
use spalla_domain::plan::{ITEMS_MAX, Part, PieceExecutor, PlanItem};
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The most tries of one piece.
const TRIES_MAX: usize = 8;
/// How many tries there are where it is not said.
const TRIES: usize = 3;
/// Into how many pieces files are divided at most.
const SHARES_MAX: usize = 16;
/// The most files of a map: their names are told to the agents.
const FILES_MAX: usize = 5_000;

/// In which order the pieces go on, or how each is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Pattern {
    /// Beside each other, as far as none builds on another.
    #[default]
    Parallel,
    /// One after another; a critical one that fails keeps those after it from beginning.
    Sequential,
    /// One after another, each on what was made of the one before.
    Pipeline,
    /// So many tries at each piece, of which the best is merged.
    Tournament(usize),
    /// The agents say what they think of each piece, answer each other, and then one does it.
    Debate,
    /// Each piece for the files of a pattern, divided among the agents, and then brought together.
    MapReduce(String),
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        match (name, argument) {
            ("parallel", None) => Ok(Self::Parallel),
            ("sequential", None) => Ok(Self::Sequential),
            ("pipeline", None) => Ok(Self::Pipeline),
            ("debate", None) => Ok(Self::Debate),
            ("tournament", None) => Ok(Self::Tournament(TRIES)),
            ("tournament", Some(tries)) => {
                let tries = tries.parse().ok().filter(|tries| (2..=TRIES_MAX).contains(tries));
                tries.map(Self::Tournament).ok_or_else(|| format!("a tournament has 2 to {TRIES_MAX} tries"))
            }
            ("map-reduce", Some(glob)) => match Glob::new(glob) {
                Ok(_) => Ok(Self::MapReduce(glob.to_owned())),
                Err(error) => Err(format!("{glob:?} is no pattern of files: {error}")),
            },
            ("map-reduce", None) => Err("say for which files, such as map-reduce:src/**/*.rs".to_owned()),
            _ => {
                Err("one of parallel, sequential, pipeline, tournament:N, debate, map-reduce:FILES"
                    .to_owned())
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parallel => out.write_str("parallel"),
            Self::Sequential => out.write_str("sequential"),
            Self::Pipeline => out.write_str("pipeline"),
            Self::Tournament(tries) => write!(out, "tournament:{tries}"),
            Self::Debate => out.write_str("debate"),
            Self::MapReduce(glob) => write!(out, "map-reduce:{glob}"),
        }
    }
}

/// Puts the pieces into their order.
pub(super) fn in_order(items: Vec<PlanItem>, pattern: &Pattern) -> Vec<PlanItem> {
    if !matches!(pattern, Pattern::Sequential | Pattern::Pipeline) {
        return items;
    }
    let mut ordered: Vec<PlanItem> = Vec::new();
    let mut left = items;
    let mut done = BTreeSet::new();
    // A plan has no circle, so that there is always one that waits for nothing.
    while let Some(index) = left.iter().position(|item| item.depends_on.iter().all(|key| done.contains(key)))
    {
        let mut item = left.remove(index);
        done.insert(item.key.clone());
        let before = ordered.last().map(|before| before.key.clone());
        item.depends_on.extend(before.filter(|key| !item.depends_on.contains(key)));
        ordered.push(item);
    }
    ordered
}

/// Makes of each piece those of the pattern, for these agents and the files of the target.
pub(super) fn unfolded(
    items: Vec<PlanItem>,
    pattern: &Pattern,
    (agents, target): (&[String], &Path),
) -> Result<Vec<PlanItem>> {
    let least = match pattern {
        Pattern::Parallel | Pattern::Sequential | Pattern::Pipeline => return Ok(items),
        Pattern::Tournament(_) | Pattern::MapReduce(_) => 1,
        Pattern::Debate => 2,
    };
    if agents.len() < least {
        let what = if least == 1 { "an agent CLI" } else { "two agent CLIs" };
        return Err(Failure::failed(format!("--pattern {pattern} needs {what}, and this session has none"))
            .mend("install them and log in, or name them with --agents"));
    }
    let files = match pattern {
        Pattern::MapReduce(glob) => files_of(target, glob)?,
        _ => Vec::new(),
    };
    let unfold = |item: PlanItem| match pattern {
        _ if item.wishes.executor == Some(PieceExecutor::Recipe) => vec![item],
        Pattern::Tournament(tries) => tournament(&item, *tries, agents),
        Pattern::Debate => debate(item, agents),
        Pattern::MapReduce(_) => map_reduce(item, &files, agents),
        Pattern::Parallel | Pattern::Sequential | Pattern::Pipeline => vec![item],
    };
    let all: Vec<PlanItem> = items.into_iter().flat_map(unfold).collect();
    if all.len() > ITEMS_MAX {
        let many = format!(
            "--pattern {pattern} makes {} pieces of this goal; a plan has at most {ITEMS_MAX}",
            all.len()
        );
        return Err(Failure::usage(many).mend("give it fewer pieces or fewer tries"));
    }
    Ok(all)
}

/// Returns so many agents, in turn.
fn in_turn(agents: &[String]) -> impl Iterator<Item = &String> {
    agents.iter().cycle()
}

fn tournament(item: &PlanItem, tries: usize, agents: &[String]) -> Vec<PlanItem> {
    let of = |(number, agent): (usize, &String)| PlanItem {
        key: format!("{}.try-{number}", item.key),
        title: format!("try {number}: {}", item.title),
        agent: Some(agent.clone()),
        part: Part { contest: Some(item.key.clone()), ..Part::default() },
        ..item.clone()
    };
    (1..=tries).zip(in_turn(agents)).map(of).collect()
}

fn debate(item: PlanItem, agents: &[String]) -> Vec<PlanItem> {
    let opinion = |round: &str, agent: &String, prompt: String, hears: Vec<String>| PlanItem {
        why: None,
        key: format!("{}.{round}-{agent}", item.key),
        title: format!("{round} of {agent}: {}", item.title),
        prompt,
        agent: Some(agent.clone()),
        depends_on: if hears.is_empty() { item.depends_on.clone() } else { hears.clone() },
        acceptance: None,
        timeout_ms: item.timeout_ms,
        wishes: Default::default(),
        part: Part { hears, answers: true, ..Part::default() },
    };
    let task = &item.prompt;
    let position = |agent| {
        let prompt = format!(
            "You and other agents think about a task before one of you does it. You can look at everything and change nothing. \
             Say in at most 300 words how it should be done, why, and what speaks against that.\n\nThe task:\n\n{task}"
        );
        opinion("position", agent, prompt, Vec::new())
    };
    let positions: Vec<PlanItem> = agents.iter().map(position).collect();
    let heard = |all: &[PlanItem]| all.iter().map(|item| item.key.clone()).collect::<Vec<_>>();
    let reply = |agent| {
        let prompt = format!(
            "You and other agents think about a task before one of you does it. You can look at everything and change nothing. \
             Below is what each of you said. Say in at most 200 words what you take over, what you keep, and \
             why.\n\nThe task:\n\n{task}"
        );
        opinion("reply", agent, prompt, heard(&positions))
    };
    let replies: Vec<PlanItem> = agents.iter().map(reply).collect();
    let hears = heard(&replies);
    let depends_on = [item.depends_on.clone(), hears.clone()].concat();
    let last = PlanItem { depends_on, part: Part { hears, ..Part::default() }, ..item };
    positions.into_iter().chain(replies).chain([last]).collect()
}

fn map_reduce(item: PlanItem, files: &[String], agents: &[String]) -> Vec<PlanItem> {
    let shares = files.len().clamp(1, (2 * agents.len()).min(SHARES_MAX));
    let share = |(number, (files, agent)): (usize, (&[String], &String))| PlanItem {
        key: format!("{}.map-{number}", item.key),
        title: format!("files {number}: {}", item.title),
        prompt: format!(
            "{}\n\nDo it for these files alone; other agents see to the rest:\n\n{}",
            item.prompt,
            files.iter().map(|file| format!("- {file}\n")).collect::<String>()
        ),
        agent: Some(agent.clone()),
        part: Part { may_rest: true, ..Part::default() },
        ..item.clone()
    };
    let maps = files.chunks(files.len().div_ceil(shares).max(1)).zip(in_turn(agents));
    let maps: Vec<PlanItem> = (1..).zip(maps).map(share).collect();
    let hears: Vec<String> = maps.iter().map(|map| map.key.clone()).collect();
    let depends_on = [item.depends_on.clone(), hears.clone()].concat();
    let prompt = format!(
        "{}\n\nThat was done file by file, by several agents; what they changed is here. What each of them said follows. Bring \
         it together: do what is left to do for the whole, and say what came of it.",
        item.prompt
    );
    let part = Part { hears, may_rest: true, ..Part::default() };
    let last = PlanItem { depends_on, prompt, part, ..item };
    maps.into_iter().chain([last]).collect()
}

/// Lists the files of the target that fit, in the order of their paths, without what git ignores.
fn files_of(target: &Path, glob: &str) -> Result<Vec<String>> {
    let matcher =
        Glob::new(glob).map_err(|error| Failure::usage(format!("{glob}: {error}")))?.compile_matcher();
    let mut files = Vec::new();
    let walk =
        WalkBuilder::new(target).hidden(false).filter_entry(|entry| entry.file_name() != ".git").build();
    for entry in walk {
        let entry = entry.map_err(|error| Failure::failed(format!("looking for {glob}: {error}")))?;
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
        let Ok(path) = entry.path().strip_prefix(target) else { continue };
        if let (true, Some(path)) = (is_file && matcher.is_match(path), path.to_str()) {
            files.push(path.to_owned());
        }
    }
    files.sort_unstable();
    match files.len() {
        0 => Err(Failure::usage(format!("no file of the target fits {glob}"))),
        count if count > FILES_MAX => {
            Err(Failure::usage(format!("{count} files fit {glob}; at most {FILES_MAX} are divided")))
        }
        _ => Ok(files),
    }
}

#[cfg(test)]
mod tests;
