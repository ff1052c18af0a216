//! From serde's words to a named place: which member is wrong, and what may stand there.

use crate::wire::problem::FieldProblem;

/// Makes a named place of an error while reading. `path` is where the reader was; serde names missing and unknown
/// members, and what may stand there, only in its message, between backticks.
pub(crate) fn complaint(path: &str, message: &str) -> FieldProblem {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let parent = if path == "." { "" } else { path };
    let missing = message.starts_with("missing field `");
    let unknown_field = message.starts_with("unknown field `");
    let closed_list = unknown_field || message.starts_with("unknown variant `");
    let name = quoted.next().filter(|_| missing || unknown_field || message.starts_with("duplicate field `"));
    let path = match name {
        Some(name) if parent.is_empty() => name.to_owned(),
        Some(name) if parent == name || parent.ends_with(&format!(".{name}")) => parent.to_owned(),
        Some(name) => format!("{parent}.{name}"),
        None => parent.to_owned(),
    };
    let allowed: Vec<&str> = if closed_list { quoted.collect() } else { vec![] };
    let message = if missing { "it is missing".to_owned() } else { message.to_owned() };
    let problem = if path.is_empty() {
        FieldProblem { message, ..FieldProblem::default() }
    } else {
        FieldProblem::at_path(path, message)
    };
    problem.allowed(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_unknown_members_are_named() {
        assert_eq!(complaint(".", "missing field `name`"), FieldProblem::at_path("name", "it is missing"));
        let message = "unknown field `nam`, expected one of `name`, `repository`";
        let expected = FieldProblem::at_path("completed[0].nam", message).allowed(["name", "repository"]);
        assert_eq!(complaint("completed[0].nam", message), expected);
        assert_eq!(complaint("completed[0]", message), expected);
    }

    #[test]
    fn a_word_outside_a_closed_list_comes_with_the_list() {
        let message = "unknown variant `odd`, expected `success` or `failure`";
        assert_eq!(
            complaint("when", message),
            FieldProblem::at_path("when", message).allowed(["success", "failure"])
        );
    }

    #[test]
    fn a_fault_of_the_whole_has_no_path() {
        assert_eq!(complaint(".", "invalid type: sequence").path, None);
    }
}
