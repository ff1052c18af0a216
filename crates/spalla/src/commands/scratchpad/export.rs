//! `spalla scratchpad export`: takes out what was made: into a folder, as a patch, or as a branch of the target. What stands
//! there stays unless `--force` says otherwise.

use super::{Place, patch};
use crate::commands::block_on;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::saved::Saved;
use crate::scratchpads::{failure, now};
use clap::Args;
use serde_json::json;
use spalla_scratchpad::{Exported, Id, Stream};
use std::path::{Path, PathBuf};

/// What is taken out, and where to.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("place").required(true).args(["dir", "patch", "branch"]))]
pub(crate) struct Export {
    /// The scratchpad's name, or latest for the newest one
    id: String,
    /// The folder that new and changed files are copied into, each to its own path
    dir: Option<PathBuf>,
    /// A file for what differs in work/, as a patch that `git apply` takes
    #[arg(long, value_name = "FILE")]
    patch: Option<PathBuf>,
    /// A new branch of the repository that the scratchpad was made of, with what differs in work/
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Overwrites what stands there
    #[arg(long)]
    force: bool,
    /// Prints what was taken out as JSON
    #[arg(long)]
    json: bool,
}

impl Export {
    pub(super) fn run(self, place: &Place) -> Result<()> {
        let id = place.id(&self.id)?;
        match (&self.dir, &self.patch, &self.branch) {
            (Some(dir), ..) => {
                let done = place.scratchpads.export(&id, dir, self.force, now()).map_err(|error| {
                    let has_mend = error.kind() == spalla_scratchpad::Kind::Conflict && !self.force;
                    let failure = failure(error);
                    if has_mend {
                        failure.mend("export with --force, or into another folder")
                    } else {
                        failure
                    }
                })?;
                self.say_folder(&done)
            }
            (None, Some(file), _) => self.patch(place, &id, file),
            (None, None, Some(name)) => self.branch(place, &id, name),
            (None, None, None) => Err(Failure::usage("name a folder, --patch FILE or --branch NAME")),
        }
    }

    fn patch(&self, place: &Place, id: &Id, file: &Path) -> Result<()> {
        if !self.force && file.symlink_metadata().is_ok() {
            return Err(Failure::new(Exit::Stopped, format!("{} is there already", file.display()))
                .mend("name another file, or overwrite it with --force"));
        }
        let made = patch::text(&place.scratchpads, id);
        let (stream, text) = block_on(tokio::runtime::Builder::new_current_thread(), made)?;
        let mut saved = Saved::begin(file)?;
        saved.write(&text)?;
        saved.finish()?;
        self.finish(place, id, &stream, &format!("patch {}", file.display()))
    }

    fn branch(&self, place: &Place, id: &Id, name: &str) -> Result<()> {
        let view = place.scratchpads.show(id, now()).map_err(failure)?;
        let Some(target) = view.target.as_ref().filter(|target| target.commit.is_some()) else {
            return Err(Failure::usage(format!("the scratchpad {id} was not made of a repository"))
                .mend("export it into a folder"));
        };
        let made = patch::branch(&place.scratchpads, id, (&target.path, name), self.force);
        let stream = block_on(tokio::runtime::Builder::new_current_thread(), made)?;
        self.finish(place, id, &stream, &format!("branch {name} of {}", target.path.display()))
    }

    fn finish(&self, place: &Place, id: &Id, stream: &Stream, to: &str) -> Result<()> {
        place.scratchpads.exported(id, to, now()).map_err(failure)?;
        if self.json {
            let (files, left_out) = (stream.files, &stream.left_out);
            return output::json(
                &json!({ "id": id, "exported_to": to, "files": files, "left_out": left_out }),
            );
        }
        output::line(format_args!("{} files into the {}", stream.files, output::plain(to)))
    }

    fn say_folder(&self, done: &Exported) -> Result<()> {
        if self.json {
            return output::json(done);
        }
        let folder = output::plain(&done.folder.to_string_lossy());
        output::line(format_args!("{} files, {} bytes, into {folder}", done.files, done.bytes))?;
        for path in &done.left_out {
            output::line(output::notable(format!("left out, since it is no file: {}", output::plain(path))))?;
        }
        for path in &done.deleted {
            output::line(output::quiet(format!("removed in the scratchpad: {}", output::plain(path))))?;
        }
        Ok(())
    }
}
