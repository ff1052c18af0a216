//! The tools of the Gemini CLI by its own names. In a dialogue it tells what kind of act a call is, and the name only in front of
//! the call's id: `write_file__…`. Seen with 0.61.

/// The kinds of acts, and the tools that say so of themselves.
const OF_KIND: &[(&str, &[&str])] = &[
    ("execute", &["run_shell_command"]),
    ("edit", &["write_file", "replace"]),
    ("read", &["read_many_files", "read_file"]),
    ("search", &["google_web_search", "search_file_content", "grep_search", "list_directory", "glob"]),
    ("fetch", &["web_fetch"]),
    ("think", THINKS),
    ("other", THINKS),
    ("switch_mode", THINKS),
];
/// Those that change nothing by themselves.
const THINKS: &[&str] = &[
    "codebase_investigator",
    "delegate_to_agent",
    "get_internal_docs",
    "enter_plan_mode",
    "exit_plan_mode",
    "activate_skill",
    "complete_task",
    "invoke_agent",
    "update_topic",
    "save_memory",
    "write_todos",
    "ask_user",
];

/// Returns the name of the tool that a call of this kind has in front of its id; none where that is not one of such a kind.
pub(super) fn name_in(id: &str, kind: &str) -> Option<String> {
    if let Some((name, _)) = id.split_once("__").filter(|_| kind == "other") {
        let of_server = listed(name);
        if of_server != name {
            return Some(of_server);
        }
    }
    let (_, names) = OF_KIND.iter().find(|(of, _)| *of == kind)?;
    let is_before = |name: &&&str| {
        let rest = id.strip_prefix(**name).unwrap_or_default();
        let is_number = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        rest.starts_with("__") || rest.starts_with('-') || rest.strip_prefix('_').is_some_and(is_number)
    };
    names.iter().find(is_before).map(|name| (*name).to_owned())
}

/// Returns the name of a tool as lists have it: `mcp_server_tool` is that of a server, whose own name has no such sign.
pub(super) fn listed(name: &str) -> String {
    let of_server = name.strip_prefix("mcp_").filter(|rest| !rest.starts_with('_'));
    match of_server.and_then(|rest| rest.split_once('_')) {
        Some((server, tool)) => format!("mcp__{server}__{tool}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    //! Which tool a call is of.

    use super::*;

    #[test]
    fn a_name_in_front_of_an_id_counts_for_its_own_kind_alone() {
        let named = |id: &str, kind: &str| name_in(id, kind);
        assert_eq!(named("write_file__fc_1", "edit").as_deref(), Some("write_file"));
        assert_eq!(named("read_many_files-17-0", "read").as_deref(), Some("read_many_files"));
        for (id, kind) in [
            ("write_file__fc_1", "execute"),
            ("write_files__fc_1", "edit"),
            ("write_file", "edit"),
            ("update_topic__1", "edit"),
            ("toolu_1", "edit"),
            ("write_file__1", "of another kind"),
        ] {
            assert_eq!(named(id, kind), None, "{id} {kind}");
        }
    }

    #[test]
    fn a_tool_of_a_server_is_called_as_lists_call_it() {
        for (name, called) in [
            ("mcp_db_drop_all", "mcp__db__drop_all"),
            ("mcp__db__drop", "mcp__db__drop"),
            ("mcp_alone", "mcp_alone"),
            ("write_file", "write_file"),
        ] {
            assert_eq!(listed(name), called);
        }
    }
}
