//! `spalla scratchpad create`: makes a scratchpad, with what a target has where one is named.

use super::{Place, checkout, show};
use crate::commands::block_on;
use crate::failure::{Failure, Result, file};
use crate::git;
use crate::scratchpads::{failure, now};
use clap::Args;
use spalla_scratchpad::{Draft, New, Scratchpads};
use std::path::{Path, PathBuf};

/// A new scratchpad.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What it is for
    task: String,
    /// The template: a folder of templates/scratchpad beside the settings or in the data folder
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// A folder that is to be worked on: the last commit of a repository, or a copy of a folder without git, under work/
    #[arg(long, value_name = "DIR")]
    target: Option<PathBuf>,
    /// The session that it belongs to
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// Who works in it
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// Prints the scratchpad as JSON
    #[arg(long)]
    json: bool,
}

impl Create {
    pub(super) fn run(self, place: &Place) -> Result<()> {
        let Self { task, template, target, session, agent, json } = self;
        let new = New { task, template, session, agent };
        let mut draft = place.scratchpads.begin(new, now()).map_err(failure)?;
        if let Some(target) = &target {
            let filled = fill(&place.scratchpads, &mut draft, target);
            block_on(tokio::runtime::Builder::new_current_thread(), filled)?;
        }
        let left_out = draft.left_out().to_vec();
        let view = draft.finish().map_err(failure)?;
        if !left_out.is_empty() {
            tracing::warn!("left out, since they are no files: {}", left_out.join(", "));
        }
        if json { show::print(&view, true) } else { show::made(&view) }
    }
}

/// Brings what the target has into the scratchpad. The target is only read.
async fn fill(scratchpads: &Scratchpads, draft: &mut Draft<'_>, target: &Path) -> Result<()> {
    let path = target.canonicalize().map_err(file("opening the target", target))?;
    if !path.is_dir() {
        return Err(Failure::usage(format!("the target {} is no folder", target.display())));
    }
    let Some(head) = git::head_of(&path).await? else { return draft.copy(&path).map_err(failure) };
    if git::has_uncommitted(&path).await {
        tracing::warn!("the target has changes that are not committed; the scratchpad has its last commit");
    }
    checkout::check_out(scratchpads, draft, path, head).await
}
