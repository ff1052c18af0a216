//! The worker with real processes, real git and a coordinator in memory.

mod fake;
mod leases;
mod processes;
mod recipes;
mod site;
mod tools;
