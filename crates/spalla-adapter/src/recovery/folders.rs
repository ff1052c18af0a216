//! Which folders a relaunch adds. Paths come from an agent's own words, so they are read as somebody's attempt to get
//! more: what is not plainly at or beneath a folder of the policy is not granted.

use crate::heard::Denied;
use crate::named::allowed_in;
use crate::pattern::compiled;
use regex::Regex;
use std::sync::LazyLock;

/// Commands whose path is a folder, as a guard that looks at commands calls them.
static OF_FOLDERS_BY_COMMAND: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"^(?:ERROR: )?(?:cd to|ls in|find in) '"));

/// Tools whose path is a folder, by the names that command lines have for them.
const OF_FOLDERS: [&str; 9] = [
    "list_directory",
    "glob",
    "search_file_content",
    "grep_search",
    "grep",
    "run_shell_command",
    "read_many_files",
    "LS",
    "Glob",
];

/// Returns every folder that the denials need, or none where one of them is not within what is allowed.
pub(super) fn grant(refused: &[&Denied], allowed: &[String]) -> Option<Vec<String>> {
    let allowed: Vec<&str> = allowed.iter().filter_map(|folder| plain(folder)).collect();
    let mut folders: Vec<String> = vec![];
    for denied in refused {
        // The standard error tells the same once more, line by line, and its first line may end before the path.
        let is_told_elsewhere = |other: &&Denied| other.tool == denied.tool && !other.paths.is_empty();
        if denied.paths.is_empty() && !refused.iter().any(is_told_elsewhere) {
            return None;
        }
        let had = allowed_in(&denied.reason);
        for path in &denied.paths {
            let whole = from_workspace(path, &had);
            let path = whole.as_deref().unwrap_or(path);
            folders.push(folder_of(path, is_of_folders(denied), &had, &allowed)?.to_owned());
        }
    }
    folders.sort_unstable();
    // A folder comes before what is beneath it, so that what is beneath the last one kept adds nothing.
    let mut kept: Vec<String> = vec![];
    for folder in folders {
        if !kept.iter().any(|above| is_within(&folder, above)) {
            kept.push(folder);
        }
    }
    (!kept.is_empty()).then_some(kept)
}

/// Tells whether a guard named a path that is beside all folders which it says are allowed.
pub(super) fn is_beside_what_was_allowed(denied: &Denied) -> bool {
    let had = allowed_in(&denied.reason);
    let is_beside = |path: &String| !had.iter().any(|folder| is_within(path, folder.trim_end_matches('/')));
    !had.is_empty() && denied.paths.iter().any(is_beside)
}

fn is_of_folders(denied: &Denied) -> bool {
    let is_tool = denied.tool.as_deref().is_some_and(|tool| OF_FOLDERS.contains(&tool));
    is_tool || OF_FOLDERS_BY_COMMAND.is_match(&denied.reason)
}

/// Returns what a path that begins with steps up means from the workspace, which the command line names first. Steps up
/// further on are left as they are, and refused: what they lead out of may be a link.
fn from_workspace(path: &str, had: &[String]) -> Option<String> {
    let mut folder = plain(had.first()?)?;
    let mut rest = path;
    while let Some(further) = rest.strip_prefix("../") {
        folder = folder.rsplit_once('/')?.0;
        rest = further;
    }
    (rest != path && !rest.starts_with('/')).then(|| format!("{folder}/{rest}"))
}

/// Returns the folder that a path needs, if it is allowed: its own for what lists or searches folders, and otherwise the
/// one above it.
fn folder_of<'p>(path: &'p str, is_of_folders: bool, had: &[String], allowed: &[&str]) -> Option<&'p str> {
    let path = plain(path)?;
    let is_allowed = |path: &str| allowed.iter().any(|folder| is_within(path, folder));
    // A path within a folder that was allowed already, and yet was refused, leads out of it: a link stands in it.
    if !is_allowed(path) || had.iter().filter_map(|had| plain(had)).any(|had| is_within(path, had)) {
        return None;
    }
    if is_of_folders {
        return Some(path);
    }
    let above = path.rsplit_once('/').map(|(above, _)| above).filter(|above| !above.is_empty());
    Some(above.filter(|above| is_allowed(above)).unwrap_or(path))
}

/// Returns an absolute path without a `/` at its end, if it means what it says and nothing else: no step up or aside, no
/// character that a shell, a list of folders or a link could read otherwise. It is refused and not mended, since the file
/// system, which is not looked at here, may see a mended path otherwise.
fn plain(path: &str) -> Option<&str> {
    let path = if path.len() > 1 { path.strip_suffix('/').unwrap_or(path) } else { path };
    let rest = path.strip_prefix('/')?;
    let is_odd = |c: char| c.is_control() || ",:;*?$~`\\\"'<>|&{}[]%".contains(c) || is_disguised(c);
    let is_part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.trim() == part;
    (path.len() <= 4_096 && !path.contains(is_odd) && rest.split('/').all(is_part)).then_some(path)
}

