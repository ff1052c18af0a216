//! Brings a session's branch into a repository of a person: by moving its branch forward, to the session's commit or to
//! one that merges it. Nothing is changed until it is known that it fits.

use super::Outlook;
use super::begun::{Begun, Held};
use super::in_the_way::{Found, Look, index_line};
use super::place::Place;
use crate::commands::session::change::{self, Change, Name};
use crate::commands::session::git::{Git, Said, utf8};
use crate::exit::Exit;
use crate::failure::{Failure, Result, file};
use spalla_crash::crash_point;
use spalla_domain::session::Session;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// What git keeps while something is under way in a working tree, and what that is called.
const UNDER_WAY: [(&str, &str); 7] = [
    ("MERGE_HEAD", "merge"),
    ("rebase-merge", "rebase"),
    ("rebase-apply", "rebase"),
    ("CHERRY_PICK_HEAD", "cherry-pick"),
    ("REVERT_HEAD", "revert"),
    ("sequencer", "cherry-pick or revert"),
    ("BISECT_LOG", "bisect"),
];
/// Who commits where git knows of no person.
const SPALLA: [(&str, &str); 2] = [("NAME", "Spalla"), ("EMAIL", "spalla@localhost")];
/// How much of a goal the message of a merge has, in characters.
const GOAL_CHARS_MAX: usize = 2_000;

/// A repository that a session's branch goes into.
#[derive(Debug)]
pub(super) struct Repository<'a> {
    session: &'a Session,
    held: &'a Held,
    /// The commit of the session's branch.
    commit: &'a str,
    folder: &'a Path,
    git: Git,
    /// The same, which sees the session's commits before they are in the target.
    seeing: Git,
    git_folder: PathBuf,
    head: Option<String>,
    branch: Option<String>,
}

/// What is to be done.
#[derive(Debug)]
pub(super) struct Plan {
    /// The tree or commit that is checked out.
    pub(super) from: String,
    /// The tree that is to be.
    pub(super) to: String,
    /// Whether both sides went on since.
    pub(super) is_merge: bool,
    /// What changes.
    pub(super) changes: Vec<Change>,
    begun: Option<Begun>,
    there: Vec<Change>,
    torn: Vec<Name>,
}

