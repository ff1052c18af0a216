//! `spalla session apply`: brings a session's branch into its target, whole or not at all. It looks first, asks, and
//! then writes; what a person has in the target stays as it is.

mod begun;
mod in_the_way;
mod into_folder;
mod into_git;
mod place;
mod said;
mod staged;

use super::Which;
use super::change::{self, Change, Name};
use super::git::Git;
use crate::cli::Global;
use crate::clock::SystemClock;
use crate::commands::block_on;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::sessions::SessionFolder;
use begun::Held;
use clap::Args;
use into_folder::Folder;
use into_git::Repository;
use said::{Ending, Screen};
use spalla_domain::session::{Applied, BASE_REF, Base, Session, SessionStatus};
use spalla_store::Clock as _;
use staged::Staged;
use std::path::Path;

/// Which session, and whether somebody is asked.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    which: Which,
    /// Asks nobody
    #[arg(short, long)]
    yes: bool,
    /// Prints what came of it as JSON
    #[arg(long)]
    json: bool,
}

/// What would come of it.
#[derive(Debug)]
enum Outlook<P> {
    /// The target has all of it.
    Already,
    /// It can be done.
    Fits(P),
    /// Files of a person stand where it would go.
    InTheWay {
        files: Vec<InTheWay>,
        /// Whether a killed process began it, so that some of them may be half-written.
        is_begun: bool,
    },
    /// Both sides changed the same lines of these files.
    Conflict(Vec<Name>),
    /// The target's history has nothing in common with the session's.
    Unrelated,
}

/// A file that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct InTheWay {
    path: Name,
    why: Why,
}

/// Why a file stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// It is not as it was committed.
    Modified,
    /// It was added to the next commit.
    Staged,
    /// It stands where the session has something new.
    Untracked,
    /// It is not what the session began with.
    Changed,
}

/// A session that is being applied.
struct Applying<'a> {
    session: &'a Session,
    held: &'a Held,
    screen: Screen<'a>,
    /// Git on the session's repository.
    git: Git,
    /// The commit of the session's branch.
    commit: String,
    /// What the session changed.
    changes: Vec<Change>,
}

impl Apply {
    pub(super) fn run(self, global: &Global) -> Result<Exit> {
        let folder = self.which.find(global)?;
        block_on(tokio::runtime::Builder::new_current_thread(), Box::pin(self.apply(folder)))
    }

    async fn apply(&self, folder: SessionFolder) -> Result<Exit> {
        refuse_unended(&folder.read()?)?;
        let held = Held::take(folder)?;
        let session = held.folder().read()?;
        let screen = Screen { session: &session, yes: self.yes, json: self.json, is_silent: false };
        bring(&held, screen).await
    }
}

/// Brings what a session has merged by now into its target: it goes on meanwhile, and somebody else says how. It blocks.
pub(crate) fn bring_into_target(folder: SessionFolder) -> Result<()> {
    let held = Held::take(folder)?;
    let session = held.folder().read()?;
    let screen = Screen { session: &session, yes: true, json: false, is_silent: true };
    block_on(tokio::runtime::Builder::new_current_thread(), Box::pin(bring(&held, screen))).map(drop)
}

async fn bring(held: &Held, screen: Screen<'_>) -> Result<Exit> {
    let session = screen.session;
    let Some(base) = &session.base else { return screen.end(&Ending::nothing()) };
    let git = Git::of_session(&held.folder().repository());
    let commit = branch_commit(&git, held.folder(), session).await?;
    // A copy that has the work of a while ago has it as what it began with.
    let before = session.applied.last().filter(|_| session.in_place && !base.is_git);
    let before = before.map_or(BASE_REF, |applied| applied.commit.as_str());
    let changes = change::between(&git, before, &commit).await?;
    if changes.is_empty() {
        return screen.end(&Ending::nothing());
    }
    refuse_missing(Path::new(&session.target))?;
    let applying = Applying { session, held, screen, git, commit, changes };
    if base.is_git { applying.apply_to_git(base).await } else { applying.apply_to_folder().await }
}

