//! Artifacts: files that a run leaves, taken in part by part, and kept at their paths once they are whole.

use super::claim::over_to;
use crate::command::{NewArtifact, Reply};
use crate::desk::{Answer, Desk, Run};
use crate::document::{Kind, Upload};
use crate::tx::{ArtifactChunk, Sequence, Tx};
use spalla_domain::artifact::{Artifact, check_room};
use spalla_domain::event::Fact;
use spalla_domain::run;
use spalla_domain::{ArtifactId, Fence, Refusal, RunId, WorkItemId};

/// How long a file may be on its way in, in milliseconds; what is left of it then goes.
const UPLOAD_MS_MAX: i64 = 3_600_000;

/// Begins to take in a file of a run.
pub(crate) async fn begin<T: Tx>(
    desk: &mut Desk<'_, T>,
    run_id: RunId,
    fence: Option<Fence>,
) -> Answer<Reply> {
    check_writer(desk, run_id, fence).await?;
    let id = ArtifactId(desk.next_id(Sequence::Artifact).await?);
    desk.keep(&Upload { id, run_id, until: desk.context.now.plus_ms(UPLOAD_MS_MAX) })?;
    Ok(Reply::Artifact(id))
}

/// Keeps a part of a file.
pub(crate) async fn keep_chunk<T: Tx>(
    desk: &mut Desk<'_, T>,
    upload: ArtifactId,
    place: u32,
    data: &[u8],
) -> Answer<Reply> {
    find(desk, upload).await?;
    desk.staged.artifact_chunks.push(ArtifactChunk { artifact_id: upload, place, data: data.to_vec() });
    Ok(Reply::Done)
}

/// Keeps a file that is whole; what stood at its path goes.
pub(crate) async fn store<T: Tx>(desk: &mut Desk<'_, T>, new: &NewArtifact) -> Answer<Reply> {
    let item = check_writer(desk, new.run_id, new.fencing_token).await?;
    let (id, place) = match new.upload {
        Some((id, parts)) => (find(desk, id).await?.id, parts),
        None => (ArtifactId(desk.next_id(Sequence::Artifact).await?), 0),
    };
    desk.write_rows().await?;
    let (known, totals) = desk.tx.artifact_at(new.run_id, &new.path).await?;
    check_room(new.run_id, totals, known.as_ref().map(|known| known.bytes), new.bytes)?;
    let artifact = Artifact {
        id,
        run_id: new.run_id,
        path: new.path.clone(),
        media_type: new.media_type.clone(),
        bytes: new.bytes,
        sha256: new.sha256.clone(),
        stored_at: desk.context.now,
    };
    match known {
        None => desk.staged.artifacts_made.push(artifact),
        Some(known) => {
            desk.staged.artifact_chunks_gone.push(known.id);
            desk.staged.artifacts_replaced.push((known.id, artifact));
        }
    }
    if !new.last.is_empty() {
        desk.staged.artifact_chunks.push(ArtifactChunk { artifact_id: id, place, data: new.last.clone() });
    }
    if new.upload.is_some() {
        desk.remove(Kind::Upload, id.0);
    }
    let fact = Fact::ArtifactStored {
        artifact_id: id,
        path: new.path.clone(),
        bytes: new.bytes,
        sha256: new.sha256.clone(),
        fence: new.fencing_token,
    };
    desk.facts(item, Some(new.run_id), vec![fact]);
    Ok(Reply::Artifact(id))
}

/// Gives up a file that was on its way in; one that is not any more is nobody's.
pub(crate) async fn give_up<T: Tx>(desk: &mut Desk<'_, T>, id: ArtifactId) -> Answer<Reply> {
    if desk.document::<Upload>(id.0).await?.is_some() {
        forget(desk, id);
    }
    Ok(Reply::Done)
}

/// Lets go what came in of a file.
pub(crate) fn forget<T: Tx>(desk: &mut Desk<'_, T>, id: ArtifactId) {
    desk.staged.artifact_chunks.retain(|chunk| chunk.artifact_id != id);
    desk.staged.artifact_chunks_gone.push(id);
    desk.remove(Kind::Upload, id.0);
}

async fn find<T: Tx>(desk: &mut Desk<'_, T>, id: ArtifactId) -> Answer<Upload> {
    let upload: Option<Upload> = desk.document(id.0).await?;
    Ok(upload.ok_or_else(|| Refusal::not_found("upload", id).mend("send the whole file again"))?)
}

/// Lets the holder of a run write, or a person while nobody holds it; returns the run's item.
async fn check_writer<T: Tx>(
    desk: &mut Desk<'_, T>,
    run_id: RunId,
    fence: Option<Fence>,
) -> Answer<WorkItemId> {
    let item = match (desk.run(run_id).await?, fence) {
        (Run::Ended(run), Some(fence)) => return Err(over_to(fence, &run).into()),
        (Run::Ended(run), None) => run.work_item_id,
        (Run::Live(item), _) => item,
    };
    let (loaded, now) = (desk.item(item).await?.clone(), desk.context.now);
    if let Some(live) = loaded.live_run().filter(|live| live.id == run_id) {
        match fence {
            Some(fence) => run::may_write(live, loaded.standing.fence, fence)?,
            None => run::is_nobodys(live, now)?,
        }
    }
    Ok(item)
}
