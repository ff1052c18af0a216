//! A published folder is served: lazily, frozen, and reloaded behind gates.

use crate::fixtures::put;
use crate::{AT, Rooms};
use serde_json::json;
use spalla_registry::alias::Alias;
use spalla_registry::definition::Definition;
use spalla_registry::index::{Entry, Index};
use spalla_registry::registry::{HOT_MAX, Missing, Refused, Registry, Reloaded, Trial};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

const LATER: &str = "2026-01-02T03:05:00Z";

fn served(rooms: &Rooms) -> Registry {
    rooms.publish(AT);
    Registry::open(&rooms.out()).unwrap()
}

fn no_smoke(_: &Definition, _: &str) -> Result<(), String> {
    Ok(())
}

fn agent(rooms: &Rooms, name: &str, more: &str) {
    let text = format!("---\nname: {name}\ndescription: d\n{more}---\nYou are {name}.\n");
    put(&rooms.source(), &format!("{name}.md"), text.as_bytes());
}

#[test]
fn a_definition_is_read_on_first_use_and_is_then_the_same_for_everybody() {
    let rooms = Rooms::odd();
    let registry = served(&rooms);
    let one = registry.definition("plain").unwrap();
    assert!(Arc::ptr_eq(&one, &registry.definition("plain").unwrap()));
    assert_eq!(registry.snapshot().brief("plain").unwrap().as_deref(), Some("\nYou are a reviewer.\n"));
    assert_eq!(registry.definition("nobody"), Err(Missing::Unknown("nobody".into())));
    assert!(registry.definition("codex-codegen").is_ok());
    assert_eq!(registry.preload(5), 5);
}

#[test]
fn who_has_a_definition_keeps_it_when_another_is_published() {
    let rooms = Rooms::odd();
    let registry = served(&rooms);
    let old = registry.definition("plain").unwrap();
    let kept = registry.definition("block").unwrap();
    agent(&rooms, "plain", "tools: Read\n");
    rooms.publish(LATER);
    assert!(Arc::ptr_eq(&old, &registry.definition("plain").unwrap()), "it serves until it is reloaded");
    // What nobody has used yet is read where the new publication has the same.
    assert!(registry.definition("folded").is_ok() && registry.snapshot().brief("folded").unwrap().is_some());
    let reloaded = registry.reload(no_smoke).unwrap();
    assert_eq!(reloaded, Reloaded { changed: vec!["plain".into()], ..Reloaded::default() });
    let new = registry.definition("plain").unwrap();
    assert_eq!(
        (old.definition.agent.description.as_str(), new.definition.agent.description.as_str()),
        ("Reviews SQL queries.", "d")
    );
    assert!(
        Arc::ptr_eq(&kept, &registry.definition("block").unwrap()),
        "what did not change is not read again"
    );
}

#[test]
fn an_older_publication_and_another_version_are_refused() {
    let rooms = Rooms::odd();
    let registry = served(&rooms);
    agent(&rooms, "plain", "");
    rooms.publish("2026-01-02T03:04:04Z");
    let refused = registry.reload(no_smoke).unwrap_err();
    assert!(matches!(&refused, Refused::Older { .. }), "{refused}");
    let place = rooms.out().join("index.json");
    let newer = fs::read_to_string(&place).unwrap().replace("\"version\": 1", "\"version\": 2");
    fs::write(&place, newer).unwrap();
    assert!(registry.reload(no_smoke).unwrap_err().to_string().contains("has the version 2"));
    assert_eq!(registry.definition("block").unwrap().definition.agent.id, "block");
}

#[test]
fn a_definition_that_fails_its_smoke_test_does_not_serve() {
    let rooms = Rooms::odd();
    let registry = served(&rooms);
    registry.definition("plain").unwrap();
    agent(&rooms, "plain", "testing:\n  smoke: exit 1\n");
    agent(&rooms, "fresh", "testing:\n  smoke: exit 1\n");
    agent(&rooms, "sound", "testing:\n  smoke: exit 0\n");
    rooms.publish(LATER);
    let smoke = |_: &Definition, command: &str| {
        if command == "exit 0" { Ok(()) } else { Err("it ended with 1".into()) }
    };
    let reloaded = registry.reload(smoke).unwrap();
    let held: Vec<_> = reloaded.held.iter().map(|held| (held.id.as_str(), held.old_serves)).collect();
    assert_eq!(held, [("fresh", false), ("plain", true)]);
    assert_eq!(registry.definition("plain").unwrap().definition.agent.description, "Reviews SQL queries.");
    assert_eq!(registry.definition("fresh"), Err(Missing::Unknown("fresh".into())));
    assert!(registry.definition("sound").is_ok());
    // What was held back is tried again with the next publication.
    agent(&rooms, "other", "");
    rooms.publish("2026-01-02T03:06:00Z");
    assert!(registry.reload(no_smoke).unwrap().held.is_empty());
    assert_eq!(registry.definition("plain").unwrap().definition.agent.description, "d");
}

