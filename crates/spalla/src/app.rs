//! The wiring of one server: data folder, store, engine, HTTP server and embedded worker, started in that order and
//! ended in the other.

mod listening;
mod wishes;

pub(crate) use wishes::{Listen, Wishes};

use crate::clock::{SystemClock, SystemRandomness, random_hex};
use crate::config::{Auth, Settings, location, without_password};
use crate::control::Control;
use crate::data_folder::{DataFolder, Owned, ServerFile};
use crate::definitions::Watching;
use crate::embedded::Embedded;
use crate::escapes;
use crate::failure::{Failure, Result};
use crate::github::{Watch, watch};
use crate::masked::Masked;
use crate::no_core;
use crate::routing::{Serving, follow_standing};
use crate::secret_key;
use crate::sessions::Host;
use crate::signals::Signals;
use crate::supervisor::{Part, Steps, Supervisor};
use crate::worker_options::allowed;
use listening::Secrets;
use spalla_domain::approval_policy::Policy;
use spalla_domain::concurrency::Limits;
use spalla_domain::recovery::Rules;
use spalla_domain::retry::RetryPolicy;
use spalla_engine::{Engine, EngineHandle};
use spalla_server::{Artifacts, GitHubHook, Server, Vault};
use spalla_store::{Clock, Command, Store, StoreError};
use spalla_worker::{Coordinator, Worker};
use std::sync::Arc;
use std::time::Duration;

/// A running server.
pub(crate) struct App {
    /// The way in for the process itself.
    pub(crate) engine: EngineHandle,
    /// Where it listens; none where it does not.
    pub(crate) url: Option<String>,
    /// The link that lets one browser in, once.
    pub(crate) start_link: Option<String>,
    /// Its sessions.
    pub(crate) sessions: Host,
    /// The agents' definitions.
    serving: Arc<Serving>,
    /// What is to be watched on GitHub, until somebody does.
    watch: Option<Watch>,
    hook: Option<GitHubHook>,
    vault: Vault,
    folder: Owned,
    running: Engine,
    supervisor: Supervisor,
    grace: Duration,
}

impl App {
    /// Starts everything. When this fails, nothing is left behind.
    pub(crate) async fn start(settings: &Settings, wishes: Wishes) -> Result<Self> {
        no_core::leave_none();
        // Whatever is made from here on is for its owner alone.
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
        wishes.check(settings)?;
        let folder = DataFolder::at(&settings.data).own()?;
        let token = match settings.server_token.as_str() {
            "" => folder.make_token()?,
            given => folder.adopt_token(given)?,
        };
        let serving = Arc::new(Serving::open(settings)?);
        // A key that can't be used is said before anything is encrypted, not when it is needed.
        let keys = secret_key::key_ring(&folder, secret_key::Wanted::of(settings))?;
        let store = open_store(settings).await?;
        let vault = Vault::new(keys, store.clone(), Arc::new(SystemClock), Arc::new(SystemRandomness));
        let engine_options = spalla_engine::Options {
            clock: Arc::new(SystemClock),
            background_interval: seconds(settings.background_interval_seconds),
        };
        let (engine, running) = Engine::start(store, engine_options);
        let mut app = Self {
            sessions: Host::new(settings, Control::InProcess(engine.clone()), Arc::clone(&serving)),
            serving,
            engine,
            watch: None,
            hook: None,
            vault,
            url: None,
            start_link: None,
            folder,
            running,
            supervisor: Supervisor::default(),
            grace: Duration::from_secs_f64(settings.shutdown_grace_seconds),
        };
        match app.start_parts(settings, &wishes, token).await {
            Ok(()) => Ok(app),
            Err(failure) => {
                app.stop(std::future::ready(())).await;
                Err(failure)
            }
        }
    }

