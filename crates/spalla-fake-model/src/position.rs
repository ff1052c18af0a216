//! Where a conversation stands in a rule's acts. It is read off the conversation itself, so that parallel runs,
//! repeated requests and a server that was started anew all go on rightly.
//!
//! An act that calls a tool ends an answer; what stands before it since the last one goes along. The ids of calls carry
//! a mark of the answer they were made in, so the marks among the results since the person's last words count the
//! answers given: however the CLI groups the results, and however many calls one answer had.

use crate::asked::ToolResult;
use crate::script::Act;
use std::collections::BTreeSet;

/// Stands in the id of a call that only waits for an earlier one: it gets nobody further.
const WAIT: &str = "w";

/// An act with its place in the rule.
pub(crate) type Placed<'a> = (usize, &'a Act);

/// Returns the acts of the answer that is due.
pub(crate) fn due<'a>(
    acts: &'a [Act],
    results: &[ToolResult],
    calls_a_tool: impl Fn(&Act) -> bool,
) -> Vec<Placed<'a>> {
    let mut answers: Vec<Vec<Placed<'a>>> = vec![Vec::new()];
    for placed in acts.iter().enumerate() {
        let ends = calls_a_tool(placed.1);
        answers.last_mut().into_iter().for_each(|answer| answer.push(placed));
        if ends {
            answers.push(Vec::new());
        }
    }
    let last = answers.len() - 1;
    answers.swap_remove(given(results).min(last))
}

/// Returns the number of answers whose calls have come back.
pub(crate) fn given(results: &[ToolResult]) -> usize {
    let marks = results.iter().enumerate().filter_map(|(index, result)| match parts(&result.id) {
        Some((_, WAIT)) => None,
        Some((mark, _)) => Some(mark.to_owned()),
        // Somebody else's call, which the CLI made up or took over: it counts for itself.
        None => Some(format!("{index} {}", result.id)),
    });
    marks.collect::<BTreeSet<_>>().len()
}

/// Makes the id of a call from the answer's mark.
pub(crate) fn call_id(prefix: &str, mark: &str, index: usize) -> String {
    format!("{prefix}_{mark}_{index}")
}

/// Makes the id of a call that only waits.
pub(crate) fn wait_id(prefix: &str, mark: &str) -> String {
    format!("{prefix}_{mark}_{WAIT}")
}

fn parts(id: &str) -> Option<(&str, &str)> {
    let mut parts = id.rsplitn(3, '_');
    let (last, mark) = (parts.next()?, parts.next()?);
    let is_ours = mark.len() == 16 && mark.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_ours.then_some((mark, last))
}

#[cfg(test)]
mod tests {
    use super::{call_id, due, given, wait_id};
    use crate::asked::ToolResult;
    use crate::script::Act;

    const ONE: &str = "00000000000000aa";
    const TWO: &str = "00000000000000bb";

    fn results(ids: &[String]) -> Vec<ToolResult> {
        ids.iter().map(|id| ToolResult { id: id.clone(), text: String::new() }).collect()
    }

    fn acts() -> Vec<Act> {
        vec![
            Act::Say("a".to_owned()),
            Act::Run("b".to_owned()),
            Act::DelayMs(1),
            Act::Run("c".to_owned()),
            Act::Say("d".to_owned()),
        ]
    }

    fn due_places(ids: &[String]) -> Vec<usize> {
        let acts = acts();
        let due = due(&acts, &results(ids), |act| matches!(act, Act::Run(_)));
        due.into_iter().map(|(index, _)| index).collect()
    }

    #[test]
    fn each_answer_goes_to_its_call_and_the_last_one_to_the_end() {
        assert_eq!(due_places(&[]), [0, 1]);
        assert_eq!(due_places(&[call_id("call", ONE, 0)]), [2, 3]);
        assert_eq!(due_places(&[call_id("call", ONE, 0), call_id("call", TWO, 0)]), [4]);
        let more = ["x", "y", "z", "more"].map(|id| format!("foreign-{id}"));
        assert_eq!(due_places(&more), [4]);
    }

    #[test]
    fn calls_of_one_answer_count_once_and_waits_not_at_all() {
        let ids = [call_id("toolu", ONE, 0), call_id("toolu", ONE, 1), wait_id("toolu", TWO)];
        assert_eq!(given(&results(&ids)), 1);
    }

    #[test]
    fn calls_without_an_id_count_each() {
        assert_eq!(given(&results(&[String::new(), String::new()])), 2);
    }
}
