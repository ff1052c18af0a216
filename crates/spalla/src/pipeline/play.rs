//! Carries tasks out, one after another, until one fails; ends what they started.

use super::Task;
use super::lines::Lines;
use super::report::{End, Report, Status};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::signals::Signals;
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use spalla_domain::log::Stream;
use spalla_worker::sandbox::{CommandSpec, Sandbox, Walls};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// The shell that a command is a line for.
const SHELL: &str = "/bin/sh";
/// How long a command's processes have between the wish that they end and their end by force, in milliseconds.
const GRACE_MS: i64 = 10_000;

/// Where and how tasks are carried out.
#[derive(Debug)]
pub(crate) struct Place {
    /// The folder of the file.
    pub(crate) folder: PathBuf,
    /// The variables that every command gets.
    pub(crate) env: BTreeMap<String, String>,
    /// What starts the commands, and ends them.
    pub(crate) sandbox: Sandbox,
    /// Whether standard output is kept free for a report.
    pub(crate) to_stderr: bool,
    /// Whether only the commands themselves are heard.
    pub(crate) quiet: bool,
}

/// Carries the tasks out in their order. The report is there in any case; the failure says why it ended early.
pub(crate) async fn play(place: &Place, tasks: &[&Task], signals: Signals) -> (Report, Option<Failure>) {
    let (services, report) = (FuturesUnordered::new(), Report::new(tasks));
    let mut stage = Stage { place, signals, services, open: Vec::new(), report };
    let failure = stage.all(tasks).await.err();
    let later = stage.close().await;
    let failure = failure.or(later);
    stage.report.exit_code = failure.as_ref().map_or(Exit::Done, |failure| failure.exit).code();
    (stage.report, failure)
}

/// What runs, and what came of it.
struct Stage<'a> {
    place: &'a Place,
    signals: Signals,
    services: FuturesUnordered<LocalBoxFuture<'a, ServiceEnd>>,
    /// The services that go on, each with the wish that ends it, in the order of their beginning.
    open: Vec<(usize, CancellationToken)>,
    report: Report,
}

/// How a service ended.
struct ServiceEnd {
    index: usize,
    began: Instant,
    end: Result<End>,
}

impl<'a> Stage<'a> {
    async fn all(&mut self, tasks: &[&'a Task]) -> Result<()> {
        for (index, task) in tasks.iter().enumerate() {
            self.place.announce(task);
            if task.service {
                self.serve(index, task).await?;
            } else {
                self.work(index, task).await?;
            }
        }
        // Services alone are there for themselves.
        let only_services = tasks.iter().all(|task| task.service);
        if only_services { self.until_services_end().await } else { Ok(()) }
    }

    async fn work(&mut self, index: usize, task: &Task) -> Result<()> {
        let (stop, began, place) = (CancellationToken::new(), Instant::now(), self.place);
        let hear = |stream, bytes: &[u8]| place.hand_on(stream, bytes);
        let mut work = pin!(place.carry_out(task, &hear, &stop));
        let (end, broken) = match self.beside_services(work.as_mut()).await {
            Ok(end) => (end, None),
            Err(broken) => {
                stop.cancel();
                (work.await, Some(broken))
            }
        };
        let failure = self.ended(index, end, began);
        if broken.as_ref().is_some_and(|broken| broken.exit == Exit::Interrupted) {
            self.report.tasks[index].status = Status::Interrupted;
        }
        broken.or(failure).map_or(Ok(()), Err)
    }

    /// Starts a service and waits until it is ready.
    async fn serve(&mut self, index: usize, task: &'a Task) -> Result<()> {
        let (stop, ready, began) = (CancellationToken::new(), CancellationToken::new(), Instant::now());
        let life = service(self.place, task, stop.clone(), ready.clone());
        self.services.push(Box::pin(async move { ServiceEnd { index, began, end: life.await } }));
        self.open.push((index, stop));
        self.report.tasks[index].status = Status::Running;
        if task.ready.is_none() {
            return Ok(());
        }
        let limit = task.timeout_ms.map_or(Duration::MAX, |ms| Duration::from_millis(ms.unsigned_abs()));
        let in_time = pin!(tokio::time::timeout(limit, ready.cancelled()));
        if self.beside_services(in_time).await?.is_err() {
            self.report.tasks[index].status = Status::TimedOut;
            return Err(Failure::new(
                Exit::TimedOut,
                format!("task {}: it was not ready in time", task.name),
            ));
        }
        Ok(())
    }

    /// Waits for some work while services run. A signal or a service that fails comes first; the work is then left as
    /// it is.
    async fn beside_services<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>) -> Result<T> {
        loop {
            tokio::select! {
                biased;
                name = self.signals.next() => return Err(interrupted(name)),
                Some(ended) = self.services.next() => self.service_ended(ended)?,
                done = &mut work => return Ok(done),
            }
        }
    }

    async fn until_services_end(&mut self) -> Result<()> {
        while !self.open.is_empty() {
            tokio::select! {
                name = self.signals.next() => return Err(interrupted(name)),
                Some(ended) = self.services.next() => self.service_ended(ended)?,
            }
        }
        Ok(())
    }

