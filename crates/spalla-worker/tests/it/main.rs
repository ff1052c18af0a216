//! The worker with real processes, real git and a coordinator in memory.

mod agents;
mod ahead;
mod autonomy;
mod clouds;
mod commands;
mod dialogues;
mod failing;
mod fake;
mod leases;
mod over_http;
mod policies;
mod pool;
mod processes;
mod recipes;
mod repositories;
mod site;
mod surviving;
mod telling;
mod tools;
mod walls;
