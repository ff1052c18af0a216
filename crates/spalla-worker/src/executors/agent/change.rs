//! What an agent changed, as one commit: taken by a git of our own from behind the walls, whatever the agent did to the
//! worktree's. Nothing that lies in the worktree is believed: not its repository, not its index, not its settings.
//!
//! ```text
//! <data>/changes/run-<id>-<token>/repo.git        bare, made behind the walls; borrows objects and reads the worktree
//!                                 change.bundle   the commit with its objects, by which it leaves
//! ```

use super::end_of;
use crate::run::{End, Failure, Run};
use crate::sandbox::How;
use crate::scratchpad::{FETCH, Git, GitError, Scratchpad, make, remove};
use serde::Serialize;
use spalla_crash::crash_point;
use spalla_domain::retry::ErrorClass;
use spalla_domain::session::{CHANGES_PREFIX, Session, is_session_id};
use std::path::{Path, PathBuf};

/// How long git may take over a worktree, in milliseconds: the largest there are.
const GIT_MS: i64 = 10 * 60_000;
/// The most of a list of changed files that is read, in bytes.
const LIST_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The largest change that is kept as a patch as well, in bytes.
const PATCH_BYTES_MAX: usize = 32 * 1024 * 1024;
/// How many changed files a result names.
const FILES_TOLD: usize = 1_000;
/// The commit, in the repository that is made for it.
pub(super) const CHANGE_REF: &str = "refs/spalla/change";
/// The tree that holds nothing, by git's own name for it.
const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
/// What building and testing leaves, and nobody wants in a change. What the repository has of it already stays in it.
const LEFT_BY_TOOLS: &str = "/target/\nnode_modules/\n__pycache__/\n*.pyc\n.pytest_cache/\n.mypy_cache/\n.ruff_cache/\n\
                             .venv/\n.gradle/\n.DS_Store\n";

/// What was changed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Change {
    /// The commit.
    pub(super) commit: String,
    /// The commit before it; none where there is no repository.
    pub(super) base: Option<String>,
    /// The files, as far as they are told.
    pub(super) files: Vec<ChangedFile>,
    /// How many files there are.
    pub(super) file_count: usize,
    /// Lines that were added, in text.
    pub(super) insertions: u64,
    /// Lines that were removed, in text.
    pub(super) deletions: u64,
    /// The same as a patch; none where it is too large.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) patch: Option<PathBuf>,
}

/// A file that was changed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ChangedFile {
    /// Its path in the repository.
    pub(super) path: String,
    /// `A`, `M`, `D` or `T`, as git says it.
    pub(super) status: String,
}

/// A repository of our own for one run.
pub(super) struct OwnRepository<'a> {
    run: &'a Run<'a>,
    /// The folder that holds it.
    pub(super) folder: PathBuf,
    git: Git<'a>,
}

impl<'a> OwnRepository<'a> {
    /// Makes one that reads these folders, and borrows the objects in those.
    pub(super) async fn make(
        run: &'a Run<'a>,
        mut read: Vec<PathBuf>,
        borrowed: &[PathBuf],
    ) -> Result<Self, End> {
        let folder = run.options.data_dir.join("changes").join(run.label());
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        remove(&folder).await.map_err(|error| end_of(run, error))?;
        make(&folder).await.map_err(|error| end_of(run, error))?;
        read.extend(borrowed.iter().cloned());
        let objects: Vec<String> =
            borrowed.iter().map(|folder| folder.to_string_lossy().into_owned()).collect();
        let git = run.scratchpads.git(run).behind_walls(&folder, read);
        let git = git
            .with_variable("GIT_DIR", &folder.join("repo.git").to_string_lossy())
            .with_variable("GIT_ALTERNATE_OBJECT_DIRECTORIES", &objects.join(":"))
            .with_identity();
        let own = Self { run, folder, git };
        own.call(&["init", "--quiet", "--bare", "--template="]).await?;
        Ok(own)
    }

    /// Works on a worktree.
    fn on_worktree(mut self, worktree: &Path) -> Self {
        self.git = self.git.with_variable("GIT_WORK_TREE", &worktree.to_string_lossy());
        self
    }

    /// Calls git and returns what it wrote, without the end of its last line.
    pub(super) async fn call(&self, args: &[&str]) -> Result<String, End> {
        let said = self.git.call(args, GIT_MS).await.map_err(|error| self.failed(args, error))?;
        Ok(said.trim_end_matches('\n').to_owned())
    }

