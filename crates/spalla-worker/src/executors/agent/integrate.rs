//! The integrator: makes what an agent did part of the session's branch. The change is merged onto what the branch has by now,
//! the result is built and tested behind the walls, and only then the branch moves, in one step that no other can cut into.
//! The person's own branch is not touched.
//!
//! ```text
//! change ─▶ merged onto the branch ─┬─ conflict ─▶ failed, with the files
//!                                   └─ built and tested ─┬─ red, and it was not before ─▶ failed, with the step
//!                                                        └─ green, or unverified ─▶ the branch moves
//! ```

use super::change::{self, OwnRepository, keep};
use super::end_of;
use crate::executors::recipe::{Verified, check, verify};
use crate::run::{End, Failure, Run};
use crate::scratchpad::Scratchpad;
use serde_json::{Value, json};
use spalla_crash::crash_point;
use spalla_domain::claim::RunError;
use spalla_domain::retry::ErrorClass;
use spalla_domain::session::{CHANGES_PREFIX, MERGES_LABEL, branch_of};
use std::path::{Path, PathBuf};

/// How long git may take in the session's repository, in milliseconds.
const GIT_MS: i64 = 10 * 60_000;
/// How many files with conflicts a result names.
const FILES_TOLD: usize = 200;
/// Beneath which name a merged commit stands until the branch moves.
const MERGING_PREFIX: &str = "refs/spalla/merging/item-";

/// A merge as it goes on.
struct Merge<'a> {
    run: &'a Run<'a>,
    repository: PathBuf,
    /// The branch's full name.
    branch: String,
    scratchpad: Scratchpad,
    /// The commit that the branch had when the merge began.
    head: String,
    own: OwnRepository<'a>,
}

/// What merging two commits gave.
enum Merged {
    /// The branch has the change already.
    Nothing,
    /// A commit.
    Commit(String),
    /// Files that both changed in different ways.
    Conflict(Vec<String>),
}

/// Carries the run out.
pub(super) async fn execute(run: &Run<'_>) -> Result<End, End> {
    let wrong = |message: &str| End::from(Failure::new(ErrorClass::Validation, message));
    let repository = run.session_repository();
    let repository = repository.ok_or_else(|| {
        wrong("the integrator works on the repository of a session alone, and the project's is none of this worker's")
    })?;
    let item =
        run.assignment.labels.iter().find_map(|label| label.strip_prefix(MERGES_LABEL)?.parse::<u64>().ok());
    let item = item.ok_or_else(|| wrong("no label says which work item's change is to be merged"))?;
    let session =
        repository.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let branch = format!("refs/heads/{}", branch_of(&session.unwrap_or_default()));
    let one_at_a_time = run.agents.merging(run.assignment.project_id);
    let _merging = tokio::select! {
        held = one_at_a_time.lock_owned() => held,
        interruption = run.interrupted() => return Err(run.end_by(interruption)),
    };
    let scratchpad = run.scratchpads.prepare(run).await.map_err(|error| end_of(run, error))?;
    let head = scratchpad.commit.clone().unwrap_or_default();
    let borrowed = [scratchpad.borrowed.clone(), vec![repository.join("objects")]].concat();
    let own = OwnRepository::make(run, Vec::new(), &borrowed).await?;
    let mut merge = Merge { run, repository, branch, scratchpad, head, own };
    let end = merge.carry_out(item).await;
    merge.own.remove().await;
    end
}

