//! Which tools a relaunch allows. What is granted is a line of the policy, word for word, and never something made from
//! what the agent wanted.

use crate::heard::Denied;
use crate::pattern::compiled;
use regex::Regex;
use std::sync::LazyLock;

/// What makes more than one command out of a line, or takes something in that is not written there: nothing that begins
/// with an allowed word is sure to be that command alone.
const MORE_THAN_ONE: &[char] = &[';', '&', '|', '$', '`', '<', '>', '(', ')', '\n', '\r', '\0', '\\'];
/// Of these, what keeps its meaning within double quotes; within single ones nothing does.
const MORE_WITHIN_QUOTES: &[char] = &['$', '`', '\\', '\n', '\r', '\0'];

/// Words by which the operating system says no. Allowing a tool changes nothing about that.
static OF_SYSTEM: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?i)^(?:error: )?(?:eacces|eperm|erofs|enospc)\b|\(os error \d+\)"));

/// Returns the lines of the policy that cover every denial, or none where one of them is not covered.
pub(super) fn grant(denied: &[&Denied], allowed: &[String]) -> Option<Vec<String>> {
    let mut granted: Vec<String> = vec![];
    for denied in denied {
        let line = covering(denied, allowed)?;
        if !granted.contains(line) {
            granted.push(line.clone());
        }
    }
    granted.sort_unstable();
    (!granted.is_empty()).then_some(granted)
}

/// Patterns come before names: they allow less.
fn covering<'a>(denied: &Denied, allowed: &'a [String]) -> Option<&'a String> {
    let tool = denied.tool.as_deref().filter(|tool| is_name(tool))?;
    if OF_SYSTEM.is_match(denied.reason.trim_start()) {
        return None;
    }
    let by_pattern = || {
        let input = denied.input.as_deref()?;
        allowed.iter().find(|line| pattern_of(line, tool).is_some_and(|pattern| covers(tool, pattern, input)))
    };
    by_pattern().or_else(|| allowed.iter().find(|line| line.as_str() == tool || is_server_of(line, tool)))
}

/// Tells whether a line names the server of a tool: `mcp__tracker` stands for each tool of that server.
pub(crate) fn is_server_of(line: &str, tool: &str) -> bool {
    let server = line.strip_prefix("mcp__").filter(|server| !server.is_empty() && !server.contains("__"));
    server.is_some_and(|_| {
        is_name(line) && tool.strip_prefix(line).is_some_and(|rest| rest.starts_with("__") && rest.len() > 2)
    })
}

fn is_name(tool: &str) -> bool {
    !tool.is_empty() && tool.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Returns what stands in the brackets of `Tool(…)`.
fn pattern_of<'a>(line: &'a str, tool: &str) -> Option<&'a str> {
    line.strip_prefix(tool)?.strip_prefix('(')?.strip_suffix(')')
}

/// Tells whether a pattern covers what a tool is given.
pub(crate) fn covers(tool: &str, pattern: &str, input: &str) -> bool {
    match tool {
        "Bash" => covers_command(pattern, input),
        "WebFetch" => pattern.strip_prefix("domain:").is_some_and(|domain| host_of(input) == Some(domain)),
        _ => false,
    }
}

