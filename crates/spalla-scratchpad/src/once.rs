//! A wish that may be sent twice: the same key with the same wish is carried out once, and answered the same.

use crate::create::New;
use crate::error::{Error, io};
use crate::lock::open;
use crate::scratchpads::{Scratchpads, View};
use serde::{Deserialize, Serialize};
use spalla_domain::Timestamp;
use std::fs::File;

/// What makes a wish safe to send twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Once {
    /// The key, of one caller alone.
    pub key: String,
    /// A digest of the wish.
    pub fingerprint: String,
}

impl Once {
    /// Tells whether this is the same wish again; refused where it is another one under its key.
    pub(crate) fn is_again(&self, earlier: Option<&Self>) -> Result<bool, Error> {
        match earlier.filter(|earlier| earlier.key == self.key) {
            None => Ok(false),
            Some(earlier) if earlier.fingerprint == self.fingerprint => Ok(true),
            Some(_) => Err(Error::KeyReused),
        }
    }
}

impl Scratchpads {
    /// Makes a scratchpad, once however often it is asked for under its key.
    pub fn create_once(&self, new: New, once: Once, now: Timestamp) -> Result<View, Error> {
        self.make_root()?;
        let _one_after_another = self.once_lock()?;
        for id in self.ids()? {
            let Ok(record) = self.record(&id) else { continue };
            if record.is_ready && once.is_again(record.made_once.as_ref())? {
                return Ok(self.view(record, now));
            }
        }
        let mut draft = self.begin(new, now)?;
        draft.made_once(once);
        draft.finish()
    }

    fn once_lock(&self) -> Result<File, Error> {
        let path = self.records_path().join("once");
        let file = open(&path)?;
        file.lock().map_err(io("locking", &path))?;
        Ok(file)
    }
}
