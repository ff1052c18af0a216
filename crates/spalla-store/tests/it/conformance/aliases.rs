//! Aliases of agents, and what became of publications.

use crate::fixture::Fixture;
use serde_json::json;
use spalla_domain::alias::{Alias, NewAlias};
use spalla_domain::event::Fact;
use spalla_domain::problem::Code;
use spalla_domain::registry_news::{RegistryNews, Reloaded};
use spalla_domain::{AliasId, EventSeq, ProjectId};
use spalla_store::document::{Kept, Kind};
use spalla_store::view::{DocumentFilter, EventFilter, Page};
use spalla_store::{Command, Reply};

crate::fixture::claims!(
    an_alias_is_made_said_otherwise_and_removed_under_its_name,
    what_became_of_a_publication_is_an_event_of_no_project,
);

fn set(name: &str, agent: &str) -> Command {
    let overrides = json!({"runtime": {"autonomy_level": 0.2}});
    Command::SetAlias(Box::new(NewAlias { name: name.into(), agent: agent.into(), domain: None, overrides }))
}

async fn kept(f: &Fixture) -> Vec<Alias> {
    let filter = DocumentFilter { kind: Kind::Alias, owner: Some(0), status: None };
    let found = f.store.read().documents(filter, Page { limit: 50, before: None, offset: 0 }).await.unwrap();
    found.iter().map(|document| document.read().unwrap()).collect()
}

async fn facts(f: &Fixture) -> Vec<(ProjectId, Fact)> {
    let filter = EventFilter { project_id: None, run_id: None, after: Some(EventSeq(0)) };
    let events = f.store.read().events(filter, 100).await.unwrap();
    events.into_iter().map(|event| (event.project_id, event.fact)).collect()
}

async fn an_alias_is_made_said_otherwise_and_removed_under_its_name(f: Fixture) {
    let made = f.granted(set("careful", "reviewer")).await;
    assert_eq!(made, Reply::Alias { id: AliasId(1), is_new: true });
    f.granted(set("bold", "reviewer")).await;
    let again = f.granted(set("careful", "tester")).await;
    assert_eq!(again, Reply::Alias { id: AliasId(1), is_new: false });
    let names: Vec<_> =
        kept(&f).await.into_iter().map(|alias| (alias.id(), alias.name, alias.agent)).collect();
    assert_eq!(names, [(2, "bold".into(), "reviewer".into()), (1, "careful".into(), "tester".into())]);
    f.granted(Command::RemoveAlias { name: "bold".into() }).await;
    assert_eq!(f.refused(Command::RemoveAlias { name: "bold".into() }).await, Code::NotFound);
    assert_eq!(f.refused(set("", "reviewer")).await, Code::Invalid);
    assert_eq!(kept(&f).await.len(), 1);
    let last = facts(&f).await.pop();
    assert_eq!(last, Some((ProjectId::NONE, Fact::AliasRemoved { name: "bold".into() })));
}

async fn what_became_of_a_publication_is_an_event_of_no_project(f: Fixture) {
    let reloaded = Reloaded { digest: "d".into(), agents: 3, changed: 1, ..Reloaded::default() };
    f.granted(Command::TellRegistry(Box::new(RegistryNews::Reloaded(reloaded.clone())))).await;
    assert_eq!(facts(&f).await, [(ProjectId::NONE, Fact::RegistryReloaded(Box::new(reloaded)))]);
}
