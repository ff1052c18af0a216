//! What a run is told from outside while it goes on: to end, and why, or to hold.

use tokio::sync::watch;

/// Why a run ends before its work is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A person cancelled it.
    Cancelled,
    /// The worker goes; the run is handed back.
    Drained,
    /// What it writes can't be kept, for this reason.
    Broken(String),
    /// The lease is lost, for this reason: nothing that is sent would count.
    LeaseLost(String),
}

#[derive(Debug, Clone, Default)]
struct Wish {
    stop: Option<Stop>,
    pause: bool,
    is_confirmed: bool,
}

/// The end of the one who tells.
#[derive(Debug, Clone)]
pub(crate) struct ControlSender(watch::Sender<Wish>);

/// The end of the run.
#[derive(Debug, Clone)]
pub struct Control(watch::Receiver<Wish>);

/// Makes both ends for one run.
pub(crate) fn control() -> (ControlSender, Control) {
    let (sender, receiver) = watch::channel(Wish::default());
    (ControlSender(sender), Control(receiver))
}

impl ControlSender {
    /// Tells the run to end. The first reason counts, but for a lost lease: that one always does.
    pub(crate) fn stop(&self, stop: Stop) {
        self.0.send_if_modified(|wish| {
            let counts = wish.stop.is_none() || matches!(stop, Stop::LeaseLost(_));
            if counts {
                wish.stop = Some(stop);
            }
            counts
        });
    }

    /// Tells the run that its lease was extended.
    pub(crate) fn confirm(&self) {
        self.0.send_if_modified(|wish| !std::mem::replace(&mut wish.is_confirmed, true));
    }

    /// Tells the run to hold before its next step, or to go on.
    pub(crate) fn pause(&self, pause: bool) {
        self.0.send_if_modified(|wish| std::mem::replace(&mut wish.pause, pause) != pause);
    }
}

impl Control {
    /// Returns why the run has to end, if it has to.
    pub fn stop(&self) -> Option<Stop> {
        self.0.borrow().stop.clone()
    }

    /// Tells whether the run has to hold.
    pub fn is_paused(&self) -> bool {
        self.0.borrow().pause
    }

    /// Waits until the run has to end.
    pub async fn stopped(&self) -> Stop {
        let mut wishes = self.0.clone();
        let stop = match wishes.wait_for(|wish| wish.stop.is_some()).await {
            Ok(wish) => wish.stop.clone(),
            Err(_) => None,
        };
        match stop {
            Some(stop) => stop,
            // Nobody is left to tell; the run goes on to its own end.
            None => std::future::pending().await,
        }
    }

    /// Waits until the lease was extended once, or the run has to end.
    pub(crate) async fn confirmed(&self) {
        // Without anybody to tell there is nobody who could take the lease away either.
        let _ = self.0.clone().wait_for(|wish| wish.is_confirmed || wish.stop.is_some()).await;
    }

    /// Waits until the run may go on, or has to end.
    pub async fn released(&self) {
        // Without anybody to tell there is nobody who paused.
        let _ = self.0.clone().wait_for(|wish| !wish.pause || wish.stop.is_some()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_counts_but_for_a_lost_lease() {
        let (sender, control) = control();
        sender.stop(Stop::Cancelled);
        sender.stop(Stop::Drained);
        assert_eq!(control.stopped().await, Stop::Cancelled);
        sender.stop(Stop::LeaseLost("stale_token".into()));
        assert_eq!(control.stop(), Some(Stop::LeaseLost("stale_token".into())));
    }

    #[tokio::test]
    async fn a_run_that_holds_goes_on_when_it_is_released_or_stopped() {
        let (sender, control) = control();
        sender.pause(true);
        assert!(control.is_paused());
        let told = async {
            tokio::task::yield_now().await;
            sender.pause(false);
        };
        tokio::join!(control.released(), told);
        sender.pause(true);
        sender.stop(Stop::Cancelled);
        control.released().await;
    }
}
