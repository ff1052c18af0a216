//! The stages that the loop calls, one file each. They never call one another: each leaves a state that the next
//! one picks up, so that a restart is the ordinary path.

pub(crate) mod claim;
pub(crate) mod hand_off;
pub(crate) mod keep_time;
pub(crate) mod tick;
