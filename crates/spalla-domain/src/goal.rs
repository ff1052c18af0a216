//! What a goal wants: that something is different afterwards, or an answer.

/// Words that ask for a change.
const CHANGES: [&str; 75] = [
    "add", "adapt", "adjust", "append", "apply", "build", "bump", "change", "clean", "code", "configure", "convert",
    "correct", "create", "cut", "debug", "delete", "deprecate", "design", "develop", "drop", "edit", "enable", "extend",
    "extract", "fill", "fix", "format", "generate", "handle", "implement", "improve", "inline", "insert", "install",
    "introduce", "make", "mend", "merge", "migrate", "modernize", "modify", "move", "optimise", "optimize", "paint",
    "patch", "port", "prepare", "put", "reduce", "refactor", "remove", "rename", "reorganize", "repair", "replace",
    "resolve", "restructure", "revert", "rewrite", "scaffold", "set", "simplify", "solve", "sort", "split", "support",
    "translate", "turn", "update", "upgrade", "use", "wire", "write",
];
/// Words that ask for an answer.
const ANSWERS: [&str; 40] = [
    "analyse", "analyze", "answer", "are", "assess", "audit", "can", "check", "compare", "count", "describe", "determine",
    "does", "estimate", "evaluate", "examine", "explain", "explore", "find", "how", "identify", "inspect", "investigate",
    "is", "judge", "list", "look", "measure", "outline", "report", "review", "search", "show", "study", "suggest",
    "summarise", "summarize", "tell", "what", "why",
];
/// Words behind which a second wish begins.
const JOINTS: [&str; 3] = ["and", "then", "also"];

/// Tells whether something has to be different when the goal is reached. In doubt it does: an agent that changed nothing has
/// to say why. The first word that asks for anything decides; a goal that asks for an answer may go on to ask for a change.
pub fn wants_change(goal: &str) -> bool {
    let words: Vec<String> = goal
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let is_change = |word: &String| CHANGES.contains(&word.as_str());
    let is_answer = |word: &String| ANSWERS.contains(&word.as_str());
    match words.iter().find(|word| is_change(word) || is_answer(word)) {
        Some(first) if is_answer(first) => words
            .windows(2)
            .any(|pair| JOINTS.contains(&pair[0].as_str()) && is_change(&pair[1])),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_that_asks_for_an_answer_wants_no_change() {
        for goal in [
            "Analyze the codebase structure",
            "Explain how to add a plugin",
            "Why does the build fail?",
            "Please list the tests that write files",
            "What would it take to remove the cache?",
            "review src/lib.rs",
        ] {
            assert!(!wants_change(goal), "{goal}");
        }
    }

    #[test]
    fn every_other_goal_wants_a_change() {
        for goal in [
            "Add a test",
            "Please implement the parser",
            "Find the bug and fix it",
            "Explain the module, then rename it",
            "Make `check` list every file",
            "hello.txt with the word hi",
            "Das Modul umbenennen",
        ] {
            assert!(wants_change(goal), "{goal}");
        }
    }
}
