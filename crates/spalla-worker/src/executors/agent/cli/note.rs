//! What an agent is told: the person's own words, behind the instructions of the definition that it works by, and where it
//! goes on for another one, or for itself, a short note before them.

use crate::run::Run;

/// The most of another agent's last words that is handed on, in bytes.
const WORDS_BYTES_MAX: usize = 4_000;
/// The most of a reason that is handed on, in bytes.
const REASON_BYTES_MAX: usize = 500;

/// What is left to the next agent.
pub(super) struct Handed<'a> {
    /// Who worked before.
    pub(super) name: &'a str,
    /// Why that one could not go on.
    pub(super) reason: &'a str,
    /// Its last words.
    pub(super) words: Option<&'a str>,
}

/// Returns the person's own words, behind the instructions of the agent's definition where it works by one.
pub(super) fn own_words(run: &Run<'_>) -> String {
    let assignment = run.assignment;
    let words = assignment.prompt.as_ref().or(assignment.description.as_ref());
    let words = words.unwrap_or(&assignment.title);
    assignment.definition.as_ref().map_or_else(|| words.clone(), |definition| definition.told(words))
}

/// Tells the next agent where its task stands.
pub(super) fn of_handed(handed: &Handed<'_>, own: &str) -> String {
    let reason = cut(handed.reason, REASON_BYTES_MAX);
    format!(
        "{} worked on this task before you, in this same folder, and could not go on ({reason}). What it changed so far is in \
         the working tree: look at it with `git status` and `git diff`, keep what is good, and finish the task.{}\n\nThe \
         task:\n\n{own}",
        handed.name,
        last_words(handed.words)
    )
}

/// Tells an agent whose conversation grew too long where its task stands.
pub(super) fn of_full_context(words: Option<&str>, own: &str) -> String {
    format!(
        "You worked on this task before, and the conversation grew too long. What you changed so far is in the working tree: \
         look at it with `git status` and `git diff`, and finish the task.{}\n\nThe task:\n\n{own}",
        last_words(words)
    )
}

/// Tells an agent that it was interrupted, in a conversation that goes on.
pub(super) fn of_interruption() -> String {
    "You were interrupted. Look at what is done already, and finish the task.".to_owned()
}

/// Tells an agent that a person mended what stood in its way, with their words where they said any.
pub(super) fn of_person(words: Option<&str>) -> String {
    let said = words.map(|words| format!(" They say:\n\n{words}")).unwrap_or_default();
    format!("A person looked at what you were not allowed; try again.{said}")
}

fn last_words(words: Option<&str>) -> String {
    let words = words.map(str::trim).filter(|words| !words.is_empty());
    words.map(|words| format!(" Its last words were:\n\n{}", cut(words, WORDS_BYTES_MAX))).unwrap_or_default()
}

fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
