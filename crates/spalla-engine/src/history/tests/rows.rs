//! The rows of a real store beside its log: as they are, and with one thing changed.

use super::super::rows::Rows;
use super::super::{History, Law, Rules, check};
use spalla_domain::approval::{Approval, Kind, Status as Answer};
use spalla_domain::claim::ClaimRequest;
use spalla_domain::problem::Code;
use spalla_domain::project::NewProject;
use spalla_domain::run::Status as RunStatus;
use spalla_domain::work_item::{Dependency, Executor, NewWorkItem, Spec, Status, When};
use spalla_domain::{ApprovalId, Fence, ProjectId, RunId, Timestamp, WorkItemId, WorkerId};
use spalla_store::command::RunEnd;
use spalla_store::view::{EntryView, Page, QueueFilter, RunFilter, RunView, WorkItemFilter, WorkItemView};
use spalla_store::{Clock, Command, Location, Memory, Options, Randomness, Reply, Settings, Store};
use std::sync::Arc;

/// Time and chance that stand still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_ms(1_000_000)
    }
}

impl Randomness for Still {
    fn next(&self) -> u64 {
        7
    }
}

fn new_item(executor: Executor, depends_on: &[WorkItemId]) -> NewWorkItem {
    let spec = Spec { executor, ..Spec::new("an item") };
    let depends_on = depends_on.iter().map(|id| Dependency { id: *id, when: When::Success }).collect();
    NewWorkItem { project_id: ProjectId(1), spec, depends_on }
}

async fn make(store: &Store, executor: Executor, depends_on: &[WorkItemId]) -> WorkItemId {
    let items = vec![new_item(executor, depends_on).into()];
    match store.execute(Command::CreateWorkItems { items, enqueue: true }).await {
        Ok(Reply::WorkItems(ids)) => ids[0],
        other => panic!("{other:?}"),
    }
}

async fn ask(store: &Store, command: Command) {
    store.execute(command).await.unwrap();
}

fn end(run_id: RunId, fencing_token: Option<Fence>) -> Command {
    Command::Complete(RunEnd {
        run_id,
        fencing_token,
        success: true,
        exit_code: None,
        result: None,
        usage: None,
        error: None,
        sandbox: None,
    })
}

/// A store in which item 1 is done, 2 runs, 3 waits for 2, 4 waits for an approval, 5 for its time, and 6 is ready.
async fn store() -> Store {
    let options = Options {
        location: Location::Memory(Memory::default()),
        settings: Settings::default(),
        clock: Arc::new(Still),
        randomness: Arc::new(Still),
        gate: None,
    };
    let store = Store::open(options).await.unwrap();
    let project = NewProject { name: "p".into(), description: None, repository: None, limits: None };
    ask(&store, Command::CreateProject(project)).await;
    make(&store, Executor::Recipe, &[]).await;
    let second = make(&store, Executor::Recipe, &[]).await;
    let worker_id = WorkerId::new("w").unwrap();
    let claim = ClaimRequest {
        worker_id,
        max: 2,
        ttl_ms: 10_000,
        executors: vec![],
        labels: vec![],
        resources: None,
    };
    ask(&store, Command::Claim(claim)).await;
    ask(&store, end(RunId(1), Some(Fence(1)))).await;
    make(&store, Executor::Recipe, &[second]).await;
    let fourth = make(&store, Executor::Recipe, &[]).await;
    ask(
        &store,
        Command::RequestApproval { work_item_id: fourth, kind: Kind::Start, need: Default::default() },
    )
    .await;
    let fifth = make(&store, Executor::Recipe, &[]).await;
    let delay = Command::Enqueue { work_item_id: fifth, depends_on: None, priority: None, delay_ms: 5_000 };
    ask(&store, delay).await;
    make(&store, Executor::Recipe, &[]).await;
    store
}

/// Everything that a store shows.
struct Shown {
    items: Vec<WorkItemView>,
    runs: Vec<RunView>,
    entries: Vec<EntryView>,
    approvals: Vec<Approval>,
}

impl Shown {
    async fn by(store: &Store) -> Self {
        const ALL: Page = Page { limit: 100, before: None, offset: 0 };
        let read = store.read();
        let approvals = read.approvals(None, false, ALL).await.unwrap();
        Self {
            items: read.work_items(WorkItemFilter::default(), ALL).await.unwrap(),
            runs: read.runs(RunFilter::default(), ALL).await.unwrap(),
            entries: read.queue(QueueFilter::default(), ALL).await.unwrap(),
            approvals: approvals.into_iter().map(|view| view.approval).collect(),
        }
    }

    fn item(&mut self, id: i64) -> &mut WorkItemView {
        self.items.iter_mut().find(|view| view.item.id == WorkItemId(id)).unwrap()
    }

    fn run(&mut self, id: i64) -> &mut RunView {
        self.runs.iter_mut().find(|view| view.id == RunId(id)).unwrap()
    }

    fn entry(&mut self, id: i64) -> &mut EntryView {
        self.entries.iter_mut().find(|view| view.work_item_id == WorkItemId(id)).unwrap()
    }