impl Applying<'_> {
    async fn apply_to_git(&self, base: &Base) -> Result<Exit> {
        let repository = Repository::find(self.session, self.held, &self.commit).await?;
        let plan = match repository.plan().await? {
            Outlook::Fits(plan) => plan,
            Outlook::Already => return self.already(repository.head()),
            Outlook::InTheWay { files, is_begun } => {
                self.screen.in_the_way(&files)?;
                let is_kept = self.keep_branch(&repository).await?;
                return Err(self.screen.stopped_by_files(&files, is_begun, is_kept)?);
            }
            Outlook::Conflict(files) => {
                self.screen.conflicts(&files)?;
                let is_kept = self.keep_branch(&repository).await?;
                return Err(self.screen.stopped_by_conflict(&files, is_kept)?);
            }
            Outlook::Unrelated => {
                let is_kept = self.keep_branch(&repository).await?;
                return Err(self.screen.stopped_by_history(is_kept)?);
            }
        };
        self.screen.onto(base, repository.branch())?;
        self.screen.consent(repository.seeing(), [&plan.from, &plan.to]).await?;
        let target_commit = repository.carry_out(&plan).await?;
        self.record(Some(target_commit.clone()))?;
        let how = if plan.is_merge { "merge" } else { "fast-forward" };
        let mut ending = Ending::applied(how, plan.changes.iter().map(|change| change.path.as_slice()));
        ending.onto = repository.branch().map(str::to_owned);
        ending.target_commit = Some(target_commit);
        ending.commit = Some(self.commit.clone());
        self.screen.end(&ending)
    }

    async fn apply_to_folder(&self) -> Result<Exit> {
        let target = Path::new(&self.session.target);
        let folder = Folder::open(target)?;
        let plan = match folder.plan(&self.changes)? {
            Outlook::Fits(plan) => plan,
            Outlook::InTheWay { files, .. } => {
                self.screen.in_the_way(&files)?;
                return Err(self.screen.stopped_by_files_of_copy(&files)?);
            }
            Outlook::Already | Outlook::Conflict(_) | Outlook::Unrelated => {
                staged::forget(target, &self.session.id)?;
                return self.already(None);
            }
        };
        self.screen.consent(&self.git, [BASE_REF, &self.commit]).await?;
        let staged = Staged::make(folder.place(), target, &self.session.id)?;
        let done = self.write(&folder, &plan, &staged).await;
        // Whatever came of it, nothing of ours is left behind.
        let ended = staged.end();
        done.and(ended)?;
        self.record(None)?;
        let mut ending = Ending::applied("copy", plan.todo.iter().map(|(change, _)| change.path.as_slice()));
        ending.commit = Some(self.commit.clone());
        self.screen.end(&ending)
    }

    async fn write(&self, folder: &Folder<'_>, plan: &into_folder::Plan, staged: &Staged) -> Result<()> {
        let coming = plan.todo.iter().filter_map(|(change, _)| change.new.as_ref());
        staged.fill(&self.git, &coming.collect::<Vec<_>>()).await?;
        folder.carry_out(plan, staged)
    }

    /// Says that the target has it; the record may not know yet, where a process was killed or a person merged by hand.
    fn already(&self, head: Option<&str>) -> Result<Exit> {
        if !self.session.applied.iter().any(|applied| applied.commit == self.commit) {
            self.record(head.map(str::to_owned))?;
        }
        self.held.end()?;
        let mut ending = Ending::already();
        ending.commit = Some(self.commit.clone());
        ending.target_commit = head.map(str::to_owned);
        self.screen.end(&ending)
    }

    async fn keep_branch(&self, repository: &Repository<'_>) -> Result<bool> {
        Ok(self.screen.may_keep_branch()? && repository.keep_branch().await?)
    }

    /// Writes down that the target has it.
    fn record(&self, target_commit: Option<String>) -> Result<()> {
        let folder = self.held.folder();
        let mut session = folder.read()?;
        session.applied.push(Applied { at: SystemClock.now(), commit: self.commit.clone(), target_commit });
        folder.write(&session)?;
        self.held.end()
    }
}

/// Refuses a session that goes on: what is in its branch now is not what will be.
fn refuse_unended(session: &Session) -> Result<()> {
    let what = match session.status {
        SessionStatus::Running => "is still running",
        SessionStatus::Paused => "is paused, and not over",
        SessionStatus::Waiting => "waits for an answer, and is not over",
        SessionStatus::Done | SessionStatus::Failed | SessionStatus::Stopped => return Ok(()),
    };
    Err(Failure::new(Exit::Stopped, format!("the session {} {what}", session.id))
        .mend(format!("`spalla session show {}` says how far it is", session.id)))
}

/// Returns the commit of the session's branch.
async fn branch_commit(git: &Git, folder: &SessionFolder, session: &Session) -> Result<String> {
    let repository = folder.repository();
    if !repository.is_dir() {
        let what = format!("the repository of session {} is gone: {}", session.id, repository.display());
        return Err(Failure::usage(what));
    }
    let name = format!("refs/heads/{}^{{commit}}", session.branch());
    let said = git.ask(&["rev-parse", "--verify", "--quiet", &name]).await?;
    if said.is_good() {
        return Ok(said.text());
    }
    let (branch, repository) = (session.branch(), repository.display());
    Err(Failure::usage(format!("there is no branch {branch} in {repository}: {}", said.complaint())))
}

fn refuse_missing(target: &Path) -> Result<()> {
    let what = match target.metadata() {
        Ok(data) if data.is_dir() => return Ok(()),
        Ok(_) => "is no folder".to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is not there any more".to_owned(),
        Err(error) => format!("can't be looked at: {}", crate::failure::in_words(&error)),
    };
    Err(Failure::usage(format!("the target {} {what}", target.display()))
        .mend("put it back there; the session's branch is kept, `spalla session show` says where"))
}
