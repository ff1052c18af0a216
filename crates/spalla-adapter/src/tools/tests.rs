//! Which tools a definition lets its agent use, in the words of each command line.

use super::*;

fn rules(allowed: &[&str], restricted: &[&str]) -> Option<ToolRules> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    ToolRules::of(&agent_policy::Tools { allowed: words(allowed), restricted: words(restricted) })
}

fn refused(allowed: &[&str], restricted: &[&str], tool: &str, input: Option<&str>) -> Option<Refused> {
    rules(allowed, restricted).unwrap().refuse(&Used::new(tool, input))
}

#[test]
fn nothing_said_and_everything_allowed_are_no_rules() {
    assert_eq!(rules(&[], &[]), None);
    assert_eq!(rules(&["*"], &[]), None);
    assert_eq!(refused(&["*"], &["Bash"], "Bash", Some("ls")), Some(Refused::Restricted));
    assert_eq!(refused(&[], &["WebFetch"], "Write", None), None);
}

#[test]
fn where_all_are_restricted_none_may_be_used() {
    assert_eq!(refused(&[], &["*"], "Read", None), Some(Refused::NotListed));
    assert_eq!(refused(&["Read"], &["Bash", "*"], "Read", None), Some(Refused::NotListed));
    assert_eq!(refused(&["Read"], &["Bash", "*"], "Bash", Some("ls")), Some(Refused::Restricted));
    assert_eq!(rules(&["Read"], &["*"]).unwrap().built_in(), Some(vec![]));
}

#[test]
fn one_tool_has_a_name_in_each_command_line() {
    for (entry, tool) in [
        ("Bash", "run_shell_command"),
        ("bash", "command_execution"),
        ("Read", "read_many_files"),
        ("Write", "apply_patch"),
        ("Edit", "file_change"),
        ("Edit", "replace"),
        ("Grep", "search_file_content"),
        ("run_shell_command", "Bash"),
        ("WebSearch", "google_web_search"),
        ("Task", "invoke_agent"),
        ("Skill", "activate_skill"),
        ("LS", "list_directory"),
        ("WebFetch", "web_fetch"),
    ] {
        assert_eq!(refused(&[entry], &[], tool, None), None, "{entry} {tool}");
        assert_eq!(refused(&["Nothing"], &[], tool, None), Some(Refused::NotListed), "{tool}");
    }
}

#[test]
fn only_what_is_listed_may_be_used() {
    for (allowed, tool, input, wanted) in [
        (&["Read", "Bash(git:*)"][..], "Bash", Some("git add . && git commit -m 'a; b'"), None),
        (&["Read", "Bash(git:*)"], "Bash", Some("git add . && rm -rf /"), Some(Refused::NotListed)),
        (&["Bash(git:*)"], "Bash", Some("git log $(rm x)"), Some(Refused::NotListed)),
        (&["Bash(git:*)"], "Bash", Some("git log > /etc/x"), Some(Refused::NotListed)),
        (&["Bash(git:*)"], "Bash", None, Some(Refused::NotListed)),
        (&["Bash(git:*)"], "shell", Some("/bin/bash -lc 'git status'"), None),
        (&["Bash(git:*)"], "shell", Some("/bin/bash -lc 'rm x'"), Some(Refused::NotListed)),
        (&["Bash(git:*)", "Bash(make)"], "Bash", Some("git pull; make"), None),
        (&["Bash"], "Bash", Some("anything $(at) all"), None),
        (&["Read(src/**)"], "Read", Some("/run/work/src/a/b.rs"), None),
        (&["Read(src/**)"], "Read", Some("/etc/passwd"), Some(Refused::NotListed)),
        (&["Read(src/**)"], "Read", Some("/run/work/src/../../etc/passwd"), Some(Refused::NotListed)),
        (&["mcp__github"], "mcp__github__get_issue", None, None),
        (&["mcp__github__*"], "mcp__github__get_issue", None, None),
        (&["mcp__github"], "mcp__github_admin__drop", None, Some(Refused::NotListed)),
        (&["WebFetch(domain:docs.rs)"], "WebFetch", Some("https://docs.rs/serde"), None),
        (&["WebFetch(domain:docs.rs)"], "WebFetch", Some("https://evil.org/"), Some(Refused::NotListed)),
    ] {
        assert_eq!(refused(allowed, &[], tool, input), wanted, "{allowed:?} {tool} {input:?}");
    }
}

#[test]
fn what_is_restricted_is_refused_wherever_in_a_line_it_stands() {
    let restricted = &["Bash(rm:*)", "Read(.env)", "mcp__prod"][..];
    for (tool, input, wanted) in [
        ("Bash", Some("rm -rf x"), true),
        ("Bash", Some("ls && rm x"), true),
        ("Bash", Some("echo $(rm x)"), true),
        ("Bash", Some("sh -c 'rm x'"), true),
        ("Bash", Some("rmdir x"), false),
        ("Bash", Some("git rm x"), false),
        ("Read", Some("/w/.env"), true),
        ("Read", Some("/w/.envrc"), false),
        ("mcp__prod__drop", None, true),
    ] {
        let hit = refused(&["*"], restricted, tool, input);
        assert_eq!(hit, wanted.then_some(Refused::Restricted), "{tool} {input:?}");
    }
}

#[test]
fn plans_and_the_server_s_own_tools_need_no_list() {
    for tool in ["TodoWrite", "update_plan", "think", "mcp__spalla__ask_person"] {
        assert_eq!(refused(&["Read"], &[], tool, None), None, "{tool}");
    }
    assert_eq!(refused(&["Read"], &["mcp__spalla"], "mcp__spalla__x", None), Some(Refused::Restricted));
}

#[test]
fn hostile_entries_and_calls_are_judged_in_time_that_grows_with_their_length() {
    let pattern = format!("Read({})", "*a".repeat(2_000));
    let path = "a".repeat(20_000);
    assert_eq!(refused(&[&pattern], &[], "Read", Some(&path)), None);
    assert_eq!(refused(&["Bash("], &[], "Bash", Some("x")), None);
    assert_eq!(refused(&["", " "], &[], "Bash", Some("x")), Some(Refused::NotListed));
}

#[test]
fn claude_s_own_tools_are_named_by_its_own_names() {
    let rules = rules(&["read_file", "Bash(git:*)", "mcp__github", "bash"], &[]).unwrap();
    assert_eq!(rules.built_in().unwrap(), ["Bash", "Read"]);
    assert!(rules.has("Bash") && !rules.has("WebSearch"));
}

#[test]
fn what_only_helps_gemini_to_think_needs_no_entry_and_can_be_forbidden() {
    for tool in
        ["update_topic", "enter_plan_mode", "exit_plan_mode", "write_todos", "save_memory", "ask_user"]
    {
        assert_eq!(refused(&["Read"], &[], tool, None), None, "{tool}");
        assert_eq!(refused(&["*"], &[tool], tool, None), Some(Refused::Restricted), "{tool}");
    }
}