    /// Calls git, and returns what it wrote where it said no: some of its answers are such.
    pub(super) async fn ask(&self, args: &[&str]) -> Result<Result<String, String>, End> {
        match self.git.call(args, GIT_MS).await {
            Ok(said) => Ok(Ok(said)),
            Err(GitError::Failed(said)) => Ok(Err(said)),
            Err(error) => Err(self.failed(args, error)),
        }
    }

    /// Asks git what it answers by yes or no, status 0 or 1; returns that with what it wrote.
    pub(super) async fn decide(&self, args: &[&str]) -> Result<(bool, String), End> {
        let said =
            self.git.say(args, GIT_MS, LIST_BYTES_MAX).await.map_err(|error| self.failed(args, error))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match said.ended.how {
            How::Exited(status @ (0 | 1)) => Ok((status == 0, text(&said.stdout))),
            how => Err(self.failed(args, GitError::Failed(format!("{} ({how})", text(&said.stderr).trim())))),
        }
    }

    /// Calls git and returns the bytes that it wrote up to a bound; none where there are more.
    pub(super) async fn bytes(&self, args: &[&str], bytes_max: usize) -> Result<Option<Vec<u8>>, End> {
        let captured = self.git.capture(args, GIT_MS, bytes_max).await;
        let captured = captured.map_err(|error| self.failed(args, error))?;
        Ok((!captured.cut).then_some(captured.stdout))
    }

    /// Names a commit, and puts it with its objects into a file beside the repository.
    pub(super) async fn bundle(&self, commit: &str, without: &str) -> Result<PathBuf, End> {
        self.call(&["update-ref", CHANGE_REF, commit]).await?;
        let file = self.folder.join("change.bundle");
        let (path, without) = (file.to_string_lossy(), format!("^{without}"));
        self.call(&["bundle", "create", "--quiet", &path, CHANGE_REF, &without]).await?;
        Ok(file)
    }

    fn failed(&self, args: &[&str], error: GitError) -> End {
        let doing = format!("git {}", args.first().copied().unwrap_or_default());
        match error {
            GitError::Interrupted(interruption) => self.run.end_by(interruption),
            GitError::Refused(reason) => Failure::new(ErrorClass::Validation, reason).into(),
            GitError::TimedOut => Failure::new(ErrorClass::System, format!("{doing} took too long")).into(),
            GitError::Failed(reason) | GitError::Ended(reason) => {
                Failure::new(ErrorClass::System, format!("{doing}: {reason}")).into()
            }
        }
    }

    /// Removes all of it.
    pub(super) async fn remove(self) {
        if let Err(error) = remove(&self.folder).await {
            tracing::warn!(folder = %self.folder.display(), %error, "the repository of a change was not removed");
        }
    }
}

/// Tells whether the worktree has anything beyond its commit.
pub(super) async fn is_there(run: &Run<'_>, scratchpad: &Scratchpad) -> Result<bool, End> {
    let own = of_worktree(run, scratchpad).await?;
    let tree = tree_of(run, &own, scratchpad.commit.as_deref()).await;
    own.remove().await;
    Ok(tree?.is_some())
}

/// Takes what the worktree has beyond its commit, and keeps it in the session's repository where the run is of a session;
/// none where it has nothing.
pub(super) async fn take(
    run: &Run<'_>,
    scratchpad: &Scratchpad,
    report: &Path,
) -> Result<Option<Change>, End> {
    let own = of_worktree(run, scratchpad).await?;
    let taken = take_from(run, &own, scratchpad.commit.as_deref(), report).await;
    own.remove().await;
    taken
}

/// Takes what another run's worktree has by now beyond a commit, and keeps it in a repository of ours under a name; none where
/// it has nothing. That run goes on meanwhile.
pub(super) async fn take_of(
    run: &Run<'_>,
    (worktree, borrowed): (&Path, &[PathBuf]),
    base: &str,
    (repository, name, report): (&Path, &str, &Path),
) -> Result<Option<Change>, End> {
    let own = OwnRepository::make(run, vec![worktree.to_owned()], borrowed).await?.on_worktree(worktree);
    let taken = take_as(run, &own, Some(base), (Some(repository), name, report)).await;
    own.remove().await;
    taken
}

