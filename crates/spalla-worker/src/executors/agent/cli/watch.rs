//! Watches which tools an agent uses. What its command line can't be held to is seen all the same: a call of a tool that the
//! agent's definition does not list is told and audited, and ends the run where that is wanted.

use serde_json::{Value, json};
use spalla_adapter::tools::{ToolRules, Used};
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use spalla_domain::agent_policy::AgentPolicy;
use spalla_domain::found_command::{FoundCommand, Level};
use spalla_domain::run_event::REFUSED_TOOL;
use std::collections::BTreeSet;

/// How many refusals of one run are told of, each call once: whoever goes on has been told enough.
const TOLD_MAX: usize = 100;
/// How many are named in the result.
const NAMED_MAX: usize = 20;

/// What is known of the calls of one run.
#[derive(Debug, Default)]
pub(super) struct ToolWatch {
    rules: Option<ToolRules>,
    is_strict: bool,
    told: BTreeSet<Used>,
    refused: u64,
}

impl ToolWatch {
    /// Watches a run whose agent has this policy; the operator may want all to be strict.
    pub(super) fn of(policy: Option<&AgentPolicy>, is_strict: bool) -> Self {
        let rules = policy.and_then(|policy| ToolRules::of(&policy.tools));
        let is_strict = is_strict || policy.is_some_and(|policy| policy.strict_tools);
        Self { rules, is_strict, ..Self::default() }
    }

    /// Takes note of a call; returns what is to be told of it, where it is refused and that is news.
    pub(super) fn hear(&mut self, used: &Used) -> Option<AgentEvent> {
        let refused = self.rules.as_ref()?.refuse(used)?;
        let why = refused.as_str().replace('_', " ");
        let text = format!("policy: {} is a tool that the agent may not use ({why})", used.shown());
        self.refuse(used, refused.as_str(), text)
    }

    /// Takes note of a command that the agent ran without asking, though it was to ask or may not run it at all; returns
    /// what is to be told of it, where that is news.
    pub(super) fn hear_unasked(&mut self, used: &Used, found: &FoundCommand) -> Option<AgentEvent> {
        let refusal = match found.level {
            Level::Watched => return None,
            Level::Confirm => "unasked",
            Level::Blocked => "blocked",
        };
        let FoundCommand { rule, reason, .. } = found;
        let text = format!(
            "policy: the agent ran {} without asking ({refusal} by the rule {rule}): {reason}",
            used.shown()
        );
        self.refuse(used, refusal, text)
    }

    fn refuse(&mut self, used: &Used, refusal: &str, text: String) -> Option<AgentEvent> {
        self.refused += 1;
        if self.told.len() >= TOLD_MAX || !self.told.insert(used.clone()) {
            return None;
        }
        let event = AgentEvent::new(AgentEventType::Finding, text).with(REFUSED_TOOL, used.tool.clone());
        Some(event.with("refusal", refusal).with("call", used.shown()))
    }

    /// Returns the words for why the run ends at once, where it does.
    pub(super) fn ends(&self) -> Option<String> {
        let first = self.told.iter().next().filter(|_| self.is_strict)?;
        Some(format!("the agent used {}, which its definition does not let it use", first.shown()))
    }

    /// Returns what the run's result says of it; none where nothing was refused.
    pub(super) fn result(&self) -> Option<Value> {
        let named: Vec<String> = self.told.iter().take(NAMED_MAX).map(Used::shown).collect();
        (self.refused > 0).then(|| json!({ "count": self.refused, "calls": named }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::agent_policy::Tools;

    fn watch(strict_tools: bool) -> ToolWatch {
        let tools = Tools { allowed: vec!["Read".into()], restricted: vec!["WebFetch".into()] };
        ToolWatch::of(Some(&AgentPolicy { tools, strict_tools, ..AgentPolicy::default() }), false)
    }

    #[test]
    fn a_call_outside_the_list_is_told_once_and_counted_each_time() {
        let mut watch = watch(false);
        assert_eq!(watch.hear(&Used::new("Read", Some("a"))), None);
        let event = watch.hear(&Used::new("Bash", Some("make"))).unwrap();
        assert_eq!(
            (&event.payload.more[REFUSED_TOOL], &event.payload.more["refusal"]),
            (&json!("Bash"), &json!("not_listed"))
        );
        assert_eq!(watch.hear(&Used::new("Bash", Some("make"))), None);
        assert_eq!(watch.hear(&Used::new("WebFetch", None)).unwrap().payload.more["refusal"], "restricted");
        assert_eq!(watch.result().unwrap()["count"], 3);
        assert_eq!(watch.ends(), None);
    }

    #[test]
    fn where_it_is_strict_the_first_ends_the_run() {
        let mut watch = watch(true);
        watch.hear(&Used::new("Read", None));
        assert_eq!(watch.ends(), None);
        watch.hear(&Used::new("Bash", Some("make")));
        assert!(watch.ends().unwrap().contains("Bash(make)"));
    }

    #[test]
    fn whoever_goes_on_and_on_is_not_told_of_without_end() {
        let mut watch = watch(false);
        let told = (0..10_000).filter_map(|n| watch.hear(&Used::new("Bash", Some(&n.to_string())))).count();
        assert_eq!((told, watch.refused), (TOLD_MAX, 10_000));
    }

    #[test]
    fn without_a_policy_nothing_is_refused() {
        assert_eq!(ToolWatch::of(None, true).hear(&Used::new("Bash", None)), None);
    }
}
