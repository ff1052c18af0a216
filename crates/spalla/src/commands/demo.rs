//! `spalla demo`: takes a sample repository through build, test, package and an approved deploy, and then pursues a
//! goal, all with a real server and a real worker, in a folder of its own.

mod cloud;
mod sample;
mod seed;

use crate::app::{App, Listen, Wishes};
use crate::cli::{Global, absolute};
use crate::client::{Client, locate};
use crate::clock::stamp;
use crate::commands::block_on_all_cores;
use crate::config::{Config, Override, Settings, Sources};
use crate::control::{Control, NewItem, RunState};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::git;
use crate::output::{self, cell};
use crate::sessions::{self, Agents, Begun, Followed, Follower, Planned, Revision, Screen};
use crate::signals::Signals;
use clap::{Args, Subcommand};
use serde_json::json;
use spalla_domain::cloud::Cloud;
use spalla_domain::plan;
use spalla_domain::work_item::{Executor, Status};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Takes a sample repository through build, test, package and an approved deploy; with a word, shows something else.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    #[command(subcommand)]
    command: Option<DemoCommand>,
}

/// What else can be shown, with a server that runs already.
#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Makes a work item that asks for the keys of AWS, and prints the calls that answer it
    Aws(cloud::CloudDemo),
    /// Makes a work item that asks for the keys of Google Cloud, and prints the calls that answer it
    Gcp(cloud::CloudDemo),
    /// Makes a work item that asks for the keys of Azure, and prints the calls that answer it
    Azure(cloud::CloudDemo),
    /// Makes sample data: a project, work items that wait for each other, and an approval
    Seed(seed::Seed),
}

/// The goal that is pursued at the end.
const GOAL: &str = "Analyze the codebase structure";
/// How many lines of a failed run's log are shown again.
const TAIL: usize = 20;
/// What the demo prints.
const SCREEN: Screen = Screen::Person { is_quiet: false };

impl Demo {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self.command {
            Some(DemoCommand::Aws(args)) => args.run(global, Cloud::Aws),
            Some(DemoCommand::Gcp(args)) => args.run(global, Cloud::Gcp),
            Some(DemoCommand::Azure(args)) => args.run(global, Cloud::Azure),
            Some(DemoCommand::Seed(args)) => args.run(global),
            None => whole(global),
        }
    }
}

/// The whole way of a sample repository.
fn whole(global: &Global) -> Result<Exit> {
    let data = match global.data() {
        Some(data) => absolute(data)?,
        None => global.config(Vec::new())?.settings.data.join(format!("demo-{}", stamp())),
    };
    // The person's own settings stay out, so that the demo is the same everywhere.
    let flags = vec![Override { name: "data", flag: "--data", text: data.display().to_string() }];
    let config = Config::load(Sources { data_default: data, flags, ..Sources::default() })?;
    global.listen(&config, "warn")?;
    block_on_all_cores(show(&config.settings))
}