async fn of_worktree<'a>(run: &'a Run<'a>, scratchpad: &Scratchpad) -> Result<OwnRepository<'a>, End> {
    let own = OwnRepository::make(run, vec![scratchpad.folder.clone()], &scratchpad.borrowed).await?;
    Ok(own.on_worktree(&scratchpad.folder))
}

/// Returns the tree of the worktree as it is; none where it is that of its commit.
async fn tree_of(run: &Run<'_>, own: &OwnRepository<'_>, base: Option<&str>) -> Result<Option<String>, End> {
    let exclude = own.folder.join("exclude");
    let written = crash_point!("worker.change.exclude.write", std::fs::write(&exclude, LEFT_BY_TOOLS));
    written.map_err(|error| {
        Failure::new(ErrorClass::System, format!("writing {}: {error}", exclude.display()))
    })?;
    let exclude = format!("core.excludesFile={}", exclude.display());
    own.call(&["read-tree", base.unwrap_or("--empty")]).await?;
    // A file that can't be read is left out, and does not keep the others.
    let add = ["-c", exclude.as_str(), "-c", "core.autocrlf=false", "add", "--all", "--ignore-errors", "."];
    if let Err(reason) = own.ask(&add).await? {
        run.log.say(format!("some of the worktree can't be taken: {reason}")).await;
    }
    let tree = own.call(&["write-tree"]).await?;
    let before = match base {
        Some(base) => own.call(&["rev-parse", &format!("{base}^{{tree}}")]).await?,
        None => EMPTY_TREE.to_owned(),
    };
    Ok((tree != before).then_some(tree))
}

async fn take_from(
    run: &Run<'_>,
    own: &OwnRepository<'_>,
    base: Option<&str>,
    report: &Path,
) -> Result<Option<Change>, End> {
    let repository = run.session_repository();
    let name = format!("{CHANGES_PREFIX}{}", run.assignment.work_item_id);
    take_as(run, own, base, (repository.as_deref(), &name, report)).await
}

async fn take_as(
    run: &Run<'_>,
    own: &OwnRepository<'_>,
    base: Option<&str>,
    (repository, name, report): (Option<&Path>, &str, &Path),
) -> Result<Option<Change>, End> {
    let Some(tree) = tree_of(run, own, base).await? else { return Ok(None) };
    let title = run.assignment.title.as_str();
    let message =
        format!("{title}\n\nRun {} of work item {}.", run.assignment.run_id, run.assignment.work_item_id);
    let parent: Vec<&str> = base.iter().flat_map(|base| ["-p", base]).collect();
    let commit = own.call(&[&["commit-tree", &tree], &parent[..], &["-m", &message]].concat()).await?;
    let before = base.unwrap_or(EMPTY_TREE);
    let (files, file_count, insertions, deletions) = counted(own, before, &commit).await?;
    let patch = patch_of(own, (before, &commit), report).await?;
    if let (Some(repository), Some(base)) = (repository, base) {
        let bundle = own.bundle(&commit, base).await?;
        keep(run, repository, &bundle, name).await?;
    }
    let base = base.map(str::to_owned);
    Ok(Some(Change { commit, base, files, file_count, insertions, deletions, patch }))
}

/// Brings a commit from a bundle into a repository of ours under a name. What it brings is checked on the way.
pub(super) async fn keep(run: &Run<'_>, repository: &Path, bundle: &Path, name: &str) -> Result<(), End> {
    let git = run.scratchpads.git(run);
    let (bundle, refspec) = (bundle.to_string_lossy(), format!("+{CHANGE_REF}:{name}"));
    let fetch = [&["-c", "fetch.fsckObjects=true"], &FETCH[..], &["--", &bundle, &refspec]].concat();
    let kept = crash_point!("worker.change.keep", git.in_repository(repository, &fetch, GIT_MS).await);
    let doing = format!("keeping the change in {}", repository.display());
    kept.map(drop).map_err(|error| end_of(run, error.during(doing)))
}

/// Returns the commit that a repository of ours has under a name.
pub(super) async fn resolve(run: &Run<'_>, repository: &Path, name: &str) -> Result<Option<String>, End> {
    let git = run.scratchpads.git(run);
    let name = format!("{name}^{{commit}}");
    match git.in_repository(repository, &["rev-parse", "--verify", "--quiet", &name], GIT_MS).await {
        Ok(commit) => Ok(Some(commit.trim().to_owned())),
        Err(GitError::Failed(_)) => Ok(None),
        Err(error) => Err(end_of(run, error.during("looking for the change"))),
    }
}

