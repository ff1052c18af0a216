//! The settings: flags over environment over `./spalla.toml` over the user's file over defaults, each value with
//! where it came from. Read once; every part of the program then gets its own options.

mod agents;
mod aliases;
mod github;
mod health_checks;
mod keys;
mod oidc;
mod resource_pools;
mod review;
mod routing;
mod sandbox;
mod slos;
mod sources;

pub(crate) use github::GitHubSettings;
pub(crate) use keys::KEYS;
pub(crate) use routing::RoutingSettings;
pub(crate) use sources::{Override, Sources, config_folder};

use crate::failure::{Failure, Result};
use crate::sessions::Looking;
use agents::AgentSettings;
use figment::Figment;
use keys::Key;
use oidc::OidcSettings;
use routing::AgentsSettings;
use serde::{Deserialize, Serialize};
use spalla_domain::adapter::Adapter;
use spalla_domain::balance::Strategy;
use spalla_domain::network::Networks;
use spalla_domain::resources::Pools;
use spalla_domain::review::Policy;
use spalla_domain::slo::Slos;
use spalla_registry::alias::Alias;
use spalla_server::{Cors, HealthCheck, WebhookTrust};
use spalla_store::Location;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Every setting, of a kind that can't be wrong.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The folder that holds everything Spalla keeps.
    pub(crate) data: PathBuf,
    /// The address that the server listens on.
    pub(crate) listen: std::net::SocketAddr,
    /// Who may use the server.
    pub(crate) auth: Auth,
    /// Further hosts under which clients reach the server, divided by commas.
    pub(crate) hosts: String,
    /// The foreign pages that may call the server, divided by commas; `*` means all.
    pub(crate) cors_origins: String,
    /// How many requests a client may make in a minute; 0 means any number.
    pub(crate) rate_limit_per_minute: u32,
    /// What the server looks at beside its own parts.
    pub(crate) health_checks: figment::value::Value,
    /// Whether somebody else ends TLS in front of the server.
    pub(crate) behind_tls_proxy: bool,
    /// The networks that webhooks may lead into although they are not public, divided by commas.
    pub(crate) webhook_networks: String,
    /// A file of authorities that vouch for receivers of webhooks besides those that this machine trusts.
    pub(crate) webhook_ca: String,
    /// Whether `up` opens the page in a browser.
    pub(crate) open_browser: bool,
    /// The administrator token that the server asks for; empty means the data folder's own.
    pub(crate) server_token: String,
    /// The database's URL; empty means SQLite in the data folder.
    pub(crate) database: String,
    /// The keys that secrets are encrypted with, the newest first; empty means the data folder's own.
    pub(crate) secret_key: String,
    /// Where such keys are kept that the setting does not name.
    pub(crate) secret_key_store: KeyStore,
    /// Seconds between background ticks; 0 means none.
    pub(crate) background_interval_seconds: f64,
    /// Whether an approval that is asked for holds its item.
    pub(crate) require_approval: bool,
    /// The file that says which work items need whose approval; empty means none.
    pub(crate) approval_policy: String,
    /// What is said of the commands of steps before they are carried out: a preset, or a file.
    pub(crate) command_policy: String,
    /// The file that says which failures are tried again; empty means as built in.
    pub(crate) recovery_rules: String,
    /// Whether priorities move by themselves near what a person set.
    pub(crate) priority_auto: bool,
    /// How many runs may be going on at once; 0 means any number.
    pub(crate) max_concurrent_runs: u32,
    /// How many of one project; 0 means any number.
    pub(crate) max_concurrent_runs_per_project: u32,
    /// How many of one agent; 0 means any number.
    pub(crate) max_concurrent_runs_per_agent: u32,
    /// How much agents have of what their runs need.
    pub(crate) resource_pools: figment::value::Value,
    /// After how long without a worker an agent's entries starve; 0 means that nobody looks.
    pub(crate) heartbeat_miss_seconds: f64,
    /// How many times a failed run is tried again.
    pub(crate) max_retries: u32,
    /// The base of the delay before a retry.
    pub(crate) backoff_base_seconds: f64,
    /// How far that delay is moved either way; below 0 means half the base.
    pub(crate) backoff_jitter_seconds: f64,
    /// How often a run may be taken over before it is lost.
    pub(crate) max_takeovers: u32,
    /// How many entries the queue has at most.
    pub(crate) queue_limit: u64,
    /// How long runs have to end after the first signal.
    pub(crate) shutdown_grace_seconds: f64,
    /// Where the server of the other commands is; empty means the data folder's own.
    pub(crate) url: String,
    /// The token for it; empty means the data folder's own.
    pub(crate) token: String,
    /// Which log lines are written.
    pub(crate) log: String,
    /// How a log line looks.
    pub(crate) log_format: LogFormat,
    /// Where traces of ended runs are sent; empty means nowhere.
    pub(crate) otlp_endpoint: String,
    /// The worker's settings.
    pub(crate) worker: WorkerSettings,
    /// The walls around commands of runs.
    pub(crate) sandbox: SandboxSettings,
    /// What holds of the definitions of agents.
    pub(crate) policy: PolicySettings,
    /// How people sign in.
    pub(crate) oidc: OidcSettings,
    /// The settings of `orchestrate`.
    pub(crate) orchestrate: OrchestrateSettings,
    /// What pipelines of CI are told.
    pub(crate) ci: CiSettings,
    /// How GitHub is spoken to.
    pub(crate) github: GitHubSettings,
    /// The settings of scratchpads.
    pub(crate) scratchpad: ScratchpadSettings,
    /// The agents' processes that are kept for further runs.
    pub(crate) pool: PoolSettings,
    /// The settings of reviews.
    pub(crate) review: ReviewSettings,
    /// The aliases of models.
    pub(crate) models: ModelsSettings,
    /// How work is spread among agents.
    pub(crate) balance: BalanceSettings,
    /// Where the agents are published that tasks are given to.
    pub(crate) agents: AgentsSettings,
    /// Agents under other names.
    pub(crate) alias: figment::value::Value,
    /// What is promised of agents' runs.
    pub(crate) slo: figment::value::Value,
    /// How an agent is chosen for a task.
    pub(crate) routing: RoutingSettings,
    /// What can be switched on and off.
    pub(crate) features: Features,
    /// What is said of Codex.
    pub(crate) codex: AgentSettings,
    /// What is said of Claude Code.
    pub(crate) claude: AgentSettings,
    /// What is said of the Gemini CLI.
    pub(crate) gemini: AgentSettings,
}

