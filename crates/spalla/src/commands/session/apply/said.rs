//! What a person, or a program, is told of a session that is brought into its target, and what they are asked.

use super::{InTheWay, Why};
use crate::commands::session::change::{Name, shown};
use crate::commands::session::git::Git;
use crate::commands::session::show::short;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use serde::Serialize;
use serde_json::{Value, json};
use spalla_domain::session::{Base, Session, SessionStatus};
use std::fmt::Display;

/// How many files are listed for a person.
const FILES_MAX: usize = 100;

/// Who is told.
#[derive(Debug)]
pub(super) struct Screen<'a> {
    pub(super) session: &'a Session,
    /// Nobody is asked: the answer is yes.
    pub(super) yes: bool,
    /// Only one JSON object is printed.
    pub(super) json: bool,
    /// Nothing is printed: somebody else tells of it.
    pub(super) is_silent: bool,
}

/// How it ended well.
#[derive(Debug, Default, Serialize)]
pub(super) struct Ending {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Option<&'static str>,
    /// The commit of the session's branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit: Option<String>,
    /// The commit that the target has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target_commit: Option<String>,
    /// The branch that went forward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) onto: Option<String>,
    files: Vec<String>,
}

impl Ending {
    /// The session changed nothing.
    pub(super) fn nothing() -> Self {
        Self { outcome: "nothing_changed", ..Self::default() }
    }

    /// The target has it already.
    pub(super) fn already() -> Self {
        Self { outcome: "already_applied", ..Self::default() }
    }

    /// The target has it now.
    pub(super) fn applied<'n>(how: &'static str, files: impl Iterator<Item = &'n [u8]>) -> Self {
        let files = files.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        Self { outcome: "applied", how: Some(how), files, ..Self::default() }
    }
}