/// Lets a worktree hold a commit whose objects lie in other folders, and nothing that was left in it.
pub(super) async fn check_out(
    run: &Run<'_>,
    scratchpad: &mut Scratchpad,
    objects: Vec<PathBuf>,
    commit: &str,
) -> Result<(), End> {
    let new: Vec<PathBuf> =
        objects.into_iter().filter(|folder| !scratchpad.borrowed.contains(folder)).collect();
    scratchpad.borrowed.extend(new);
    let worktree = scratchpad.folder.clone();
    let git = run.scratchpads.git(run).behind_walls(&worktree, scratchpad.borrowed.clone());
    let borrowed: Vec<_> = scratchpad.borrowed.iter().map(|path| path.to_string_lossy()).collect();
    let git = git.with_variable("GIT_ALTERNATE_OBJECT_DIRECTORIES", &borrowed.join(":"));
    for args in [&["checkout", "--quiet", "--force", "--detach", commit][..], &["clean", "-ffdxq"]] {
        let done = git.in_repository(&worktree, args, GIT_MS).await;
        done.map_err(|error| end_of(run, error.during(format!("checking {commit} out"))))?;
    }
    Ok(())
}

async fn counted(
    own: &OwnRepository<'_>,
    base: &str,
    commit: &str,
) -> Result<(Vec<ChangedFile>, usize, u64, u64), End> {
    let diff = ["diff-tree", "-r", "-z", "--no-renames", "--no-textconv", "--no-ext-diff"];
    let list = [&diff[..], &["--name-status", base, commit]].concat();
    let listed = own.bytes(&list, LIST_BYTES_MAX).await?.unwrap_or_default();
    let mut parts = listed.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    let (mut files, mut count) = (Vec::new(), 0);
    while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
        count += 1;
        if files.len() < FILES_TOLD {
            files.push(ChangedFile { path: path.into_owned(), status: status.into_owned() });
        }
    }
    let list = [&diff[..], &["--numstat", base, commit]].concat();
    let listed = own.bytes(&list, LIST_BYTES_MAX).await?.unwrap_or_default();
    let (mut insertions, mut deletions) = (0_u64, 0_u64);
    for entry in listed.split(|byte| *byte == 0) {
        let entry = String::from_utf8_lossy(entry);
        let mut numbers = entry.split('\t').map(|number| number.parse::<u64>().unwrap_or(0));
        insertions += numbers.next().unwrap_or(0);
        deletions += numbers.next().unwrap_or(0);
    }
    Ok((files, count, insertions, deletions))
}

async fn patch_of(
    own: &OwnRepository<'_>,
    (base, commit): (&str, &str),
    report: &Path,
) -> Result<Option<PathBuf>, End> {
    let diff =
        ["diff-tree", "-p", "--binary", "--full-index", "--no-textconv", "--no-ext-diff", base, commit];
    let Some(patch) = own.bytes(&diff, PATCH_BYTES_MAX).await? else { return Ok(None) };
    let file = report.join("change.patch");
    let written = crash_point!("worker.change.patch.write", std::fs::write(&file, patch));
    written
        .map_err(|error| Failure::new(ErrorClass::System, format!("writing {}: {error}", file.display())))?;
    Ok(Some(file))
}

impl Run<'_> {
    /// Returns the repository of the session that the run is of: that of its project, where it is one. A project that
    /// merely names another's repository does not get it.
    pub(super) fn session_repository(&self) -> Option<PathBuf> {
        let repository = Path::new(self.assignment.repository.as_deref()?);
        let sessions = std::path::absolute(&self.options.sessions).ok()?;
        let mut rest = repository.strip_prefix(&sessions).ok()?.components();
        let session = rest.next()?.as_os_str().to_str()?;
        let is_of_session = is_session_id(session)
            && rest.next().is_some_and(|name| name.as_os_str() == "repo.git")
            && rest.next().is_none();
        let record = std::fs::read(repository.with_file_name("session.json")).ok()?;
        let record: Session = serde_json::from_slice(&record).ok()?;
        let is_own = is_of_session && record.project_id == Some(self.assignment.project_id.0);
        (is_own && repository.is_dir()).then(|| repository.to_owned())
    }
}
