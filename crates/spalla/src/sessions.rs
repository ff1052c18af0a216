//! Sessions: one goal from its plan to the branch that a person is handed. Whoever pursues one, a command or a server, does it
//! with what is in here; the record in its folder says how far it is.
//!
//! ```text
//! goal ─► plan ─► begin ─► pursuit ─┬─ make items ─► follow them ─► advance ─┐
//!                           ▲       └───────────────◄───────────────────────┘
//!                           │                        report
//!             folder: record, repository, wishes of people
//! ```

mod advance;
mod agents;
mod asked;
mod balance;
mod begin;
mod cloud;
mod contest;
mod decompose;
mod ends;
mod folder;
mod follow;
mod holding;
mod host;
mod in_place;
mod items;
mod known;
mod looks;
mod meaning;
mod mirror;
mod news;
mod notes;
mod pattern;
mod plan;
mod proposal;
mod pursuit;
mod records;
mod report;
mod revise;
mod rounds;
mod screen;
mod selector;
mod settle;
mod split;
mod target;
mod watch;
mod wishes;
mod workspace;

pub(crate) use advance::overruled;
pub(crate) use agents::Agents;
pub(crate) use asked::ask;
pub(crate) use begin::{Begun, Planned};
pub(crate) use decompose::Decomposer;
pub(crate) use folder::{Newest, SessionFolder, Wish, list, newest};
pub(crate) use follow::{Followed, Follower, seconds};
pub(crate) use host::Host;
pub(crate) use in_place::{one_by_one, refuse_second};
pub(crate) use pattern::Pattern;
pub(crate) use plan::{introduce, lay_out, of_file};
pub(crate) use proposal::proposal_of;
pub(crate) use pursuit::{Means, Pursuit};
pub(crate) use records::trusted;
pub(crate) use screen::Screen;
pub(crate) use settle::{Revision, settle};
pub(crate) use split::{Goal, Split};
pub(crate) use watch::Looking;
pub(crate) use wishes::{Reached, leave};
pub(crate) use workspace::Workspace;
