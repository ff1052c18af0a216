//! Projects on the wire.

use super::limits::Limits;
use super::text::{Name, Prose, Repository};
use super::{Body, nullable, present};
use serde::{Deserialize, Serialize};
use spalla_domain::Timestamp;
use spalla_domain::project::{self, ProjectPatch};
use utoipa::ToSchema;

/// A project.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Project {
    /// Its id, which is its identity: names may repeat.
    id: i64,
    /// What people call it.
    name: String,
    /// What it is about.
    description: Option<String>,
    /// An absolute local path or a git URL.
    repository: Option<String>,
    /// How much each command of its runs may use; null is as the operator says.
    #[schema(inline)]
    limits: Option<Limits>,
    /// Whether it was put away.
    status: ProjectStatus,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was put away.
    #[schema(value_type = Option<String>, format = DateTime)]
    archived_at: Option<Timestamp>,
}

/// The state of a project.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ProjectStatus {
    /// In use.
    Active,
    /// Put away.
    Archived,
}

impl From<project::Project> for Project {
    fn from(project: project::Project) -> Self {
        Self {
            id: project.id.0,
            name: project.name,
            description: project.description,
            repository: project.repository,
            limits: project.limits.map(Limits),
            status: if project.archived_at.is_some() {
                ProjectStatus::Archived
            } else {
                ProjectStatus::Active
            },
            created_at: project.created_at,
            archived_at: project.archived_at,
        }
    }
}

/// A project to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    /// What people call it.
    #[schema(inline)]
    name: Name,
    /// What it is about.
    #[schema(inline)]
    description: Option<Prose>,
    /// An absolute local path or a git URL.
    #[schema(inline)]
    repository: Option<Repository>,
    /// How much each command of its runs may use; null is as the operator says.
    #[schema(inline)]
    limits: Option<Limits>,
}

impl Body for NewProject {}

impl From<NewProject> for project::NewProject {
    fn from(new: NewProject) -> Self {
        Self {
            name: new.name.into(),
            description: new.description.map(Into::into),
            repository: new.repository.map(Into::into),
            limits: new.limits.map(|limits| limits.0),
        }
    }
}

/// A change of a project; what is left out stays, null removes.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectChange {
    /// The new name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Name, inline, required = false)]
    name: Option<Name>,
    /// The new description.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Prose>, inline, required = false)]
    description: Option<Option<Prose>>,
    /// The new repository.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Repository>, inline, required = false)]
    repository: Option<Option<Repository>>,
    /// How much each command of its runs may use from now on.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<Limits>, inline, required = false)]
    limits: Option<Option<Limits>>,
}

impl Body for ProjectChange {}

impl From<ProjectChange> for ProjectPatch {
    fn from(change: ProjectChange) -> Self {
        Self {
            name: change.name.map(Into::into),
            description: change.description.map(|text| text.map(Into::into)),
            repository: change.repository.map(|text| text.map(Into::into)),
            limits: change.limits.map(|limits| limits.map(|limits| limits.0)),
        }
    }
}
