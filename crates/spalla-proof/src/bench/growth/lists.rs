//! The first page of every list, with every filter, over a million rows.

use super::copies::{Copies, Mould};
use super::scenery::{self, AGENT, COMMON, RARE};
use super::{Arguments, Database};
use crate::bench::client::make_project;
use crate::bench::figure::Figures;
use anyhow::{Result, ensure};
use spalla_domain::problem::Code;
use spalla_domain::{EventSeq, ProjectId, RunId, WorkItemId, run, work_item};
use spalla_store::Read;
use spalla_store::view::{EventFilter, Page, QueueFilter, RunFilter, WorkItemFilter};
use std::time::{Duration, Instant};

/// A page as clients get it who do not say how long it should be.
const FIRST: Page = Page { limit: 50, before: None, offset: 0 };
/// How often a list is read, the first time not counted.
const READS: usize = 9;
/// Whoever takes longer is read once.
const SLOW: Duration = Duration::from_secs(1);

/// Makes the rows and reads the lists.
pub(super) async fn measure(arguments: &Arguments, figures: Figures) -> Result<()> {
    let database = Database::make(arguments.store).await?;
    let administrator = database.administrator();
    let node = database.node().await?;
    let small = scenery::make_small(&node.engine).await?;
    let large = make_project(&node.engine, "large").await?;
    let mould = Mould::begin(&administrator).await?;
    scenery::make_all(&node.engine, large).await?;
    node.stop().await;
    let count = (arguments.items / scenery::ITEMS).saturating_sub(1);
    mould.multiply(&administrator, Copies { count, events: true }).await?;
    let node = database.node().await?;
    let mut lists = Lists { read: node.engine.store().read(), figures, slowest: (0.0, String::new()) };
    let made = lists.read.count_work_items(WorkItemFilter::default()).await?;
    let (kinds, shown) = (scenery::ITEMS - 1, made.saturating_sub(1));
    ensure!(shown == (count + 1) * kinds, "the store sees {shown} of {} work items", (count + 1) * kinds);
    for (name, project) in [("", None), ("_of_large", Some(large)), ("_of_small", Some(small))] {
        lists.work_items(name, project).await?;
        lists.runs(name, project).await?;
        lists.queue(name, project).await?;
        lists.events(name, project).await?;
    }
    lists.others().await?;
    let (slowest, name) = &lists.slowest;
    eprintln!("growth: the slowest list is {name}");
    figures.print("list_slowest", *slowest, "ms");
    node.stop().await;
    Ok(())
}

/// Reads lists and prints how long each takes.
struct Lists<'a> {
    read: &'a dyn Read,
    figures: Figures,
    slowest: (f64, String),
}