impl<'a> Repository<'a> {
    /// Finds the repository, and what is checked out in it.
    pub(super) async fn find(session: &'a Session, held: &'a Held, commit: &'a str) -> Result<Self> {
        let folder = Path::new(&session.target);
        let git =
            Git::of_target(folder).with("GIT_REFLOG_ACTION", format!("spalla session apply {}", session.id));
        let git_folder = whole(&git, folder).await?;
        let head = git.ask(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await?;
        let branch = git.ask(&["symbolic-ref", "--quiet", "--short", "HEAD"]).await?;
        let seeing = git.seeing(&held.folder().repository())?;
        let text = |said: Said| said.is_good().then(|| said.text());
        let (head, branch) = (text(head), text(branch));
        Ok(Self { session, held, commit, folder, git, seeing, git_folder, head, branch })
    }

    /// Returns the branch that is checked out; none where HEAD is no branch.
    pub(super) fn branch(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    /// Returns the commit that is checked out.
    pub(super) fn head(&self) -> Option<&str> {
        self.head.as_deref()
    }

    /// Returns git on the target, with the session's commits in sight.
    pub(super) fn seeing(&self) -> &Git {
        &self.seeing
    }

    /// Tells what would come of it, and changes nothing.
    pub(super) async fn plan(&self) -> Result<Outlook<Plan>> {
        if let Some(head) = &self.head
            && self.contains(head, self.commit).await?
        {
            return Ok(Outlook::Already);
        }
        self.refuse_under_way()?;
        let (from, to, is_merge) = match &self.head {
            None => (self.empty_tree().await?, self.commit.to_owned(), false),
            Some(head) if self.contains(self.commit, head).await? => {
                (head.clone(), self.commit.to_owned(), false)
            }
            Some(head) => match self.merged(head).await? {
                Ok(tree) => (head.clone(), tree, true),
                Err(conflict) => return Ok(conflict),
            },
        };
        let changes = change::between(&self.seeing, &from, &to).await?;
        if changes.is_empty() && is_merge {
            return Ok(Outlook::Already);
        }
        let begun = self.begun(&to).await?;
        let found = self.look(&changes, begun.is_some()).await?;
        if !found.in_the_way.is_empty() {
            return Ok(Outlook::InTheWay { files: found.in_the_way, is_begun: begun.is_some() });
        }
        let Found { there, torn, .. } = found;
        Ok(Outlook::Fits(Plan { from, to, is_merge, changes, begun, there, torn }))
    }

    /// Does what is planned, and returns the commit that the target has now.
    pub(super) async fn carry_out(&self, plan: &Plan) -> Result<String> {
        self.fetch(None).await?;
        let git = self.as_somebody().await?;
        let result = match &plan.begun {
            Some(begun) => begun.result.clone(),
            None if plan.is_merge => self.commit_merge(&git, &plan.to).await?,
            None => self.commit.to_owned(),
        };
        let begun = Begun { commit: self.commit.to_owned(), head: self.head.clone(), result };
        self.held.begin(&begun)?;
        self.make_room(&git, plan).await?;
        self.move_forward(&git, &begun.result).await?;
        Ok(begun.result)
    }

    /// Brings the session's branch into the target under its own name, beside the person's; tells whether it is there.
    pub(super) async fn keep_branch(&self) -> Result<bool> {
        let name = format!("refs/heads/{}", self.session.branch());
        let there = self.git.ask(&["rev-parse", "--verify", "--quiet", &name]).await?;
        if there.is_good() && self.contains(&there.text(), self.commit).await? {
            return Ok(true);
        }
        // Without a plus sign: what a person added to such a branch stays.
        self.fetch(Some(&name)).await.map(|()| true).or_else(|failure| {
            tracing::warn!("{failure}");
            Ok(false)
        })
    }

    /// Tells whether a commit has another one among its ancestors, or is it.
    async fn contains(&self, commit: &str, ancestor: &str) -> Result<bool> {
        let args = ["merge-base", "--is-ancestor", ancestor, commit];
        let said = self.seeing.ask(&args).await?;
        match said.status {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(self.seeing.refused(&args, &said)),
        }
    }

    async fn empty_tree(&self) -> Result<String> {
        Ok(self.git.succeed(&["hash-object", "-t", "tree", "--stdin"]).await?.text())
    }

    /// Merges both sides without touching anything but git's store: the tree, or why there is none.
    async fn merged(&self, head: &str) -> Result<std::result::Result<String, Outlook<Plan>>> {
        if self.seeing.ask(&["merge-base", head, self.commit]).await?.status == Some(1) {
            return Ok(Err(Outlook::Unrelated));
        }
        let args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", head, self.commit];
        let said = crash_point!("session.apply.tree.write", self.seeing.ask(&args).await)?;
        let mut names = said.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        let tree = names.next().map(|tree| String::from_utf8_lossy(tree).into_owned());
        match (said.status, tree) {
            (Some(0), Some(tree)) => Ok(Ok(tree)),
            (Some(1), Some(_)) => {
                let mut files: Vec<Name> = names.map(<[u8]>::to_vec).collect();
                files.sort();
                files.dedup();
                Ok(Err(Outlook::Conflict(files)))
            }
            _ => Err(self
                .seeing
                .refused(&args, &said)
                .mend("merging without a working tree needs git 2.38 or newer")),
        }
    }

    fn refuse_under_way(&self) -> Result<()> {
        let target = self.folder.display();
        let under_way = UNDER_WAY.iter().find(|(name, _)| self.git_folder.join(name).exists());
        if let Some((_, what)) = under_way {
            let what = format!("a {what} is under way in {target}");
            return Err(Failure::new(Exit::Stopped, what).mend("end it first, or give it up, with git"));
        }
        let lock = self.git_folder.join("index.lock");
        if lock.exists() {
            let what = format!("another git is at work in {target}, or was killed there");
            return Err(Failure::new(Exit::Stopped, what)
                .mend(format!("if none is, remove {}, and say it again", lock.display())));
        }
        Ok(())
    }

    /// Returns what an earlier process began, where it is just what is planned now.
    async fn begun(&self, to: &str) -> Result<Option<Begun>> {
        let is_same = |begun: &Begun| begun.commit == self.commit && begun.head == self.head;
        let Some(begun) = self.held.begun().filter(is_same) else { return Ok(None) };
        let [result, to] = [&begun.result, to].map(|name| format!("{name}^{{tree}}"));
        let said = self.seeing.ask(&["rev-parse", "--verify", "--quiet", &result]).await?;
        let is_planned =
            said.is_good() && said.text() == self.seeing.succeed(&["rev-parse", &to]).await?.text();
        Ok(is_planned.then_some(begun))
    }

    async fn look(&self, changes: &[Change], is_begun: bool) -> Result<Found> {
        let place = Place::open(self.folder).map_err(file("reading", self.folder))?;
        let look = Look { git: &self.seeing, held: self.held, place: &place, changes, is_begun };
        look.look().await
    }

    /// Copies what the session committed, and gives it a name where there is one for it.
    async fn fetch(&self, name: Option<&str>) -> Result<()> {
        let repository = self.held.folder().repository();
        let mut refs = format!("refs/heads/{}", self.session.branch());
        if let Some(name) = name {
            refs = format!("{refs}:{name}");
        }
        let args = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-prune",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            utf8(&repository)?,
            &refs,
        ];
        crash_point!("session.apply.fetch.run", self.git.succeed(&args).await).map(drop)
    }

    /// Returns git as the person, or as Spalla where it knows of none.
    async fn as_somebody(&self) -> Result<Git> {
        let mut git = self.git.clone();
        for who in ["AUTHOR", "COMMITTER"] {
            let asked = format!("GIT_{who}_IDENT");
            if !self.git.ask(&["-c", "user.useConfigOnly=true", "var", &asked]).await?.is_good() {
                for (what, value) in SPALLA {
                    git = git.with(&format!("GIT_{who}_{what}"), value);
                }
            }
        }
        Ok(git)
    }

    async fn commit_merge(&self, git: &Git, tree: &str) -> Result<String> {
        let goal: String = self.session.goal.chars().filter(|c| !c.is_control() || *c == '\n').collect();
        let goal: String = goal.trim().chars().take(GOAL_CHARS_MAX).collect();
        let message = format!("Merge the session {}\n\n{goal}\n", self.session.id);
        let head = self.head.as_deref().unwrap_or_default();
        let args = ["commit-tree", tree, "-p", head, "-p", self.commit, "-F", "-"];
        let said = crash_point!("session.apply.merge.commit", git.taught(&args, message.into_bytes()).await)?;
        Ok(said.text())
    }

    /// Tells git of the files that are as they are to be, and removes what is half-written.
    async fn make_room(&self, git: &Git, plan: &Plan) -> Result<()> {
        let place = Place::open(self.folder).map_err(file("reading", self.folder))?;
        for path in &plan.torn {
            match place.remove(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(file("removing what is half-written in", self.folder)(error));
                }
                _ => {}
            }
        }
        let lines =
            plan.there.iter().filter_map(|change| Some(index_line(&change.path, change.new.as_ref()?)));
        let lines: Vec<u8> = lines.flatten().collect();
        if lines.is_empty() {
            return Ok(());
        }
        let args = ["update-index", "-z", "--index-info"];
        crash_point!("session.apply.index.write", git.taught(&args, lines).await).map(drop)
    }

