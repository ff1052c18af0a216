//! The session's repository: what the target has, brought into a repository of the session's own. The target is only read.

use super::folder::SessionFolder;
use crate::failure::{Result, file};
use crate::git;
use spalla_crash::crash_point;
use spalla_domain::session::{BASE_REF, Base, branch_of};
use std::fs;
use std::path::Path;

/// The attributes of files whose bytes are taken as they are.
const AS_THEY_ARE: &str = "* -text -filter -ident -working-tree-encoding\n";

/// Makes the repository and returns what the target was.
pub(super) async fn take(folder: &SessionFolder, session: &str, target: &Path) -> Result<Base> {
    let repository = folder.repository();
    let path = repository.to_string_lossy();
    let branch = format!("refs/heads/{}", branch_of(session));
    git::call(folder.path(), &["init", "--quiet", "--bare", "--template=", "--", &path]).await?;
    let base = match git::head_of(target).await? {
        Some(git::Head { commit, branch }) => {
            let target = target.to_string_lossy();
            let refspec = format!("+HEAD:{BASE_REF}");
            let fetch = [
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--",
                &target,
                &refspec,
            ];
            git::call(&repository, &fetch).await?;
            Base { is_git: true, commit, branch }
        }
        None => Base { is_git: false, commit: copy(&repository, target).await?, branch: None },
    };
    git::call(&repository, &["update-ref", BASE_REF, &base.commit]).await?;
    git::call(&repository, &["update-ref", &branch, &base.commit]).await?;
    git::call(&repository, &["symbolic-ref", "HEAD", &branch]).await?;
    Ok(base)
}

/// Makes a commit of a folder that is no repository, without writing anything into it.
async fn copy(repository: &Path, target: &Path) -> Result<String> {
    let (own, tree) = (repository.to_string_lossy(), target.to_string_lossy());
    let on_target = [format!("--git-dir={own}"), format!("--work-tree={tree}")];
    let on_target: Vec<&str> = on_target.iter().map(String::as_str).collect();
    // Its bytes are taken as they are, whatever its own attributes say of line ends and filters.
    let info = repository.join("info");
    let attributes = info.join("attributes");
    crash_point!("session.attributes.folder", fs::create_dir_all(&info)).map_err(file("making", &info))?;
    crash_point!("session.attributes.write", fs::write(&attributes, AS_THEY_ARE))
        .map_err(file("writing", &attributes))?;
    git::call(target, &[&on_target[..], &["add", "--all", "--", "."]].concat()).await?;
    let tree = git::call(repository, &["write-tree"]).await?;
    let commit = ["commit-tree", tree.trim(), "-m", "What the target had when the session began"];
    Ok(git::call(repository, &commit).await?.trim().to_owned())
}
