//! What is true after every step, found from events and reads alone and by the pure rules.

use crate::fixture::Fixture;
use crate::fixture::snapshot::ALL;
use spalla_domain::approval::Status as Answer;
use spalla_domain::event::{Event, Fact};
use spalla_domain::problem::Code;
use spalla_domain::queue::edge::{self, Edge, Parent};
use spalla_domain::queue::{Broken, Entry, Finished, Holds, Place, rank};
use spalla_domain::run::Status as RunStatus;
use spalla_domain::work_item::Status;
use spalla_domain::{Fence, RunId, Timestamp, WorkItemId};
use spalla_store::Settings;
use spalla_store::view::{ApprovalView, Depths, EntryView, RunFilter, WorkItemFilter, WorkItemView};
use std::collections::{BTreeMap, BTreeSet};

/// What the events have told so far.
pub(super) struct Watch {
    settings: Settings,
    last_seq: i64,
    newest: BTreeMap<WorkItemId, Fence>,
    live: BTreeMap<WorkItemId, RunId>,
    claimed: BTreeMap<RunId, Fence>,
    ended: BTreeSet<RunId>,
    ends: BTreeMap<WorkItemId, Status>,
    failures: BTreeMap<WorkItemId, u32>,
}

impl Watch {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            last_seq: 0,
            newest: BTreeMap::new(),
            live: BTreeMap::new(),
            claimed: BTreeMap::new(),
            ended: BTreeSet::new(),
            ends: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Takes note of events, and checks that they follow from those before.
    pub(super) fn see(&mut self, events: &[Event], at: &str) {
        for event in events {
            assert_eq!(event.seq.0, self.last_seq + 1, "{at}");
            self.last_seq = event.seq.0;
            let Some(id) = event.work_item_id else { continue };
            self.see_item(id, &event.fact);
            if let Some(run) = event.run_id {
                self.see_run(id, run, &event.fact, &format!("{at}: {event:?}"));
            }
        }
    }

    fn see_item(&mut self, id: WorkItemId, fact: &Fact) {
        match fact {
            Fact::WorkItemFinished { status } => {
                self.ends.insert(id, *status);
            }
            Fact::WorkItemRequeued { .. } => {
                self.ends.remove(&id);
                self.failures.remove(&id);
            }
            Fact::RetryScheduled { failures, .. } => {
                self.failures.insert(id, *failures);
            }
            _ => {}
        }
    }

    fn see_run(&mut self, id: WorkItemId, run: RunId, fact: &Fact, at: &str) {
        assert!(!self.ended.contains(&run), "something happened to a run that was over: {at}");
        let newest = self.newest.get(&id).copied().unwrap_or(Fence::NONE);
        match fact {
            Fact::RunCreated { .. } => {
                assert_eq!(self.live.insert(id, run), None, "two runs of one item: {at}");
            }
            Fact::RunClaimed { fence, .. } => {
                let before = self.live.insert(id, run);
                assert!(before.is_none_or(|before| before == run), "two runs of one item: {at}");
                assert_eq!(*fence, newest.next(), "a token does not follow the one before: {at}");
                self.newest.insert(id, *fence);
                self.claimed.insert(run, *fence);
            }
            Fact::LeaseExpired { fence, .. } | Fact::RunHandedBack { fence } => {
                assert_eq!((self.claimed.get(&run), newest), (Some(fence), *fence), "{at}");
            }
            Fact::RunSucceeded { fence } | Fact::RunFailed { fence, .. } => {
                let claimed = self.claimed.get(&run).copied();
                assert!(
                    fence.is_none() || (*fence == claimed && claimed == Some(newest)),
                    "an older token: {at}"
                );
                self.end(id, run, at);
            }
            Fact::RunCancelled {} | Fact::RunLost { .. } => self.end(id, run, at),
            _ => {}
        }
    }

    fn end(&mut self, id: WorkItemId, run: RunId, at: &str) {
        assert_eq!(self.live.remove(&id), Some(run), "a run ended that was not live: {at}");
        assert!(self.ended.insert(run), "a run ended twice: {at}");
    }

    /// Checks what can be read against what the events told and against the pure rules.
    pub(super) async fn check(&self, f: &Fixture, at: &str) {
        let read = f.store.read();
        let archived = WorkItemFilter { status: Some(Status::Archived), ..WorkItemFilter::default() };
        let mut items = read.work_items(WorkItemFilter::default(), ALL).await.unwrap();
        items.extend(read.work_items(archived, ALL).await.unwrap());
        let items: BTreeMap<_, _> = items.into_iter().map(|view| (view.item.id, view)).collect();
        let approvals = read.approvals(None, false, ALL).await.unwrap();
        let queue: BTreeMap<_, _> =
            f.queue().await.into_iter().map(|entry| (entry.work_item_id, entry)).collect();
        for view in items.values() {
            self.check_item(view, queue.get(&view.item.id), at);
        }
        for entry in queue.values() {
            self.check_entry(entry, &items, &approvals, at);
        }
        let (pending, running) = self.check_runs(f, at).await;
        let count = |fits: fn(&EntryView) -> bool| queue.values().filter(|entry| fits(entry)).count() as u64;
        let depths = Depths {
            ready: count(|entry| entry.reason.is_none()),
            delayed: count(|entry| entry.reason == Some(Code::Delayed)),
            blocked: count(|entry| !matches!(entry.reason, None | Some(Code::Delayed))),
            pending,
            running,
        };
        assert_eq!(read.depths().await.unwrap(), depths, "{at}");
    }

