//! Keeps what people answered to info requests: encrypts it, hands it to the run that asked and to nobody else, and
//! masks what of it is secret in whatever that run says from then on.

mod mask;
mod masks;
mod rotation;
mod run_token;
mod sealed;

use crate::wire::log::cut;
pub(crate) use mask::Mask;
use masks::Masks;
pub use rotation::Rotated;
use serde_json::value::RawValue;
use spalla_domain::claim::{Completion, LogBatch, RunError};
use spalla_domain::fernet::{IV_BYTES, KeyRing};
use spalla_domain::found_command::{FoundCommand, TEXT_BYTES_MAX};
use spalla_domain::info_request::{DECISION, InfoRequest, Status};
use spalla_domain::message::NewMessage;
use spalla_domain::problem::Code;
use spalla_domain::redact::{Redactor, SECRETS_BYTES_MAX};
use spalla_domain::refused_host::RefusedHost;
use spalla_domain::run_event::{EVENT_ID_BYTES_MAX, RunEvent, cut_payload};
use spalla_domain::sandbox;
use spalla_domain::secret::Secret;
use spalla_domain::work_item::WORD_CHARS_MAX;
use spalla_domain::{Fence, InfoRequestId, Refusal, RunId};
use spalla_store::command::{IdempotencyKey, RunEnd};
use spalla_store::document::{Kept, KeptInfoRequest};
use spalla_store::view::{DocumentFilter, Page, RunView};
use spalla_store::{Clock, ExecuteError, Randomness, Store, StoreError};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What the key of the digests is derived for.
const DIGEST_CONTEXT: &str = "spalla 2026-11-29 digests of requests that carry secret values";
/// As how many bytes the mask of a run counts whose answers hide nothing.
const NOTHING_BYTES: usize = 64;
/// How many info requests of a run are read at once.
const REQUESTS_AT_ONCE: u32 = 500;

/// The values that a person gave, by the names of the fields.
pub type Answers = BTreeMap<String, Secret>;

/// A handle to what is kept secret; cheap to clone.
#[derive(Clone)]
pub struct Vault(Arc<Inner>);

struct Inner {
    keys: KeyRing,
    store: Store,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    masks: Masks,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Makes a vault. The random numbers have to be such that nobody can foresee them.
    pub fn new(keys: KeyRing, store: Store, clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        Self(Arc::new(Inner { keys, store, clock, randomness, masks: Masks::default() }))
    }

    /// Returns what a person answered, to the holder of the run that asked; none while nobody has answered.
    pub async fn reveal(&self, id: InfoRequestId, token: Fence) -> Result<Option<Answers>, ExecuteError> {
        let document = self.0.store.read().document(KeptInfoRequest::KIND, id.0).await?;
        let document = document.ok_or_else(|| Refusal::not_found("info request", id))?;
        let kept: KeptInfoRequest = document.read()?;
        let run = self.0.store.read().run(kept.request.run_id).await?;
        self.check_holder(run.as_ref(), kept.request.run_id, token)?;
        Ok(self.open(&kept)?)
    }

    fn check_holder(&self, run: Option<&RunView>, id: RunId, token: Fence) -> Result<(), Refusal> {
        let now = self.0.clock.now();
        let is_held = run.and_then(|run| run.lease.as_ref()).is_some_and(|lease| !lease.is_expired(now));
        if is_held && run.and_then(|run| run.fence) == Some(token) {
            return Ok(());
        }
        let detail = format!("token {token} does not hold run {id}, and only its holder reads its answers");
        Err(Refusal::new(Code::StaleToken, detail).mend("send the token of the live lease"))
    }

    /// Masks, in lines of a run's log, what was answered to the run.
    pub async fn redact_logs(&self, batch: &mut LogBatch) -> Result<(), StoreError> {
        let mask = self.mask(batch.run_id).await?;
        if !mask.is_empty() {
            for line in &mut batch.lines {
                // A mask may be longer than what it hides.
                line.text = cut(mask.text(std::mem::take(&mut line.text)));
            }
        }
        Ok(())
    }

    /// Masks, in all that is said of commands of a run, what was answered to it.
    pub async fn redact_commands(&self, run_id: RunId, found: &mut [FoundCommand]) -> Result<(), StoreError> {
        let mask = self.mask(run_id).await?;
        for FoundCommand { command, folder, rule, reason, .. } in found {
            for text in [command, folder, rule, reason] {
                let said = std::mem::take(text);
                // What is as long as it may be was cut to that, at the end of a letter.
                let is_whole = said.len() + char::MAX_LEN_UTF8 <= TEXT_BYTES_MAX;
                *text = if is_whole { mask.text(said) } else { mask.cut_text(said) };
                // A mask may be longer than what it hides.
                text.truncate(text.floor_char_boundary(TEXT_BYTES_MAX));
            }
        }
        Ok(())
    }

