//! Documents on the desk: loaded one by one or by what they belong to, and written back as a whole.

use super::Desk;
use crate::document::{Document, Kept, Kind};
use crate::tx::{Result, Tx};
use spalla_domain::Timestamp;

impl<T: Tx> Desk<'_, T> {
    /// Returns a document, locked.
    pub(crate) async fn document<K: Kept>(&mut self, id: i64) -> Result<Option<K>> {
        let key = (K::KIND, id);
        if !self.documents.contains_key(&key) {
            let found = self.tx.documents(K::KIND, &[id]).await?.pop();
            self.documents.insert(key, found);
        }
        self.documents[&key].as_ref().map(Document::read).transpose()
    }

    /// Returns a document, locked; where there is none, nobody else makes one before the end of the transaction.
    pub(crate) async fn document_to_make<K: Kept>(&mut self, id: i64) -> Result<Option<K>> {
        let found = self.document(id).await?;
        if found.is_some() {
            return Ok(found);
        }
        self.document_count(K::KIND).await?;
        // Somebody may have made it before the lock was taken.
        self.documents.remove(&(K::KIND, id));
        self.document(id).await
    }

    /// Returns the documents of one owner, locked, oldest first.
    pub(crate) async fn documents_of<K: Kept>(&mut self, owner: i64) -> Result<Vec<K>> {
        self.write_rows().await?;
        let found = self.tx.documents_of(K::KIND, owner).await?;
        found.iter().map(Document::read).collect()
    }

    /// Counts the documents of a kind, and keeps others from counting them until the end of the transaction.
    pub(crate) async fn document_count(&mut self, kind: Kind) -> Result<u64> {
        self.write_rows().await?;
        self.tx.document_count(kind).await
    }

    /// Writes a new or changed document.
    pub(crate) fn keep<K: Kept>(&mut self, kept: &K) -> Result<()> {
        self.put(kept.document()?);
        Ok(())
    }

    /// Writes a new or changed document at which the clock looks then, whatever it says of that itself.
    pub(crate) fn keep_until<K: Kept>(&mut self, kept: &K, at: Timestamp) -> Result<()> {
        self.put(Document { due_at: Some(at), ..kept.document()? });
        Ok(())
    }

    /// Writes a document as it is kept.
    pub(crate) fn put(&mut self, document: Document) {
        if let Some(at) = document.due_at {
            self.wait_until(at);
        }
        self.documents.insert((document.kind, document.id), Some(document.clone()));
        self.staged.documents.push(document);
    }

    /// Removes a document.
    pub(crate) fn remove(&mut self, kind: Kind, id: i64) {
        self.documents.insert((kind, id), None);
        self.staged.documents.retain(|document| (document.kind, document.id) != (kind, id));
        self.staged.documents_gone.push((kind, id));
    }
}