    /// Ends the services, the last one first, and waits until they are gone.
    async fn close(&mut self) -> Option<Failure> {
        let mut failure = None;
        while let Some((_, stop)) = self.open.last() {
            stop.cancel();
            let Some(ended) = self.services.next().await else { break };
            failure = failure.or(self.service_ended(ended).err());
        }
        failure
    }

    fn service_ended(&mut self, service: ServiceEnd) -> Result<()> {
        self.open.retain(|(index, _)| *index != service.index);
        self.ended(service.index, service.end, service.began).map_or(Ok(()), Err)
    }

    fn ended(&mut self, index: usize, end: Result<End>, began: Instant) -> Option<Failure> {
        let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match end {
            Ok(end) => self.report.ended(index, &end, duration_ms),
            Err(failure) => {
                self.report.tasks[index].status = Status::Failed;
                Some(failure)
            }
        }
    }
}

fn interrupted(signal: &str) -> Failure {
    Failure::new(Exit::Interrupted, format!("{signal}: what ran has been ended"))
}

/// The life of a service: its lines are printed whole, with its name, and one of them says that it is ready. One that
/// ends well before had nothing to do.
async fn service(
    place: &Place,
    task: &Task,
    stop: CancellationToken,
    ready: CancellationToken,
) -> Result<End> {
    let (stdout, stderr) = (RefCell::new(Lines::default()), RefCell::new(Lines::default()));
    let hear_line = |stream: Stream, line: &str| {
        place.hand_on(stream, format!("{} | {line}\n", task.name).as_bytes());
        if task.ready.as_ref().is_some_and(|beginning| line.starts_with(beginning.as_str())) {
            ready.cancel();
        }
    };
    let hear = |stream: Stream, bytes: &[u8]| {
        let lines = if stream == Stream::Stderr { &stderr } else { &stdout };
        lines.borrow_mut().take(bytes, |line| hear_line(stream, line));
    };
    let end = place.carry_out(task, &hear, &stop).await;
    stdout.borrow_mut().rest(|line| hear_line(Stream::Stdout, line));
    stderr.borrow_mut().rest(|line| hear_line(Stream::Stderr, line));
    if matches!(end, Ok(End::Well)) {
        ready.cancel();
    }
    end
}

impl Place {
    /// Gives the shell one command after another until one fails.
    async fn carry_out(
        &self,
        task: &Task,
        hear: &impl Fn(Stream, &[u8]),
        stop: &CancellationToken,
    ) -> Result<End> {
        let began = Instant::now();
        let limit_ms = task.timeout_ms.filter(|_| !task.service);
        for command in &task.commands {
            if stop.is_cancelled() {
                return Ok(End::Stopped);
            }
            self.say(format_args!("{}", output::quiet(format_args!("$ {}", command.trim_end()))));
            let spent_ms = i64::try_from(began.elapsed().as_millis()).unwrap_or(i64::MAX);
            let spec = self.spec(task, command, limit_ms.map(|limit| (limit - spent_ms).max(1)));
            let ended = self.sandbox.relay(spec, hear, stop.cancelled()).await;
            let ended = ended.map_err(|error| Failure::usage(format!("task {}: {error}", task.name)))?;
            if ended.leftovers > 0 && !ended.stopped && !ended.timed_out {
                let left = ended.leftovers;
                tracing::warn!(
                    "task {}: what `{command}` left running was ended (processes: {left})",
                    task.name
                );
            }
            match ended.how.code() {
                _ if ended.timed_out => return Ok(End::Late { command: command.clone() }),
                _ if ended.stopped => return Ok(End::Stopped),
                Some(0) => {}
                code => return Ok(End::Badly { command: command.clone(), code: code.unwrap_or(-1) }),
            }
        }
        Ok(End::Well)
    }

    fn spec(&self, task: &Task, command: &str, timeout_ms: Option<i64>) -> CommandSpec {
        let cwd = task.cwd.as_ref().map_or_else(|| self.folder.clone(), |cwd| self.folder.join(cwd));
        let mut env = self.env.clone();
        env.insert("PWD".into(), cwd.to_string_lossy().into_owned());
        env.extend(task.env.clone());
        CommandSpec {
            label: format!("task {}", task.name),
            program: SHELL.into(),
            args: vec!["-c".into(), command.to_owned()],
            cwd,
            env,
            stdin: Vec::new(),
            timeout_ms,
            grace_ms: GRACE_MS,
            // The commands are those of the person who called, and work where they work.
            walls: Walls::None,
        }
    }

    /// Says which task runs.
    fn announce(&self, task: &Task) {
        let colon = if task.description.is_empty() { "" } else { ": " };
        self.say(format_args!("== {}{colon}{}", task.name, task.description));
    }

    fn say(&self, line: impl std::fmt::Display) {
        if !self.quiet {
            self.hand_on(Stream::Stdout, format!("{line}\n").as_bytes());
        }
    }

    /// Prints what a command wrote. A reader that is gone stops no task.
    fn hand_on(&self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stderr || self.to_stderr {
            let mut stderr = anstream::stderr();
            let _ = print(&mut stderr, bytes);
        } else {
            let mut stdout = anstream::stdout();
            let _ = print(&mut stdout, bytes);
        }
    }
}

fn print(out: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    std::io::copy(&mut &*bytes, out)?;
    out.flush()
}
