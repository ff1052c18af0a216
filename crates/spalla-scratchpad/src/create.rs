//! Makes a scratchpad. Its record comes first, so that one whose making was interrupted is known and removed.

use crate::clean::remove_all;
use crate::copy::{self, Budget, Top};
use crate::error::{Error, io};
use crate::folder::{FOLDER_MODE, Folder, RECORDS_MODE};
use crate::id::Id;
use crate::lock::Held;
use crate::manifest::Manifest;
use crate::once::Once;
use crate::readme;
use crate::record::{Record, Target};
use crate::scratchpads::{RECORDS, Scratchpads, View};
use crate::state::State;
use crate::stats::taken;
use crate::template;
use spalla_crash::crash_point;
use spalla_domain::Timestamp;
use spalla_domain::session::is_session_id;
use std::fs::DirBuilder;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// How many may be made of one task in one second: each takes the next second for its name.
const SAME_SECOND_MAX: i64 = 100;
/// How many there may be: each is looked at by everything that lists them.
const SCRATCHPADS_MAX: usize = 10_000;
/// The longest task, in characters.
const TASK_CHARS_MAX: usize = 1_000;
/// The longest name of an agent, in bytes.
const AGENT_BYTES_MAX: usize = 100;
/// How much of the README of a template is taken over, in bytes.
const README_BYTES_MAX: u64 = 64 * 1024;
/// The file that says what a scratchpad is for.
const README: &str = "README.md";
/// The folder of what a target has.
pub(crate) const WORK: &str = "work";

/// A scratchpad to be made.
#[derive(Debug, Clone, Default)]
pub struct New {
    /// What it is for.
    pub task: String,
    /// What it is made of; none is the template that is always there.
    pub template: Option<String>,
    /// The session that it belongs to.
    pub session: Option<String>,
    /// Who works in it.
    pub agent: Option<String>,
}

impl New {
    fn check(&self) -> Result<(), Error> {
        let invalid = |why: String| Err(Error::Invalid(why));
        if self.task.trim().is_empty() {
            return invalid("the task is empty".into());
        }
        if self.task.chars().count() > TASK_CHARS_MAX || self.task.contains('\0') {
            return invalid(format!("the task is no text of at most {TASK_CHARS_MAX} characters"));
        }
        if let Some(session) = self.session.as_deref().filter(|session| !is_session_id(session)) {
            let shown: String = session.chars().take(AGENT_BYTES_MAX).collect();
            return invalid(format!("{shown:?} is no name of a session"));
        }
        let is_plain = |byte: u8| byte.is_ascii_graphic();
        let is_agent =
            |name: &&str| !name.is_empty() && name.len() <= AGENT_BYTES_MAX && name.bytes().all(is_plain);
        match self.agent.as_deref() {
            Some(agent) if !is_agent(&agent) => {
                let shown: String = agent.chars().take(AGENT_BYTES_MAX).collect();
                invalid(format!("{shown:?} is no name of an agent"))
            }
            _ => Ok(()),
        }
    }
}

/// A scratchpad that is being made. Where it is dropped before it is finished, nothing of it stays.
#[derive(Debug)]
pub struct Draft<'a> {
    scratchpads: &'a Scratchpads,
    record: Record,
    top: Folder,
    budget: Budget,
    left_out: Vec<String>,
    held: Option<Held>,
}

impl Scratchpads {
    /// Makes a scratchpad without a target.
    pub fn create(&self, new: New, now: Timestamp) -> Result<View, Error> {
        self.begin(new, now)?.finish()
    }

    /// Begins a scratchpad.
    pub fn begin(&self, new: New, now: Timestamp) -> Result<Draft<'_>, Error> {
        new.check()?;
        let name = new.template.clone().unwrap_or_else(|| template::DEFAULT.to_owned());
        let template = template::find(self.options(), &name)?;
        self.make_root()?;
        if self.ids()?.len() >= SCRATCHPADS_MAX {
            return Err(Error::Conflict(format!(
                "there are {SCRATCHPADS_MAX} scratchpads: remove some first"
            )));
        }
        let (held, id) = self.reserve(&new.task, now)?;
        let record = Record {
            id,
            task: new.task,
            state: State::Active,
            template: name,
            session: new.session,
            agent: new.agent,
            target: None,
            created_at: now,
            updated_at: now,
            exported_to: None,
            made_once: None,
            exported_once: None,
            is_ready: false,
        };
        let mut draft = self.draft(record, held)?;
        let failed = || io("making the scratchpad", &self.path(&draft.record.id));
        template::make_folders(&draft.top).map_err(failed())?;
        if let Some((folder, path)) = template {
            draft.left_out = copy::tree((&folder, &path), &draft.top, Top::WithoutGit, &mut draft.budget)?;
        }
        Ok(draft)
    }

    /// Writes the first record and makes the folder. What fails here leaves nothing.
    fn draft(&self, record: Record, held: Held) -> Result<Draft<'_>, Error> {
        let id = record.id.clone();
        let made = self.write_record(&record).and_then(|()| {
            let root = Folder::open(self.root());
            root.and_then(|root| root.make(id.as_str().as_ref(), FOLDER_MODE))
                .map_err(io("making the scratchpad", &self.path(&id)))
        });
        match made {
            Ok(top) => {
                let quota = self.quota();
                let budget = Budget { bytes: quota.bytes, files: quota.files };
                Ok(Draft { scratchpads: self, record, top, budget, left_out: Vec::new(), held: Some(held) })
            }
            Err(error) => {
                // The folder is somebody else's where it was there already.
                remove_all(self, &id, held, false)?;
                Err(error)
            }
        }
    }

    /// Finds a name that nobody has, and holds it.
    fn reserve(&self, task: &str, now: Timestamp) -> Result<(Held, Id), Error> {
        let first = now.ms().div_euclid(1_000);
        for second in first..first.saturating_add(SAME_SECOND_MAX) {
            let id = Id::new(task, second);
            let Some(held) = self.hold_alone(&id)? else { continue };
            let is_taken = self.record_path(&id).symlink_metadata().is_ok();
            if !is_taken && self.path(&id).symlink_metadata().is_err() {
                return Ok((held, id));
            }
            if !is_taken {
                held.remove().map_err(io("removing the lock of", &self.path(&id)))?;
            }
        }
        Err(Error::Conflict(format!("too many scratchpads of {task:?} begin at the same time")))
    }

    pub(crate) fn make_root(&self) -> Result<(), Error> {
        let data = &self.options().data;
        let made = crash_point!(
            "scratchpad.data.create",
            DirBuilder::new().recursive(true).mode(0o700).create(data)
        );
        made.map_err(io("making", data))?;
        let root = self.root().file_name().unwrap_or_default();
        Folder::open_chosen(data)
            .and_then(|data| data.open_or_make(root, FOLDER_MODE)?.keep_mode(FOLDER_MODE))
            .and_then(|root| root.open_or_make(RECORDS.as_ref(), RECORDS_MODE)?.keep_mode(RECORDS_MODE))
            .map(drop)
            .map_err(io("making", self.root()))
    }
}

