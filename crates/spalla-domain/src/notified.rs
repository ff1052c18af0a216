//! Who is to be told of an event by name: the receivers that an agent's definition names (`metrics.escalation.notify`), where
//! something happened of which they are to be told.

use crate::event::Fact;
use crate::run_event::Told;
use serde_json::Value;

/// The member of an event's payload that says of what somebody is to be told. Only Spalla itself says so.
pub const ALERT: &str = "alert";
/// The member that says who.
pub const NOTIFY: &str = "notify";

impl Told {
    /// Returns of what somebody is to be told, such as `failure_rate_pct`.
    pub fn alert(&self) -> Option<&str> {
        self.payload.get(ALERT).and_then(Value::as_str)
    }
}

impl Fact {
    /// Returns the names of those who are to be told.
    pub fn notified(&self) -> Vec<&str> {
        match self {
            Self::AgentMissing { notify, .. } => notify.iter().map(String::as_str).collect(),
            Self::AgentTold(told) if told.alert().is_some() => {
                let names = told.payload.get(NOTIFY).and_then(Value::as_array);
                names.into_iter().flatten().filter_map(Value::as_str).collect()
            }
            _ => Vec::new(),
        }
    }
}
