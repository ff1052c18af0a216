//! Agents as data: from the files that people write to definitions that are published, read and served.
//!
//! ```text
//! .claude/agents/**/*.md ─▶ folder ─▶ source (front_matter → tree, or lenient → said; description; body)
//!                                        │ collisions (ids), terms (of a file), fleet (TF-IDF), vocabulary
//!                                        ▼
//!                                     derive ─▶ Definition ─▶ convert ─▶ publish ─▶ codex/agents/
//! codex/agents/ ─▶ registry (index once; definitions on first use, frozen; aliases; reload behind gates) ─▶ Arc<Loaded>
//! Definition ─▶ export ─▶ files of agent command lines, with what they can't say
//! ```

pub mod alias;
mod body;
pub mod built_in;
mod collisions;
pub mod convert;
pub mod definition;
mod derive;
mod description;
pub mod export;
mod fleet;
pub mod folder;
pub mod front_matter;
pub mod id;
pub mod index;
mod lenient;
pub mod policy;
pub mod problem;
pub mod publish;
pub mod read;
mod regexes;
pub mod registry;
pub mod said;
pub mod schema;
pub mod source;
mod stems;
mod terms;
mod vocabulary;
pub mod watch;
mod words;
