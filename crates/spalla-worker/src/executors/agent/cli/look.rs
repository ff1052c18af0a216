//! A look at work that goes on: what its worktree has by now is taken by a git of our own, and the reviewer gets it as it gets a
//! change that is done. The run that is looked at notices nothing.

use crate::executors::agent::change::{self, Change};
use crate::run::{End, Failure, Run};
use crate::scratchpad::Scratchpad;
use spalla_domain::retry::ErrorClass;
use spalla_domain::session::{LOOKS_LABEL, Session};
use std::fs;
use std::path::Path;

/// Beneath which name a session's repository keeps what was looked at.
const LOOKS_PREFIX: &str = "refs/spalla/looks/item-";

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    /// The work item.
    item: i64,
    /// The commit on which its run began, where that is known.
    base: Option<String>,
}

impl Look {
    /// Reads the label of an item that looks.
    pub(super) fn of_label(label: &str) -> Option<Self> {
        let rest = label.strip_prefix(LOOKS_LABEL)?;
        let (item, base) = match rest.split_once('@') {
            Some((item, base)) => (item, Some(base)),
            None => (rest, None),
        };
        let is_commit =
            |base: &&str| matches!(base.len(), 40 | 64) && base.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(Self { item: item.parse().ok()?, base: base.filter(is_commit).map(str::to_owned) })
    }

    /// Lets the reviewer's worktree hold what the other one has by now, and returns that; none where nothing is different yet.
    pub(super) async fn show(
        &self,
        run: &Run<'_>,
        scratchpad: &mut Scratchpad,
        report: &Path,
    ) -> Result<Option<Change>, End> {
        let missing = |why: &str| {
            let message = format!("the work on item {} can't be looked at: {why}", self.item);
            End::from(Failure::new(ErrorClass::Validation, message))
        };
        let repository = run.session_repository().ok_or_else(|| missing("this run is of no session"))?;
        if !is_of_session(&repository, self.item) {
            return Err(missing("it is of another session"));
        }
        let worktree = run.scratchpads.find(self.item).await;
        let worktree = worktree.ok_or_else(|| missing("it has no worktree here"))?;
        let base = self.base.clone().or_else(|| scratchpad.commit.clone());
        let base = base.ok_or_else(|| missing("it began on no commit"))?;
        let borrowed = scratchpad.borrowed.clone();
        let name = format!("{LOOKS_PREFIX}{}", self.item);
        let taken =
            change::take_of(run, (worktree.folder(), &borrowed), &base, (&repository, &name, report)).await?;
        drop(worktree);
        let commit = taken.as_ref().map_or(&base, |change| &change.commit);
        change::check_out(run, scratchpad, vec![repository.join("objects")], commit).await?;
        Ok(taken)
    }
}

/// Tells whether an item is a part of the session whose repository this is.
fn is_of_session(repository: &Path, item: i64) -> bool {
    let record = fs::read(repository.with_file_name("session.json")).ok();
    let session: Option<Session> = record.and_then(|record| serde_json::from_slice(&record).ok());
    session.is_some_and(|session| session.items.iter().any(|known| known.work_item_id == Some(item)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_says_what_is_looked_at_and_on_what_it_began() {
        let commit = "a".repeat(40);
        let look = |label: &str| Look::of_label(label);
        let of = |base: Option<&str>| Some(Look { item: 7, base: base.map(str::to_owned) });
        assert_eq!(look(&format!("looks:7@{commit}")), of(Some(&commit)));
        assert_eq!((look("looks:7"), look("looks:7@--help")), (of(None), of(None)));
        assert_eq!((look("looks:x"), look("reviews:7")), (None, None));
    }
}
