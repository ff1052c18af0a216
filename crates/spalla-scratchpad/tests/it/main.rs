//! Scratchpads in a data folder: made, shown, paused, exported, and removed when their time is over.

mod export;
mod janitor;
mod life;
mod place;
