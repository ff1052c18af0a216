//! Checks the last commit of a person's repository out into a scratchpad. The person's repository is only read: a worktree
//! of git's own would be written into it, so that two repositories are made which borrow its objects. One is the agent's,
//! in `work/`; the other stands beside the record, is written by nobody else, and is the only one that is asked later.

use crate::failure::{Failure, Result, file};
use crate::git::{self, Head};
use crate::scratchpads::failure;
use spalla_crash::crash_point;
use spalla_scratchpad::{Draft, Scratchpads, Target};
use std::fs;
use std::path::{Path, PathBuf};

/// The commit that was checked out, in our own repository.
pub(super) const BASE: &str = "refs/spalla/base";
/// The attributes of files whose bytes are taken as they are.
const AS_THEY_ARE: &str = "* -text -filter -ident -working-tree-encoding\n";

/// Makes both repositories and fills `work/`.
pub(super) async fn check_out(
    scratchpads: &Scratchpads,
    draft: &mut Draft<'_>,
    target: PathBuf,
    head: Head,
) -> Result<()> {
    let lent = Lent::of(&target).await?;
    let (own, work) = (scratchpads.repository(draft.id()), draft.make_work().map_err(failure)?);
    lent.make(&own, &own, &["--bare"]).await?;
    git::call(&own, &["update-ref", BASE, &head.commit]).await?;
    lent.make(&work, &work.join(".git"), &[]).await?;
    let branch = format!("refs/heads/spalla/{}", draft.id());
    git::call(&work, &["update-ref", &branch, &head.commit]).await?;
    git::call(&work, &["symbolic-ref", "HEAD", &branch]).await?;
    git::call(&work, &["reset", "--hard", "--quiet"]).await?;
    draft.checked_out(Target { path: target, commit: Some(head.commit), branch: head.branch });
    Ok(())
}

/// What a repository lends.
struct Lent {
    objects: String,
    format: String,
    shallow: Option<PathBuf>,
}

impl Lent {
    async fn of(target: &Path) -> Result<Self> {
        let path = |name: &'static str| async move {
            let asked = ["rev-parse", "--path-format=absolute", "--git-path", name];
            let said = git::call(target, &asked).await?;
            Ok::<_, Failure>(said.strip_suffix('\n').unwrap_or(&said).to_owned())
        };
        let objects = path("objects").await?;
        // One line of the list of lenders is one path.
        if objects.contains(['\n', '\u{fffd}']) {
            let shown = target.display();
            return Err(Failure::usage(format!(
                "the path of the repository {shown} is nothing that git can borrow from"
            )));
        }
        let format = git::call(target, &["rev-parse", "--show-object-format"]).await?.trim().to_owned();
        let shallow = Some(PathBuf::from(path("shallow").await?)).filter(|path| path.is_file());
        Ok(Self { objects, format, shallow })
    }

    /// Makes a repository that borrows.
    async fn make(&self, folder: &Path, repository: &Path, how: &[&str]) -> Result<()> {
        let path = folder.to_string_lossy();
        let format = format!("--object-format={}", self.format);
        let init = [&["init", "--quiet", "--template=", &format], how, &["--", &path]].concat();
        let above = folder.parent().unwrap_or(folder);
        git::call(above, &init).await?;
        // Git makes the folder itself.
        write(&repository.join("objects/info/alternates"), format!("{}\n", self.objects).as_bytes())?;
        let info = repository.join("info");
        crash_point!("scratchpad.repository.folder", fs::create_dir_all(&info))
            .map_err(file("making", &info))?;
        write(&info.join("attributes"), AS_THEY_ARE.as_bytes())?;
        if let Some(shallow) = &self.shallow {
            let ends = fs::read(shallow).map_err(file("reading", shallow))?;
            write(&repository.join("shallow"), &ends)?;
        }
        Ok(())
    }
}

/// Writes a file of a repository that nobody uses yet.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    crash_point!("scratchpad.repository.write", fs::write(path, bytes)).map_err(file("writing", path))
}
