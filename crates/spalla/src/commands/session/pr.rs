//! `spalla session pr`: opens a pull request on GitHub from a session's branch, or brings the one that is there up to date.

use super::Which;
use crate::cli::Global;
use crate::commands::block_on;
use crate::config::Settings;
use crate::exit::Exit;
use crate::failure::Result;
use crate::github::{Opened, Repository, Wanted, open};
use crate::output;
use crate::sessions::SessionFolder;
use clap::Args;
use serde_json::json;
use std::path::Path;

/// Of which session, and how.
#[derive(Debug, Args)]
pub(crate) struct Pr {
    #[command(flatten)]
    which: Which,
    /// The repository on GitHub [default: github.repo, then that of the target's remote origin]
    #[arg(long, value_name = "OWNER/NAME")]
    repo: Option<String>,
    /// The branch that it goes into [default: the one that the session began on]
    #[arg(long, value_name = "BRANCH")]
    base: Option<String>,
    /// Opens it as a draft
    #[arg(long)]
    draft: bool,
    /// Writes no check run
    #[arg(long)]
    no_checks: bool,
    /// Says only what would be done
    #[arg(long)]
    dry_run: bool,
    /// Prints what was done as JSON
    #[arg(long)]
    json: bool,
}

impl Pr {
    pub(super) fn run(self, global: &Global) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        global.listen(&config, "warn")?;
        let settings = &config.settings;
        let folder = SessionFolder::find(&settings.data, &self.which.id)?;
        block_on(tokio::runtime::Builder::new_current_thread(), self.carry_out(settings, &folder))
    }

    async fn carry_out(&self, settings: &Settings, folder: &SessionFolder) -> Result<Exit> {
        if self.dry_run {
            let session = folder.read()?;
            let repository =
                Repository::find(settings, self.repo.as_deref(), Path::new(&session.target)).await?;
            let own = session.base.as_ref().and_then(|base| base.branch.as_deref());
            let base = self.base.as_deref().or(own).unwrap_or("its default branch");
            output::line(format_args!(
                "would push {} to {repository} and open a pull request into {base}",
                session.branch()
            ))?;
            return Ok(Exit::Done);
        }
        let wanted = Wanted {
            repository: self.repo.clone(),
            base: self.base.clone(),
            is_draft: self.draft,
            has_checks: !self.no_checks,
            closes: None,
        };
        self.tell(&open(settings, folder, &wanted).await?)
    }

    fn tell(&self, opened: &Opened) -> Result<Exit> {
        let Opened { told, was_there, without_checks } = opened;
        if self.json {
            output::json(&json!({"repository": told.repository, "number": told.number, "url": told.url,
                "commit": told.commit, "was_there": was_there, "without_checks": without_checks}))?;
            return Ok(Exit::Done);
        }
        let what = if *was_there { "is up to date" } else { "is opened" };
        let place = told
            .url
            .clone()
            .unwrap_or_else(|| format!("{}#{}", told.repository, told.number.unwrap_or_default()));
        output::line(format_args!("the pull request {} {what}", output::plain(&place)))?;
        if let Some(why) = without_checks {
            output::line(format_args!("note: no check run was written: {}", output::plain(why)))?;
        }
        Ok(Exit::Done)
    }
}