    async fn start_parts(&mut self, settings: &Settings, wishes: &Wishes, token: String) -> Result<()> {
        let worker_id = self.folder.worker_id()?;
        // A worker of an earlier process of this folder is gone: the lock says so. Its runs need not wait, but for those
        // that are carried on here.
        let but =
            if wishes.worker { spalla_worker::runs_left_behind(self.folder.path()) } else { Vec::new() };
        let forget = Command::ForgetWorker { worker: worker_id.clone(), but };
        self.engine
            .execute(forget)
            .await
            .map_err(|error| Failure::failed(format!("ending old leases: {error}")))?;
        if wishes.issues
            && let Some((watch, hook)) = Watch::of(settings)?
        {
            (self.watch, self.hook) = (Some(watch), hook);
        }
        if let Some(listen) = wishes.listen {
            wishes.check_users(settings, self.engine.store()).await?;
            let code = (settings.auth == Auth::Token).then(|| random_hex(2));
            let secrets = Secrets { token, code };
            let server = listening::bind(settings, listen, self, &secrets).await?;
            self.serve(server, secrets.code.as_deref());
            self.watch_agents(settings);
            self.watch_promises(settings)?;
        }
        self.send_traces(settings)?;
        if wishes.worker {
            let mut options = crate::worker_options::embedded(settings, &self.folder, worker_id)?;
            options.pool_board = self.sessions.pool_board();
            let coordinator = Arc::new(Masked {
                embedded: Embedded(self.engine.clone()),
                vault: self.vault.clone(),
                artifacts: Artifacts::new(self.engine.clone(), self.vault.clone()),
                // Where everybody is let in, an agent would be let in as everybody.
                url: self.url.as_deref().filter(|_| settings.auth == Auth::Token).map(reached_from_here),
            });
            self.supervisor
                .start(Part::Worker, work(settings, options, coordinator, self.supervisor.steps())?);
        }
        Ok(())
    }

    fn watch_agents(&mut self, settings: &Settings) {
        let watching = Watching {
            serving: Arc::clone(&self.serving),
            engine: self.engine.clone(),
            clock: Arc::new(SystemClock),
            every: seconds(settings.agents.watch_seconds),
        };
        let leave = self.supervisor.steps().leave;
        self.supervisor.start(Part::Agents, watching.follow(leave));
    }

    /// Lets the router know whose runs break what is promised, where anything is.
    fn watch_promises(&mut self, settings: &Settings) -> Result<()> {
        let slos = settings.slos()?;
        if !slos.is_empty() {
            let records: (Store, Arc<dyn Clock>) = (self.engine.store().clone(), Arc::new(SystemClock));
            let leave = self.supervisor.steps().leave;
            let following = follow_standing(Arc::clone(&self.serving), records, slos, leave);
            self.supervisor.start(Part::Promises, following);
        }
        Ok(())
    }

    #[cfg(feature = "otlp")]
    fn send_traces(&mut self, settings: &Settings) -> Result<()> {
        if settings.otlp_endpoint.is_empty() {
            return Ok(());
        }
        let traces = crate::otlp::Traces::to(&settings.otlp_endpoint)?;
        let (store, leave) = (self.engine.store().clone(), self.supervisor.steps().leave);
        self.supervisor.start(Part::Traces, traces.follow(store, leave));
        Ok(())
    }

    #[cfg(not(feature = "otlp"))]
    fn send_traces(&self, settings: &Settings) -> Result<()> {
        if !settings.otlp_endpoint.is_empty() {
            tracing::warn!("this program was built without the feature otlp: otlp_endpoint has no effect");
        }
        Ok(())
    }

    fn serve(&mut self, server: Server, code: Option<&str>) {
        let url = format!("http://{}", server.local_addr());
        self.start_link = code.map(|code| format!("{url}/?code={code}"));
        self.url = Some(url);
        let leave = self.supervisor.steps().leave;
        self.supervisor.start(Part::Server, async move {
            server.serve(leave).await;
            Ok(())
        });
    }

    /// Goes on with the sessions of an earlier server of this data folder, and watches the issues that the settings name.
    pub(crate) fn pursue_sessions(&mut self) {
        self.sessions.go_on();
        if let Some(wanted) = self.watch.take() {
            let leave = self.supervisor.steps().drain;
            self.supervisor.start(Part::Issues, watch(wanted, self.sessions.clone(), leave));
        }
    }

    /// Lets commands of the same data folder find the server.
    pub(crate) fn announce(&self) -> Result<()> {
        let Some(url) = self.url.clone() else { return Ok(()) };
        self.folder.announce(&ServerFile { url, pid: std::process::id(), started_at: SystemClock.now() })
    }

    /// Waits until a part ends that nobody asked to end, and returns why. Never returns while all goes well.
    pub(crate) async fn broken(&mut self) -> Failure {
        self.supervisor.broken().await
    }

    /// Works until a signal comes or a part breaks, and then ends everything.
    pub(crate) async fn run(mut self, mut signals: Signals) -> Result<()> {
        let ended = tokio::select! {
            name = signals.next() => {
                tracing::info!("{name}: claiming no more, letting runs end");
                Ok(())
            }
            failure = self.broken() => Err(failure),
        };
        self.stop(signals.wait()).await;
        ended
    }

    /// Ends everything in three steps; when `hurry` is done, runs are handed back at once.
    pub(crate) async fn stop(self, hurry: impl Future<Output = ()>) {
        self.folder.withdraw();
        self.sessions.stop().await;
        self.supervisor.stop(self.grace, hurry).await;
        self.running.stop().await;
        self.engine.store().close().await;
    }
}

