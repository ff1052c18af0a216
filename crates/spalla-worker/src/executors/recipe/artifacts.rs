//! Gathers the files that a step names as its artifacts, and has the server keep them. They stay where they are as well.

use crate::artifact::ArtifactFile;
use crate::backoff::Backoff;
use crate::beneath::Beneath;
use crate::coordinator::CoordinatorError;
use crate::look::files::Left;
use crate::run::Run;
use crate::scratchpad::Scratchpad;
use serde::{Deserialize, Serialize};
use spalla_domain::artifact::{ARTIFACT_BYTES_MAX, ARTIFACTS_MAX, ArtifactPath, RUN_BYTES_MAX};
use spalla_domain::claim::Heartbeat;
use std::io;
use std::path::Path;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Artifact {
    pub(super) path: String,
    pub(super) bytes: u64,
    pub(super) sha256: String,
    /// Whether the server has it.
    pub(super) kept: bool,
}

/// What became of sending a file.
enum Sent {
    Kept,
    /// This one is not kept, for this reason.
    Not(String),
    /// None is: nobody is there to take it any more.
    Nobody(String),
}

/// Adds the files of a step, and sends them; one that another step named is replaced by how it is now.
pub(super) async fn collect(
    run: &Run<'_>,
    number: u32,
    patterns: &[String],
    scratchpad: &Scratchpad,
    all: &mut Vec<Artifact>,
) {
    if patterns.is_empty() {
        return;
    }
    let found = match run.look_for_files(scratchpad, patterns).await {
        Ok(found) => found,
        Err(why) => return run.log.say_of(number, format!("artifacts: none is kept: {why}")).await,
    };
    for remark in found.remarks {
        run.log.say_of(number, format!("artifacts: {remark}")).await;
    }
    let mut is_over = false;
    for Left { path, bytes, sha256 } in found.artifacts {
        let mut artifact = Artifact { path, bytes, sha256, kept: false };
        let known = all.iter().position(|known| known.path == artifact.path).map(|at| all.remove(at));
        if known.as_ref().is_some_and(|known| known.kept && known.sha256 == artifact.sha256) {
            artifact.kept = true;
        } else if let Some(why) = no_room(all, &artifact) {
            run.log.say_of(number, format!("artifacts: {why}; {:?} is not kept", artifact.path)).await;
            continue;
        } else if !is_over {
            (artifact.kept, is_over) = keep(run, number, &artifact, &scratchpad.folder).await;
        }
        run.log.remark_of(number, format!("artifact {} ({} bytes)", artifact.path, artifact.bytes)).await;
        all.push(artifact);
    }
}

/// Says why a run may leave no such file in addition.
fn no_room(all: &[Artifact], artifact: &Artifact) -> Option<String> {
    let bytes = all.iter().map(|known| known.bytes).sum::<u64>() + artifact.bytes;
    if all.len() as u64 >= ARTIFACTS_MAX {
        Some(format!("a run leaves at most {ARTIFACTS_MAX} files"))
    } else if bytes > RUN_BYTES_MAX {
        Some(format!("a run leaves at most {RUN_BYTES_MAX} bytes"))
    } else {
        None
    }
}

/// Sends a file; returns whether it is kept, and whether to send no other.
async fn keep(run: &Run<'_>, number: u32, artifact: &Artifact, workspace: &Path) -> (bool, bool) {
    let (why, is_over) = match send(run, artifact, workspace).await {
        Sent::Kept => return (true, false),
        Sent::Not(why) => (why, false),
        Sent::Nobody(why) => (why, true),
    };
    run.log.say_of(number, format!("artifacts: {:?} is not kept: {why}", artifact.path)).await;
    (false, is_over)
}

async fn send(run: &Run<'_>, artifact: &Artifact, workspace: &Path) -> Sent {
    let open = || {
        let path = ArtifactPath::new(artifact.path.as_str()).map_err(io::Error::other)?;
        let file = Beneath::open(workspace)?.file(&artifact.path)?;
        Ok::<_, io::Error>(ArtifactFile::new(path, file, ARTIFACT_BYTES_MAX))
    };
    let file = match open() {
        Ok(file) => file,
        Err(error) => return Sent::Not(error.to_string()),
    };
    let holder = Heartbeat { run_id: run.assignment.run_id, fencing_token: run.assignment.fencing_token };
    let mut backoff = Backoff::default();
    loop {
        let wait = match run.coordinator.keep_artifact(holder, file.clone()).await {
            Ok(()) => return Sent::Kept,
            Err(CoordinatorError::Unavailable { retry_after_ms, .. }) => {
                backoff.next(retry_after_ms, &run.options.randomness)
            }
            Err(error @ CoordinatorError::Refused { .. }) => return Sent::Nobody(error.to_string()),
            Err(error @ CoordinatorError::Rejected { status: 404 | 405 | 501, .. }) => {
                return Sent::Nobody(error.to_string());
            }
            Err(error @ CoordinatorError::Rejected { .. }) => return Sent::Not(error.to_string()),
        };
        tokio::select! {
            biased;
            _ = run.interrupted() => return Sent::Nobody("the run was interrupted".to_owned()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_has_left_enough_leaves_no_more() {
        let file = |bytes| Artifact { path: "a".into(), bytes, sha256: String::new(), kept: true };
        assert_eq!(no_room(&[], &file(RUN_BYTES_MAX)), None);
        assert!(no_room(&[file(1)], &file(RUN_BYTES_MAX)).is_some());
        assert!(no_room(&vec![file(0); 1_000], &file(0)).is_some());
    }
}
