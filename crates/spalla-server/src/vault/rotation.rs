//! A new key for what was encrypted with older ones.

use super::{REQUESTS_AT_ONCE, Vault, answered};
use spalla_domain::audit::{Call, Outcome};
use spalla_domain::fernet::Error;
use spalla_domain::webhook::Webhook;
use spalla_store::command::Sealed;
use spalla_store::document::{Document, Kept, KeptInfoRequest};
use spalla_store::view::{DocumentFilter, Page};
use spalla_store::{Command, ExecuteError, Request, StoreError};

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rotated {
    /// The id of the key that everything is encrypted with now.
    pub key_id: String,
    /// How many secrets were encrypted anew.
    pub resealed: u64,
    /// What none of the keys opens: it stays as it is, and its key is still needed.
    pub unreadable: Vec<Sealed>,
}

impl Vault {
    /// Encrypts everything that older keys encrypted with the newest one. Doing it twice, or again after it was cut
    /// short, does no harm. It is recorded in the audit as a whole, and each secret with its own change: what can't be
    /// recorded is not done.
    pub async fn rotate(&self) -> Result<Rotated, ExecuteError> {
        let mut rotated = Rotated { key_id: self.0.keys.newest().id().to_owned(), ..Rotated::default() };
        let began = call("/secrets", &rotated).ended(Outcome::Done, None);
        self.0.store.execute(Command::Record(Box::new(began))).await?;
        let answer = |document: &Document| {
            let KeptInfoRequest { request, sealed } = document.read()?;
            Ok(sealed.map(|sealed| (Sealed::Answer(request.id), sealed)))
        };
        self.reseal_all(answered(None), answer, &mut rotated).await?;
        let webhooks = DocumentFilter { kind: Webhook::KIND, owner: None, status: None };
        let secret = |document: &Document| {
            let webhook: Webhook = document.read()?;
            Ok(Some((Sealed::Webhook(webhook.id), webhook.sealed_secret)))
        };
        self.reseal_all(webhooks, secret, &mut rotated).await?;
        Ok(rotated)
    }

    async fn reseal_all(
        &self,
        filter: DocumentFilter,
        sealed_in: impl Fn(&Document) -> Result<Option<(Sealed, String)>, StoreError>,
        rotated: &mut Rotated,
    ) -> Result<(), ExecuteError> {
        let mut before = None;
        loop {
            let page = Page { limit: REQUESTS_AT_ONCE, before, offset: 0 };
            let documents = self.0.store.read().documents(filter, page).await?;
            for document in &documents {
                if let Some((what, sealed)) = sealed_in(document)? {
                    self.reseal(what, sealed, rotated).await?;
                }
            }
            before = documents.last().map(|document| document.id);
            if documents.len() < page.limit as usize {
                return Ok(());
            }
        }
    }

    async fn reseal(&self, what: Sealed, before: String, rotated: &mut Rotated) -> Result<(), ExecuteError> {
        let sealed = match self.0.keys.reseal(&before, self.0.clock.now(), self.random_iv()) {
            Ok(None) => return Ok(()),
            Ok(Some(sealed)) => sealed,
            Err(_) => {
                rotated.unreadable.push(what);
                return Ok(());
            }
        };
        let encrypting = |error: Error| StoreError::Corrupt(format!("encrypting anew: {error}"));
        // What was written is read back before the key of what was there may go.
        self.0.keys.open(&sealed).map_err(encrypting)?;
        let audit = Some(Box::new(call(&resource(what), rotated)));
        let request = Request { audit, ..Command::Reseal { what, before, sealed }.into() };
        self.0.store.execute(request).await?;
        rotated.resealed += 1;
        Ok(())
    }
}

/// Names, in the audit, whoever rotates: somebody at the machine that has the keys.
fn call(resource: &str, rotated: &Rotated) -> Call {
    Call {
        principal: "administrator".to_owned(),
        client: "local".to_owned(),
        operation: "secrets rotate".to_owned(),
        resource: resource.to_owned(),
        request_id: format!("key {}", rotated.key_id),
    }
}

fn resource(what: Sealed) -> String {
    match what {
        Sealed::Answer(id) => format!("/work-items/runs/info-requests/{id}"),
        Sealed::Webhook(id) => format!("/webhooks/{id}"),
    }
}
