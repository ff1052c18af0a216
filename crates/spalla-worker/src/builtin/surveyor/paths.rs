//! Arithmetic on paths relative to the surveyed root: plain strings with `/`, never leading out of the root.

/// Returns the folder part of a path, empty for the root.
pub(crate) fn folder(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..at])
}

/// Returns the last component of a path.
pub(crate) fn name(path: &str) -> &str {
    path.rfind('/').map_or(path, |at| &path[at + 1..])
}

/// Returns the name without its last extension.
pub(crate) fn stem(path: &str) -> &str {
    let name = name(path);
    match name.rfind('.') {
        Some(0) | None => name,
        Some(at) => &name[..at],
    }
}

/// Returns the last extension without its dot, empty when there is none.
pub(crate) fn extension(path: &str) -> &str {
    let name = name(path);
    match name.rfind('.') {
        Some(0) | None => "",
        Some(at) => &name[at + 1..],
    }
}

/// Joins a relative path to a folder, resolving `.` and `..`; `None` when the result would leave the root.
pub(crate) fn join(folder: &str, relative: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Says whether `path` lies in `folder` at any depth; every path lies in the root.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty() || (path.starts_with(folder) && path.as_bytes().get(folder.len()) == Some(&b'/'))
}

/// Returns the path relative to `folder`, or the path itself when it lies elsewhere.
pub(crate) fn relative_to<'a>(path: &'a str, folder: &str) -> &'a str {
    if folder.is_empty() || !is_within(path, folder) { path } else { &path[folder.len() + 1..] }
}

/// Returns the folder and each of its parents, the nearest first, the root (empty) last.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(folder(path));
    std::iter::from_fn(move || {
        let current = next?;
        next = (!current.is_empty()).then(|| folder(current));
        Some(current)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_resolves_dots_and_refuses_to_leave_the_root() {
        assert_eq!(join("a/b", "../c/./d.rs").as_deref(), Some("a/c/d.rs"));
        assert_eq!(join("", "x").as_deref(), Some("x"));
        assert_eq!(join("a", "../../etc/passwd"), None);
    }

    #[test]
    fn parts_of_a_path_are_found() {
        assert_eq!(
            (folder("a/b.rs"), name("a/b.rs"), stem("a/b.rs"), extension("a/b.rs")),
            ("a", "b.rs", "b", "rs")
        );
        assert_eq!((folder("x"), stem(".env"), extension(".env")), ("", ".env", ""));
        assert_eq!(ancestors("a/b/c").collect::<Vec<_>>(), ["a/b", "a", ""]);
        assert!(is_within("a/b", "a") && !is_within("ab/c", "a") && is_within("x", ""));
    }
}
