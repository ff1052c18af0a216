//! A host that a command of a run asked the run's proxy for and did not get, as its worker tells the server while the
//! run goes on.

use crate::Refusal;
use crate::problem::Code;
use crate::sandbox::TEXT_BYTES_MAX;
use serde::{Deserialize, Serialize};

pub use crate::sandbox::REFUSED_HOSTS_MAX;

/// A host that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedHost {
    /// Its name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Why.
    pub reason: String,
}

impl RefusedHost {
    /// Returns what tells it from others of the same run; another reason makes no other host of it.
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Refuses what can't be kept.
    pub fn check(&self) -> Result<(), Refusal> {
        let texts = [("host", &self.host), ("reason", &self.reason)];
        match texts.into_iter().find(|(_, text)| text.len() > TEXT_BYTES_MAX) {
            Some((name, text)) => {
                let detail = format!("{name} has {} bytes; at most {TEXT_BYTES_MAX} are kept", text.len());
                Err(Refusal::new(Code::Invalid, detail))
            }
            None => Ok(()),
        }
    }
}
