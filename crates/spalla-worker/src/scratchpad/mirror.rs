//! The mirror of a project's repository: fetched before every run, rebuilt when it is broken, and the place that
//! the worktrees belong to. Whoever calls this holds the project's lock.

use super::git::{Git, GitError};
use super::{Error, Scratchpads, Source, blocking, folder};
use crate::run::Run;
use spalla_crash::crash_point;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How long git may take to ask a repository for its newest commit, in milliseconds.
const ASK_MS: i64 = 60_000;
/// How long a fetch or a checkout may take, in milliseconds: the first of a large repository.
const FETCH_MS: i64 = 30 * 60_000;
/// How long anything else may take, in milliseconds.
const LOCAL_MS: i64 = 60_000;
/// The name under which git knows the project's repository during a call.
const REMOTE: &str = "spalla-source";
/// The commit that the newest fetch found under HEAD.
const DEFAULT_REF: &str = "refs/spalla/default";
/// The setting of the mirror that says what it was fetched from.
const REPOSITORY_KEY: &str = "spalla.repository";
/// What is fetched. Branches go where a clone has them, so that those that a run makes are never overwritten.
const REFSPECS: [&str; 3] =
    ["+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/spalla/default"];

/// One project's mirror, for one run.
pub(super) struct Mirror<'a> {
    run: &'a Run<'a>,
    git: Git<'a>,
    source: &'a Source,
    path: PathBuf,
}

impl<'a> Mirror<'a> {
    pub(super) fn new(scratchpads: &Scratchpads, run: &'a Run<'a>, source: &'a Source) -> Self {
        let git = scratchpads.git(run).with_remote(REMOTE, &source.url());
        Self { run, git, source, path: scratchpads.mirror_path(run.assignment.project_id) }
    }

    /// Makes a worktree at the repository's default commit, and returns that commit.
    pub(super) async fn add_worktree(&self, folder: &Path) -> Result<String, Error> {
        let head = self.newest().await?;
        if !self.is_sound().await? {
            self.rebuild().await?;
        } else if let Err(error) = self.update(&head).await {
            let reason = interrupted_or_reason(error)?;
            self.run.log.say(format!("the mirror of the repository is made anew: {reason}")).await;
            self.rebuild().await?;
        }
        let commit = self.commit().await?;
        if let Err(error) = self.check_out(folder, &commit).await {
            let reason = interrupted_or_reason(error)?;
            self.run.log.say(format!("the mirror of the repository is made anew: {reason}")).await;
            remove(folder).await?;
            self.rebuild().await?;
            let doing = format!("checking commit {commit} out into {}", folder.display());
            self.check_out(folder, &commit).await.map_err(|error| error.during(doing))?;
        }
        let what = format!("a worktree of {} at commit {commit}", self.source.shown());
        self.run.log.say(format!("workspace {}: {what}", folder.display())).await;
        if folder.join(".gitmodules").is_file() {
            self.run
                .log
                .say("its submodules are not checked out; a step that needs them runs `git submodule update --init`")
                .await;
        }
        Ok(commit)
    }

    /// Deletes the branches that earlier runs of an item have checked out, so that its next run can make them
    /// again. The worktrees themselves are forgotten when their folders are gone.
    pub(super) async fn forget_branches_beneath(
        &self,
        item: &Path,
        kept: &BTreeSet<PathBuf>,
    ) -> Result<(), Error> {
        let list = match self.git_in(&["worktree", "list", "--porcelain"], LOCAL_MS).await {
            Ok(list) => list,
            // Without a sound mirror there is nothing to forget; it is found out when the mirror is needed.
            Err(error) => return interrupted_or_reason(error).map(drop),
        };
        let earlier = |path: &str| Path::new(path).starts_with(item) && !kept.contains(Path::new(path));
        for (_, branch) in worktrees(&list).filter(|(path, _)| earlier(path)) {
            if let Some(branch) = branch
                && let Err(error) = self.git_in(&["update-ref", "-d", branch], LOCAL_MS).await
            {
                interrupted_or_reason(error)?;
            }
        }
        Ok(())
    }