/// What can be switched on and off.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Features {
    /// Answers to like prompts are shared through Redis LangCache.
    pub(crate) langcache_enabled: bool,
    /// A run works in a folder of its own.
    pub(crate) scratchpad_enabled: bool,
}

/// The settings of a worker, embedded or not.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkerSettings {
    /// Its id; empty means a random one, or the data folder's own for the embedded worker.
    pub(crate) id: String,
    /// How many runs it executes at once; 0 means one per core.
    pub(crate) concurrency: u32,
    /// The shell that executes steps.
    pub(crate) shell: PathBuf,
    /// Steps that replace every recipe and inference, one per line.
    pub(crate) steps: String,
    /// What it has for all its runs together, as `cpu=4 memory_mb=8192`; empty means that nothing is counted.
    pub(crate) resources: String,
    /// Seconds between heartbeats.
    pub(crate) heartbeat_interval_seconds: f64,
    /// How long a lease lasts.
    pub(crate) claim_ttl_seconds: f64,
    /// How long one call to the server waits for a run.
    pub(crate) interval_seconds: f64,
    /// Seconds between ticks; 0 means none.
    pub(crate) tick_interval_seconds: f64,
    /// How long it waits at first when the server does not answer as it should.
    pub(crate) error_backoff_seconds: f64,
    /// How often an agent may do the same in a row, with nothing new; 0 means as often as it likes.
    pub(crate) repeats_max: u32,
    /// How much of its context an agent has left; empty means unknown.
    pub(crate) context_remaining: String,
    /// What a remote worker shows to read secret answers; empty means none.
    pub(crate) secret_key: String,
}