#[test]
fn an_alias_is_the_agent_with_some_fields_said_otherwise() {
    let rooms = Rooms::odd();
    let registry = served(&rooms);
    let alias = |id: &str, overrides| Alias { id: id.into(), overrides, domain: None };
    registry.set_aliases(BTreeMap::from([
        ("careful".into(), alias("plain", json!({"runtime": {"autonomy_level": 0.1}}))),
        ("lost".into(), alias("nobody", json!({}))),
    ]));
    let made = registry.definition("careful").unwrap();
    assert_eq!(
        (made.definition.agent.id.as_str(), made.definition.agent.instance_alias.as_deref()),
        ("plain", Some("careful"))
    );
    assert_eq!(registry.definition("plain").unwrap().definition.runtime.autonomy_level, None);
    assert!(matches!(registry.definition("lost"), Err(Missing::Unknown(id)) if id == "nobody"));
}

#[test]
fn the_generalist_of_the_domain_takes_what_is_meant_for_a_missing_agent() {
    let rooms = Rooms::odd();
    let registry = served(&rooms);
    let resolved = registry.resolve("nobody", Some("quality")).unwrap();
    assert_eq!(resolved.loaded.definition.agent.id, "full");
    let escalated = resolved.escalation.unwrap();
    assert_eq!((escalated.wanted.as_str(), escalated.used.as_str()), ("nobody", "full"));
    assert_eq!(escalated.notify, ["team"]);
    assert!(registry.resolve("nobody", Some("games")).is_err());
    assert!(registry.resolve("plain", None).unwrap().escalation.is_none());
    // One whose file is gone is missing too.
    agent(&rooms, "broken", "domain: quality\n");
    rooms.publish(LATER);
    fs::remove_file(rooms.out().join("quality/broken.codex.yaml")).unwrap();
    let registry = Registry::open(&rooms.out()).unwrap();
    assert_eq!(registry.resolve("broken", None).unwrap().escalation.unwrap().used, "full");
}

#[test]
fn an_index_that_leads_out_of_the_folder_is_refused() {
    let rooms = Rooms::odd();
    rooms.publish(AT);
    let place = rooms.out().join("index.json");
    let text = fs::read_to_string(&place).unwrap();
    for (from, to) in
        [("\"id\": \"plain\"", "\"id\": \"../../x\""), ("\"domain\": \"data\"", "\"domain\": \"..\"")]
    {
        fs::write(&place, text.replace(from, to)).unwrap();
        let refused = Registry::open(&rooms.out()).unwrap_err();
        assert!(refused.to_string().contains("is no id with its folders"), "{refused}");
    }
}

/// Opening reads the index alone, however many agents there are, and no more definitions stay in memory than may.
#[test]
fn ten_thousand_agents_are_opened_by_their_index_alone() {
    let rooms = Rooms::odd();
    rooms.publish(AT);
    let place = rooms.out().join("index.json");
    let mut index: Index = serde_json::from_slice(&fs::read(&place).unwrap()).unwrap();
    let entry = |number| Entry {
        id: format!("agent-{number}"),
        name: format!("Agent {number}"),
        domain: format!("domain-{}", number % 40),
        subdomain: None,
        tier: "specialist".into(),
    };
    index.agents.extend((0..10_000).map(entry));
    fs::write(&place, serde_json::to_vec(&index).unwrap()).unwrap();
    let registry = Registry::open(&rooms.out()).unwrap();
    assert_eq!(registry.definition("plain").unwrap().definition.agent.id, "plain");
    assert!(matches!(registry.definition("agent-7"), Err(Missing::Broken { .. })));
    const { assert!(HOT_MAX < 1_000) };
}

#[test]
fn who_went_is_stood_in_for_by_the_generalist_of_its_domain() {
    let rooms = Rooms::odd();
    agent(&rooms, "leaver", "domain: quality\n");
    let registry = served(&rooms);
    fs::remove_file(rooms.source().join("leaver.md")).unwrap();
    rooms.publish(LATER);
    assert_eq!(registry.reload(no_smoke).unwrap().removed, ["leaver"]);
    assert!(registry.knows("leaver") && !registry.knows("nobody"));
    assert_eq!(registry.resolve("leaver", None).unwrap().escalation.unwrap().used, "full");
    // An alias knows where its agent stood, also when nobody else does any more.
    let alias = Alias { id: "long-gone".into(), overrides: json!({}), domain: Some("quality".into()) };
    registry.set_aliases(BTreeMap::from([("old".into(), alias)]));
    assert_eq!(registry.resolve("old", None).unwrap().escalation.unwrap().wanted, "old");
}

