//! The kernel's walls around one command and everything that it starts.
//!
//! ```text
//! supervisor (one thread, outside) ──socket──▶ init (PID 1 of its own namespaces) ──▶ command
//!   cgroup, watchdog, time-out, kill              mount view, reaping, no capabilities    limits, Landlock, seccomp
//! ```
//! A [`Policy`] says what the command may do; [`run`] puts up the walls, or refuses with the reason and the mend when
//! one of them can't stand. Each run is [attested](Attestation): which walls stood, and how.

mod ahead;
mod attestation;
mod blank;
mod brief;
mod cgroup;
mod command_line;
mod credential;
mod disk;
mod environment;
mod explanation;
mod identity;
mod init;
mod injection;
mod journal;
mod kernel;
mod landlock_rules;
mod lockdown;
mod memory;
mod mount_view;
mod order;
mod output_file;
mod plan;
mod policy;
mod program;
mod proxy;
mod pump;
mod reattach;
mod refusal;
mod report;
mod seccomp_filter;
mod secret_files;
mod self_test;
mod start;
mod stdio;
mod supervise;
mod supervisor;
mod survival;
mod toolchains;
mod tree;
mod trials;
mod unwalled;
mod used;
mod view;
mod walls;
mod watch;

pub use attestation::{Attestation, LayerState, State};
pub use command_line::{HIDDEN_ARG, Order, Outcome, SUPERVISE, WAIT, hidden_main, run_here};
pub use credential::HostCredentials;
pub use explanation::{Explanation, Shown, explain};
pub use injection::{Injection, Scheme};
pub use journal::{Entry, read_journal};
pub use order::{SupervisedOrder, Word};
pub use output_file::{OutputReader, OutputStream};
pub use policy::{Layer, Limits, Network, Policy, Preset};
pub use proxy::RefusedHost;
pub use proxy::allow::check_host;
pub use proxy::relay::loopback_servers;
pub use refusal::{Error, Refusal};
pub use secret_files::SecretFiles;
pub use self_test::{Trial, self_test};
pub use stdio::{Pipes, Stdio};
pub use supervise::{Command, Ended, Heard, How, Watcher, run};
pub use survival::{Claim, Survival, says_the_end};
pub use tree::{KILL_MS_MAX, end_descendants, end_marked};
pub use trials::Ground;
pub use used::Used;