    /// Asks the repository for the commit under its HEAD.
    async fn newest(&self) -> Result<String, Error> {
        let listed = self.git.call(&["ls-remote", "--", REMOTE, "HEAD"], ASK_MS).await;
        let listed = listed.map_err(|error| self.not_readable(error))?;
        let head = listed.lines().find_map(|line| line.strip_suffix("\tHEAD"));
        head.map(str::to_owned).ok_or_else(|| Error::Empty(self.source.shown()))
    }

    /// Tells whether the mirror is one: one that was left half-made is not, since it gets its name last.
    async fn is_sound(&self) -> Result<bool, Error> {
        if !self.path.join("HEAD").exists() {
            return Ok(false);
        }
        match self.git_in(&["rev-parse", "--is-bare-repository"], LOCAL_MS).await {
            Ok(answer) => Ok(answer.trim() == "true"),
            Err(error) => interrupted_or_reason(error).map(|_| false),
        }
    }

    async fn update(&self, head: &str) -> Result<(), GitError> {
        let known = self.git_in(&["config", "--get", REPOSITORY_KEY], LOCAL_MS).await.unwrap_or_default();
        let is_same = known.trim_end() == self.source.url();
        if is_same && self.resolve().await.is_ok_and(|commit| commit == head) {
            return Ok(());
        }
        if !is_same {
            self.name_source(&self.path).await?;
        }
        self.fetch_into(&self.path).await
    }

    /// Makes the mirror anew beside the old one, which goes only when the new one is whole.
    async fn rebuild(&self) -> Result<(), Error> {
        let new = self.path.with_extension("new");
        remove(&new).await?;
        let path = new.to_string_lossy();
        let made = async {
            self.git.call(&["init", "--bare", "--quiet", "--template=", "--", &path], LOCAL_MS).await?;
            self.name_source(&new).await?;
            self.fetch_into(&new).await
        };
        made.await.map_err(|error| match self.source {
            // It answered a moment ago, so what fails is here.
            Source::Local(_) => error.during(format!("making a mirror of {}", self.source.shown())),
            Source::Remote(_) => self.not_readable(error),
        })?;
        remove(&self.path).await?;
        let (from, to) = (new.clone(), self.path.clone());
        blocking("naming the mirror", new.clone(), move || {
            crash_point!("worker.scratchpad.mirror.rename", std::fs::rename(from, to))
        })
        .await
    }

