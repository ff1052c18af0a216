//! Projects: made, changed, listed.

use crate::fixture::Fixture;
use crate::fixture::snapshot::ALL;
use spalla_domain::ProjectId;
use spalla_domain::event::Fact;
use spalla_domain::project::{NewProject, Project, ProjectPatch};
use spalla_store::Command;
use spalla_store::command::Reply;

crate::fixture::claims!(
    projects_are_numbered_from_one_and_names_may_repeat,
    a_project_changes_member_by_member
);

async fn projects_are_numbered_from_one_and_names_may_repeat(f: Fixture) {
    let new = NewProject { name: "bridge".into(), description: None, repository: None, limits: None };
    for id in 1..=3 {
        assert_eq!(f.granted(Command::CreateProject(new.clone())).await, Reply::Project(ProjectId(id)));
        f.clock.advance_ms(1);
    }
    let listed = f.store.read().projects(ALL).await.unwrap();
    assert_eq!(listed.iter().map(|project| project.id.0).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(
        listed[2],
        Project {
            id: ProjectId(1),
            name: "bridge".into(),
            description: None,
            repository: None,
            limits: None,
            created_at: crate::fixture::START,
            archived_at: None,
        }
    );
    assert_eq!(f.events().await[0].fact, Fact::ProjectCreated { name: "bridge".into() });
}

async fn a_project_changes_member_by_member(f: Fixture) {
    let id = f.project().await;
    let patch = |patch| Command::UpdateProject { id, patch };
    f.granted(patch(ProjectPatch { name: Some("span".into()), ..ProjectPatch::default() })).await;
    f.granted(patch(ProjectPatch { description: Some(Some("long".into())), ..ProjectPatch::default() }))
        .await;
    f.granted(patch(ProjectPatch { repository: Some(None), ..ProjectPatch::default() })).await;
    let kept = f.store.read().project(id).await.unwrap().unwrap();
    assert_eq!(
        (kept.name.as_str(), kept.description.as_deref(), kept.repository),
        ("span", Some("long"), None)
    );
    f.granted(patch(ProjectPatch { description: Some(None), ..ProjectPatch::default() })).await;
    assert_eq!(f.store.read().project(id).await.unwrap().unwrap().description, None);
    let updates = f.events().await.iter().filter(|event| event.fact == Fact::ProjectUpdated {}).count();
    assert_eq!(updates, 4);
}