impl Draft<'_> {
    /// Returns its name.
    pub fn id(&self) -> &Id {
        &self.record.id
    }

    /// Returns the folder of what the target has; it is not there before somebody makes it.
    pub fn work(&self) -> PathBuf {
        self.scratchpads.path(&self.record.id).join(WORK)
    }

    /// Makes the folder of what the target has, for whoever fills it.
    pub fn make_work(&self) -> Result<PathBuf, Error> {
        let work = self.work();
        self.top.make(WORK.as_ref(), FOLDER_MODE).map_err(io("making", &work))?;
        Ok(work)
    }

    /// Returns what was left out of copies: pipes, sockets, devices.
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// Says by which wish it is made.
    pub(crate) fn made_once(&mut self, once: Once) {
        self.record.made_once = Some(once);
    }

    /// Says that `work/` has a commit of a repository.
    pub fn checked_out(&mut self, target: Target) {
        self.record.target = Some(target);
    }

    /// Copies a folder that is no repository. What is git's own at its top is left out.
    pub fn copy(&mut self, target: &Path) -> Result<(), Error> {
        let failed = || io("copying", target);
        let path = target.canonicalize().map_err(failed())?;
        let root = self.scratchpads.root().canonicalize().map_err(failed())?;
        if root.starts_with(&path) || path.starts_with(&root) {
            return Err(Error::Invalid(format!(
                "{} has the scratchpads in it, or is among them: it can't be copied into one",
                target.display()
            )));
        }
        let from = Folder::open(&path).map_err(failed())?;
        let work = self.top.make(WORK.as_ref(), FOLDER_MODE).map_err(failed())?;
        let left_out = copy::tree((&from, &path), &work, Top::WithoutGit, &mut self.budget)?;
        self.left_out.extend(left_out);
        self.record.target = Some(Target { path, commit: None, branch: None });
        Ok(())
    }

    /// Takes down what stands in it, and shows it.
    pub fn finish(mut self) -> Result<View, Error> {
        let (scratchpads, id) = (self.scratchpads, self.record.id.clone());
        let path = scratchpads.path(&id);
        let failed = || io("making the scratchpad", &path);
        self.write_readme().map_err(failed())?;
        let (taken, quota) = (taken(&self.top).map_err(failed())?, scratchpads.quota());
        if !taken.is_whole || taken.bytes > quota.bytes || taken.files > quota.files {
            return Err(Error::TooLarge(format!(
                "{} files of {} bytes are more than a scratchpad may have: {} files of {} bytes",
                taken.files, taken.bytes, quota.files, quota.bytes
            )));
        }
        let manifest = Manifest::of(&self.top).map_err(failed())?;
        scratchpads.write_manifest(&id, &manifest)?;
        self.record.is_ready = true;
        scratchpads.write_record(&self.record)?;
        self.held = None;
        Ok(scratchpads.view(self.record.clone(), self.record.updated_at))
    }

    fn write_readme(&self) -> std::io::Result<()> {
        let mut own = String::new();
        if let Ok(file) = self.top.file(README.as_ref()) {
            let mut bytes = Vec::new();
            file.take(README_BYTES_MAX).read_to_end(&mut bytes)?;
            own = String::from_utf8_lossy(&bytes).into_owned();
        }
        self.top.unlink(README.as_ref())?;
        let text = readme::of(&self.record, self.scratchpads.ends_at(&self.record), &own);
        let mut file = self.top.create(README.as_ref(), 0o644)?;
        crash_point!("scratchpad.readme.write", file.write_all(text.as_bytes()))
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        // What can't be removed now the janitor removes: the record says that it is not ready.
        if let Some(held) = self.held.take() {
            let _ = remove_all(self.scratchpads, &self.record.id, held, true);
        }
    }
}
