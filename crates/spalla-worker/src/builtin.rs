//! The agents Spalla brings along: they need no agent CLI, no account and no model.

pub mod surveyor;
pub mod verifier;
