//! The user's toolchains: where they are, found outside; and the variables by which they are found inside. What holds
//! a user's credentials beside them is never named here.

use crate::view::View;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One toolchain.
struct Toolchain {
    /// The variable that says where it is.
    variable: Option<&'static str>,
    /// Where it is otherwise, from the home.
    default: &'static str,
    /// The parts of it that are shown; an empty one is all of it.
    parts: &'static [&'static str],
}

const TOOLCHAINS: &[Toolchain] = &[
    Toolchain { variable: Some("CARGO_HOME"), default: ".cargo", parts: &["bin", "registry", "git", "env"] },
    Toolchain { variable: Some("RUSTUP_HOME"), default: ".rustup", parts: &[""] },
    Toolchain { variable: Some("NVM_DIR"), default: ".nvm", parts: &["versions", "alias", "nvm.sh"] },
    Toolchain { variable: Some("PYENV_ROOT"), default: ".pyenv", parts: &[""] },
    Toolchain { variable: Some("RBENV_ROOT"), default: ".rbenv", parts: &[""] },
    Toolchain { variable: Some("GOPATH"), default: "go", parts: &["bin", "pkg/mod"] },
    Toolchain { variable: Some("JAVA_HOME"), default: ".no-java", parts: &[""] },
    Toolchain { variable: Some("VOLTA_HOME"), default: ".volta", parts: &["bin", "tools"] },
    Toolchain { variable: Some("SDKMAN_DIR"), default: ".sdkman", parts: &["candidates"] },
    Toolchain { variable: Some("DENO_INSTALL"), default: ".deno", parts: &["bin"] },
    Toolchain { variable: Some("BUN_INSTALL"), default: ".bun", parts: &["bin"] },
    Toolchain { variable: None, default: ".local/share/uv", parts: &["python", "tools"] },
    Toolchain { variable: None, default: ".local/share/pipx", parts: &["venvs"] },
    Toolchain { variable: None, default: ".local/share/mise", parts: &["installs"] },
    Toolchain { variable: None, default: ".local/share/fnm", parts: &["node-versions"] },
    Toolchain { variable: None, default: ".asdf", parts: &["installs", "shims"] },
];

/// Shows every toolchain that is there, and returns the variables that name them.
pub(crate) fn show(view: &mut View, outside: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let home = outside.get("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let mut variables = BTreeMap::new();
    for toolchain in TOOLCHAINS {
        let named = toolchain.variable.and_then(|name| outside.get(name)).map(PathBuf::from);
        let Some(place) = named.or_else(|| Some(home.as_ref()?.join(toolchain.default))) else { continue };
        // A variable that names the home itself, or a folder above it, would show everything.
        let Some(place) = real(&place).filter(|place| !is_wide(place, home.as_deref())) else { continue };
        let parts: Vec<PathBuf> = toolchain.parts.iter().filter_map(|part| real(&place.join(part))).collect();
        let is_there = !parts.is_empty();
        parts.into_iter().filter(|part| part.starts_with(&place)).for_each(|part| view.read(part));
        if let (Some(name), true, Some(text)) = (toolchain.variable, is_there, place.to_str()) {
            variables.insert(name.to_owned(), text.to_owned());
        }
    }
    show_go(view, outside, home.as_deref());
    variables
}

/// Go finds the rest of itself beside its program.
fn show_go(view: &mut View, outside: &BTreeMap<String, String>, home: Option<&Path>) {
    let path = outside.get("PATH").map_or("", String::as_str);
    let go = std::env::split_paths(path).find_map(|folder| real(&folder.join("go")));
    if let Some(root) = go.as_deref().and_then(Path::parent).and_then(Path::parent)
        && root.join("src/runtime").is_dir()
        && !is_wide(root, home)
    {
        view.read(root.to_owned());
    }
}

/// Tells whether a folder holds so much that showing it would show what nobody named.
pub(crate) fn is_wide(folder: &Path, home: Option<&Path>) -> bool {
    const PUBLIC: [&str; 7] = ["/tmp", "/var/tmp", "/opt", "/usr/local", "/run", "/dev", "/proc"];
    let is_above = |path: &Path| path.starts_with(folder);
    PUBLIC.iter().any(|path| is_above(Path::new(path)))
        || ["/usr", "/etc", "/var/lib", "/boot", "/sys", "/srv", "/mnt", "/home", "/root"].iter().any(|path| is_above(Path::new(path)))
        || home.is_some_and(|home| is_above(home) || real(home).is_some_and(|home| is_above(&home)))
        // What lies hidden in the home, such as the folder of an agent, may hold its credentials.
        || folder.parent().is_some_and(|parent| {
            home.and_then(real).is_some_and(|home| parent == home)
                && folder.file_name().is_some_and(|name| name.to_str().is_none_or(|name| name == ".local" || name == ".config"))
        })
}

/// Returns the path without links, if it is there.
fn real(path: &Path) -> Option<PathBuf> {
    // Most of what is looked for is not there, which one look tells.
    path.exists().then(|| std::fs::canonicalize(path).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_never_shown_as_if_it_were_a_toolchain() {
        let home = tempfile::tempdir().unwrap();
        let name = home.path().to_str().unwrap().to_owned();
        let outside = BTreeMap::from([("HOME".into(), name.clone()), ("PYENV_ROOT".into(), name)]);
        let mut view = View::default();
        assert!(!show(&mut view, &outside).contains_key("PYENV_ROOT"));
        assert!(!view.shows(home.path()));
    }

    #[test]
    fn of_cargo_its_programs_and_sources_are_shown_and_its_credentials_are_not() {
        let home = tempfile::tempdir().unwrap();
        let cargo = home.path().canonicalize().unwrap().join(".cargo");
        std::fs::create_dir_all(cargo.join("bin")).unwrap();
        std::fs::write(cargo.join("credentials.toml"), "token").unwrap();
        let outside = BTreeMap::from([("HOME".into(), home.path().to_str().unwrap().to_owned())]);
        let mut view = View::default();
        let variables = show(&mut view, &outside);
        assert_eq!(variables["CARGO_HOME"], cargo.to_str().unwrap());
        assert!(view.shows(&cargo.join("bin/cargo")));
        assert!(!view.shows(&cargo.join("credentials.toml")));
    }
}
