//! What words and parameters name: the paths that a denial was about, and the folders that were allowed already.

use crate::pattern::compiled;
use regex::Regex;
use serde_json::Value;
use std::sync::LazyLock;

/// No denial names more paths than these; the rest is not read.
const PATHS_MAX: usize = 64;

/// The members of a tool's parameters that are paths, whatever the command line.
const PATH_KEYS: [&str; 13] = [
    "file_path",
    "absolute_path",
    "path",
    "dir_path",
    "directory",
    "dir",
    "cwd",
    "workdir",
    "notebook_path",
    "filePath",
    "paths",
    "file_paths",
    "files",
];
/// The members that are one text which says what is done.
const INPUT_KEYS: [&str; 3] = ["command", "cmd", "url"];

/// A path in quotes, which may hold spaces, or a bare one.
static PATH: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r#""(/[^"\n]*)"|'(/[^'\n]*)'|`(/[^`\n]*)`|‘(/[^’\n]*)’|(?:^|[\s(\[=:,])(/[^\s"'`‘’,;:()\[\]<>|]*[^\s"'`‘’,;:()\[\]<>|.])"#,
    )
});
/// Where a refusal begins to list what is allowed.
static ALLOWED: LazyLock<Regex> = LazyLock::new(|| {
    compiled(
        r"(?i)(?:workspace|working|allowed|registered)[a-z ]* (?:director(?:y|ies)|dirs?|folders?|paths?|roots?)(?: for this session)?:|registered workspace directories|(?:root|working) directory \(",
    )
});
/// The program that speaks, at the beginning of a line: `/bin/bash: line 1: `.
static SPEAKER: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"^\s*(?:/[^\s:]*/)?[\w.+-]+(?:\[\d+\])?:(?: line \d+:)?\s"));

/// Returns the paths that a refusal is about, as its words name them.
pub(crate) fn paths_in(words: &str) -> Vec<String> {
    let words = SPEAKER.replace(words, "");
    let mut found = all(&head_of(&words));
    found.truncate(PATHS_MAX);
    found
}

/// Returns the folders that a refusal says were allowed already.
pub(crate) fn allowed_in(words: &str) -> Vec<String> {
    let Some(from) = ALLOWED.find(words) else { return vec![] };
    let rest = &words[from.end()..];
    match from.as_str().ends_with('(') {
        true => rest.split_once(')').map(|(folder, _)| folder.to_owned()).into_iter().collect(),
        false => all(rest),
    }
}

/// Returns the paths that a tool was given.
pub(crate) fn paths_of(parameters: &Value) -> Vec<String> {
    let members = PATH_KEYS.iter().filter_map(|key| parameters.get(key));
    let mut paths: Vec<String> = vec![];
    for member in members {
        let texts = match member {
            Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().into_iter().collect::<Vec<_>>(),
        };
        for text in texts {
            if !paths.iter().any(|path| path == text) && paths.len() < PATHS_MAX {
                paths.push(text.to_owned());
            }
        }
    }
    paths
}

/// Returns what a tool was told to do, where that is one text.
pub(crate) fn input_of(parameters: &Value) -> Option<String> {
    INPUT_KEYS.iter().find_map(|key| parameters.get(key)?.as_str()).map(str::to_owned)
}

/// What comes before the list of what is allowed; `root directory (/w): /x` names what it is about behind it.
fn head_of(words: &str) -> String {
    let Some(from) = ALLOWED.find(words) else { return words.to_owned() };
    let head = &words[..from.start()];
    match (from.as_str().ends_with('('), words[from.end()..].split_once(')')) {
        (true, Some((_, behind))) => format!("{head} {behind}"),
        _ => head.to_owned(),
    }
}

fn all(words: &str) -> Vec<String> {
    let mut paths: Vec<String> = vec![];
    for found in PATH.captures_iter(words) {
        let path = found.iter().skip(1).flatten().next().map(|path| path.as_str()).unwrap_or_default();
        if !paths.iter().any(|known| known == path) {
            paths.push(path.to_owned());
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_refusal_names_what_it_is_about_and_what_was_allowed() {
        let seen = "Path not in workspace: Attempted path \"/w/my files/x\" resolves outside the allowed workspace \
                    directories: /w/a, /w/b or the project temp directory: /home/u/.gemini/tmp/a";
        assert_eq!(paths_in(seen), ["/w/my files/x"]);
        assert_eq!(allowed_in(seen), ["/w/a", "/w/b", "/home/u/.gemini/tmp/a"]);
        let listing = "File path must be within one of the workspace directories: /w/a, /w/b";
        assert_eq!((paths_in(listing), allowed_in(listing)), (vec![], vec!["/w/a".into(), "/w/b".into()]));
        let old = "File path must be within the root directory (/w/a): /x/y";
        assert_eq!((paths_in(old), allowed_in(old)), (vec!["/x/y".into()], vec!["/w/a".into()]));
        let lines = "Path not in workspace:\n  Attempted path \"/x/y\"\n  Allowed dirs: /w/a,\n    /w/b";
        assert_eq!(
            (paths_in(lines), allowed_in(lines)),
            (vec!["/x/y".into()], vec!["/w/a".into(), "/w/b".into()])
        );
        let registered = "Directory '/x/y' is not within any of the registered workspace directories.";
        assert_eq!(paths_in(registered), ["/x/y"]);
    }

    #[test]
    fn the_program_that_speaks_is_not_what_it_speaks_about() {
        for (words, wanted) in [
            ("/bin/bash: line 1: /x: Read-only file system", "/x"),
            ("touch: cannot touch '/etc/no way': Permission denied", "/etc/no way"),
            ("mkdir: cannot create directory ‘/srv/a’: Permission denied", "/srv/a"),
            ("Error: EACCES: permission denied, open '/x/y'", "/x/y"),
            ("PermissionError: [Errno 13] Permission denied: '/var/x'", "/var/x"),
            (
                "Claude requested permissions to write to /w/no.txt, but you haven't granted it yet.",
                "/w/no.txt",
            ),
        ] {
            assert_eq!(paths_in(words), [wanted], "{words}");
        }
    }

    #[test]
    fn a_tool_names_its_paths_and_what_it_does() {
        let parameters =
            json!({"file_path": "/a", "paths": ["/b", "/a", 7], "command": "ls", "content": "/c"});
        assert_eq!(paths_of(&parameters), ["/a", "/b"]);
        assert_eq!(input_of(&parameters).as_deref(), Some("ls"));
        assert_eq!((paths_of(&json!([1])), input_of(&json!(null))), (vec![], None));
    }
}