impl Lists<'_> {
    async fn work_items(&mut self, of: &str, project_id: Option<ProjectId>) -> Result<()> {
        let read = self.read;
        let all = WorkItemFilter { project_id, ..WorkItemFilter::default() };
        let mut filters = vec![(String::new(), all.clone())];
        for status in work_item::Status::ALL {
            filters.push((
                format!("_{}", status.as_str()),
                WorkItemFilter { status: Some(status), ..all.clone() },
            ));
        }
        for (name, label) in [("common", COMMON), ("rare", RARE), ("absent", "absent")] {
            let label = Some(label.to_owned());
            filters.push((format!("_label_{name}"), WorkItemFilter { label, ..all.clone() }));
        }
        for (name, text) in [("common", "no-op"), ("rare", "the rare one"), ("absent", "nobody wrote this")] {
            let q = Some(text.to_owned());
            filters.push((format!("_search_{name}"), WorkItemFilter { q, ..all.clone() }));
        }
        for (name, filter) in filters {
            self.time(&format!("work_items{name}{of}"), async || {
                read.work_items(filter.clone(), FIRST).await.map(|page| page.len())
            })
            .await?;
        }
        Ok(())
    }

    async fn runs(&mut self, of: &str, project_id: Option<ProjectId>) -> Result<()> {
        let read = self.read;
        let all = RunFilter { project_id, ..RunFilter::default() };
        let mut filters = vec![(String::new(), all.clone())];
        for status in [
            run::Status::Pending,
            run::Status::Running,
            run::Status::Succeeded,
            run::Status::Failed,
            run::Status::Cancelled,
            run::Status::Lost,
        ] {
            filters
                .push((format!("_{}", status.as_str()), RunFilter { status: Some(status), ..all.clone() }));
        }
        for (name, agent) in [("common", AGENT), ("rare", RARE), ("absent", "absent")] {
            let agent = Some(agent.to_owned());
            filters.push((format!("_agent_{name}"), RunFilter { agent, ..all.clone() }));
        }
        for (name, filter) in filters {
            self.time(&format!("runs{name}{of}"), async || {
                read.runs(filter.clone(), FIRST).await.map(|page| page.len())
            })
            .await?;
        }
        Ok(())
    }

    async fn queue(&mut self, of: &str, project_id: Option<ProjectId>) -> Result<()> {
        let read = self.read;
        let reasons = [
            ("", None),
            ("_none", Some(None)),
            ("_delayed", Some(Some(Code::Delayed))),
            ("_approval_pending", Some(Some(Code::ApprovalPending))),
            ("_dependencies_unmet", Some(Some(Code::DependenciesUnmet))),
            ("_dependency_failed", Some(Some(Code::DependencyFailed))),
            ("_dependency_cancelled", Some(Some(Code::DependencyCancelled))),
        ];
        for (name, reason) in reasons {
            let filter = QueueFilter { project_id, reason };
            self.time(&format!("queue{name}{of}"), async || {
                read.queue(filter.clone(), FIRST).await.map(|page| page.len())
            })
            .await?;
        }
        Ok(())
    }

    async fn events(&mut self, of: &str, project_id: Option<ProjectId>) -> Result<()> {
        let read = self.read;
        let newest = read.newest_event().await?.0;
        for (name, after) in [("oldest", 0), ("middle", newest / 2), ("newest", newest.saturating_sub(50))] {
            let filter = EventFilter { project_id, after: Some(EventSeq(after)), ..EventFilter::default() };
            self.time(&format!("events_{name}{of}"), async || {
                read.events(filter.clone(), FIRST.limit).await.map(|page| page.len())
            })
            .await?;
        }
        Ok(())
    }

    async fn others(&mut self) -> Result<()> {
        let read = self.read;
        let item = WorkItemId(2);
        self.time("projects", async || read.projects(FIRST).await.map(|page| page.len())).await?;
        for (name, item, pending) in [
            ("approvals", None, false),
            ("approvals_pending", None, true),
            ("approvals_of_item", Some(item), false),
        ] {
            self.time(name, async || read.approvals(item, pending, FIRST).await.map(|page| page.len()))
                .await?;
        }
        let filter = RunFilter { work_item_id: Some(item), ..RunFilter::default() };
        self.time("runs_of_item", async || read.runs(filter.clone(), FIRST).await.map(|page| page.len()))
            .await?;
        let filter = EventFilter { run_id: Some(RunId(2)), ..EventFilter::default() };
        self.time("events_of_run", async || {
            read.events(filter.clone(), FIRST.limit).await.map(|page| page.len())
        })
        .await?;
        self.time("depths", async || read.depths().await.map(|_| 1)).await
    }

    /// Reads a list several times and prints the median.
    async fn time(&mut self, name: &str, read: impl AsyncFn() -> spalla_store::Result<usize>) -> Result<()> {
        let began = Instant::now();
        read().await?;
        let mut times = vec![began.elapsed()];
        if began.elapsed() < SLOW {
            times.clear();
            for _ in 0..READS {
                let began = Instant::now();
                read().await?;
                times.push(began.elapsed());
            }
        }
        times.sort();
        let middle = times[times.len() / 2].as_secs_f64() * 1_000.0;
        self.figures.print(&format!("list_{name}"), middle, "ms");
        if middle > self.slowest.0 {
            self.slowest = (middle, name.to_owned());
        }
        Ok(())
    }
}
