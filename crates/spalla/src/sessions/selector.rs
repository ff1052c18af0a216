//! Which agent takes a piece that names none, by what the piece is most like of what agents are good at. The same pieces are
//! always given to the same agents, and the record says why.

use super::agents::Agents;
use super::meaning::Meaning;
use crate::failure::Result;
use spalla_domain::plan::{PieceExecutor, PlanItem};
use spalla_domain::session::Selector;
use std::collections::BTreeMap;

/// What the usual agents are good at, and any other one.
const GOOD_AT: [(&str, &str); 3] = [
    (
        "gemini",
        "architecture and design: propose an approach, design a schema, plan the structure, compare options, write the \
         documentation, explain the whole system",
    ),
    (
        "claude",
        "implementation: implement a feature, add a function, write code, build a page, refactor a module, migrate, translate",
    ),
    (
        "codex",
        "problem solving and review: fix a bug, debug a crash, find out why it fails, make it faster, review, audit the \
         security, write tests",
    ),
];
/// What an agent is good at of which nothing is known.
const ANY: &str = "implementation: implement a feature, add a function, write code, fix a bug, write tests";

/// How much less alike an agent may be that has less to do for what it bears and is taken all the same.
const MARGIN: f32 = 0.05;
/// In how fine parts of a piece it is compared what agents have to do.
const BURDEN: u64 = 1_000_000;

/// Names an agent for each piece that names none, where the session is asked to choose by meaning.
pub(super) fn select(mut items: Vec<PlanItem>, agents: &Agents) -> Result<Vec<PlanItem>> {
    let is_open =
        |item: &PlanItem| item.agent.is_none() && item.wishes.executor != Some(PieceExecutor::Recipe);
    if agents.selector == Selector::Heuristic || agents.names.is_empty() || !items.iter().any(is_open) {
        return Ok(items);
    }
    let meaning = Meaning::load()?;
    choose(&mut items, agents, &|one, other| meaning.like(one, other));
    Ok(items)
}

fn choose(items: &mut [PlanItem], agents: &Agents, like: &dyn Fn(&str, &str) -> f32) {
    let mut load: BTreeMap<String, u32> = BTreeMap::new();
    for agent in items.iter().filter_map(|item| item.agent.clone()) {
        *load.entry(agent).or_default() += 1;
    }
    let called: Vec<&String> = agents.names.iter().filter(|name| agents.balance.is_called(name)).collect();
    // Where all wait for the end of a limit, the run waits for it.
    let called = if called.is_empty() { agents.names.iter().collect() } else { called };
    let is_open =
        |item: &&mut PlanItem| item.agent.is_none() && item.wishes.executor != Some(PieceExecutor::Recipe);
    for item in items.iter_mut().filter(is_open) {
        let measured: Vec<(&String, f32)> =
            called.iter().map(|name| (*name, like(&item.title, good_at(name)))).collect();
        let best = measured.iter().map(|(_, alike)| *alike).fold(f32::MIN, f32::max);
        let near = measured.iter().filter(|(_, alike)| best - alike <= MARGIN);
        // (pieces + 1) for what the agent bears, in whole numbers so that equals are equal.
        let burden = |name: &String| {
            let pieces = u64::from(load.get(name).copied().unwrap_or(0)) + 1;
            pieces * BURDEN / u64::from(agents.balance.weight(name).max(1))
        };
        let Some((name, alike)) = near.min_by_key(|(name, _)| burden(name)) else { continue };
        *load.entry((*name).clone()).or_default() += 1;
        item.why = Some(format!("tiny: it is {alike:.2} like what {name} is good at; the best is {best:.2}"));
        item.agent = Some((*name).clone());
    }
}

fn good_at(name: &str) -> &'static str {
    GOOD_AT.iter().find(|(known, _)| *known == name).map_or(ANY, |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(names: &[&str], titles: &[&str]) -> Vec<String> {
        let goal: String = titles.iter().map(|title| format!("- {title}\n")).collect();
        let items = spalla_domain::plan::heuristic(&goal).unwrap().items;
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let agents = Agents { names, selector: Selector::Tiny, ..Agents::default() };
        let items = select(items, &agents).unwrap();
        assert!(items.iter().all(|item| item.why.as_ref().unwrap().starts_with("tiny: ")));
        items.into_iter().map(|item| item.agent.unwrap()).collect()
    }

    #[test]
    fn each_piece_goes_to_whoever_is_good_at_such_work() {
        let titles = [
            "Propose an architecture for the billing system",
            "Implement the settings page",
            "Find out why the upload crashes",
        ];
        assert_eq!(chosen(&["claude", "codex", "gemini"], &titles), ["gemini", "claude", "codex"]);
    }

    #[test]
    fn of_agents_that_are_as_good_the_proven_one_gets_more() {
        let goal = "- Write one page\n- Write another page\n- Write a third page\n";
        let items = spalla_domain::plan::heuristic(goal).unwrap().items;
        let trust = BTreeMap::from([("mine".to_owned(), 0.1), ("yours".to_owned(), 0.9)]);
        let names = ["mine", "yours"].map(str::to_owned).to_vec();
        let balance = crate::sessions::balance::Balance::default().by_records(&trust);
        let agents = Agents { names, selector: Selector::Tiny, balance, ..Agents::default() };
        let given = select(items, &agents).unwrap().into_iter().map(|item| item.agent.unwrap());
        assert_eq!(given.collect::<Vec<_>>(), ["yours", "yours", "yours"]);
    }

    #[test]
    fn agents_that_are_as_good_share_the_work_in_their_order() {
        let titles = ["Write one page", "Write another page", "Write a third page"];
        assert_eq!(chosen(&["mine", "yours"], &titles), ["mine", "yours", "mine"]);
    }
}