    /// Masks, in hosts that a run was refused, what was answered to it.
    pub async fn redact_refused_hosts(
        &self,
        run_id: RunId,
        hosts: &mut [RefusedHost],
    ) -> Result<(), StoreError> {
        let mask = self.mask(run_id).await?;
        for refused in hosts {
            mask_short(&mask, &mut refused.host);
            mask_short(&mask, &mut refused.reason);
        }
        Ok(())
    }

    /// Masks, in events that are told of a run, what was answered to it.
    pub async fn redact_events(&self, run_id: RunId, events: &mut [RunEvent]) -> Result<(), StoreError> {
        let mask = self.mask(run_id).await?;
        if !mask.is_empty() {
            for event in events {
                for (text, bytes) in [(&mut event.agent, WORD_CHARS_MAX), (&mut event.id, EVENT_ID_BYTES_MAX)]
                {
                    *text = text.take().map(|text| {
                        let masked = mask.text(text);
                        masked[..masked.floor_char_boundary(bytes)].to_owned()
                    });
                }
                mask.object(&mut event.payload);
                // A mask may be longer than what it hides.
                event.cut();
            }
        }
        Ok(())
    }

    /// Masks, in a message that a run's agent sends, what was answered to the run.
    pub async fn redact_message(&self, run_id: RunId, message: &mut NewMessage) -> Result<(), StoreError> {
        let mask = self.mask(run_id).await?;
        if !mask.is_empty() {
            message.to = message.to.take().map(|to| {
                let masked = mask.text(to);
                masked[..masked.floor_char_boundary(WORD_CHARS_MAX)].to_owned()
            });
            mask.object(&mut message.payload);
            // A mask may be longer than what it hides.
            cut_payload(&mut message.payload);
        }
        Ok(())
    }

    /// Masks, in what runs came to, what was answered to them.
    pub async fn redact_completions(&self, completed: &mut [Completion]) -> Result<(), StoreError> {
        let speaks = |completion: &Completion| {
            let is_refused = completion.sandbox.as_ref().is_some_and(|walls| !walls.refused_hosts.is_empty());
            completion.result.is_some() || completion.error.is_some() || is_refused
        };
        // Most installations never ask for anything, and a batch may have thousands of runs.
        if !completed.iter().any(speaks) || !self.has_answers().await? {
            return Ok(());
        }
        for completion in completed.iter_mut().filter(|completion| speaks(completion)) {
            let walls = completion.sandbox.as_deref_mut();
            self.redact(completion.run_id, &mut completion.result, &mut completion.error, walls).await?;
        }
        Ok(())
    }

    /// Masks, in what a run came to, what was answered to it.
    pub async fn redact_end(&self, end: &mut RunEnd) -> Result<(), StoreError> {
        self.redact(end.run_id, &mut end.result, &mut end.error, end.sandbox.as_deref_mut()).await
    }

    async fn redact(
        &self,
        run_id: RunId,
        result: &mut Option<Box<RawValue>>,
        error: &mut Option<RunError>,
        walls: Option<&mut sandbox::Attested>,
    ) -> Result<(), StoreError> {
        let mask = self.mask(run_id).await?;
        if !mask.is_empty() {
            *result = result.take().map(|result| mask.json(result));
            if let Some(error) = error {
                error.message = mask.text(std::mem::take(&mut error.message));
            }
            let refused = walls.map(|walls| &mut walls.refused_hosts);
            refused.into_iter().flatten().for_each(|host| mask_short(&mask, host));
        }
        // It says nothing more, or is masked anew.
        self.0.masks.forget(run_id);
        Ok(())
    }

    /// Encrypts an answer.
    pub(crate) fn seal(&self, values: &BTreeMap<String, String>) -> Result<String, StoreError> {
        let plain = serde_json::to_string(values);
        // The cause would say where in the values it was.
        let plain = plain.map_err(|_| StoreError::Corrupt("writing the values of an answer".into()))?;
        Ok(self.0.keys.seal(&plain.into(), self.0.clock.now(), self.random_iv()))
    }

    /// Returns the random bytes that every token needs.
    fn random_iv(&self) -> [u8; IV_BYTES] {
        let mut iv = [0; IV_BYTES];
        for half in iv.chunks_exact_mut(8) {
            half.copy_from_slice(&self.0.randomness.next().to_le_bytes());
        }
        iv
    }

    /// Refuses an answer with which a run would have more secrets than can be masked.
    pub(crate) async fn check_room(
        &self,
        request: &InfoRequest,
        values: &BTreeMap<String, String>,
    ) -> Result<(), ExecuteError> {
        let run_id = request.run_id;
        let known = self.secrets_of(run_id).await?;
        let known: usize = known.iter().flat_map(BTreeMap::values).map(Secret::len).sum();
        let secret = values.iter().filter(|(name, _)| is_masked(request, name));
        let bytes = known + secret.map(|(_, value)| value.len()).sum::<usize>();
        if bytes > SECRETS_BYTES_MAX {
            let detail = format!(
                "the values for run {run_id} have {bytes} bytes together; at most {SECRETS_BYTES_MAX} can be kept secret"
            );
            return Err(Refusal::new(Code::Invalid, detail).mend("give shorter values").into());
        }
        Ok(())
    }