    fn laws_broken_beside(&self, history: &mut History) -> Vec<Law> {
        let mut rows = Rows::new(history);
        self.items.iter().for_each(|view| rows.work_item(view));
        self.runs.iter().for_each(|view| rows.run(view));
        self.entries.iter().for_each(|view| rows.entry(view));
        self.approvals.iter().for_each(|approval| rows.approval(approval));
        rows.end().kept.into_iter().map(|violation| violation.law).collect()
    }
}

type Change = fn(&mut Shown);

/// What is changed, and the law that is broken by it.
const CHANGES: &[(&str, Law, Change)] = &[
    ("an item is lost", Law::ItemKept, |shown| shown.items.retain(|view| view.item.id != WorkItemId(1))),
    ("an item from nowhere", Law::ItemKept, |shown| {
        let mut view = shown.items[0].clone();
        view.item.id = WorkItemId(99);
        shown.items.push(view);
    }),
    ("done, and it runs", Law::ItemAsLogged, |shown| shown.item(1).status = Status::Running),
    ("stranded in another state", Law::ItemAsLogged, |shown| shown.item(6).status = Status::Blocked),
    ("another project's", Law::ItemAsLogged, |shown| shown.item(1).item.project_id = ProjectId(9)),
    ("critical no more", Law::ItemAsLogged, |shown| shown.item(1).item.spec.critical = false),
    ("an edge is lost", Law::ItemAsLogged, |shown| shown.item(3).depends_on.clear()),
    ("another edge", Law::ItemAsLogged, |shown| shown.item(3).depends_on[0].when = When::Done),
    ("a run is lost", Law::RunKept, |shown| shown.runs.retain(|view| view.id != RunId(1))),
    ("a run from nowhere", Law::RunKept, |shown| {
        let mut view = shown.runs[0].clone();
        view.id = RunId(99);
        shown.runs.push(view);
    }),
    ("succeeded, and cancelled", Law::RunAsLogged, |shown| shown.run(1).status = RunStatus::Cancelled),
    ("held by nobody", Law::RunAsLogged, |shown| shown.run(2).status = RunStatus::Pending),
    ("another item's", Law::RunAsLogged, |shown| shown.run(1).work_item_id = WorkItemId(2)),
    ("another attempt", Law::RunAsLogged, |shown| shown.run(2).attempt = 2),
    ("taken over", Law::RunAsLogged, |shown| shown.run(2).takeovers = 1),
    ("under another token", Law::RunAsLogged, |shown| shown.run(2).fence = Some(Fence(2))),
    ("ended under another token", Law::RunAsLogged, |shown| shown.run(1).fence = Some(Fence(2))),
    ("an entry is lost", Law::EntryKept, |shown| {
        shown.entries.retain(|view| view.work_item_id != WorkItemId(6))
    }),
    ("queued while it runs", Law::EntryKept, |shown| {
        let mut view = shown.entries[0].clone();
        view.work_item_id = WorkItemId(2);
        shown.entries.push(view);
    }),
    ("a lost decrement", Law::EntryAsLogged, |shown| shown.entry(3).unmet = 2),
    ("an approval too many", Law::EntryAsLogged, |shown| shown.entry(4).approvals = 2),
    ("another time", Law::EntryAsLogged, |shown| shown.entry(5).due_at = Some(Timestamp::from_ms(1))),
    ("ready for no reason", Law::EntryAsLogged, |shown| shown.entry(3).reason = None),
    ("held for no reason", Law::EntryAsLogged, |shown| shown.entry(6).reason = Some(Code::Delayed)),
    ("blocked for no reason", Law::EntryAsLogged, |shown| {
        shown.entry(3).reason = Some(Code::DependencyFailed)
    }),
    ("an approval is lost", Law::ApprovalKept, |shown| shown.approvals.clear()),
    ("an approval from nowhere", Law::ApprovalKept, |shown| {
        let mut approval = shown.approvals[0].clone();
        approval.id = ApprovalId(9);
        shown.approvals.push(approval);
    }),
    ("approved by nobody", Law::ApprovalAsLogged, |shown| shown.approvals[0].status = Answer::Approved),
    ("of another item", Law::ApprovalAsLogged, |shown| shown.approvals[0].work_item_id = WorkItemId(1)),
];

#[tokio::test]
async fn a_row_that_the_log_does_not_explain_breaks_its_law_and_no_other() {
    let store = store().await;
    let mut history = History::new(Rules::default());
    history.catch_up(store.read()).await.unwrap();
    assert_eq!(history.violations(), []);
    assert_eq!(Shown::by(&store).await.laws_broken_beside(&mut history), []);
    for (name, law, change) in CHANGES {
        let mut shown = Shown::by(&store).await;
        change(&mut shown);
        assert_eq!(shown.laws_broken_beside(&mut history), [*law], "{name}");
    }
}

#[tokio::test]
async fn what_still_waits_without_a_reason_has_not_drained() {
    let store = store().await;
    let report = check(store.read(), Rules::default(), false).await.unwrap();
    assert!(report.is_good() && report.rows_compared, "{report:?}");
    let report = check(store.read(), Rules::default(), true).await.unwrap();
    let waiting: Vec<_> = report.violations.iter().map(|v| (v.law, v.work_item_id.map(|id| id.0))).collect();
    assert_eq!(waiting, [2, 5, 6].map(|id| (Law::Drained, Some(id))));
    assert_eq!(
        report.violations[1].to_string(),
        "drained, work item 5: all has drained, and the item waits for its time alone"
    );
}
