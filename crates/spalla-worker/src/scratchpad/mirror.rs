//! The mirror of a project's repository: fetched before every run, rebuilt when it is broken, and the place that
//! the worktrees belong to. Whoever calls this holds the project's lock.

use super::git::{FETCH, Git, GitError};
use super::{Error, Scratchpads, Source, blocking, folder, remove};
use crate::run::Run;
use spalla_crash::crash_point;
use std::io;
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

/// What a worktree's repository has of the mirror: the same names.
const BORROWED_REFS: [&str; 2] = ["+refs/remotes/origin/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];

/// One project's mirror, for one run.
pub(super) struct Mirror<'a> {
    data_dir: &'a Path,
    run: &'a Run<'a>,
    git: Git<'a>,
    source: &'a Source,
    path: PathBuf,
}

impl<'a> Mirror<'a> {
    pub(super) fn new(scratchpads: &'a Scratchpads, run: &'a Run<'a>, source: &'a Source) -> Self {
        let git = scratchpads.git(run).with_remote(REMOTE, &source.url());
        Self {
            data_dir: &scratchpads.data_dir,
            run,
            git,
            source,
            path: scratchpads.mirror_path(run.assignment.project_id),
        }
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
        self.run.log.remark(format!("workspace {}: {what}", folder.display())).await;
        if folder.join(".gitmodules").symlink_metadata().is_ok() {
            self.run
                .log
                .say("its submodules are not checked out; a step that needs them runs `git submodule update --init`")
                .await;
        }
        Ok(commit)
    }

    /// Returns the folder of the objects, which worktrees read.
    pub(super) fn objects(&self) -> PathBuf {
        self.path.join("objects")
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

    /// Notes what the mirror is of.
    async fn name_source(&self, mirror: &Path) -> Result<(), GitError> {
        self.configure(mirror, &[REPOSITORY_KEY, &self.source.url()]).await
    }

    /// Gives a remote its usual name, so that steps can push where they may; a local repository gets none, so that a
    /// stray push can't reach the person's own.
    async fn name_origin(&self, repository: &Path) -> Result<(), GitError> {
        let Source::Remote(url) = self.source else { return Ok(()) };
        self.configure(repository, &["remote.origin.url", url]).await?;
        self.configure(repository, &["remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"]).await
    }

    async fn configure(&self, repository: &Path, args: &[&str]) -> Result<(), GitError> {
        self.git.in_repository(repository, &[&["config"], args].concat(), LOCAL_MS).await.map(drop)
    }

    async fn fetch_into(&self, mirror: &Path) -> Result<(), GitError> {
        let fetch =
            ["fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-write-fetch-head", "--", REMOTE];
        self.git.in_repository(mirror, &[&fetch[..], &REFSPECS].concat(), FETCH_MS).await.map(drop)
    }

    /// Makes a repository in an empty folder that borrows the mirror's objects, and checks a commit out. What the commit
    /// holds is others' work, so that is done behind the walls.
    async fn check_out(&self, folder: &Path, commit: &str) -> Result<(), GitError> {
        let path = folder.to_string_lossy();
        self.git.call(&["init", "--quiet", "--template=", "--", &path], LOCAL_MS).await?;
        self.borrow_objects(folder).await?;
        let mirror = self.path.to_string_lossy();
        let fetch = [&FETCH[..], &["--", &mirror], &BORROWED_REFS].concat();
        self.git.in_repository(folder, &fetch, FETCH_MS).await?;
        self.name_origin(folder).await?;
        let git = Git::new(self.data_dir, self.run).behind_walls(folder, vec![self.objects()]);
        git.in_repository(folder, &["checkout", "--quiet", "--force", "--detach", commit], FETCH_MS)
            .await
            .map(drop)
    }

    async fn borrow_objects(&self, folder: &Path) -> Result<(), GitError> {
        let file = folder.join(".git/objects/info/alternates");
        let text = format!("{}\n", self.objects().display());
        let write = move || folder::write(&file, &text);
        let written =
            tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| GitError::Ended(format!("naming the mirror's objects: {error}")))
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
        GitError::Refused(reason) => Error::Refused(reason),
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
        GitError::Refused(reason) => Err(Error::Refused(reason)),
        GitError::TimedOut => Ok("git took too long".into()),
        GitError::Failed(reason) | GitError::Ended(reason) => Ok(reason),
    }
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
}