impl Screen<'_> {
    fn say(&self, text: impl Display) -> Result<()> {
        if self.json || self.is_silent { Ok(()) } else { output::line(text) }
    }

    /// Says which branch it goes onto, where that is another one than the session began on.
    pub(super) fn onto(&self, base: &Base, branch: Option<&str>) -> Result<()> {
        match (&base.branch, branch) {
            (Some(was), Some(now)) if was != now => {
                let (was, now) = (output::plain(was), output::plain(now));
                self.say(format_args!(
                    "the session began on branch {was}; it goes onto {now}, which is checked out now"
                ))
            }
            (Some(was), None) => {
                let was = output::plain(was);
                self.say(format_args!(
                    "the session began on branch {was}; no branch is checked out now, only HEAD goes forward"
                ))
            }
            _ => Ok(()),
        }
    }

    /// Shows what changes and asks whether it may, unless the answer is yes.
    pub(super) async fn consent(&self, git: &Git, [from, to]: [&str; 2]) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let args = [
            "diff",
            "--stat",
            "--no-ext-diff",
            "--no-textconv",
            "--no-renames",
            "--color=never",
            from,
            to,
            "--",
        ];
        for line in git.succeed(&args).await?.text().lines() {
            self.say(output::plain(line))?;
        }
        if !output::can_ask() {
            return Err(Failure::usage("nobody can be asked here whether this may go into the target")
                .mend("look at it with `spalla session diff`, and say --yes"));
        }
        let target = output::plain(&self.session.target);
        if output::confirm(&format!("bring this into {target}?"))? {
            return Ok(());
        }
        Err(Failure::new(Exit::Stopped, "nothing was brought into the target"))
    }

    /// Tells whether the session's branch may be put beside the person's own.
    pub(super) fn may_keep_branch(&self) -> Result<bool> {
        if self.yes {
            return Ok(true);
        }
        let branch = self.session.branch();
        let question = format!("it does not fit; put the branch {branch} there, to be merged by hand?");
        Ok(output::can_ask() && output::confirm(&question)?)
    }

    /// Says how it ended well.
    pub(super) fn end(&self, ending: &Ending) -> Result<Exit> {
        if self.json {
            let mut value = json!(ending);
            self.complete(&mut value);
            output::json(&value)?;
            return Ok(Exit::Done);
        }
        let (id, target) = (&self.session.id, output::plain(&self.session.target));
        match (ending.outcome, ending.how) {
            ("nothing_changed", _) => {
                return self.done(format_args!("session {id} changed nothing: there is nothing to apply"));
            }
            ("already_applied", _) => self.say(format_args!("{target} has all of session {id} already"))?,
            (_, how) => {
                let files = ending.files.len();
                let onto = ending.onto.as_deref().map(|branch| format!(", onto {}", output::plain(branch)));
                let commit = ending.target_commit.as_deref().map(|commit| format!(", {}", short(commit)));
                let (onto, commit) = (onto.unwrap_or_default(), commit.unwrap_or_default());
                let how = how.unwrap_or_default();
                let good = output::good("applied");
                self.say(format_args!(
                    "{good}: session {id} is in {target} ({files} files, {how}{onto}{commit})"
                ))?;
            }
        }
        if let Some(why) = self.incomplete() {
            return self.done(output::notable(format_args!(
                "this is not all: {why}; `spalla session show {id}` says what is missing"
            )));
        }
        Ok(Exit::Done)
    }

    fn done(&self, text: impl Display) -> Result<Exit> {
        self.say(text).map(|()| Exit::Done)
    }

    /// Says why the branch is not all that was wanted.
    fn incomplete(&self) -> Option<&'static str> {
        match self.session.status {
            SessionStatus::Failed => {
                Some("the session failed, and only what was merged before is in its branch")
            }
            SessionStatus::Stopped => {
                Some("the session was stopped, and only what was merged before is in its branch")
            }
            _ => None,
        }
    }

    fn complete(&self, value: &mut Value) {
        value["session"] = json!(self.session.id);
        value["target"] = json!(self.session.target);
        value["branch"] = json!(self.session.branch());
        value["is_complete"] = json!(self.incomplete().is_none());
    }

    /// Lists files that stand in the way.
    pub(super) fn in_the_way(&self, files: &[InTheWay]) -> Result<()> {
        self.list(files.iter().map(|file| (file.why.as_str(), file.path.as_slice())))
    }

    /// Lists files in which both sides changed the same.
    pub(super) fn conflicts(&self, files: &[Name]) -> Result<()> {
        self.list(files.iter().map(|name| ("conflict", name.as_slice())))
    }

    fn list<'n>(&self, files: impl ExactSizeIterator<Item = (&'static str, &'n [u8])>) -> Result<()> {
        let more = files.len().saturating_sub(FILES_MAX);
        for (why, name) in files.take(FILES_MAX) {
            self.say(format_args!("{why:<9}  {}", shown(name)))?;
        }
        if more > 0 { self.say(format_args!("and {more} more")) } else { Ok(()) }
    }

    /// Says that a person's files stand in the way, and what they can do.
    pub(super) fn stopped_by_files(
        &self,
        files: &[InTheWay],
        is_begun: bool,
        is_kept: bool,
    ) -> Result<Failure> {
        self.refused("in_the_way", &in_the_way_json(files), is_kept)?;
        let count = counted(files.len());
        let what =
            format!("{count} of yours in the target that the session changes too; nothing was changed");
        let merge = self.by_hand(is_kept);
        let begun = if is_begun {
            "an earlier `spalla session apply` was killed, and may have left some of them half-written: \
             `git restore --staged --worktree -- FILE` gives the committed one back; else "
        } else {
            ""
        };
        Ok(Failure::new(Exit::Stopped, what)
            .mend(format!("{begun}commit or stash them and say it again, or {merge}")))
    }

    /// The same in a target without git.
    pub(super) fn stopped_by_files_of_copy(&self, files: &[InTheWay]) -> Result<Failure> {
        self.refused("in_the_way", &in_the_way_json(files), false)?;
        let count = counted(files.len());
        let what = format!(
            "{count} in the target that the session changes too, and that are not what it began with; nothing was changed"
        );
        let applied = self.session.applied.last();
        let applied =
            applied.map(|applied| format!("it was applied at {}; ", applied.at)).unwrap_or_default();
        Ok(Failure::new(Exit::Stopped, what).mend(format!(
            "{applied}put them back, or take what is wanted by hand from `spalla session diff {}`",
            self.session.id
        )))
    }

    /// Says that both sides changed the same.
    pub(super) fn stopped_by_conflict(&self, files: &[Name], is_kept: bool) -> Result<Failure> {
        let names: Vec<_> = files
            .iter()
            .map(|name| json!({"path": String::from_utf8_lossy(name), "why": "conflict"}))
            .collect();
        self.refused("conflict", &names, is_kept)?;
        let what = format!(
            "the session and the target both changed the same in {}; nothing was changed",
            counted_files(files.len())
        );
        Ok(Failure::new(Exit::Stopped, what).mend(self.by_hand(is_kept)))
    }

    /// Says that there is nothing to merge by.
    pub(super) fn stopped_by_history(&self, is_kept: bool) -> Result<Failure> {
        self.refused("unrelated", &[], is_kept)?;
        let what = "what is checked out in the target has no history in common with the session; nothing was changed";
        let mend = format!("check out the branch that it began on, or {}", self.by_hand(is_kept));
        Ok(Failure::new(Exit::Stopped, what).mend(mend))
    }

    fn refused(&self, outcome: &str, files: &[Value], is_kept: bool) -> Result<()> {
        if !self.json {
            return Ok(());
        }
        let mut value = json!({"outcome": outcome, "in_the_way": files, "is_branch_in_target": is_kept});
        self.complete(&mut value);
        output::json(&value)
    }

    fn by_hand(&self, is_kept: bool) -> String {
        let branch = self.session.branch();
        if is_kept {
            format!("merge by hand: the branch {branch} is in the target (`git merge {branch}`)")
        } else {
            format!("merge by hand: with --yes the branch {branch} is put into the target for that")
        }
    }
}

impl Why {
    fn as_str(self) -> &'static str {
        match self {
            Self::Modified => "modified",
            Self::Staged => "staged",
            Self::Untracked => "untracked",
            Self::Changed => "changed",
        }
    }
}

fn in_the_way_json(files: &[InTheWay]) -> Vec<Value> {
    let one =
        |file: &InTheWay| json!({"path": String::from_utf8_lossy(&file.path), "why": file.why.as_str()});
    files.iter().map(one).collect()
}

fn counted(count: usize) -> String {
    if count == 1 { "there is a file".to_owned() } else { format!("there are {count} files") }
}

fn counted_files(count: usize) -> String {
    if count == 1 { "a file".to_owned() } else { format!("{count} files") }
}
