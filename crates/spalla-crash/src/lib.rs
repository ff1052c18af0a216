//! Named points at which the process can be killed, around every act that leaves something behind: a file written or
//! renamed, a transaction, a process born or reaped, a message sent. They are always compiled in; without an order in
//! the environment a passage is one relaxed load.
//!
//! ```text
//! SPALLA_CRASH_AT=<name>:<nth>            the process dies by SIGKILL at its nth passage
//! SPALLA_CRASH_AT=<name>:<nth>:<witness>  the same, but only for who can make the file: of several processes one dies
//! SPALLA_CRASH_TRACE=<file>               every passage is a line in the file
//! ```
//! The variables are read once, at the first passage. No child inherits them: the worker hands them to its
//! supervisors by name, see [`for_supervisor`], and what a supervisor starts has no variable that was not named.

mod order;

use order::Orders;
use std::ffi::OsString;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// The variable that names the point to die at.
pub const AT_VARIABLE: &str = "SPALLA_CRASH_AT";
/// The variable that names the file in which passages are written down.
pub const TRACE_VARIABLE: &str = "SPALLA_CRASH_TRACE";

/// A flag of its own beside the orders, so that a passage of a program without any costs no more than reading it.
static IS_ASLEEP: AtomicBool = AtomicBool::new(false);
static ORDERS: OnceLock<Option<Orders>> = OnceLock::new();

/// Passes a point. With an act it passes two, `<name>.before` and `<name>.after`, and gives what the act gives; an act
/// may await.
///
/// Each name stands once in the whole source: `cargo xtask tidy` says so where it does not, and lists them.
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::pass($name)
    };
    ($name:literal, $act:expr) => {{
        $crate::pass(::core::concat!($name, ".before"));
        let done = $act;
        $crate::pass(::core::concat!($name, ".after"));
        done
    }};
}

/// Passes the point of this name; [`crash_point`] is the way to it.
pub fn pass(name: &'static str) {
    if !IS_ASLEEP.load(Ordering::Relaxed) {
        look(name);
    }
}

/// Returns the variables that a supervisor is to have. Its own points begin with `supervisor.`, and for them the order
/// counts supervisors: the nth one dies at its first passage, or, where there is a witness, the first that passes of
/// those from the nth on.
pub fn for_supervisor() -> Vec<(&'static str, OsString)> {
    if IS_ASLEEP.load(Ordering::Relaxed) {
        return Vec::new();
    }
    orders().as_ref().map(Orders::for_supervisor).unwrap_or_default()
}

#[cold]
fn look(name: &str) {
    match orders() {
        Some(orders) => orders.passed(name),
        None => IS_ASLEEP.store(true, Ordering::Relaxed),
    }
}

fn orders() -> &'static Option<Orders> {
    ORDERS.get_or_init(|| Orders::read(std::env::var_os(AT_VARIABLE), std::env::var_os(TRACE_VARIABLE)))
}