/// The walls around commands of runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SandboxSettings {
    /// The preset of every command, or `default`.
    pub(crate) preset: String,
    /// The walls that may be missing.
    pub(crate) allow_degraded: Vec<String>,
    /// The hosts that commands with network reach; none means all that this machine reaches.
    pub(crate) allow_hosts: Vec<String>,
    /// Which of the hosts behind the proxy gets the credential of which variable: `HOST=VARIABLE`.
    pub(crate) inject: Vec<String>,
    /// What commands may read besides.
    pub(crate) read: Vec<PathBuf>,
    /// What commands may write besides.
    pub(crate) write: Vec<PathBuf>,
    /// Memory of a command, in MiB.
    pub(crate) memory_mb: u64,
    /// Processes of a command.
    pub(crate) processes: u64,
    /// Growth of a command's folders, in MiB.
    pub(crate) disk_mb: u64,
    /// The most of the processor, in percent of one core; 0 means no hard limit.
    pub(crate) cpu_percent: u64,
    /// The share of a busy machine; 100 is that of an ordinary process.
    pub(crate) cpu_weight: u64,
    /// How much of a run's output is kept, in MiB.
    pub(crate) output_mb: u64,
    /// How much of one line of it is kept, in bytes.
    pub(crate) line_bytes: u64,
    /// The longest line of an agent that is read as an event, in bytes.
    pub(crate) event_bytes: u64,
    /// How deep an event of an agent may be nested.
    pub(crate) event_depth: u64,
    /// What single agents and aliases may use, as `codex.memory_mb=1024`.
    pub(crate) agent_limits: Vec<String>,
    /// What becomes of a step when its worker is killed.
    pub(crate) lifetime: Lifetime,
    /// How long a step that survives goes on without a worker.
    pub(crate) reattach_grace_ms: u64,
}

/// What holds of the definitions of agents.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicySettings {
    /// Whether the first tool that a definition does not let its agent use fails the run.
    pub(crate) strict_tools: bool,
    /// How long all hooks of one kind may take.
    pub(crate) hook_timeout_seconds: f64,
    /// How long a startup script may take, and all setup tasks together.
    pub(crate) setup_timeout_seconds: f64,
}

/// The settings of reviews.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ReviewSettings {
    /// What follows from them.
    pub(crate) policy: figment::value::Value,
    /// Whether reviewers look at work that goes on.
    pub(crate) while_working: bool,
    /// After how long without an event they do, in minutes; 0 is never.
    pub(crate) silence_minutes: i64,
}

/// The aliases of models.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelsSettings {
    /// Who plans where the best plan is wanted, as `AGENT` or `AGENT:MODEL`; empty means whose adapter names one.
    pub(crate) smart: String,
}

/// How work is spread among agents.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BalanceSettings {
    /// By what an agent is chosen.
    pub(crate) strategy: Strategy,
    /// What agents bear in comparison with others, as `codex=2`; 1 where nothing is said.
    pub(crate) weights: Vec<String>,
}

/// The settings of `orchestrate`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrchestrateSettings {
    /// The folder of the session; empty means a new one under the data folder.
    pub(crate) workspace: String,
    /// Which log lines go into the workspace's log file.
    pub(crate) log_level: String,
}

/// What pipelines of CI are told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CiSettings {
    /// The folder of the files for them.
    pub(crate) folder: PathBuf,
}

/// The settings of scratchpads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScratchpadSettings {
    /// How long one is kept after it was last changed.
    pub(crate) retention_hours: f64,
    /// How much one may have, in MiB.
    pub(crate) quota_mb: u64,
    /// How many files one may have.
    pub(crate) quota_files: u64,
}

/// The agents' processes that are kept for further runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PoolSettings {
    /// How many of one kind wait for a run.
    pub(crate) size: usize,
    /// After how many turns one is ended.
    pub(crate) max_tasks: u32,
    /// How long one waits for a run.
    pub(crate) idle_seconds: f64,
}

/// Who may use the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Auth {
    /// Whoever has the token.
    Token,
    /// Whoever reaches it; on the loopback address only.
    None,
}

/// Where the keys are kept that secrets are encrypted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum KeyStore {
    /// In a file of the data folder, for its owner alone.
    File,
    /// In the keychain of the operating system.
    Keychain,
}

/// What becomes of a recipe's step when its worker is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Lifetime {
    /// It ends with it.
    DieWithDaemon,
    /// It goes on until another worker takes it up, or its grace is over.
    SurviveRestart,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one object per line.
    Json,
}

impl Settings {
    /// Returns the further hosts under which clients reach the server.
    pub(crate) fn served_hosts(&self) -> Vec<String> {
        self.hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect()
    }