impl Merge<'_> {
    async fn carry_out(&mut self, item: u64) -> Result<End, End> {
        let Some(change) =
            change::resolve(self.run, &self.repository, &format!("{CHANGES_PREFIX}{item}")).await?
        else {
            return Ok(succeeded("there is nothing to merge: the work item changed nothing", json!({})));
        };
        let commit = match self.merged(&change).await? {
            Merged::Nothing => {
                return Ok(succeeded("the branch has the change already", json!({ "commit": self.head })));
            }
            Merged::Conflict(files) => return Ok(self.conflict(&change, &files)),
            Merged::Commit(commit) => commit,
        };
        let verified = match self.verified(&commit).await? {
            Ok(verified) => verified,
            Err(failure) => return Ok(End::Failed(failure)),
        };
        if let Some(failure) = self.refused_by_plan(&commit).await? {
            return Ok(End::Failed(failure));
        }
        self.move_branch(item, &commit).await?;
        let summary = format!("merged; {}", verified["verdict"].as_str().unwrap_or_default());
        Ok(succeeded(&summary, json!({ "commit": commit, "before": self.head, "verified": verified })))
    }

    /// Merges the change onto the branch, without a worktree.
    async fn merged(&self, change: &str) -> Result<Merged, End> {
        let args = ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", &self.head, change];
        let (is_clean, listed) = self.own.decide(&args).await?;
        // The tree stands first; behind it, where there are conflicts, their files.
        let mut parts = listed.split('\0').filter(|part| !part.is_empty());
        let tree = parts.next().unwrap_or_default().to_owned();
        if !is_clean {
            return Ok(Merged::Conflict(parts.take(FILES_TOLD).map(str::to_owned).collect()));
        }
        if tree == self.own.call(&["rev-parse", &format!("{}^{{tree}}", self.head)]).await? {
            return Ok(Merged::Nothing);
        }
        let message = self.own.call(&["log", "-1", "--format=%B", change]).await?;
        let args = ["commit-tree", &tree, "-p", &self.head, "-m", message.trim_end()];
        Ok(Merged::Commit(self.own.call(&args).await?))
    }

    fn conflict(&self, change: &str, files: &[String]) -> End {
        let names = files.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
        let message = format!("the change conflicts with what was merged before it: {names}");
        let result = json!({ "conflict": { "files": files, "change": change, "onto": self.head } });
        let error = RunError::new(ErrorClass::Validation, message);
        End::Failed(Failure { error, exit_code: None, result: Some(result) })
    }

    /// Builds and tests the merged commit; the error is the failure that stops the merge.
    async fn verified(&mut self, commit: &str) -> Result<Result<Value, Failure>, End> {
        self.check_out(commit).await?;
        let (error, steps) = match verify(self.run, &self.scratchpad).await? {
            Verified::Green(steps) => {
                return Ok(Ok(
                    json!({ "verdict": "verified: build and tests pass", "state": "verified", "steps": steps["steps"] }),
                ));
            }
            Verified::Unverified(why) => return Ok(Ok(unverified(&why))),
            Verified::Red(error, steps) => (error, steps),
        };
        // What was red before is not the fault of the change.
        self.run.log.say(format!("not as it should be: {}; is it without the change?", error.message)).await;
        let head = self.head.clone();
        self.check_out(&head).await?;
        match verify(self.run, &self.scratchpad).await? {
            Verified::Red(before, _) if before.message == error.message => {
                Ok(Ok(unverified(&format!("it fails without the change as well: {}", error.message))))
            }
            _ => {
                let message = format!("the change does not pass: {}", error.message);
                Ok(Err(red(message, &error.message, &steps["steps"])))
            }
        }
    }

    /// Runs the command that the plan wants to succeed on the result, where there is one; returns the failure where it doesn't.
    async fn refused_by_plan(&mut self, commit: &str) -> Result<Option<Failure>, End> {
        let Some(command) = self.run.assignment.prompt.as_deref().filter(|text| !text.trim().is_empty())
        else {
            return Ok(None);
        };
        self.check_out(commit).await?;
        let (why, steps) = match check(self.run, &self.scratchpad, command).await? {
            Verified::Green(_) => return Ok(None),
            Verified::Unverified(why) => (why, Value::Null),
            Verified::Red(error, steps) => (error.message, steps["steps"].clone()),
        };
        Ok(Some(red(format!("the change does not pass the plan's validator: {why}"), &why, &steps)))
    }

    async fn check_out(&mut self, commit: &str) -> Result<(), End> {
        let objects = vec![self.repository.join("objects"), self.own.folder.join("repo.git/objects")];
        change::check_out(self.run, &mut self.scratchpad, objects, commit).await
    }

    /// Moves the branch onto the merged commit, if it still is where the merge began.
    async fn move_branch(&self, item: u64, commit: &str) -> Result<(), End> {
        let bundle = self.own.bundle(commit, &self.head).await?;
        let name = format!("{MERGING_PREFIX}{item}");
        keep(self.run, &self.repository, &bundle, &name).await?;
        let git = self.run.scratchpads.git(self.run);
        let message = format!("spalla: run {} merges work item {item}", self.run.assignment.run_id);
        let update = ["update-ref", "-m", &message, &self.branch, commit, &self.head];
        let moved = crash_point!(
            "worker.merge.branch.move",
            git.in_repository(&self.repository, &update, GIT_MS).await
        );
        moved.map_err(|error| end_of(self.run, error.during("moving the session's branch")))?;
        let _ = git.in_repository(&self.repository, &["update-ref", "-d", &name], GIT_MS).await;
        Ok(())
    }
}

fn red(message: String, why: &str, steps: &Value) -> Failure {
    let result = json!({ "red": { "error": why, "steps": steps } });
    Failure { error: RunError::new(ErrorClass::Validation, message), exit_code: None, result: Some(result) }
}

fn unverified(why: &str) -> Value {
    json!({ "verdict": format!("unverified: {why}"), "state": "unverified" })
}

fn succeeded(summary: &str, mut result: Value) -> End {
    result["summary"] = Value::String(summary.to_owned());
    End::Succeeded { result }
}
