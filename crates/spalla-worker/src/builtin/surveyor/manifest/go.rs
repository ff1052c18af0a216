//! go.mod: the module's path and what it requires.

use super::{Declared, Ecosystem, Manifest, Scope};

/// Reads a go.mod.
pub(super) fn read(path: &str, text: &str) -> Option<Manifest> {
    let mut manifest = Manifest::new(path, Ecosystem::Go);
    let mut section = None;
    for line in text.lines() {
        let (statement, comment) = line.split_once("//").unwrap_or((line, ""));
        let words: Vec<&str> = statement.split_whitespace().collect();
        match (section, words.as_slice()) {
            (_, []) => {}
            (_, [")"]) => section = None,
            (None, [name, "("]) => section = Some(*name),
            (None, ["module", module]) => manifest.package = Some(module.trim_matches('"').to_owned()),
            (None, ["require", name, version]) | (Some("require"), [name, version]) => {
                let scope = if comment.trim() == "indirect" { Scope::Indirect } else { Scope::Normal };
                manifest.dependencies.push(Declared::new(*name, *version, scope));
            }
            (None, ["replace", rest @ ..]) | (Some("replace"), rest) => replace(&mut manifest, rest),
            _ => {}
        }
    }
    manifest.package.is_some().then_some(manifest)
}

/// A module replaced by a folder of this tree is one of ours.
fn replace(manifest: &mut Manifest, words: &[&str]) {
    let Some(arrow) = words.iter().position(|word| *word == "=>") else { return };
    let (Some(name), Some(target)) = (words.first(), words.get(arrow + 1)) else { return };
    if !target.starts_with('.') {
        return;
    }
    for declared in manifest.dependencies.iter_mut().filter(|declared| declared.name == *name) {
        declared.folder = Some((*target).to_owned());
    }
}