    /// Returns the foreign pages that may call the server.
    pub(crate) fn cors(&self) -> Result<Cors> {
        Cors::parse(&self.cors_origins).map_err(|wrong| {
            Failure::usage(format!("cors_origins: {wrong}"))
                .mend("list origins divided by commas, or write * for all")
        })
    }

    /// Returns who is trusted to vouch for receivers of webhooks.
    pub(crate) fn webhook_trust(&self) -> Result<WebhookTrust> {
        trust("webhook_ca", &self.webhook_ca)
    }

    /// Returns who is trusted to vouch for GitHub.
    pub(crate) fn github_trust(&self) -> Result<WebhookTrust> {
        trust("github.ca", &self.github.ca)
    }

    /// Returns the networks that webhooks may lead into although they are not public.
    pub(crate) fn webhook_networks(&self) -> Result<Networks> {
        Networks::parse(&self.webhook_networks).map_err(|wrong| {
            Failure::usage(format!("webhook_networks: {wrong}")).mend("list networks divided by commas")
        })
    }

    /// Returns what is said of the calls of agents, by their names.
    pub(crate) fn wishes(&self) -> BTreeMap<String, Adapter> {
        let all = [("codex", &self.codex), ("claude", &self.claude), ("gemini", &self.gemini)];
        all.map(|(name, agent)| (name.to_owned(), agent.wishes())).into()
    }

    /// Returns how much agents have of what their runs need.
    pub(crate) fn resource_pools(&self) -> Result<Pools> {
        resource_pools::read(&self.resource_pools)
            .map_err(|wrong| Failure::usage(format!("resource_pools: {wrong}")))
    }

    /// Returns the agents' other names.
    pub(crate) fn aliases(&self) -> Result<BTreeMap<String, Alias>> {
        aliases::read(&self.alias).map_err(|wrong| Failure::usage(format!("alias: {wrong}")))
    }

    /// Returns what is promised of agents' runs.
    pub(crate) fn slos(&self) -> Result<Slos> {
        slos::read(&self.slo).map_err(|wrong| Failure::usage(format!("slo: {wrong}")))
    }

    /// Returns when reviewers look at work that goes on.
    pub(crate) fn looking(&self) -> Looking {
        let silence_ms = self.review.silence_minutes.saturating_mul(60_000);
        Looking { is_on: self.review.while_working, silence_ms }
    }

    /// Returns what follows from reviews.
    pub(crate) fn review_policy(&self) -> Result<Policy> {
        review::read(&self.review.policy).map_err(|wrong| Failure::usage(format!("review.policy: {wrong}")))
    }

    /// Returns what the server looks at beside its own parts.
    pub(crate) fn health_checks(&self) -> Result<Vec<HealthCheck>> {
        health_checks::read(&self.health_checks)
            .map_err(|wrong| Failure::usage(format!("health_checks: {wrong}")))
    }
}

/// The settings with their origins.
#[derive(Debug)]
pub(crate) struct Config {
    /// The values.
    pub(crate) settings: Settings,
    figment: Figment,
}

/// One setting as `config show` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    /// Its name.
    #[serde(skip)]
    pub(crate) name: &'static str,
    /// Its value; secrets are hidden.
    pub(crate) value: serde_json::Value,
    /// Where it came from.
    pub(crate) source: String,
    /// What it means.
    pub(crate) description: &'static str,
    /// Why it has no effect in this version, where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_effect: Option<&'static str>,
}

impl Shown {
    /// Returns its value for people, with whether it means anything.
    pub(crate) fn value_in_words(&self) -> String {
        let value = crate::output::cell(&self.value);
        self.no_effect.map_or_else(|| value.clone(), |why| format!("{value} (no effect: {why})"))
    }
}

impl Config {
    /// Reads every source and checks every value.
    pub(crate) fn load(sources: Sources) -> Result<Self> {
        let figment = sources.merge()?;
        for key in KEYS.iter() {
            check(&figment, key)?;
        }
        let settings =
            figment.extract().map_err(|error| Failure::failed(format!("reading the settings: {error}")))?;
        Ok(Self { settings, figment })
    }

    /// Returns every setting with where it came from.
    pub(crate) fn shown(&self) -> Vec<Shown> {
        KEYS.iter().map(|key| self.show(key)).collect()
    }

