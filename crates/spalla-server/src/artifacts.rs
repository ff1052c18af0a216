//! Takes in the files that runs leave: part by part, so that none is ever in memory as a whole, unless something was
//! answered to the run, which has to be looked for in texts.

use crate::audit::Audited;
use crate::extract::PendingKey;
use crate::vault::{Mask, Vault};
use axum::body::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use spalla_domain::artifact::{ARTIFACT_BYTES_MAX, ArtifactPath, MEDIA_TYPE_BYTES_MAX, too_large};
use spalla_domain::problem::Code;
use spalla_domain::{ArtifactId, Fence, Refusal, RunId};
use spalla_engine::EngineHandle;
use spalla_store::command::{NewArtifact, Scope};
use spalla_store::{Command, ExecuteError, Reply, Request, StoreError};
use std::fmt::Write as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The size of a part: one commit each, and seldom in anybody's way.
const PART_BYTES: usize = 256 * 1024;
/// How many files are taken in at once: each has a part or two in memory, and those of runs with answers are whole there.
const INTAKES_MAX: usize = 16;
/// How much of a file that is refused is still read and thrown away.
const DISCARD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// What a file is that nobody says anything of.
const MEDIA_TYPE_UNKNOWN: &str = "application/octet-stream";

/// Takes files in; cheap to clone.
#[derive(Clone)]
pub struct Artifacts {
    engine: EngineHandle,
    vault: Vault,
    places: Arc<Semaphore>,
}

/// A file that somebody wants to be kept, without what is in it.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Whose.
    pub run_id: RunId,
    /// The token of the lease; none is a person.
    pub fencing_token: Option<Fence>,
    /// Where it is kept.
    pub path: ArtifactPath,
    /// What its sender says it is; guessed from the path where nothing is said.
    pub media_type: Option<String>,
}

/// Why a file was not kept.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError<E> {
    /// The rules or the store did not let it.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// It could not be read to its end.
    #[error("the file could not be read: {0}")]
    Body(E),
}

impl<E> From<Refusal> for ArtifactError<E> {
    fn from(refusal: Refusal) -> Self {
        Self::Execute(refusal.into())
    }
}

impl<E> From<StoreError> for ArtifactError<E> {
    fn from(error: StoreError) -> Self {
        Self::Execute(error.into())
    }
}

impl Artifacts {
    /// Makes it over an engine; the vault knows what has to be masked.
    pub fn new(engine: EngineHandle, vault: Vault) -> Self {
        Self { engine, vault, places: Arc::new(Semaphore::new(INTAKES_MAX)) }
    }

    /// Keeps a file. In a text, what was answered to the run is masked; other files are kept as they are.
    pub async fn keep<E>(
        &self,
        incoming: Incoming,
        body: impl Stream<Item = Result<Vec<u8>, E>> + Send,
    ) -> Result<ArtifactId, ArtifactError<E>> {
        self.keep_once(incoming, body.map_ok(Bytes::from), (None, None, None)).await
    }

    /// Keeps a file, once however often it is sent under its key.
    pub(crate) async fn keep_once<E>(
        &self,
        incoming: Incoming,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
        (key, audited, scope): (Option<PendingKey>, Option<Audited>, Option<Arc<Scope>>),
    ) -> Result<ArtifactId, ArtifactError<E>> {
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        let mask = self.vault.mask(incoming.run_id).await?;
        let mut intake = Intake::new(&self.engine, incoming, key, audited);
        intake.scope = scope;
        let kept = match intake.take_in(body, &mask).await {
            Ok(()) => intake.finish().await.map_err(Into::into),
            Err(error) => Err(error),
        };
        if kept.as_ref().ok() != intake.upload.as_ref() {
            intake.give_up().await;
        }
        kept
    }
}

/// A file that is being taken in.
struct Intake<'a> {
    engine: &'a EngineHandle,
    incoming: Incoming,
    key: Option<PendingKey>,
    audited: Option<Audited>,
    /// Among what the run has to be.
    scope: Option<Arc<Scope>>,
    /// What is not kept yet.
    part: Vec<u8>,
    /// Under what the earlier parts are kept.
    upload: Option<ArtifactId>,
    parts: u32,
    bytes: u64,
    digest: Sha256,
}

impl<'a> Intake<'a> {
    fn new(
        engine: &'a EngineHandle,
        incoming: Incoming,
        key: Option<PendingKey>,
        audited: Option<Audited>,
    ) -> Self {
        let digest = Sha256::new();
        Self {
            engine,
            incoming,
            key,
            audited,
            scope: None,
            part: vec![],
            upload: None,
            parts: 0,
            bytes: 0,
            digest,
        }
    }

    async fn take_in<E>(
        &mut self,
        body: impl Stream<Item = Result<Bytes, E>> + Send,
        mask: &Mask,
    ) -> Result<(), ArtifactError<E>> {
        let mut body = pin!(body);
        let taken = self.take_all(body.as_mut(), mask).await;
        if let Err(ArtifactError::Execute(_)) = &taken {
            // A client that sends before it listens gets to see the answer; beyond that the connection is closed.
            let mut discarded = 0;
            while let (true, Some(Ok(data))) = (discarded <= DISCARD_BYTES_MAX, body.next().await) {
                discarded += data.len();
            }
        }
        taken
    }