    /// Notes what the mirror is of. A remote gets its usual name, so that steps can push where they may; a local
    /// repository gets none, so that a stray push can't reach the person's own.
    async fn name_source(&self, mirror: &Path) -> Result<(), GitError> {
        let url = self.source.url();
        let config = async |args: &[&str]| {
            self.git.in_repository(mirror, &[&["config"], args].concat(), LOCAL_MS).await
        };
        match self.source {
            Source::Remote(_) => {
                config(&["remote.origin.url", &url]).await?;
                config(&["remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]).await?;
            }
            // It fails when there is none, which is what is wanted.
            Source::Local(_) => drop(config(&["--remove-section", "remote.origin"]).await),
        }
        config(&[REPOSITORY_KEY, &url]).await.map(drop)
    }

    async fn fetch_into(&self, mirror: &Path) -> Result<(), GitError> {
        let fetch =
            ["fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-write-fetch-head", "--", REMOTE];
        self.git.in_repository(mirror, &[&fetch[..], &REFSPECS].concat(), FETCH_MS).await.map(drop)
    }

    async fn check_out(&self, folder: &Path, commit: &str) -> Result<(), GitError> {
        self.git_in(&["worktree", "prune"], LOCAL_MS).await?;
        let folder = folder.to_string_lossy();
        let args = ["worktree", "add", "--quiet", "--force", "--detach", "--", &folder, commit];
        self.git_in(&args, FETCH_MS).await.map(drop)
    }

    async fn commit(&self) -> Result<String, Error> {
        self.resolve().await.map_err(|error| error.during("reading the newest commit of the mirror"))
    }

    async fn resolve(&self) -> Result<String, GitError> {
        let name = format!("{DEFAULT_REF}^{{commit}}");
        let commit = self.git_in(&["rev-parse", "--verify", "--quiet", &name], LOCAL_MS).await?;
        Ok(commit.trim().to_owned())
    }

    async fn git_in(&self, args: &[&str], timeout_ms: i64) -> Result<String, GitError> {
        self.git.in_repository(&self.path, args, timeout_ms).await
    }

    fn not_readable(&self, error: GitError) -> Error {
        not_readable(self.source, error)
    }
}

/// Tells a repository that says no from one that does not answer, and both from a git that was ended.
fn not_readable(source: &Source, error: GitError) -> Error {
    let repository = source.shown();
    let shown = |reason: String| reason.replace(&source.url(), &repository).replace(REMOTE, &repository);
    match error {
        GitError::Interrupted(interruption) => Error::Interrupted(interruption),
        GitError::TimedOut => Error::Unreachable { repository, reason: "git took too long".into() },
        GitError::Ended(reason) => {
            Error::Git { doing: format!("reading the repository {repository}"), reason: shown(reason) }
        }
        GitError::Failed(reason) => {
            let reason = shown(reason);
            if matches!(source, Source::Local(_)) || says_no(&reason) {
                Error::Denied { repository, reason }
            } else {
                Error::Unreachable { repository, reason }
            }
        }
    }
}

/// Recognises the words of git for what another try does not change.
fn says_no(reason: &str) -> bool {
    const WORDS: [&str; 9] = [
        "not found",
        "does not appear to be a git repository",
        "does not exist",
        "Authentication failed",
        "could not read Username",
        "Permission denied",
        "access denied",
        "Host key verification failed",
        "The requested URL returned error: 4",
    ];
    WORDS.iter().any(|word| reason.contains(word))
}

fn interrupted_or_reason(error: GitError) -> Result<String, Error> {
    match error {
        GitError::Interrupted(interruption) => Err(Error::Interrupted(interruption)),
        GitError::TimedOut => Ok("git took too long".into()),
        GitError::Failed(reason) | GitError::Ended(reason) => Ok(reason),
    }
}

async fn remove(path: &Path) -> Result<(), Error> {
    let removed = path.to_owned();
    blocking("removing", path.to_owned(), move || folder::remove(&removed)).await
}

/// Reads the list of worktrees: their paths, and the branches that they have checked out.
fn worktrees(list: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    list.split("\n\n").filter_map(|block| {
        let path = block.lines().find_map(|line| line.strip_prefix("worktree "))?;
        let branch = block.lines().find_map(|line| line.strip_prefix("branch "));
        Some((path, branch.filter(|branch| branch.starts_with("refs/heads/"))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::retry::ErrorClass;

    #[test]
    fn a_git_that_was_ended_says_nothing_about_the_repository() {
        let source = Source::Local("/srv/repo".into());
        let class = |error| not_readable(&source, error).class();
        assert_eq!(class(GitError::Failed("fatal: not a git repository".into())), ErrorClass::Validation);
        assert_eq!(class(GitError::Ended("its supervisor was ended".into())), ErrorClass::System);
    }

    #[test]
    fn worktrees_are_read_with_their_branches() {
        let list = "worktree /m.git\nbare\n\nworktree /a b\nHEAD 12\ndetached\n\nworktree /c\nHEAD 34\n\
                    branch refs/heads/fix\n\n";
        let expected = [("/m.git", None), ("/a b", None), ("/c", Some("refs/heads/fix"))];
        assert_eq!(worktrees(list).collect::<Vec<_>>(), expected);
    }
}
