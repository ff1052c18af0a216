//! Scratchpads on the wire.

use super::text::{Line, Text, Word};
use super::{Body, words};
use serde::{Deserialize, Serialize};
use spalla_domain::Timestamp;
use spalla_scratchpad::{Exported, FolderStats, New, Stats, View};
use std::collections::BTreeMap;
use utoipa::ToSchema;

words! {
    /// How a scratchpad is.
    ScratchpadState for spalla_scratchpad::State {
        /// Somebody works in it, or may.
        Active = "active",
        /// A person put it aside: it is kept until somebody goes on.
        Paused = "paused",
        /// The task is done.
        Completed = "completed",
        /// The task is not done, for good.
        Failed = "failed",
        /// What was made was taken out.
        Exported = "exported",
        /// Its time is over.
        Expired = "expired",
    }
}

/// The name of a template, a session or a folder.
type Plain = Text<100>;

/// A scratchpad to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewScratchpad {
    /// What it is for.
    #[schema(inline)]
    task: Line<1_000>,
    /// What it is made of; `default` when left out.
    #[schema(inline)]
    template: Option<Plain>,
    /// The session that it belongs to.
    #[schema(inline)]
    session: Option<Plain>,
    /// Who works in it.
    #[schema(inline)]
    agent: Option<Word>,
}

impl Body for NewScratchpad {}

impl From<NewScratchpad> for New {
    fn from(new: NewScratchpad) -> Self {
        Self {
            task: new.task.into(),
            template: new.template.map(Into::into),
            session: new.session.map(Into::into),
            agent: new.agent.map(Into::into),
        }
    }
}

/// Where to what was made is taken out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScratchpadExport {
    /// The folder beneath `exports` in the data folder; the scratchpad's name when left out.
    #[schema(inline)]
    pub(crate) folder: Option<Plain>,
    /// Whether what stands there is overwritten; false when left out.
    pub(crate) force: Option<bool>,
}

impl Body for ScratchpadExport {}

/// A scratchpad.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Scratchpad {
    /// Its name: the task, and when it was made in seconds since 1970.
    id: String,
    /// What it is for.
    task: String,
    /// How it is.
    state: ScratchpadState,
    /// Its folder.
    path: String,
    /// What it was made of.
    template: String,
    /// The session that it belongs to.
    session: Option<String>,
    /// Who works in it.
    agent: Option<String>,
    /// What `work` was made of.
    target: Option<String>,
    /// The commit that was checked out.
    target_commit: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its state was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it is removed; none where it is kept.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    /// Where to what was made was taken out last.
    exported_to: Option<String>,
}

impl From<View> for Scratchpad {
    fn from(view: View) -> Self {
        let (record, path) = (view.record, view.path);
        let target = record.target;
        Self {
            id: record.id.into(),
            task: record.task,
            state: record.state.into(),
            path: path.to_string_lossy().into_owned(),
            template: record.template,
            session: record.session,
            agent: record.agent,
            target: target.as_ref().map(|target| target.path.to_string_lossy().into_owned()),
            target_commit: target.and_then(|target| target.commit),
            created_at: record.created_at,
            updated_at: record.updated_at,
            expires_at: view.expires_at,
            exported_to: record.exported_to,
        }
    }
}

/// How much is in one folder of a scratchpad.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScratchpadFolder {
    /// Files, at every depth.
    files: u64,
    /// What they take, in bytes.
    bytes: u64,
    /// The same in KiB.
    size_kb: u64,
}

impl From<FolderStats> for ScratchpadFolder {
    fn from(FolderStats { files, bytes, size_kb }: FolderStats) -> Self {
        Self { files, bytes, size_kb }
    }
}

/// How much is in a scratchpad.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScratchpadStats {
    /// Of which.
    id: String,
    /// How it is.
    state: ScratchpadState,
    /// Files, at every depth.
    total_files: u64,
    /// Folders, at every depth.
    total_folders: u64,
    /// Links, pipes and the like.
    total_others: u64,
    /// What all of it takes, in bytes.
    workspace_size_bytes: u64,
    /// The same in KiB.
    workspace_size_kb: u64,
    /// By each folder at its top.
    folders: BTreeMap<String, ScratchpadFolder>,
    /// How many bytes it may have.
    quota_bytes: u64,
    /// How many files it may have.
    quota_files: u64,
    /// Whether it has more.
    is_over_quota: bool,
    /// Whether everything was counted: not where it is too deep, too much, or closed.
    is_whole: bool,
}

impl From<Stats> for ScratchpadStats {
    fn from(stats: Stats) -> Self {
        Self {
            id: stats.id.into(),
            state: stats.state.into(),
            total_files: stats.total_files,
            total_folders: stats.total_folders,
            total_others: stats.total_others,
            workspace_size_bytes: stats.workspace_size_bytes,
            workspace_size_kb: stats.workspace_size_kb,
            folders: stats.folders.into_iter().map(|(name, folder)| (name, folder.into())).collect(),
            quota_bytes: stats.quota_bytes,
            quota_files: stats.quota_files,
            is_over_quota: stats.is_over_quota,
            is_whole: stats.is_whole,
        }
    }
}

/// What was taken out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScratchpadExported {
    /// Of which.
    id: String,
    /// Where to.
    folder: String,
    /// How many files.
    files: u64,
    /// How long they are together, in bytes.
    bytes: u64,
    /// What was made and is no file: links, pipes. It stays where it is.
    left_out: Vec<String>,
    /// What was removed in the scratchpad; it is removed nowhere else.
    deleted: Vec<String>,
    /// Whether everything was seen.
    is_whole: bool,
}

impl From<Exported> for ScratchpadExported {
    fn from(exported: Exported) -> Self {
        Self {
            id: exported.id.into(),
            folder: exported.folder.to_string_lossy().into_owned(),
            files: exported.files,
            bytes: exported.bytes,
            left_out: exported.left_out,
            deleted: exported.deleted,
            is_whole: exported.is_whole,
        }
    }
}