async fn show(settings: &Settings) -> Result<Exit> {
    let mut signals = Signals::listen()?;
    heading("A server with a worker, in a data folder of its own")?;
    output::line(format_args!("data folder: {}", settings.data.display()))?;
    let listen = Some(Listen::At(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
    let mut app = App::start(settings, Wishes { listen, worker: true, issues: false }).await?;
    app.announce()?;
    let engine = app.engine.clone();
    let shown = tokio::select! {
        shown = play(settings) => shown,
        name = signals.next() => Err(Failure::new(Exit::Interrupted, format!("{name}: the demo ends early"))),
        failure = app.broken() => Err(failure),
    };
    let exit = match shown {
        Ok(repository) => pursue(settings, Control::InProcess(engine), &repository, &mut signals).await,
        Err(failure) => Err(failure),
    };
    let is_interrupted = exit.as_ref().map_or_else(|failure| failure.exit, |exit| *exit) == Exit::Interrupted;
    app.stop(signals.wait_unless(is_interrupted)).await;
    let exit = exit?;
    farewell(settings)?;
    Ok(exit)
}

fn heading(text: &str) -> Result<()> {
    output::line(format_args!("\n== {text}"))
}

/// The four steps of the sample; returns the repository in which the goal is pursued afterwards.
async fn play(settings: &Settings) -> Result<PathBuf> {
    let client = Client::new(locate(settings, None)?)?;
    output::line(format_args!("server: {}", client.url()))?;

    heading("A sample repository")?;
    let repository = sample::unpack(&settings.data.join("demo"))?;
    git::commit_all(&repository, "A small application").await?;
    output::line(format_args!("repository: {}", repository.display()))?;

    heading("A project with four work items: build → test → package → deploy")?;
    let control = Control::Remote(client.clone());
    let items = plan_items(&control, &repository).await?;
    let deploy = items.last().map(|item| item.id).unwrap_or_default();
    let approval =
        client.post(&format!("/work-items/{deploy}/approvals"), &json!({"kind": "deploy"})).await?;
    let approval = cell(&approval["id"]);
    output::line(format_args!("the deploy waits for approval {approval}, which only a person gives"))?;
    for item in &items {
        control.enqueue(item.id).await?;
    }

    heading("The worker takes them as they become eligible")?;
    let mut follower = Follower::new(&control, &SCREEN, items);
    follower.follow().await?;
    check(&control, follower.items(), Status::Queued).await?;

    heading("Everything but the deploy is done; it waits for a person")?;
    output::line("a person would now say yes, by either of these:")?;
    let data = settings.data.display();
    output::line(format_args!("  spalla approve {approval} --data {data}"))?;
    output::line(format_args!(
        "  curl -X POST -H \"Authorization: Bearer $(spalla token show --data {data})\" {}/work-items/approvals/{approval}/approve",
        client.url()
    ))?;
    output::line("the demo says yes itself, by the same call:")?;
    let verdict = json!({"by": "demo", "note": "said by the demo itself"});
    client.post(&format!("/work-items/approvals/{approval}/approve"), &verdict).await?;
    follower.follow().await?;
    check(&control, follower.items(), Status::Succeeded).await?;
    timings(follower.items())?;
    Ok(repository)
}

async fn plan_items(control: &Control, repository: &Path) -> Result<Vec<Followed>> {
    let project_id = control.project("sample-app", &repository.display().to_string()).await?;
    let mut items: Vec<Followed> = Vec::new();
    for (title, recipe) in sample::RECIPES {
        let item = NewItem {
            recipe: Some(recipe.into()),
            depends_on: items.last().map(|before| before.id).into_iter().collect(),
            ..NewItem::new(project_id, title, Executor::Recipe)
        };
        let id = control.create(&item).await?;
        let after = items.last().map(|before| format!(", after {}", before.id)).unwrap_or_default();
        output::line(format_args!("work item {id}: {title}{after}"))?;
        items.push(Followed::new(id, title.into()));
    }
    Ok(items)
}

/// Sees that all items but the last succeeded and the last stands where it should; else shows the end of a log.
async fn check(control: &Control, items: &[Followed], last: Status) -> Result<()> {
    let expected = |index: usize| if index + 1 == items.len() { last } else { Status::Succeeded };
    let wrong = items.iter().enumerate().find(|(index, item)| item.status() != expected(*index));
    let Some((_, item)) = wrong else { return Ok(()) };
    if let Some(run) = &item.run {
        let log = control.log(run.id, item.lines().saturating_sub(TAIL)).await?;
        output::line(format_args!("the end of the log of run {}:", run.id))?;
        for line in &log {
            output::line(format_args!("  {}", output::plain(line)))?;
        }
    }
    Err(Failure::failed(format!("work item {} ({}) is {}", item.id, item.title, item.status().as_str())))
}

fn timings(items: &[Followed]) -> Result<()> {
    heading("All four succeeded")?;
    for item in items {
        let took =
            item.run.as_ref().and_then(RunState::duration_ms).map(sessions::seconds).unwrap_or_default();
        let run = item.run.as_ref().map(|run| run.id).unwrap_or_default();
        output::line(format_args!("  {:<8} run {run:<3} {took:>7}", item.title))?;
    }
    Ok(())
}

/// Pursues a goal in the repository around the current folder, or in the sample where there is none.
async fn pursue(settings: &Settings, control: Control, sample: &Path, signals: &mut Signals) -> Result<Exit> {
    heading(&format!("A goal in plain words: \"{GOAL}\""))?;
    let here = std::env::current_dir().unwrap_or_else(|_| sample.to_owned());
    let target = here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(sample);
    let plan = plan::heuristic(GOAL).map_err(|refusal| Failure::failed(refusal.detail))?;
    // The demo needs no account, whatever is installed.
    let agents = Agents::default();
    sessions::introduce(&SCREEN, target, &agents)?;
    let pieces = sessions::lay_out(&SCREEN, plan.items, &agents)?;
    let begun = Begun {
        settings,
        goal: GOAL,
        target,
        screen: SCREEN,
        revision: Revision::None,
        in_place: false,
        by_server: None,
    };
    let (pursuit, _) = begun.begin(Planned::Pieces(pieces), &agents).await?;
    pursuit.pursue(&control, signals).await
}

fn farewell(settings: &Settings) -> Result<()> {
    let data = settings.data.display();
    heading("Where everything is")?;
    output::line(format_args!("data:       {data}"))?;
    output::line(format_args!("sample:     {data}/demo"))?;
    output::line(format_args!("worktrees:  {data}/scratchpads"))?;
    output::line(format_args!("reports:    {data}/workspace"))?;
    output::line(format_args!("look at it: spalla up --data {data}"))?;
    output::line(
        "            then `spalla runs list`, `spalla logs 1` and `spalla item list` with the same --data",
    )
}
