//! Which agent a task is for: a pure function of the agents that there are, what was learned of them, and what is asked.
//!
//! ```text
//! agents | index.json + triggers.json ─► Fleet ─► Index (one automaton, globs, regexes)
//!                                                   │
//! Question ─► 0 files ─► 1 keywords ─► 2 regexes ─► touched ─► filters ─► score ─► Answer
//!                └────────── none ──────────► 3 meaning ─► rules ──┘
//! ```
//!
//! It reads no file and no clock: what is read late, the agents' details and the table of meanings, comes through [`Source`]. It
//! counts work instead of time, so that a decision is the same on every machine; scores are whole millionths, and ties go to the
//! id that comes first.

mod answer;
mod everyday;
mod fleet;
mod fold;
mod globs;
mod hits;
mod index;
mod keywords;
mod literals;
mod meaning;
mod memo;
mod options;
mod patterns;
mod problem;
mod published;
mod question;
mod quick;
mod router;
mod score;
mod scratch;
mod source;

pub use answer::{Answer, Candidate, Cut, Match, Penalties, Stage, Terms};
pub use fleet::{Agent, Fleet, Keyword, Pattern};
pub use index::Index;
pub use options::Options;
pub use problem::{Problem, Problems};
pub use published::{Details, INDEX_BYTES_MAX, PublishedError, TRIGGERS_BYTES_MAX};
pub use question::{Condition, Constraints, Question, Weights};
pub use router::Router;
pub use score::Micro;
pub use source::{Source, Told};
