//! What the environment orders: where to die, and where to write down what was passed.

use crate::{AT_VARIABLE, TRACE_VARIABLE};
use rustix::process::{Signal, getpid, kill_process};
use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// How the names of the points of a supervisor begin.
const SUPERVISOR: &str = "supervisor.";

/// The orders of one process.
#[derive(Debug)]
pub(crate) struct Orders {
    death: Option<Death>,
    trace: Option<PathBuf>,
}

/// Where to die.
#[derive(Debug)]
struct Death {
    name: String,
    /// How many passages, or supervisors, are left until then; 0 once it has come.
    left: AtomicU64,
    witness: Option<PathBuf>,
}

impl Orders {
    /// Reads the variables; none where they order nothing. What is not understood is as good as not there: nothing a
    /// foreign environment holds may end a server.
    pub(crate) fn read(at: Option<OsString>, trace: Option<OsString>) -> Option<Self> {
        let death = at.as_ref().and_then(|at| Death::read(at.to_str()?));
        let trace = trace.filter(|path| !path.is_empty()).map(PathBuf::from);
        (death.is_some() || trace.is_some()).then_some(Self { death, trace })
    }

    /// Notes a passage, and dies where that is ordered.
    pub(crate) fn passed(&self, name: &str) {
        if let Some(path) = &self.trace
            && let Ok(mut file) = File::options().create(true).append(true).open(path)
        {
            // One write, so that the lines of several processes do not mix; a trace that is full is cut.
            let _ = file.write_all(format!("{name}\n").as_bytes());
        }
        if let Some(death) = &self.death
            && death.name == name
            && death.count() == 1
        {
            death.die();
        }
    }

    /// Returns what a supervisor that is about to be started gets of these orders.
    pub(crate) fn for_supervisor(&self) -> Vec<(&'static str, OsString)> {
        let trace = self.trace.iter().map(|path| (TRACE_VARIABLE, path.as_os_str().to_owned()));
        let death = self.death.iter().filter_map(|death| Some((AT_VARIABLE, death.for_supervisor()?)));
        trace.chain(death).collect()
    }
}

impl Death {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ':');
        let (name, nth, witness) = (parts.next()?, parts.next()?, parts.next());
        let left = nth.parse().ok().filter(|nth| *nth > 0)?;
        Some(Self { name: name.to_owned(), left: AtomicU64::new(left), witness: witness.map(PathBuf::from) })
    }

    /// Counts one down, and returns what was left before: 1 at the nth time, 0 after it.
    fn count(&self) -> u64 {
        let lower = |left: u64| Some(left.saturating_sub(1));
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, lower).unwrap_or(0)
    }

    fn for_supervisor(&self) -> Option<OsString> {
        if !self.name.starts_with(SUPERVISOR) {
            return None;
        }
        match (self.count(), &self.witness) {
            (0 | 1, Some(witness)) => {
                let mut order = OsString::from(format!("{}:1:", self.name));
                order.push(witness);
                Some(order)
            }
            (1, None) => Some(format!("{}:1", self.name).into()),
            _ => None,
        }
    }

    /// Ends the process as a kill from outside would: nothing is unwound, flushed or told.
    fn die(&self) {
        if let Some(witness) = &self.witness
            && File::create_new(witness).is_err()
        {
            return;
        }
        let _ = kill_process(getpid(), Signal::KILL);
        // Not reached, unless the system refuses the signal.
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::Orders;

    fn orders(at: &str) -> Option<Orders> {
        Orders::read(Some(at.into()), None)
    }

    fn handed_on(orders: &Orders) -> Vec<String> {
        let text = |(_, value): (_, std::ffi::OsString)| value.into_string().unwrap();
        orders.for_supervisor().into_iter().map(text).collect()
    }

    #[test]
    fn what_is_no_order_orders_nothing() {
        for text in ["", "a.b", "a.b:", "a.b:0", "a.b:-1", "a.b:x"] {
            assert!(orders(text).is_none(), "{text}");
        }
        assert!(orders("a.b:1").is_some());
        assert!(Orders::read(None, Some("".into())).is_none());
    }

    #[test]
    fn only_the_points_of_a_supervisor_are_handed_on_and_counted_by_supervisors() {
        assert!(handed_on(&orders("store.commit.before:1").unwrap()).is_empty());
        let second = orders("supervisor.spawn.before:2").unwrap();
        let turns: Vec<_> = (0..3).map(|_| handed_on(&second)).collect();
        assert_eq!(turns, [vec![], vec!["supervisor.spawn.before:1".to_owned()], vec![]]);
        let from_second = orders("supervisor.spawn.before:2:/w").unwrap();
        let turns: Vec<usize> = (0..3).map(|_| handed_on(&from_second).len()).collect();
        assert_eq!(turns, [0, 1, 1]);
    }
}
