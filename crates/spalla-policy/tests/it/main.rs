//! The command policy, held to scripts: what each preset says, what is seen through, and what must not be flagged.

#[path = "../../../../fuzz/damage.rs"]
mod damage;
mod evasions;
mod harmless;
mod hostile;
mod levels;
mod policies;
mod tricks;

use spalla_policy::{Level, Policy, Script, Verdict};
use std::path::Path;
use std::sync::LazyLock;

/// Judges a script that runs in the root of the workspace `/srv/space`.
fn judge(policy: &Policy, text: &str) -> Verdict {
    judge_in(policy, text, "/srv/space")
}

fn judge_in(policy: &Policy, text: &str, folder: &str) -> Verdict {
    policy.judge(&Script {
        text,
        shell: "bash",
        folder: Path::new(folder),
        workspace: Path::new("/srv/space"),
        home: Path::new("/srv/home"),
        variables: &[],
    })
}

static DEFAULT: LazyLock<Policy> = LazyLock::new(|| Policy::preset("default").expect("a preset"));

fn default_policy() -> &'static Policy {
    &DEFAULT
}

/// Asserts the level of each script, and names all that differ at once.
fn assert_levels(policy: &Policy, level: Level, scripts: &[&str]) {
    let differ: Vec<String> = scripts
        .iter()
        .map(|script| (script, judge(policy, script)))
        .filter(|(_, verdict)| verdict.level != level)
        .map(|(script, verdict)| format!("{script:?}: {verdict:?}"))
        .collect();
    assert!(differ.is_empty(), "not {level:?}:\n{}", differ.join("\n"));
}
