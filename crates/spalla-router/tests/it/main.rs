//! Decisions of whole fleets, as whoever asks sees them.

mod decisions;
mod determinism;
mod fleets;
mod hostile;
mod stages;
