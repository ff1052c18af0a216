//! The agents that come with the program, in the form in which any agent is published. A published agent of the same id
//! takes the place of one of these.

use crate::read::{self, Loaded};
use std::sync::{Arc, LazyLock};

/// Their definitions and briefs.
const TEXTS: &[(&str, &str)] = &[
    (include_str!("../builtin/codex-architect.codex.yaml"), include_str!("../builtin/codex-architect.md")),
    (include_str!("../builtin/codex-codegen.codex.yaml"), include_str!("../builtin/codex-codegen.md")),
    (
        include_str!("../builtin/codex-integration.codex.yaml"),
        include_str!("../builtin/codex-integration.md"),
    ),
];

/// An agent that comes with the program.
#[derive(Debug, Clone)]
pub struct BuiltIn {
    /// Its definition.
    pub loaded: Arc<Loaded>,
    /// Its prompt.
    pub brief: &'static str,
}

static ALL: LazyLock<Vec<BuiltIn>> = LazyLock::new(|| {
    // They are part of the program, and a test reads each.
    let read = |(text, brief): &(&'static str, &'static str)| {
        let loaded = read::definition("built in", text).ok()?;
        Some(BuiltIn { loaded: Arc::new(loaded), brief })
    };
    TEXTS.iter().filter_map(read).collect()
});

/// Returns all of them, by their ids.
pub fn all() -> &'static [BuiltIn] {
    &ALL
}

/// Returns the definition of an id.
pub fn find(id: &str) -> Option<Arc<Loaded>> {
    all().iter().find(|agent| agent.loaded.definition.agent.id == id).map(|agent| agent.loaded.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_a_definition_without_a_fault() {
        for (text, brief) in TEXTS {
            let loaded = read::definition("built in", text).unwrap();
            assert_eq!(loaded.problems, [], "{}", loaded.definition.agent.id);
            assert!(crate::body::is_prompt(brief));
        }
        let ids: Vec<_> = all().iter().map(|agent| agent.loaded.definition.agent.id.as_str()).collect();
        assert_eq!(ids, ["codex-architect", "codex-codegen", "codex-integration"]);
        let codegen = &all()[1].loaded.definition;
        assert_eq!(codegen.runtime.timeout_ms, Some(300_000));
        assert_eq!(codegen.runtime.resource_limits.memory_mb, Some(512));
    }
}