    async fn move_forward(&self, git: &Git, result: &str) -> Result<()> {
        let args = [
            "merge",
            "--ff-only",
            "--no-overwrite-ignore",
            "--quiet",
            "--no-stat",
            "--no-squash",
            "--no-autostash",
            "--no-verify-signatures",
            "--no-edit",
            result,
        ];
        let said = crash_point!("session.apply.merge.run", git.ask(&args).await)?;
        let head = git.ask(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]).await?.text();
        if head == result {
            return Ok(());
        }
        let what = format!("git does not move {} forward: {}", self.folder.display(), said.complaint());
        Err(Failure::new(Exit::Stopped, what).mend("look at `git status` there, and say it again"))
    }
}

/// Refuses a folder that is no whole repository with a working tree; returns where git keeps its own.
async fn whole(git: &Git, folder: &Path) -> Result<PathBuf> {
    let target = folder.display();
    let said = git.ask(&["rev-parse", "--is-bare-repository", "--is-inside-work-tree"]).await?;
    if !said.is_good() {
        return Err(Failure::usage(format!(
            "the target {target} is not to be used as a repository: {}",
            said.complaint()
        )));
    }
    if said.text() != "false\ntrue" {
        return Err(Failure::usage(format!("the target {target} is a repository without a working tree"))
            .mend("`spalla session show` says where the session's branch is, to be fetched from there"));
    }
    let prefix = git.succeed(&["rev-parse", "--show-prefix"]).await?;
    if !prefix.text().is_empty() {
        let top = git.succeed(&["rev-parse", "--show-toplevel"]).await?.text();
        return Err(Failure::usage(format!(
            "the target {target} is a folder in the repository {top}, and a branch goes into a whole repository"
        ))
        .mend("`spalla session show` says where the session's branch is, to be fetched from there"));
    }
    let mut path = git.succeed(&["rev-parse", "--absolute-git-dir"]).await?.stdout;
    path.truncate(path.strip_suffix(b"\n").map_or(path.len(), <[u8]>::len));
    Ok(PathBuf::from(OsString::from_vec(path)))
}
