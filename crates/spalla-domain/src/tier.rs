//! With which agents a session works: the fewer there are, the more the orchestrator does by rules.

use std::fmt;

/// A session's tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// 1 all three of the usual agents, 5 none.
    pub number: u8,
    /// What that means, for people.
    pub words: String,
}

impl Tier {
    /// Returns the tier of these agents.
    pub fn of(agents: &[String]) -> Self {
        let has = |name: &str| agents.iter().any(|agent| agent == name);
        let by_rules = "the orchestrator reviews by rules";
        let (number, words) = match (has("gemini"), has("claude"), has("codex")) {
            (true, true, true) => (1, "Gemini, Claude and Codex".to_owned()),
            (true, true, false) => (2, format!("Gemini and Claude; {by_rules}")),
            (true, false, true) => (3, "Gemini and Codex".to_owned()),
            (false, true, true) => (4, "Claude and Codex".to_owned()),
            _ if agents.is_empty() => (
                5,
                "solo — no agent CLI is used; the built-in agents measure and verify, and change nothing"
                    .to_owned(),
            ),
            _ => {
                let names = agents.join(" and ");
                let one = if agents.len() == 1 { format!("{names} alone takes all roles") } else { names };
                (4, format!("degraded — {one}; {by_rules}"))
            }
        };
        Self { number, words }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tier {}: {}", self.number, self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tier_follows_from_the_agents() {
        let number = |agents: &[&str]| {
            let agents: Vec<String> = agents.iter().map(|name| (*name).to_owned()).collect();
            Tier::of(&agents).number
        };
        assert_eq!(number(&["codex", "claude", "gemini"]), 1);
        assert_eq!(number(&["claude", "gemini"]), 2);
        assert_eq!(number(&["codex", "gemini"]), 3);
        assert_eq!(number(&["codex", "claude"]), 4);
        assert_eq!(number(&[]), 5);
        assert_eq!(number(&["own"]), 4);
        assert!(Tier::of(&["codex".into()]).to_string().starts_with("tier 4: degraded — codex alone"));
    }
}