    async fn take_all<E>(
        &mut self,
        mut body: Pin<&mut (impl Stream<Item = Result<Bytes, E>> + Send)>,
        mask: &Mask,
    ) -> Result<(), ArtifactError<E>> {
        let mut whole = vec![];
        let mut received = 0;
        while let Some(data) = body.next().await {
            let data = data.map_err(ArtifactError::Body)?;
            received += data.len() as u64;
            if received > ARTIFACT_BYTES_MAX {
                return Err(too_large(received).into());
            }
            if let Some(key) = &mut self.key {
                key.update(&data);
            }
            if mask.is_empty() {
                self.add(&data).await?;
            } else {
                whole.extend_from_slice(&data);
            }
        }
        if !mask.is_empty() {
            self.add(&masked(whole, mask)?).await?;
        }
        Ok(())
    }

    async fn add(&mut self, data: &[u8]) -> Result<(), ExecuteError> {
        self.digest.update(data);
        self.bytes += data.len() as u64;
        for piece in data.chunks(PART_BYTES) {
            self.part.extend_from_slice(piece);
            // The last part goes with the file itself, so that a small one is a single commit.
            if self.part.len() > PART_BYTES {
                let rest = self.part.split_off(PART_BYTES);
                let part = std::mem::replace(&mut self.part, rest);
                self.keep_part(part).await?;
            }
        }
        Ok(())
    }

    async fn keep_part(&mut self, data: Vec<u8>) -> Result<(), ExecuteError> {
        let upload = match self.upload {
            Some(upload) => upload,
            None => {
                let Incoming { run_id, fencing_token, .. } = self.incoming;
                let begin = Command::BeginUpload { run_id, fencing_token };
                let request = Request { scope: self.scope.clone(), ..begin.into() };
                artifact(self.engine.execute(request).await?)?
            }
        };
        self.upload = Some(upload);
        self.engine.execute(Command::KeepChunk { upload, place: self.parts, data }).await?;
        self.parts += 1;
        Ok(())
    }

    async fn finish(&mut self) -> Result<ArtifactId, ExecuteError> {
        let Incoming { run_id, fencing_token, path, media_type } = self.incoming.clone();
        let new = NewArtifact {
            run_id,
            fencing_token,
            media_type: media_type.filter(|text| is_media_type(text)).unwrap_or_else(|| guessed(&path)),
            path,
            bytes: self.bytes,
            sha256: hexadecimal(&std::mem::take(&mut self.digest).finalize()),
            upload: self.upload.map(|id| (id, self.parts)),
            last: std::mem::take(&mut self.part),
        };
        let idempotency = self.key.take().map(PendingKey::finish);
        let audit = self.audited.as_ref().and_then(Audited::call);
        let (command, scope) = (Command::StoreArtifact(Box::new(new)), self.scope.clone());
        let request = Request { command, idempotency, audit, scope };
        let answer = self.engine.execute(request).await;
        if let (Some(audited), Ok(_) | Err(ExecuteError::Refused(_))) = (&self.audited, &answer) {
            audited.recorded();
        }
        Ok(artifact(answer?)?)
    }

    /// Lets go what came in. Where that fails, the clock does it later.
    async fn give_up(&self) {
        let Some(id) = self.upload else { return };
        if let Err(error) = self.engine.execute(Command::DropUpload { id }).await {
            tracing::warn!(%error, upload = id.0, "a file that was not kept stays until its time is over");
        }
    }
}

fn artifact(reply: Reply) -> Result<ArtifactId, StoreError> {
    match reply {
        Reply::Artifact(id) => Ok(id),
        other => Err(StoreError::Corrupt(format!("the store answered {other:?} to an artifact"))),
    }
}

/// Hides secrets in what is a text. Other files can't be changed without breaking them.
fn masked(whole: Vec<u8>, mask: &Mask) -> Result<Vec<u8>, Refusal> {
    match String::from_utf8(whole) {
        Err(error) => Ok(error.into_bytes()),
        Ok(_) if matches!(mask, Mask::Everything) => {
            let detail = "what was answered to this run can't be read, so that it can't be masked in a text";
            Err(Refusal::new(Code::SecretsUnreadable, detail)
                .mend("start the server with its old ORCH_SECRET_KEY"))
        }
        Ok(text) => Ok(mask.text(text).into_bytes()),
    }
}

/// Tells whether a text names a media type; what a client sends where nobody told it anything does not count.
fn is_media_type(text: &str) -> bool {
    let fits = (3..=MEDIA_TYPE_BYTES_MAX).contains(&text.len()) && text.contains('/');
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    fits && is_plain && text != "application/x-www-form-urlencoded"
}

fn guessed(path: &ArtifactPath) -> String {
    mime_guess::from_path(path.as_str()).first_raw().unwrap_or(MEDIA_TYPE_UNKNOWN).to_owned()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a text can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_follows_from_what_is_said_or_from_its_name() {
        let guess = |path: &str| guessed(&ArtifactPath::new(path).unwrap());
        assert_eq!(
            [guess("a/b.html"), guess("c.tar.gz"), guess("Makefile")],
            ["text/html", "application/gzip", MEDIA_TYPE_UNKNOWN]
        );
        assert!(is_media_type("text/plain; charset=utf-8"));
        let long = format!("a/{}", "b".repeat(254));
        for odd in ["", "text", "text/ä", "a/b\n", "application/x-www-form-urlencoded", &long] {
            assert!(!is_media_type(odd), "{odd}");
        }
    }
}
