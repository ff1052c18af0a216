//! What was made in `work/` as git tells it. Git never looks into `work/` for it: what an agent left there may say what git
//! is to run. The files are read by us and given to a repository of our own as bytes.

use super::checkout::BASE;
use crate::failure::{Failure, Result};
use crate::git;
use crate::scratchpads::{failure, now};
use spalla_scratchpad::{Id, Scratchpads, Stream};
use std::collections::BTreeSet;
use std::path::Path;

/// What was made, in our own repository.
const MADE: &str = "refs/spalla/made";

/// Brings what was made into our own repository.
async fn take(scratchpads: &Scratchpads, id: &Id) -> Result<Stream> {
    let new = scratchpads.new_in_work(id, now()).map_err(failure)?;
    let ignored = ignored(scratchpads, id, &new).await?;
    let mut stream = scratchpads.stream(id, MADE, &ignored, now()).map_err(failure)?;
    let repository = scratchpads.repository(id);
    let import = ["fast-import", "--quiet", "--done", "--force"];
    let (status, _) = git::tell(&repository, &import, std::mem::take(&mut stream.bytes)).await?;
    if status != Some(0) {
        return Err(Failure::failed(format!("what was made in {id} is nothing that git can keep")));
    }
    Ok(stream)
}

/// Returns which of the new files the repository's own rules ignore, such as what a build leaves.
async fn ignored(scratchpads: &Scratchpads, id: &Id, new: &[Vec<u8>]) -> Result<BTreeSet<Vec<u8>>> {
    let (repository, work) = (scratchpads.repository(id), scratchpads.path(id).join("work"));
    if new.is_empty() || !repository.is_dir() {
        return Ok(BTreeSet::new());
    }
    let places = [format!("--git-dir={}", repository.display()), format!("--work-tree={}", work.display())];
    let ask = [&*places[0], &*places[1], "check-ignore", "-z", "--stdin", "--no-index"];
    let mut asked = new.join(&0);
    asked.push(0);
    let (_, said) = git::tell(&work, &ask, asked).await?;
    Ok(said.split(|byte| *byte == 0).filter(|path| !path.is_empty()).map(<[u8]>::to_vec).collect())
}

/// Returns what was made as a patch, and how many files differ.
pub(super) async fn text(scratchpads: &Scratchpads, id: &Id) -> Result<(Stream, Vec<u8>)> {
    let stream = take(scratchpads, id).await?;
    let diff = [
        "diff",
        "--binary",
        "--full-index",
        "--no-ext-diff",
        "--no-textconv",
        "--no-color",
        "--no-renames",
        BASE,
        MADE,
        "--",
    ];
    let (_, text) = git::tell(&scratchpads.repository(id), &diff, Vec::new()).await?;
    Ok((stream, text))
}

/// Brings what was made into a repository as a branch; one of that name stays unless somebody says otherwise.
pub(super) async fn branch(
    scratchpads: &Scratchpads,
    id: &Id,
    (target, name): (&Path, &str),
    force: bool,
) -> Result<Stream> {
    let reference = format!("refs/heads/{name}");
    let own = scratchpads.repository(id);
    if name.starts_with('-') || git::call(&own, &["check-ref-format", &reference]).await.is_err() {
        return Err(Failure::usage(format!("{name:?} is no name of a branch")));
    }
    let stream = take(scratchpads, id).await?;
    let is_there = git::call(target, &["show-ref", "--verify", "--quiet", &reference]).await.is_ok();
    if is_there && !force {
        let (shown, exit) = (target.display(), crate::exit::Exit::Stopped);
        return Err(Failure::new(exit, format!("{shown} has a branch {name:?} already"))
            .mend("name another one, or overwrite it with --force"));
    }
    let sign = if force { "+" } else { "" };
    let (own, refspec) = (own.to_string_lossy(), format!("{sign}{MADE}:{reference}"));
    let fetch = [
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-auto-maintenance",
        "--recurse-submodules=no",
        "--",
        &own,
        &refspec,
    ];
    git::call(target, &fetch).await?;
    Ok(stream)
}
