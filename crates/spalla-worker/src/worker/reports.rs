//! Ends of runs that are not on the server yet: sent together, again when nobody answers, and one by one when the
//! server calls a batch wrong, so that one bad result does not hold up the others.

use spalla_domain::claim::{Completion, Heartbeat, RunError};
use spalla_domain::retry::ErrorClass;

/// How many ends are sent in one call.
const BATCH_MAX: usize = 100;

/// The ends that wait or are on their way.
#[derive(Debug, Default)]
pub(super) struct Reports {
    waiting: Vec<Report>,
    sent: Vec<Report>,
    singly: bool,
}

#[derive(Debug, Clone)]
struct Report {
    completion: Completion,
    /// The result was left out already, because the server did not take it.
    bare: bool,
}

impl Report {
    fn lease(&self) -> Heartbeat {
        let Completion { run_id, fencing_token, .. } = self.completion;
        Heartbeat { run_id, fencing_token }
    }
}

impl Reports {
    /// Adds the end of a run.
    pub(super) fn add(&mut self, completion: Completion) {
        self.waiting.push(Report { completion, bare: false });
    }

    /// Tells whether nothing waits and nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    /// Returns the next ends to send; none when nothing waits.
    pub(super) fn take(&mut self) -> Option<Vec<Completion>> {
        if self.waiting.is_empty() {
            return None;
        }
        let count = if self.singly { 1 } else { self.waiting.len().min(BATCH_MAX) };
        self.sent = self.waiting.drain(..count).collect();
        Some(self.sent.iter().map(|report| report.completion.clone()).collect())
    }

    /// What was sent is on the server, or refused for good. Returns whose ends these are.
    pub(super) fn arrived(&mut self) -> Vec<Heartbeat> {
        self.singly &= !self.waiting.is_empty();
        self.sent.drain(..).map(|report| report.lease()).collect()
    }

    /// Nobody answered: what was sent waits again, in front.
    pub(super) fn unanswered(&mut self) {
        self.waiting.splice(0..0, self.sent.drain(..));
    }

    /// The server called what was sent wrong. Returns the run that is given up, if one is.
    pub(super) fn rejected(&mut self, detail: &str) -> Option<Heartbeat> {
        if self.sent.len() != 1 {
            self.singly = true;
            self.unanswered();
            return None;
        }
        let report = self.sent.remove(0);
        if report.bare {
            return Some(report.lease());
        }
        let message = format!("the server did not accept how the run ended: {detail}");
        let completion = Completion {
            success: false,
            result: None,
            usage: None,
            error: Some(RunError::new(ErrorClass::System, message)),
            sandbox: None,
            ..report.completion
        };
        self.waiting.insert(0, Report { completion, bare: true });
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spalla_domain::{Fence, RunId};

    fn completion(run: i64) -> Completion {
        Completion {
            run_id: RunId(run),
            fencing_token: Fence(1),
            success: true,
            exit_code: Some(0),
            result: None,
            usage: None,
            error: None,
            sandbox: None,
        }
    }

    fn taken(reports: &mut Reports) -> Vec<(i64, bool)> {
        reports.take().unwrap_or_default().iter().map(|c| (c.run_id.0, c.success)).collect()
    }

    #[test]
    fn what_nobody_answered_is_sent_again_before_what_came_later() {
        let mut reports = Reports::default();
        reports.add(completion(1));
        reports.add(completion(2));
        assert_eq!(taken(&mut reports), [(1, true), (2, true)]);
        reports.add(completion(3));
        reports.unanswered();
        assert_eq!(taken(&mut reports), [(1, true), (2, true), (3, true)]);
        reports.arrived();
        assert!(reports.is_empty());
    }

    #[test]
    fn one_end_that_the_server_calls_wrong_does_not_hold_up_the_others() {
        let mut reports = Reports::default();
        for run in [1, 2] {
            reports.add(completion(run));
        }
        taken(&mut reports);
        assert_eq!(reports.rejected("too large"), None);
        assert_eq!(taken(&mut reports), [(1, true)]);
        assert_eq!(reports.rejected("too large"), None);
        assert_eq!(taken(&mut reports), [(1, false)], "without its result, as a failure");
        let given_up = Heartbeat { run_id: RunId(1), fencing_token: Fence(1) };
        assert_eq!(reports.rejected("still wrong"), Some(given_up));
        assert_eq!(taken(&mut reports), [(2, true)]);
        reports.arrived();
        assert!(reports.is_empty());
    }
}
