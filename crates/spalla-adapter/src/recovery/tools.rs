//! Which tools a relaunch allows. What is granted is a line of the policy, word for word, and never something made from
//! what the agent wanted.

use crate::heard::Denied;

/// What makes more than one command out of a line, or takes something in that is not written there: nothing that begins
/// with an allowed word is sure to be that command alone.
const MORE_THAN_ONE: &[char] = &[';', '&', '|', '$', '`', '<', '>', '(', ')', '\n', '\r', '\0', '\\'];

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
    let by_pattern = || {
        let input = denied.input.as_deref()?;
        allowed.iter().find(|line| pattern_of(line, tool).is_some_and(|pattern| covers(tool, pattern, input)))
    };
    by_pattern().or_else(|| allowed.iter().find(|line| line.as_str() == tool))
}

fn is_name(tool: &str) -> bool {
    !tool.is_empty() && tool.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Returns what stands in the brackets of `Tool(…)`.
fn pattern_of<'a>(line: &'a str, tool: &str) -> Option<&'a str> {
    line.strip_prefix(tool)?.strip_prefix('(')?.strip_suffix(')')
}

fn covers(tool: &str, pattern: &str, input: &str) -> bool {
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
    !command.contains(MORE_THAN_ONE)
        && !first.contains('*')
        && !first.trim().is_empty()
        && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
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
            ("mcp__github__get_issue", None, "mcp__github", false),
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