    fn check_item(&self, view: &WorkItemView, entry: Option<&EntryView>, at: &str) {
        let id = view.item.id;
        let expected = match (self.live.contains_key(&id), self.ends.get(&id)) {
            _ if view.item.archived_at.is_some() => Status::Archived,
            (true, _) => Status::Running,
            (false, Some(end)) => *end,
            (false, None) => match entry.map(|entry| entry.reason) {
                Some(Some(
                    Code::DependencyFailed | Code::DependencyCancelled | Code::DependencySucceeded,
                )) => Status::Blocked,
                Some(_) => Status::Queued,
                None => Status::Open,
            },
        };
        assert_eq!(view.status, expected, "item {id}: {at}");
        assert_eq!(view.reason, entry.and_then(|entry| entry.reason), "item {id}: {at}");
        let waits = !self.live.contains_key(&id) && !self.ends.contains_key(&id);
        assert!(entry.is_none() || waits, "item {id} is over or runs and is in the queue: {at}");
    }

    fn check_entry(
        &self,
        entry: &EntryView,
        items: &BTreeMap<WorkItemId, WorkItemView>,
        approvals: &[ApprovalView],
        at: &str,
    ) {
        let view = &items[&entry.work_item_id];
        let edges: Vec<_> =
            view.depends_on.iter().map(|d| edge::state(d.when, self.parent_of(&items[&d.id]))).collect();
        let unmet = edges.iter().filter(|edge| **edge != Edge::Met).count();
        assert_eq!(entry.unmet as usize, unmet, "unmet dependencies of {entry:?}, {edges:?}: {at}");

        let asked = approvals.iter().filter(|asked| asked.approval.work_item_id == view.item.id);
        let answers: Vec<_> =
            asked.filter(|_| self.settings.require_approval).map(|a| a.approval.status).collect();
        let with = |answer| answers.iter().filter(|a| **a == answer).count();
        assert_eq!(
            entry.approvals as usize,
            with(Answer::Pending) + with(Answer::Rejected),
            "{entry:?}: {at}"
        );

        let broken: Vec<_> = edges
            .iter()
            .filter_map(|edge| if let Edge::Broken(code) = edge { Some(*code) } else { None })
            .collect();
        let reason = match entry.reason {
            Some(reason) if broken.contains(&reason) => Some(reason),
            _ if !broken.is_empty() => panic!("{entry:?} does not say that it is broken by {broken:?}: {at}"),
            _ if with(Answer::Rejected) > 0 => Some(Code::ApprovalRejected),
            _ if unmet > 0 => Some(Code::DependenciesUnmet),
            _ if with(Answer::Pending) > 0 => Some(Code::ApprovalPending),
            _ => entry.due_at.map(|_| Code::Delayed),
        };
        assert_eq!(entry.reason, reason, "{entry:?}: {at}");
        assert_eq!(entry.prio, self.prio(entry, view), "{entry:?}: {at}");
    }

    fn parent_of(&self, view: &WorkItemView) -> Parent {
        let place = match (self.ends.get(&view.item.id), view.status, view.reason) {
            (Some(status), ..) => Place::Finished(Finished { status: *status, at: Timestamp::from_ms(0) }),
            (None, Status::Blocked, Some(reason)) => {
                let broken = Some(Broken { reason, by: view.item.id });
                Place::Blocked(Holds { unmet: 1, broken, ..Holds::default() })
            }
            (None, ..) => Place::Open,
        };
        Parent::of(&place, view.item.spec.critical, view.item.archived_at.is_some())
    }

    fn prio(&self, view: &EntryView, item: &WorkItemView) -> i64 {
        let failures = self.failures.get(&view.work_item_id).copied().unwrap_or_default();
        let retries_left = item.item.policy.retries(self.settings.retry).retries_left(failures);
        let entry = Entry {
            id: view.id,
            work_item_id: view.work_item_id,
            priority: view.priority,
            moved: None,
            dependencies: item.depends_on.len() as u32,
            enqueued_at: view.enqueued_at,
        };
        rank::key(&entry, retries_left, item.item.spec.timeout_ms)
    }

    /// Checks the runs; returns how many are pending and how many are held.
    async fn check_runs(&self, f: &Fixture, at: &str) -> (u64, u64) {
        let (mut live, mut pending, mut running) = (BTreeMap::new(), 0, 0);
        for run in f.store.read().runs(RunFilter::default(), ALL).await.unwrap() {
            match run.status {
                RunStatus::Pending => pending += 1,
                RunStatus::Running => running += 1,
                _ => {
                    assert!(self.ended.contains(&run.id), "{run:?}: {at}");
                    continue;
                }
            }
            assert_eq!(live.insert(run.work_item_id, run.id), None, "two runs of one item: {at}");
            assert!(
                run.fence.is_none() || run.fence == self.newest.get(&run.work_item_id).copied(),
                "{run:?}: {at}"
            );
        }
        assert_eq!(live, self.live, "{at}");
        (pending, running)
    }
}
