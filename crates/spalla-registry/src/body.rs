//! What the text of an agent's prompt says of its work: its headings, and the list below the one that names its duties.

/// Words of headings below which an agent's duties are listed, the most telling first.
const DUTIES: &[&str] =
    &["mission", "responsibilit", "capabilit", "expertise", "what you do", "focus", "specializ", "competenc"];
/// How many duties are taken.
const DUTIES_MAX: usize = 8;
/// The longest, in letters.
const DUTY_LETTERS_MAX: usize = 120;
/// How far a prompt is read for them, in lines.
const LINES_MAX: usize = 2_000;

/// Returns the first heading, without its signs.
pub(crate) fn title(body: &str) -> Option<String> {
    let heading = body.lines().find_map(heading)?;
    let is_sign = |letter: char| !letter.is_alphanumeric();
    let title = heading.replace("**", "").replace("__", "");
    let title = title.trim_matches(is_sign);
    (!title.is_empty()).then(|| title.to_owned())
}

/// Returns the first paragraph of prose on one line.
pub(crate) fn first_paragraph(body: &str) -> Option<String> {
    let mut lines = Vec::new();
    for line in body.lines().map(str::trim) {
        let is_prose = line.starts_with(char::is_alphanumeric)
            || line.starts_with("**")
            || line.starts_with(['"', '\'']);
        match (is_prose, lines.is_empty()) {
            (true, _) => lines.push(line),
            (false, false) => break,
            (false, true) => {}
        }
    }
    (!lines.is_empty()).then(|| lines.join(" "))
}

/// Tells whether a text without front matter speaks to an agent, and is not a document for people.
pub(crate) fn is_prompt(body: &str) -> bool {
    const BYTES: usize = 2_000;
    let end = (0..=BYTES.min(body.len())).rev().find(|at| body.is_char_boundary(*at)).unwrap_or_default();
    let start = &body[..end];
    let spoken = ["You are ", "You're ", "Act as ", "Your role is ", "Your task is ", "Your job is "];
    spoken.iter().any(|words| {
        start.match_indices(words).any(|(at, _)| {
            let before = start[..at].trim_end_matches([' ', '*', '_', '#', '>', '"']);
            before.is_empty() || before.ends_with(['\n', '.', ':', '!', '—'])
        })
    })
}

/// Returns all headings, a line each.
pub(crate) fn headings(body: &str) -> impl Iterator<Item = &str> {
    body.lines().take(LINES_MAX).filter_map(heading)
}

/// Returns what an agent is there for, as the list below the most telling heading says it.
pub(crate) fn duties(body: &str) -> Vec<String> {
    let mut best: (usize, Vec<String>) = (usize::MAX, Vec::new());
    let mut rank = usize::MAX;
    let mut open = Vec::new();
    let mut close = |rank: usize, open: &mut Vec<String>| {
        if rank < best.0 && !open.is_empty() {
            best = (rank, std::mem::take(open));
        }
        open.clear();
    };
    for line in body.lines().take(LINES_MAX) {
        if let Some(heading) = heading(line) {
            let small = heading.to_lowercase();
            let found = DUTIES.iter().position(|word| small.contains(word));
            let is_below = line.starts_with("###") && rank != usize::MAX;
            if found.is_some() || !is_below {
                close(rank, &mut open);
                rank = found.unwrap_or(usize::MAX);
            }
        } else if let Some(duty) = item(line).filter(|_| rank != usize::MAX && open.len() < DUTIES_MAX) {
            open.push(duty);
        }
    }
    close(rank, &mut open);
    best.1
}

fn heading(line: &str) -> Option<&str> {
    let rest = line.strip_prefix('#')?.trim_start_matches('#');
    rest.strip_prefix(' ').map(str::trim).filter(|heading| !heading.is_empty())
}

/// Returns an item of a list: what stands in bold at its beginning, or all of it.
fn item(line: &str) -> Option<String> {
    let line = line.trim_start();
    let rest = line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).or_else(|| {
        let digits = line.trim_start_matches(|letter: char| letter.is_ascii_digit());
        if digits.len() < line.len() { digits.strip_prefix(". ") } else { None }
    })?;
    let bold = rest.strip_prefix("**").and_then(|rest| rest.split_once("**")).map(|(bold, _)| bold);
    let text = bold.unwrap_or(rest).trim().trim_end_matches([':', '.', ';', ',']);
    let cut: String = text.chars().take(DUTY_LETTERS_MAX).collect();
    (!cut.is_empty()).then_some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duties_are_the_list_below_the_most_telling_heading() {
        let body = "# Agent\n## Focus\n- wide\n## Your Core Mission\n### First\n- **Build APIs**: well\n* test.\n1. ship\n## Rules\n- never\n";
        assert_eq!(duties(body), ["Build APIs", "test", "ship"]);
        assert_eq!(duties("## Focus\n- wide\n## Rules\n- never\n"), ["wide"]);
        assert!(duties("no list").is_empty());
    }

    #[test]
    fn a_prompt_speaks_to_the_agent_and_a_document_does_not() {
        assert!(is_prompt("# Reviewer\n\nYou are a reviewer.\n"));
        assert!(is_prompt("**You are a reviewer.**"));
        assert!(!is_prompt("# Quick start\n\nIn this guide you are shown the way.\n"));
        assert!(!is_prompt("Run this to see what You are missing.\n"));
    }

    #[test]
    fn title_and_first_paragraph_are_plain() {
        let body = "# ⚡ Quick **Guide**\n\n> quote\n\nFirst\nline.\n\nSecond.\n";
        assert_eq!(title(body).as_deref(), Some("Quick Guide"));
        assert_eq!(first_paragraph(body).as_deref(), Some("First line."));
    }
}