/// Returns where a server that listens everywhere is on this machine.
fn reached_from_here(url: &str) -> String {
    url.replacen("//0.0.0.0:", "//127.0.0.1:", 1).replacen("//[::]:", "//[::1]:", 1)
}

/// Makes the task that runs a worker and tells it the steps of the shutdown.
pub(crate) fn work(
    settings: &Settings,
    options: spalla_worker::Options,
    coordinator: Arc<dyn Coordinator>,
    steps: Steps,
) -> Result<impl Future<Output = Result<()>> + Send + 'static> {
    let failed = |error: spalla_worker::Error| Failure::usage(error.to_string());
    let distrust = Arc::clone(&options.distrust);
    let (worker, handle) = Worker::new(options, coordinator).map_err(failed)?;
    let settings = settings.clone();
    Ok(async move {
        let worker = async {
            if let Some(why) = escapes::distrust(&settings).await {
                let _ = distrust.set(why);
            }
            worker.run().await
        };
        let tell = async {
            steps.drain.cancelled().await;
            handle.drain();
            steps.cancel.cancelled().await;
            handle.stop();
            std::future::pending().await
        };
        tokio::select! {
            ended = worker => ended.map_err(failed),
            never = tell => never,
        }
    })
}

/// Opens the database that the settings name.
pub(crate) async fn open_store(settings: &Settings) -> Result<Store> {
    let location = location(&settings.database, &settings.data)?;
    let options = spalla_store::Options {
        location,
        settings: store_settings(settings)?,
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        gate: None,
    };
    Store::open(options).await.map_err(|error| unusable(&error, settings))
}

fn store_settings(settings: &Settings) -> Result<spalla_store::Settings> {
    let jitter = match settings.backoff_jitter_seconds {
        half if half < 0.0 => settings.backoff_base_seconds / 2.0,
        jitter => jitter,
    };
    let ms = |seconds: f64| (seconds * 1e3).round() as i64;
    let limit = |limit: u32| (limit > 0).then_some(limit);
    Ok(spalla_store::Settings {
        retry: RetryPolicy {
            max_retries: settings.max_retries,
            backoff_base_ms: ms(settings.backoff_base_seconds),
            backoff_jitter_ms: ms(jitter),
            ..RetryPolicy::default()
        },
        recovery: recovery_rules(&settings.recovery_rules)?,
        takeovers_max: settings.max_takeovers,
        require_approval: settings.require_approval,
        priority_auto: settings.priority_auto,
        claims_take_eligible: settings.background_interval_seconds > 0.0,
        limits: Limits {
            global: limit(settings.max_concurrent_runs),
            project: limit(settings.max_concurrent_runs_per_project),
            alias: limit(settings.max_concurrent_runs_per_agent),
        },
        pools: Arc::new(settings.resource_pools()?),
        allowed: Arc::new(allowed(&settings.sandbox)?),
        heartbeat_miss_ms: ms(settings.heartbeat_miss_seconds),
        approval_policy: Arc::new(approval_policy(&settings.approval_policy)?),
        slos: Arc::new(settings.slos()?),
    })
}

/// Reads which work items need whose approval. A policy that can't be read lets the server not start: it would let
/// through what it was written to hold.
fn approval_policy(file: &str) -> Result<Policy> {
    if file.is_empty() {
        return Ok(Policy::default());
    }
    let unusable = |why: String| Failure::usage(format!("the approval policy {file} can't be used: {why}"));
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    Policy::parse(&text).map_err(|refusal| unusable(refusal.detail))
}

/// Reads which failures are tried again. Rules that can't be read let the server not start.
fn recovery_rules(file: &str) -> Result<Option<Arc<Rules>>> {
    if file.is_empty() {
        return Ok(None);
    }
    let unusable = |why: String| Failure::usage(format!("the recovery rules {file} can't be used: {why}"));
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    Rules::parse(&text).map(|rules| Some(Arc::new(rules))).map_err(unusable)
}

/// Says which database can't be used, why, and what to do.
fn unusable(error: &StoreError, settings: &Settings) -> Failure {
    let database = match settings.database.as_str() {
        "" => settings.data.join("spalla.db").display().to_string(),
        url => without_password(url),
    };
    let failure = Failure::usage(format!("the database {database} can't be used: {error}"));
    match error {
        StoreError::NewerSchema { .. } => failure.mend("use the newer version of spalla that made it"),
        StoreError::Unavailable { .. } => failure.mend("start it, or name another with --database URL"),
        _ => failure,
    }
}

fn seconds(seconds: f64) -> Option<Duration> {
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds))
}
