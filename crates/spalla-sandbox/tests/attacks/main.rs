//! Attacks on the sandbox, one claim each. Every attack is made twice: behind the walls, where it has to fail, and
//! without them, where the same attack has to work; otherwise the suite could not fail. As root it is all done twice:
//! as root and as an ordinary user.

mod ahead;
mod arena;
mod blank;
mod builds;
mod inject;
mod limits;
mod lives;
mod missing;
mod model;
mod proxy;
mod trials;
mod walls;
