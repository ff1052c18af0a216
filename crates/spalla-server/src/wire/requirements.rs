//! Visions and the drafts of requirements on the wire.

use super::number::{Number, Priority};
use super::text::{Line, Prose, Title, Word};
use super::work_item::Executor;
use super::{Body, words};
use crate::problem::Problem;
use crate::wire::problem::FieldProblem;
use serde::{Deserialize, Serialize};
use spalla_domain::requirements::{self, ITEMS_MAX, Item, RequirementsDraft, VISION_BYTES_MAX, check};
use spalla_domain::work_item::{LABELS_MAX, PRIORITY_DEFAULT};
use spalla_domain::{Timestamp, WorkItemId};
use utoipa::ToSchema;

/// The text of a vision; the domain counts its bytes.
type VisionText = Line<VISION_BYTES_MAX>;

/// What a project is to become.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VisionBody {
    /// In prose; Markdown is understood.
    #[schema(inline)]
    text: VisionText,
}

impl Body for VisionBody {}

impl VisionBody {
    /// Returns the text, if it says something.
    pub(crate) fn into_text(self) -> Result<String, Problem> {
        let text = String::from(self.text);
        requirements::check_text(&text).map_err(|refusal| Problem::from(refusal).naming("text"))?;
        Ok(text)
    }
}

/// A version of what a project is to become.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Vision {
    /// Whose it is.
    project_id: i64,
    /// Its ordinal among the visions of the project, from 1; the highest counts.
    version: u32,
    /// What was said.
    text: String,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<requirements::Vision> for Vision {
    fn from(vision: requirements::Vision) -> Self {
        let requirements::Vision { project_id, version, text, created_at } = vision;
        Self { project_id: project_id.0, version, text, created_at }
    }
}

/// What takes a vision apart into requirements.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Decomposer {
    /// Rules: the same vision always gives the same draft.
    #[default]
    Heuristic,
    /// A model.
    Llm,
}

words! {
    /// The state of a draft.
    DraftStatus for requirements::Status {
        /// Nobody has decided.
        Proposed = "proposed",
        /// A person approved it.
        Approved = "approved",
        /// A person rejected it.
        Rejected = "rejected",
    }
}

/// A draft of requirements.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Draft {
    /// Its id.
    id: i64,
    /// Whose it is.
    project_id: i64,
    /// The version of the vision that it was derived from.
    vision_version: u32,
    /// Where it stands.
    status: DraftStatus,
    /// What is to be done.
    items: Vec<Requirement>,
    /// When it was proposed.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When a person last changed it.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it was decided.
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<Timestamp>,
}

/// One requirement: what a work item is made of.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Requirement {
    /// What it is called.
    title: String,
    /// What it is about.
    description: Option<String>,
    /// A free word to sort by.
    category: Option<String>,
    /// What carries it out; null means the default.
    executor: Option<Executor>,
    /// The agent, where the executor is one.
    agent: Option<String>,
    /// Free words to choose by, sorted.
    labels: Vec<String>,
    /// 0 to 9, 9 is the most urgent.
    priority: u8,
    /// Which items of the draft come first, by their place from 0.
    depends_on: Vec<usize>,
}

impl From<Item> for Requirement {
    fn from(item: Item) -> Self {
        Self {
            title: item.title,
            description: item.description,
            category: item.category,
            executor: item.executor.map(Into::into),
            agent: item.agent,
            labels: item.labels,
            priority: item.priority,
            depends_on: item.depends_on,
        }
    }
}

impl From<RequirementsDraft> for Draft {
    fn from(draft: RequirementsDraft) -> Self {
        Self {
            id: draft.id.0,
            project_id: draft.project_id.0,
            vision_version: draft.vision_version,
            status: draft.status.into(),
            items: draft.items.into_iter().map(Into::into).collect(),
            created_at: draft.created_at,
            updated_at: draft.updated_at,
            decided_at: draft.decided_at,
        }
    }
}

/// A draft that a person approved, with what was made of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ApprovedDraft {
    /// The draft.
    #[serde(flatten)]
    draft: Draft,
    /// The work items that were made, in the order of the draft; empty where none were asked for.
    work_items: Vec<i64>,
}

impl ApprovedDraft {
    /// Adds what was made.
    pub(crate) fn new(draft: Draft, work_items: Vec<WorkItemId>) -> Self {
        Self { draft, work_items: work_items.into_iter().map(|id| id.0).collect() }
    }
}

/// The place of an item in a draft.
type ItemPlace = Number<0, { ITEMS_MAX as i64 - 1 }>;

/// What a draft is to say from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DraftBody {
    /// All its items.
    #[serde(deserialize_with = "super::object::objects")]
    #[schema(max_items = 200)]
    items: Vec<RequirementBody>,
}

/// One requirement as a person wants it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequirementBody {
    /// What it is called.
    #[schema(inline)]
    title: Title,
    /// What it is about.
    #[schema(inline)]
    description: Option<Prose>,
    /// A free word to sort by.
    #[schema(inline)]
    category: Option<Word>,
    /// What carries it out; the default when left out.
    executor: Option<Executor>,
    /// The agent, where the executor is one.
    #[schema(inline)]
    agent: Option<Word>,
    /// Free words to choose by.
    #[serde(default)]
    #[schema(inline, max_items = 32)]
    labels: Vec<Word>,
    /// 0 to 9, 9 is the most urgent; 5 when left out.
    #[schema(inline)]
    priority: Option<Priority>,
    /// Which items of the draft come first, by their place from 0.
    #[serde(default)]
    #[schema(inline)]
    depends_on: Vec<ItemPlace>,
}

impl Body for DraftBody {}

impl DraftBody {
    /// Returns the items in their normal form, or every place that is wrong.
    pub(crate) fn into_items(self) -> Result<Vec<Item>, Problem> {
        check(self.items.into_iter().map(Into::into).collect()).map_err(|problems| {
            let place = |item: Option<usize>| item.map_or("items".into(), |at| format!("items[{at}]"));
            let problems = problems.into_iter();
            Problem::invalid_at_all(
                problems.map(|found| FieldProblem::at_path(place(found.item), found.message)).collect(),
            )
        })
    }
}

impl From<RequirementBody> for Item {
    fn from(body: RequirementBody) -> Self {
        Self {
            title: body.title.into(),
            description: body.description.map(Into::into),
            category: body.category.map(Into::into),
            executor: body.executor.map(Into::into),
            agent: body.agent.map(Into::into),
            labels: body.labels.into_iter().map(Into::into).collect(),
            priority: body.priority.map_or(PRIORITY_DEFAULT, |priority| priority.small() as u8),
            depends_on: body.depends_on.into_iter().map(|place| place.small() as usize).collect(),
        }
    }
}

/// What comes with a yes to a draft.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DraftApproval {
    /// Makes the work items and their dependencies at once; false when left out.
    pub(crate) create_work_items: Option<bool>,
}

impl Body for DraftApproval {}

/// The numbers that the schemas above write out have to be the domain's.
const _: () = assert!(LABELS_MAX == 32 && ITEMS_MAX == 200);
