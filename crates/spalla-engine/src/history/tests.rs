//! Minimal histories: good ones, and bad ones that each break one law.

mod bad;
mod good;
mod log;
mod rows;

use super::*;
use log::Log;

/// Reads a whole log; returns the laws it breaks.
fn broken(log: Log, rules: Rules) -> Vec<Law> {
    let mut history = History::new(rules);
    for event in &log.events {
        history.take(event);
    }
    history.settle();
    history.violations().iter().map(|violation| violation.law).collect()
}