    /// Makes the digest of a request one that tells nothing of its values to whoever does not have the keys.
    pub(crate) fn blind(&self, key: IdempotencyKey) -> IdempotencyKey {
        let digest_key = blake3::derive_key(DIGEST_CONTEXT, self.0.keys.newest().to_text().expose());
        let fingerprint = *blake3::keyed_hash(&digest_key, &key.fingerprint).as_bytes();
        IdempotencyKey { fingerprint, ..key }
    }

    /// Returns what masks the secret answers to a run.
    pub(crate) async fn mask(&self, run_id: RunId) -> Result<Mask, StoreError> {
        // Another server may have taken an answer, so what is known is counted each time.
        let count = self.answered(run_id).await?;
        if count == 0 {
            return Ok(Mask::Nothing);
        }
        if let Some(mask) = self.0.masks.get(run_id, count) {
            return Ok(mask);
        }
        let answers = match self.secrets_of(run_id).await {
            Ok(answers) => answers,
            Err(StoreError::Corrupt(why)) => {
                tracing::error!(
                    run = run_id.0,
                    why,
                    "what a run says is withheld: its answers can't be read"
                );
                return Ok(Mask::Everything);
            }
            Err(error) => return Err(error),
        };
        if answers.iter().all(BTreeMap::is_empty) {
            self.0.masks.keep(run_id, count, NOTHING_BYTES, Mask::Nothing);
            return Ok(Mask::Nothing);
        }
        let bytes = answers.iter().flat_map(BTreeMap::values).map(Secret::len).sum();
        let made = tokio::task::spawn_blocking(move || Redactor::new(answers.iter().flatten())).await;
        let Ok(Ok(redactor)) = made else {
            tracing::error!(run = run_id.0, "what a run says is withheld: its answers can't be looked for");
            return Ok(Mask::Everything);
        };
        let mask = Mask::Secrets(Arc::new(redactor));
        self.0.masks.keep(run_id, count, bytes, mask.clone());
        Ok(mask)
    }

    /// Counts the answered requests of a run.
    async fn answered(&self, run_id: RunId) -> Result<u64, StoreError> {
        self.0.store.read().count_documents(answered(Some(run_id))).await
    }

    /// Tells whether anything was ever answered. One is looked for and none counted, because every batch asks this.
    async fn has_answers(&self) -> Result<bool, StoreError> {
        let first = Page { limit: 1, before: None, offset: 0 };
        Ok(!self.0.store.read().documents(answered(None), first).await?.is_empty())
    }

    /// Reads all that was answered to a run and is masked.
    async fn secrets_of(&self, run_id: RunId) -> Result<Vec<Answers>, StoreError> {
        let (mut answers, mut before) = (vec![], None);
        loop {
            let page = Page { limit: REQUESTS_AT_ONCE, before, offset: 0 };
            let documents = self.0.store.read().documents(answered(Some(run_id)), page).await?;
            for document in &documents {
                let kept: KeptInfoRequest = document.read()?;
                let mut answer = self.open(&kept)?.unwrap_or_default();
                answer.retain(|name, _| is_masked(&kept.request, name));
                answers.push(answer);
            }
            before = documents.last().map(|document| document.id);
            if documents.len() < page.limit as usize {
                return Ok(answers);
            }
        }
    }

    /// Decrypts an answer; none where there is none.
    fn open(&self, kept: &KeptInfoRequest) -> Result<Option<Answers>, StoreError> {
        let Some(sealed) = &kept.sealed else { return Ok(None) };
        let id = kept.request.id;
        let unreadable =
            |why: String| StoreError::Corrupt(format!("decrypting the answer to info request {id}: {why}"));
        let plain = self.0.keys.open(sealed).map_err(|error| unreadable(error.to_string()))?;
        let values: Result<BTreeMap<String, String>, _> = serde_json::from_slice(plain.expose());
        let values = values.map_err(|_| unreadable("it does not parse".into()))?;
        Ok(Some(values.into_iter().map(|(name, value)| (name, value.into())).collect()))
    }
}

/// Tells whether a value is masked: all are, but a decision, and what an agent asks for without calling it secret. These stand in
/// whatever the run writes for its own sake.
fn is_masked(request: &InfoRequest, name: &str) -> bool {
    let is_secret = request.fields.iter().any(|field| field.secret && field.name == name);
    is_secret || (request.asked_by.is_none() && name != DECISION)
}

/// Masks a text of an attestation.
fn mask_short(mask: &Mask, text: &mut String) {
    *text = mask.text(std::mem::take(text));
    // A mask may be longer than what it hides.
    text.truncate(text.floor_char_boundary(sandbox::TEXT_BYTES_MAX));
}

fn answered(run_id: Option<RunId>) -> DocumentFilter {
    DocumentFilter {
        kind: KeptInfoRequest::KIND,
        owner: run_id.map(|id| id.0),
        status: Some(Status::Answered.as_str()),
    }
}