#[test]
fn what_is_refused_is_said_until_something_serves() {
    let rooms = Rooms::odd();
    let registry = served(&rooms);
    assert_eq!(registry.refused(), None);
    rooms.publish("2026-01-02T03:04:04Z");
    registry.reload(no_smoke).unwrap_err();
    assert!(registry.refused().unwrap().contains("older"));
    rooms.publish(LATER);
    registry.reload(no_smoke).unwrap();
    assert_eq!(registry.refused(), None);
    fs::write(rooms.out().join("index.json"), "{").unwrap();
    let other = Registry::serve(&rooms.out());
    assert!(other.refused().unwrap().contains("is no index") && !other.snapshot().is_published());
    let nothing = Registry::serve(&rooms.out().join("nothing"));
    assert_eq!(nothing.refused(), None);
}

#[test]
fn a_run_is_given_the_brief_and_what_is_held_back_keeps_its_own() {
    let rooms = Rooms::odd();
    let registry = served(&rooms);
    let loaded = registry.definition("plain").unwrap();
    let given = registry.given(&loaded).unwrap();
    assert_eq!((given.id.as_str(), given.instructions.as_str()), ("plain", "\nYou are a reviewer.\n"));
    assert_eq!(given.publication, registry.snapshot().index().digest);
    agent(&rooms, "plain", "testing:\n  smoke: exit 1\n");
    agent(&rooms, "sound", "testing:\n  smoke: exit 0\n");
    rooms.publish(LATER);
    let smoke = |_: &Definition, command: &str| {
        if command == "exit 0" { Ok(()) } else { Err("it failed".to_owned()) }
    };
    registry.reload(smoke).unwrap();
    let held = registry.given(&registry.definition("plain").unwrap()).unwrap();
    assert_eq!((held.digest, held.instructions), (given.digest, given.instructions));
    let snapshot = registry.snapshot();
    let trials = ["plain", "sound", "block"].map(|id| snapshot.trial(id));
    assert_eq!(trials, [Trial::Failed { old_serves: true }, Trial::Passed, Trial::Untried]);
    let built_in = registry.given(&registry.definition("codex-codegen").unwrap()).unwrap();
    assert!(built_in.publication.is_empty() && built_in.instructions.contains("You"));
}

#[test]
fn what_serves_from_the_start_is_tried_and_one_that_fails_serves_no_more() {
    let rooms = Rooms::odd();
    agent(&rooms, "sound", "testing:\n  smoke: exit 0\n");
    agent(&rooms, "broken", "testing:\n  smoke: exit 1\n");
    let registry = served(&rooms);
    let plain = registry.definition("plain").unwrap();
    let mut tried = Vec::new();
    let held = registry.try_serving(|definition, command| {
        tried.push(definition.agent.id.clone());
        Some(if command == "exit 0" { Ok(()) } else { Err("it failed".to_owned()) })
    });
    assert_eq!(tried, ["broken", "sound"]);
    assert_eq!(
        held.iter().map(|held| (&*held.id, &*held.why, held.old_serves)).collect::<Vec<_>>(),
        [("broken", "it failed", false)]
    );
    let snapshot = registry.snapshot();
    let trials = ["broken", "sound", "plain"].map(|id| snapshot.trial(id));
    assert_eq!(trials, [Trial::Failed { old_serves: false }, Trial::Passed, Trial::Untried]);
    assert_eq!(snapshot.failing().collect::<Vec<_>>(), ["broken"]);
    assert_eq!(registry.definition("broken"), Err(Missing::Unknown("broken".into())));
    assert!(Arc::ptr_eq(&plain, &registry.definition("plain").unwrap()));
    assert_eq!(registry.try_serving(|_, _| unreachable!("each is tried once")), []);
}

#[test]
fn a_trial_that_breaks_off_or_that_a_newer_publication_overtakes_changes_nothing() {
    let rooms = Rooms::odd();
    agent(&rooms, "broken", "testing:\n  smoke: exit 1\n");
    let registry = served(&rooms);
    assert_eq!(registry.try_serving(|_, _| None), []);
    assert_eq!(registry.snapshot().trial("broken"), Trial::Untried);
    let held = registry.try_serving(|_, _| {
        agent(&rooms, "broken", "testing:\n  smoke: exit 0\n");
        rooms.publish(LATER);
        registry.reload(no_smoke).unwrap();
        Some(Err("it failed".to_owned()))
    });
    assert_eq!((held, registry.snapshot().trial("broken")), (vec![], Trial::Passed));
}
