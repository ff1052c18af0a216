//! The engine over the real store in memory, with a clock that the test owns.

mod fixture;
mod history;
mod wake_ups;
mod world;
