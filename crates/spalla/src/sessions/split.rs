//! Splits a goal by whoever is asked to: at the marks of a list, by the static model, or by an agent that plans first.

use super::agents::Agents;
use super::cloud::smartest;
use super::decompose::{Decomposer, planning, refused, tiny};
use super::pattern::Pattern;
use super::screen::Screen;
use crate::config::Settings;
use crate::failure::{Failure, Result};
use spalla_domain::plan::PlanItem;
use spalla_domain::session::SessionItem;

/// What is said where nobody is the strongest planner.
const NO_SMART: &str = "note: no strongest model is named, so the goal is split as it is written; name one with models.smart \
     (SPALLA_MODELS_SMART), such as claude:opus";

/// A goal that is to be split.
pub(crate) struct Goal<'a> {
    /// The settings.
    pub(crate) settings: &'a Settings,
    /// What the person sees.
    pub(crate) screen: Screen,
    /// The person's words.
    pub(crate) text: &'a str,
    /// The agents of the session.
    pub(crate) agents: &'a Agents,
    /// How the pieces go on.
    pub(crate) pattern: &'a Pattern,
}

/// What a goal is split into.
pub(crate) enum Split {
    /// The items of a plan.
    Items(Vec<PlanItem>),
    /// The item in which an agent makes the plan.
    First(Box<SessionItem>),
}

impl Goal<'_> {
    /// Splits it.
    pub(crate) fn split(&self, decomposer: Decomposer) -> Result<Split> {
        match decomposer {
            Decomposer::Heuristic => self.heuristic(),
            Decomposer::Tiny => tiny(self.text, self.agents).map(Split::Items),
            Decomposer::Llm => self.by_agent(),
            Decomposer::Cloud => self.by_the_strongest(),
        }
    }

    fn heuristic(&self) -> Result<Split> {
        let plan = spalla_domain::plan::heuristic(self.text).map_err(refused)?;
        Ok(Split::Items(plan.items))
    }

    fn by_agent(&self) -> Result<Split> {
        let planning = planning(self.text, self.agents, self.pattern, None).ok_or_else(|| {
            Failure::failed("decomposer llm: a plan by a model needs an agent CLI, and this session has none")
                .mend("install one and log in with it, or leave the goal to be split as it is written")
        })?;
        self.screen.say(format_args!("plan: made by {} first", planning.agent))?;
        Ok(Split::First(Box::new(planning)))
    }

    fn by_the_strongest(&self) -> Result<Split> {
        let Some(smart) = smartest(self.settings, self.agents)? else {
            self.screen.say(NO_SMART)?;
            return self.heuristic();
        };
        self.screen.say(format_args!("plan: made by {} ({}) first", smart.agent, smart.model))?;
        match planning(self.text, self.agents, self.pattern, Some(&smart)) {
            Some(planning) => Ok(Split::First(Box::new(planning))),
            None => self.heuristic(),
        }
    }
}
