//! An inside that stands before anybody knows whose it will be: namespaces of its own, a view of the system, a group of
//! processes, and an init that waits. It holds nothing of any run, serves one command, and goes with its supervisor.

use crate::cgroup::Cgroup;
use crate::identity::{Identity, Owner};
use crate::init::Inside;
use crate::mount_view::OwnerMaps;
use crate::plan::Plan;
use crate::policy::Network;
use crate::refusal::Error;
use crate::view::{Seen, View};
use crate::walls::{Run, Walls, is_called_for, open_outside, raise_descriptors};
use crate::watch::Signals;
use std::os::fd::BorrowedFd;

/// Whose files root's commands are shown most likely.
const ROOT: Owner = Owner { user: 0, group: 0 };

/// The inside, and what is kept ready outside.
pub(crate) struct Blank {
    identity: Identity,
    view: View,
    seen: Seen,
    maps: OwnerMaps,
    // Goes before the signals are this process's own again.
    run: Run,
    signals: Signals,
}

impl Blank {
    /// Puts it up. Only for a process of one thread, which becomes the supervisor.
    pub(crate) fn put_up() -> Result<Self, Error> {
        let (identity, view) = (Identity::of_this_process(), View::of_system());
        let (seen, mut maps) = (view.seen(), OwnerMaps::new(identity));
        raise_descriptors();
        let signals = Signals::hold()?;
        let parts = open_outside(&view, &mut maps)?;
        let inside = Inside {
            identity,
            has_own_network: true,
            wanted: None,
            first: View::of_system(),
            parts,
            entrances: Vec::new(),
            is_weighed: false,
        };
        let run = Run::bear(inside, Cgroup::create().ok())?;
        maps.foresee(ROOT);
        Ok(Self { identity, view, seen, maps, run, signals })
    }

    /// Waits until whoever started this process wants something; tells whether that was it.
    pub(crate) fn is_called_for(&self, by: BorrowedFd<'_>) -> bool {
        is_called_for(&self.run, &self.signals, by)
    }

    /// Makes it the walls of one command; gives the plan back where it has to be put up from the beginning.
    pub(crate) fn become_walls(mut self, plan: Plan) -> Result<Result<Walls, Error>, Box<Plan>> {
        let Some(missing) = self.missing(&plan) else { return Err(Box::new(plan)) };
        let Plan { policy, view, .. } = plan;
        let opened = open_outside(&missing, &mut self.maps);
        self.run.reap_later(&mut self.maps.helpers);
        let Self { identity, mut run, signals, .. } = self;
        let told = opened.and_then(|open| run.tell((policy.clone(), view), missing.links, open));
        Ok(told.map(|()| Walls { policy, identity, run, signals }))
    }

    /// Returns what a command sees besides what is shown already; none where this can't be its inside.
    fn missing(&self, plan: &Plan) -> Option<View> {
        let Plan { policy, view, .. } = plan;
        let group = self.run.cgroup.as_ref();
        let is_limited = match group {
            Some(group) => group.limit(&policy.limits).is_ok(),
            // Without a group there is no hard limit of the processor, which is said where walls are put up anew.
            None => policy.limits.cpu_percent.is_none(),
        };
        let is_same = is_limited && policy.network != Network::Open && self.view.seen() == self.seen;
        is_same.then(|| view.beyond(&self.view)).flatten()
    }
}