    fn show(&self, key: &'static Key) -> Shown {
        let value = self.figment.extract_inner(key.name).unwrap_or(serde_json::Value::Null);
        Shown {
            name: key.name,
            value: hidden(key, value),
            source: origin(&self.figment, key),
            description: key.doc,
            no_effect: key.idle,
        }
    }

    /// Says of each setting that somebody chose, and that has no effect in this version, that it has none.
    pub(crate) fn tell_idle(&self) {
        for (key, why) in KEYS.iter().filter_map(|key| Some((key, key.idle?))) {
            let origin = origin(&self.figment, key);
            if origin != DEFAULT {
                tracing::warn!("{} ({origin}) has no effect: {why}", key.name);
            }
        }
    }
}

/// Where a value came from that nobody chose.
const DEFAULT: &str = "default";

/// Returns who is trusted to vouch: whom this machine trusts, and the authorities of the file that a setting names.
fn trust(setting: &str, file: &str) -> Result<WebhookTrust> {
    if file.is_empty() {
        return Ok(WebhookTrust::default());
    }
    let unusable = |why: String| Failure::usage(format!("{setting} {file}: {why}"));
    let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    WebhookTrust::parse(&pem).map_err(unusable)
}

fn check(figment: &Figment, key: &Key) -> Result<()> {
    let value = figment
        .find_value(key.name)
        .map_err(|error| Failure::failed(format!("reading the setting {}: {error}", key.name)))?;
    key.kind.check(&value).map_err(|wrong| {
        let shown = if key.secret { "a value".to_owned() } else { keys::in_words(&value) };
        Failure::usage(format!("{} is {shown} ({}), and {wrong}", key.name, origin(figment, key)))
            .mend(format!("it means: {}", key.doc))
    })
}

fn origin(figment: &Figment, key: &Key) -> String {
    match figment.find_metadata(key.name) {
        Some(metadata) => metadata.name.to_string(),
        None => DEFAULT.into(),
    }
}

/// Hides what is secret: a token as a whole, of a URL its password.
fn hidden(key: &Key, value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::String(text) if key.secret && !text.is_empty() => "(hidden)".into(),
        serde_json::Value::String(text) => without_password(&text).into(),
        other => other,
    }
}

/// Returns a URL without its passwords, before the host and among the parameters; any other text as it is.
pub(crate) fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let (place, parameters) = rest.split_once('?').map_or((rest, None), |(place, rest)| (place, Some(rest)));
    // The last one: whoever did not escape a password wants it hidden all the same.
    let place = match place.rfind('@').and_then(|at| Some((place[..at].split_once(':')?.0, &place[at..]))) {
        Some((user, host)) => format!("{user}:(hidden){host}"),
        None => place.to_owned(),
    };
    let hidden = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}=(hidden)"),
        _ => pair.to_owned(),
    };
    let parameters = parameters.map(|all| all.split('&').map(hidden).collect::<Vec<_>>().join("&"));
    let parameters = parameters.map(|all| format!("?{all}")).unwrap_or_default();
    format!("{scheme}://{place}{parameters}")
}

/// Reads a database URL; an empty one is the SQLite file of the data folder.
pub(crate) fn location(database: &str, data: &Path) -> Result<Location> {
    let wrong = || {
        Failure::usage(format!("the database {:?} is no URL that Spalla can use", without_password(database)))
            .mend("write sqlite://PATH or postgres://USER@HOST/NAME")
    };
    if database.is_empty() {
        return Ok(Location::Sqlite(data.join("spalla.db")));
    }
    let (scheme, rest) = database.split_once("://").ok_or_else(wrong)?;
    let (kind, driver) = scheme.split_once('+').map_or((scheme, None), |(kind, driver)| (kind, Some(driver)));
    match (kind, driver) {
        ("sqlite", _) if !rest.trim_matches('/').is_empty() => Ok(Location::Sqlite(sqlite_path(rest))),
        ("postgres" | "postgresql", _) if !rest.is_empty() => {
            Ok(Location::Postgres(format!("postgresql://{rest}")))
        }
        _ => Err(wrong()),
    }
}

/// Some programs write an absolute path with four slashes, others with three; both mean the same file here.
fn sqlite_path(rest: &str) -> PathBuf {
    match rest.strip_prefix("//") {
        Some(absolute) => Path::new("/").join(absolute),
        None => PathBuf::from(rest),
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
