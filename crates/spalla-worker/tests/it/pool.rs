//! Processes of agents that serve one run after another: those of one project alone, and only where nothing of the turn before
//! is left.

use crate::agents::{TALKER, agent, library, program, repository};
use crate::fake::Wanted;
use crate::site::{Site, Working};
use crate::tools::{processes_with, until};
use spalla_domain::ProjectId;
use spalla_domain::agent_pool::PoolState;
use spalla_domain::log::Stream;
use spalla_worker::{Options, PoolBoard};
use std::path::PathBuf;
use std::sync::Arc;

/// A worker whose agent is spoken with.
struct House {
    site: Site,
    repository: PathBuf,
    program: String,
    board: PoolBoard,
    worker: Working,
}

impl House {
    fn new(script: &str, change: impl FnOnce(&mut Options)) -> Self {
        let site = Site::new();
        let repository = repository(&site);
        let program = program(&site, "talker", script);
        let adapter = format!(
            "name = 'mine'\ntitle = 'Mine'\nprogram = '{program}'\ninstall = 'write it'\noutput = 'acp'\nprompt = 'dialogue'\n"
        );
        let (adapters, board) = (library(&[adapter]).definitions(), PoolBoard::default());
        let worker = site.start_with(|options| {
            options.adapters = Arc::new(adapters);
            options.pool_board = board.clone();
            change(options);
        });
        Self { site, repository, program, board, worker }
    }

    /// Lets the agent work on an item of a project; tells whether a process did it that was there before.
    async fn is_reused(&self, item: i64, project: i64) -> bool {
        let run = self.site.fake.add(Wanted { item, project, ..agent("mine", &self.repository) });
        let completion = self.site.fake.ended(run).await;
        let lines = self.site.fake.lines(run, Stream::Stdout);
        assert!(completion.success, "{completion:?} {lines:?}");
        lines.iter().any(|line| line == "[status] Mine begins with a process that was there")
    }

    fn state(&self, project: i64) -> PoolState {
        let states = self.board.states();
        states
            .into_iter()
            .find(|state| state.project_id == ProjectId(project))
            .expect("a process of the project")
    }
}

#[tokio::test]
async fn a_process_that_took_its_turn_well_serves_the_next_run_of_its_project_and_of_no_other() {
    let mut house = House::new(TALKER, |_| {});
    let reused = [(1, 1), (2, 1), (3, 2), (4, 1)];
    let mut all = Vec::new();
    for (item, project) in reused {
        all.push(house.is_reused(item, project).await);
    }
    assert_eq!(all, [false, true, false, true]);
    let state = house.state(1);
    assert_eq!((state.started, state.tasks, state.reused, state.faults), (1, 3, 2, 0), "{state:?}");
    assert_eq!((house.state(2).started, house.state(2).reused), (1, 0));
    assert!(!processes_with(&house.program).is_empty());
    house.worker.stop().await;
    assert_eq!(processes_with(&house.program), [0; 0]);
    assert_eq!(house.state(1).idle, 0);
    let left = std::fs::read_dir(house.site.data().join("pool")).map(|entries| entries.count());
    assert_eq!(left.unwrap_or_default(), 0);
}

#[tokio::test]
async fn a_process_of_which_something_is_left_serves_nobody_else() {
    let leaves = TALKER.replace("echo changed >file", "echo changed >file; (sleep 600 >/dev/null 2>&1 &)");
    let mut house = House::new(&leaves, |_| {});
    assert!(!house.is_reused(1, 1).await && !house.is_reused(2, 1).await);
    assert_eq!((house.state(1).started, house.state(1).retired), (2, 2));
    house.worker.stop().await;
}

#[tokio::test]
async fn a_process_serves_one_run_where_reuse_is_off_and_no_more_than_it_may() {
    let mut off = House::new(TALKER, |options| options.pool.without = ["mine".into()].into());
    assert!(!off.is_reused(1, 1).await && !off.is_reused(2, 1).await);
    assert_eq!(off.board.states(), []);
    off.worker.stop().await;
    let mut none = House::new(TALKER, |options| options.pool.size = 0);
    assert!(!none.is_reused(1, 1).await && !none.is_reused(2, 1).await);
    none.worker.stop().await;
    let mut two = House::new(TALKER, |options| options.pool.tasks_max = 2);
    assert!(!two.is_reused(1, 1).await && two.is_reused(2, 1).await && !two.is_reused(3, 1).await);
    assert_eq!((two.state(1).started, two.state(1).retired), (2, 1));
    two.worker.stop().await;
}

#[tokio::test]
async fn a_process_that_dies_while_it_waits_is_counted_as_a_fault_and_waits_no_more() {
    let mut house = House::new(TALKER, |_| {});
    assert!(!house.is_reused(1, 1).await);
    until("the process waits", || (house.state(1).idle == 1).then_some(())).await;
    for id in processes_with(&house.program) {
        let id = rustix::process::Pid::from_raw(id).unwrap();
        let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
    }
    until("it waits no more", || (house.state(1).idle == 0).then_some(())).await;
    assert_eq!((house.state(1).faults, house.state(1).retired), (1, 1));
    assert!(!house.is_reused(2, 1).await);
    house.worker.stop().await;
}