/// `cargo test:*` and `cargo test *` cover that command with any arguments, and anything else covers itself alone.
fn covers_command(pattern: &str, command: &str) -> bool {
    let Some(first) = pattern.strip_suffix(":*").or_else(|| pattern.strip_suffix(" *")) else {
        return pattern == command && !pattern.contains('*');
    };
    let rest = command.strip_prefix(first.trim_end());
    is_one_command(command)
        && !first.contains('*')
        && !first.trim().is_empty()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Tells whether a line is sure to be one command. What stands in quotes that are closed is part of a word.
pub(crate) fn is_one_command(command: &str) -> bool {
    let mut quote = None;
    for c in command.chars() {
        let is_more = match quote {
            None => MORE_THAN_ONE.contains(&c),
            Some('"') => MORE_WITHIN_QUOTES.contains(&c),
            Some(_) => matches!(c, '\n' | '\r' | '\0'),
        };
        if is_more {
            return false;
        }
        match quote {
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
    }
    quote.is_none()
}

/// Returns the host of an address that has nothing before its host which could be mistaken for it.
fn host_of(address: &str) -> Option<&str> {
    let rest = address.strip_prefix("https://").or_else(|| address.strip_prefix("http://"))?;
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let is_host = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    (!host.is_empty() && host.chars().all(is_host) && !rest.contains(['@', '\\'])).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::DeniedBy;

    fn granted(tool: &str, input: Option<&str>, allowed: &[&str]) -> Option<Vec<String>> {
        let denied = Denied {
            tool: Some(tool.into()),
            reason: String::new(),
            paths: vec![],
            input: input.map(str::to_owned),
            by: DeniedBy::Guard,
        };
        let allowed: Vec<String> = allowed.iter().map(|line| (*line).to_owned()).collect();
        grant(&[&denied], &allowed)
    }

    #[test]
    fn what_the_policy_lists_is_granted_in_its_own_words() {
        for (tool, input, allowed, wanted) in [
            ("Write", None, "Write", true),
            ("Write", None, "Edit", false),
            ("mcp__github__get_issue", None, "mcp__github__get_issue", true),
            ("mcp__github__get_issue", None, "mcp__github", true),
            ("mcp__github_admin__drop", None, "mcp__github", false),
            ("mcp__github__", None, "mcp__github", false),
            ("mcp__github__get_issue", None, "mcp__github__get", false),
            ("Bash", Some("cargo test"), "Bash(cargo test:*)", true),
            ("Bash", Some("cargo test --lib a b"), "Bash(cargo test:*)", true),
            ("Bash", Some("cargo test -p a"), "Bash(cargo test *)", true),
            ("Bash", Some("npm run build"), "Bash(npm run build)", true),
            ("Bash", Some("npm run build --x"), "Bash(npm run build)", false),
            ("Bash", Some("cargo testx"), "Bash(cargo test:*)", false),
            ("Bash", Some(" cargo test"), "Bash(cargo test:*)", false),
            ("Bash", Some("X=1 cargo test"), "Bash(cargo test:*)", false),
            ("Bash", None, "Bash(cargo test:*)", false),
            ("Bash", Some("anything at all; here"), "Bash", true),
            ("Bash", Some("rm -rf /"), "Bash(:*)", false),
            ("Read", Some("cargo test"), "Bash(cargo test:*)", false),
            ("WebFetch", Some("https://docs.rs/serde"), "WebFetch(domain:docs.rs)", true),
            ("WebFetch", Some("https://docs.rs.evil.org/"), "WebFetch(domain:docs.rs)", false),
            ("WebFetch", Some("https://docs.rs@evil.org/"), "WebFetch(domain:docs.rs)", false),
            ("Bash(rm:*)", None, "Bash(rm:*)", false),
        ] {
            let grants = wanted.then(|| vec![allowed.to_owned()]);
            assert_eq!(granted(tool, input, &[allowed]), grants, "{tool} {input:?} {allowed}");
        }
        let both = ["Bash", "Bash(cargo test:*)"];
        assert_eq!(granted("Bash", Some("cargo test"), &both), Some(vec!["Bash(cargo test:*)".into()]));
    }

    #[test]
    fn no_prefix_covers_more_than_one_command() {
        for tail in [
            "; rm -rf /",
            " && rm x",
            " & rm x",
            " | sh",
            " $(rm x)",
            " `rm x`",
            "\nrm x",
            "\rrm x",
            " > /etc/x",
            " < /etc/x",
            " <(rm x)",
            " $HOME",
            " \\\n rm",
        ] {
            let command = format!("cargo test{tail}");
            assert_eq!(granted("Bash", Some(&command), &["Bash(cargo test:*)"]), None, "{command:?}");
        }
    }
}
