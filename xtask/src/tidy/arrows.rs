//! Dependencies between crates follow the table in [`super::rooms`].
//!
//! Ordinary and build dependencies hold to the table. Development dependencies may go to any lower level and
//! to any foreign crate, so that a test can put real neighbours beneath what it tests, and to the doubles that stand
//! in for the world outside; but never up or sideways, for then a crate could no longer be tested without the one
//! beside it.

use super::finding::Finding;
use super::rooms::{DOUBLES, Room, SEALED, room_of};
use cargo_metadata::{DepKindInfo, DependencyKind, Metadata, MetadataCommand, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A workspace crate with what it depends on.
pub(crate) struct Crate {
    name: String,
    /// Path of the manifest from the root.
    manifest: String,
    manifest_text: String,
    /// Direct dependencies; `true` where it is for tests only.
    uses: Vec<(String, bool)>,
    /// Every foreign crate it is built with, directly or not, up to those that are sealed.
    built_with: BTreeSet<String>,
}

/// Asks cargo for the workspace's crates.
pub(crate) fn crates_of(root: &Path) -> anyhow::Result<Vec<Crate>> {
    let metadata = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).exec()?;
    metadata.workspace_packages().into_iter().map(|package| read_crate(&metadata, package)).collect()
}

fn read_crate(metadata: &Metadata, package: &Package) -> anyhow::Result<Crate> {
    let manifest = package.manifest_path.strip_prefix(&metadata.workspace_root)?;
    let is_for_tests = |kind: DependencyKind| kind == DependencyKind::Development;
    Ok(Crate {
        name: package.name.to_string(),
        manifest: manifest.to_string(),
        manifest_text: std::fs::read_to_string(&package.manifest_path)?,
        uses: package.dependencies.iter().map(|used| (used.name.clone(), is_for_tests(used.kind))).collect(),
        built_with: built_with(metadata, &package.id),
    })
}

fn built_with(metadata: &Metadata, start: &PackageId) -> BTreeSet<String> {
    let nodes: BTreeMap<_, _> =
        metadata.resolve.iter().flat_map(|resolve| &resolve.nodes).map(|node| (&node.id, node)).collect();
    // Nothing of ours runs in a browser, and what is only for that is not built.
    let is_for_browsers =
        |kind: &DepKindInfo| kind.target.as_ref().is_some_and(|target| target.to_string().contains("wasm"));
    let is_linked = |kinds: &[DepKindInfo]| {
        kinds.iter().any(|kind| kind.kind == DependencyKind::Normal && !is_for_browsers(kind))
    };
    let names: BTreeMap<&PackageId, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let is_sealed = |id: &PackageId| names.get(id).is_some_and(|name| SEALED.contains(name));
    let mut seen = BTreeSet::from([start]);
    let mut open = vec![start];
    while let Some(node) = open.pop().and_then(|id| nodes.get(id)) {
        let linked = node.deps.iter().filter(|used| is_linked(&used.dep_kinds)).map(|used| &used.pkg);
        open.extend(linked.filter(|id| seen.insert(id) && !is_sealed(id)));
    }
    let is_seen = |package: &&Package| seen.contains(&package.id) && package.id != *start;
    metadata.packages.iter().filter(is_seen).map(|package| package.name.to_string()).collect()
}

/// Finds dependencies that the table does not allow.
pub(crate) fn check(crates: &[Crate]) -> Vec<Finding> {
    let ours: BTreeSet<&str> = crates.iter().map(|member| member.name.as_str()).collect();
    let mut findings = Vec::new();
    for member in crates {
        let Some(room) = room_of(&member.name) else {
            let message = format!("`{}` is not in the table of xtask/src/tidy/rooms.rs", member.name);
            findings.push(Finding::fault(&member.manifest, 1, message));
            continue;
        };
        findings.extend(misplaced(member));
        for (used, for_tests) in &member.uses {
            let complaint = match (ours.contains(used.as_str()), *for_tests) {
                (true, true) => test_arrow(room, used),
                (true, false) => arrow(room, used),
                (false, true) => None,
                (false, false) => foreign(room, used),
            };
            findings
                .extend(complaint.map(|why| Finding::fault(&member.manifest, line_of(member, used), why)));
        }
        findings.extend(hidden(member, room));
    }
    findings
}

fn misplaced(member: &Crate) -> Option<Finding> {
    let expected =
        if member.name == "xtask" { "xtask".to_owned() } else { format!("crates/{}", member.name) };
    let stands_right = member.manifest.strip_suffix("/Cargo.toml") == Some(expected.as_str());
    let message = format!("`{}` belongs in {expected}/: a folder is called like its crate", member.name);
    (!stands_right).then(|| Finding::fault(&member.manifest, 1, message))
}

fn arrow(room: &Room, used: &str) -> Option<String> {
    let allowed = if room.may_use.is_empty() { "none of ours".to_owned() } else { room.may_use.join(", ") };
    (!room.may_use.contains(&used))
        .then(|| format!("{} may not use {used} (it may use {allowed})", room.name))
}