/// Characters that look like dots or strokes, or like nothing.
fn is_disguised(c: char) -> bool {
    matches!(
        c,
        '\u{200b}'..='\u{200f}'
            | '\u{2024}'..='\u{2026}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2044}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2215}'
            | '\u{feff}'
            | '\u{ff0e}'
            | '\u{ff0f}'
    )
}

/// Tells whether a plain path is a folder or beneath it; a name that only begins like it is neither.
pub(super) fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::DeniedBy;

    fn denied(tool: &str, paths: &[&str], reason: &str) -> Denied {
        Denied {
            tool: Some(tool.into()),
            reason: reason.into(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            input: None,
            by: DeniedBy::Guard,
        }
    }

    fn granted(tool: &str, paths: &[&str], reason: &str) -> Option<Vec<String>> {
        grant(&[&denied(tool, paths, reason)], &["/srv/shared/".into(), "/data".into(), "/bad/../".into()])
    }

    #[test]
    fn a_needed_folder_is_granted_where_the_policy_has_it() {
        let granted = |tool, paths: &[&str]| granted(tool, paths, "").unwrap_or_default();
        assert_eq!(granted("write_file", &["/srv/shared/a/x.txt"]), ["/srv/shared/a"]);
        assert_eq!(granted("write_file", &["/srv/shared/x.txt"]), ["/srv/shared"]);
        assert_eq!(granted("list_directory", &["/srv/shared/a"]), ["/srv/shared/a"]);
        assert_eq!(granted("read_file", &["/srv/shared"]), ["/srv/shared"]);
        assert_eq!(
            granted("read_file", &["/data/b/c/y", "/data/b/x", "/data/bc/x"]),
            ["/data/b", "/data/bc"]
        );
    }

    #[test]
    fn no_trick_leads_out_of_the_policy() {
        for path in [
            "/srv/sharedX/a",
            "/srv/shared/../../etc/passwd",
            "/srv/shared/..",
            "/srv/shared/./x",
            "/srv//shared/x",
            "work/shared/x",
            "../shared/x",
            "~/x",
            "/srv/shared/a,/etc",
            "/srv/shared/$HOME/x",
            "/srv/shared/%2e%2e/x",
            "/srv/shared/．．/x",
            "/srv/shared/a\n/etc",
            "/srv/shared/a\0",
            "/srv/shared /x",
            "/WORK/shared/x",
            "/bad/x",
            "/",
            "",
        ] {
            assert_eq!(granted("write_file", &[path], ""), None, "{path:?}");
            assert_eq!(granted("list_directory", &["/data/x", path], ""), None, "{path:?}");
        }
        assert_eq!(granted("write_file", &[], ""), None);
    }

    #[test]
    fn what_is_told_once_more_without_its_path_changes_nothing() {
        let (whole, cut) = (denied("write_file", &["/data/a/x"], ""), denied("write_file", &[], ""));
        let allowed = ["/data".to_owned()];
        assert_eq!(grant(&[&whole, &cut], &allowed), Some(vec!["/data/a".into()]));
        assert_eq!(grant(&[&whole, &denied("read_file", &[], "")], &allowed), None);
    }

    #[test]
    fn a_path_with_steps_up_is_read_from_the_workspace_and_granted_by_the_policy_alone() {
        let reason = |path: &str| {
            format!(
                "Path not in workspace: Attempted path \"{path}\" resolves outside the allowed workspace directories: \
                 /srv/work/app or the project temp directory: /home/dev/tmp"
            )
        };
        let granted = |path: &str| granted("read_file", &[path], &reason(path));
        assert_eq!(granted("../../shared/a/x"), Some(vec!["/srv/shared/a".into()]));
        for path in [
            "../shared/x",
            "../../shared/../etc/x",
            "../../../../../x",
            "../../shared/a/../../x",
            "..",
            "../..//shared/x",
        ] {
            assert_eq!(granted(path), None, "{path}");
        }
    }

    #[test]
    fn a_link_that_leads_out_of_what_was_allowed_is_not_followed() {
        let reason = "Path not in workspace: Attempted path \"/srv/shared/link/x\" resolves outside the allowed workspace \
                      directories: /srv/shared";
        assert_eq!(granted("write_file", &["/srv/shared/link/x"], reason), None);
        let reason = reason.replace("directories: /srv/shared", "directories: /srv/own");
        assert!(granted("write_file", &["/srv/shared/link/x"], &reason).is_some());
    }
}