fn test_arrow(room: &Room, used: &str) -> Option<String> {
    let lower = room_of(used).is_some_and(|other| other.level < room.level);
    (!lower && !DOUBLES.contains(&used))
        .then(|| format!("the tests of {} may not use {used}: it does not stand on a lower level", room.name))
}

fn foreign(room: &Room, used: &str) -> Option<String> {
    let family = room.shuns.iter().find(|family| family.crates.contains(&used))?;
    Some(format!("{} may not use {used}: {}", room.name, family.what))
}

/// A pure crate must not reach a shunned one through others either.
fn hidden(member: &Crate, room: &Room) -> Vec<Finding> {
    let direct = |name: &str| member.uses.iter().any(|(used, for_tests)| used == name && !for_tests);
    let reached = member.built_with.iter().filter(|name| room.is_pure && !direct(name));
    reached
        .filter_map(|name| foreign(room, name))
        .map(|why| Finding::fault(&member.manifest, 1, format!("{why} (reached through another crate)")))
        .collect()
}

fn line_of(member: &Crate, used: &str) -> usize {
    let names_it = |line: &str| {
        line.trim_start().strip_prefix(used).is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    member.manifest_text.lines().position(names_it).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::{Crate, check};
    use std::collections::BTreeSet;

    fn member(name: &str, uses: &[(&str, bool)]) -> Crate {
        let mut lines = vec!["[package]".to_owned()];
        lines.extend(uses.iter().map(|(used, _)| format!("{used}.workspace = true")));
        Crate {
            name: name.to_owned(),
            manifest: format!("crates/{name}/Cargo.toml"),
            manifest_text: lines.join("\n"),
            uses: uses.iter().map(|(used, for_tests)| ((*used).to_owned(), *for_tests)).collect(),
            built_with: BTreeSet::new(),
        }
    }

    fn found(crates: &[Crate]) -> Vec<String> {
        check(crates).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_arrow_up_or_sideways_is_found_with_its_line() {
        let up = [
            member("spalla-domain", &[("serde", false), ("spalla-store", false)]),
            member("spalla-store", &[]),
        ];
        assert_eq!(
            found(&up),
            [
                "crates/spalla-domain/Cargo.toml:3: spalla-domain may not use spalla-store (it may use none of ours)"
            ]
        );
        let sideways = [member("spalla-engine", &[("spalla-worker", false)]), member("spalla-worker", &[])];
        assert_eq!(found(&sideways).len(), 1);
    }

    #[test]
    fn the_worker_may_not_use_the_store_although_it_is_lower() {
        let crates = [member("spalla-worker", &[("spalla-store", false)]), member("spalla-store", &[])];
        assert_eq!(found(&crates).len(), 1);
        let in_tests = [member("spalla-worker", &[("spalla-store", true)]), member("spalla-store", &[])];
        assert!(found(&in_tests).is_empty());
    }

    #[test]
    fn tests_may_not_look_up_or_sideways() {
        let crates = [member("spalla-engine", &[("spalla-worker", true)]), member("spalla-worker", &[])];
        assert!(found(&crates)[0].contains("the tests of spalla-engine may not use spalla-worker"));
    }

    #[test]
    fn a_double_of_the_world_outside_is_for_tests_alone() {
        let double = member("spalla-fake-model", &[]);
        let in_tests = [member("spalla-worker", &[("spalla-fake-model", true)]), double];
        assert!(found(&in_tests).is_empty());
        let shipped =
            [member("spalla-worker", &[("spalla-fake-model", false)]), member("spalla-fake-model", &[])];
        assert!(found(&shipped)[0].contains("spalla-worker may not use spalla-fake-model"));
    }

    #[test]
    fn a_shunned_foreign_crate_is_found_but_not_in_tests() {
        assert_eq!(found(&[member("spalla-domain", &[("tokio", false)])]).len(), 1);
        assert_eq!(found(&[member("spalla-engine", &[("rusqlite", false)])]).len(), 1);
        assert_eq!(found(&[member("spalla-worker", &[("axum", false)])]).len(), 1);
        assert_eq!(found(&[member("spalla-server", &[("tokio-postgres", false)])]).len(), 1);
        assert!(found(&[member("spalla-domain", &[("tempfile", true)])]).is_empty());
        assert!(found(&[member("spalla-store", &[("rusqlite", false)])]).is_empty());
    }

    #[test]
    fn a_pure_crate_may_not_hide_a_runtime_behind_another_crate() {
        let mut domain = member("spalla-domain", &[("jiff", false)]);
        domain.built_with = BTreeSet::from(["jiff".to_owned(), "tokio".to_owned()]);
        assert!(found(&[domain])[0].contains("spalla-domain may not use tokio"));
        let mut store = member("spalla-engine", &[("spalla-store", false)]);
        store.built_with = BTreeSet::from(["rusqlite".to_owned()]);
        assert!(found(&[store, member("spalla-store", &[])]).is_empty());
    }

    #[test]
    fn an_unknown_or_misplaced_crate_is_found() {
        assert!(found(&[member("spalla-extra", &[])])[0].contains("is not in the table"));
        let mut moved = member("spalla-store", &[]);
        moved.manifest = "crates/store/Cargo.toml".to_owned();
        assert!(found(&[moved])[0].contains("belongs in crates/spalla-store/"));
    }
}
