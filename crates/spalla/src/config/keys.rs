//! The table of the settings: of each its name, what it means, its default, its range and its environment variable.

use super::{agents, aliases, github, health_checks, oidc, resource_pools, review, routing, sandbox, slos};
use figment::value::{Num, Value};
use spalla_domain::adapter::{Adapter, WORD_BYTES_MAX};
use spalla_domain::resources::Capacity;
use std::net::SocketAddr;
use std::sync::LazyLock;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Its name; a dot divides a table's name from the key in it.
    pub(crate) name: &'static str,
    /// What may stand there.
    pub(crate) kind: Kind,
    /// Its default, as text; see [`Kind::parse`].
    pub(crate) default: &'static str,
    /// The environment variables that set it; the first that is set counts.
    pub(crate) env: &'static [&'static str],
    /// Whether its value is never shown.
    pub(crate) secret: bool,
    /// Why it has no effect in this version; none where it has one.
    pub(crate) idle: Option<&'static str>,
    /// What it means, in one line.
    pub(crate) doc: &'static str,
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// One argument of a program, or nothing.
    Word,
    /// A program with arguments, or nothing; in a variable as a JSON array.
    Command,
    /// Text that is not empty.
    Path,
    /// An address with a port.
    Address,
    /// Yes or no.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A whole number in this range.
    Whole(i64, i64),
    /// A number, maybe with a fraction, in this range.
    Number(f64, f64),
    /// A share of a whole, such as 15%, a whole number, or nothing.
    Share,
    /// A list of words, each one of these, or any if there are none; in a variable divided by commas.
    Words(&'static [&'static str]),
    /// A list of health checks; in a variable as JSON.
    HealthChecks,
    /// A list of resource pools; in a variable as JSON.
    Pools,
    /// Amounts of resources, or nothing.
    Resources,
    /// A table of what each value of a claim gives; in a variable as JSON.
    Roles,
    /// What follows from reviews, as a table; in a variable as JSON.
    Reviews,
    /// A table of agents' other names; in a variable as JSON.
    Aliases,
    /// A table of what is promised of agents' runs; in a variable as JSON.
    Slos,
}

impl Kind {
    /// Reads a value from the text of a flag or a variable.
    pub(crate) fn parse(self, text: &str) -> Result<Value, String> {
        let trimmed = text.trim();
        let value = match self {
            Self::Text | Self::Path | Self::Address | Self::Choice(_) => Value::from(text),
            Self::Word | Self::Share | Self::Resources => Value::from(trimmed),
            Self::Flag => match trimmed.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Value::from(true),
                "false" | "0" | "no" | "off" => Value::from(false),
                _ => return Err(self.expectation()),
            },
            Self::Whole(..) => Value::from(trimmed.parse::<i64>().map_err(|_| self.expectation())?),
            Self::Number(..) => Value::from(trimmed.parse::<f64>().map_err(|_| self.expectation())?),
            Self::Words(_) => {
                let words = trimmed.split(',').map(str::trim).filter(|word| !word.is_empty());
                Value::from(words.map(Value::from).collect::<Vec<_>>())
            }
            Self::HealthChecks
            | Self::Pools
            | Self::Roles
            | Self::Reviews
            | Self::Aliases
            | Self::Slos
            | Self::Command => {
                let json: serde_json::Value =
                    serde_json::from_str(trimmed).map_err(|error| format!("it must be JSON: {error}"))?;
                Value::serialize(json).map_err(|_| self.expectation())?
            }
        };
        self.check(&value)?;
        Ok(value)
    }

    /// Checks a value from whatever source; the error says what may stand there.
    pub(crate) fn check(self, value: &Value) -> Result<(), String> {
        let text = value.as_str();
        let fits = match self {
            Self::HealthChecks => return health_checks::read(value).map(drop),
            Self::Pools => return resource_pools::read(value).map(drop),
            Self::Roles => return oidc::read_roles(value).map(drop),
            Self::Reviews => return review::read(value).map(drop),
            Self::Aliases => return aliases::read(value).map(drop),
            Self::Slos => return slos::read(value).map(drop),
            Self::Text => text.is_some(),
            Self::Word => text.is_some_and(|text| text.len() <= WORD_BYTES_MAX && !text.contains('\0')),
            Self::Command => command(value).is_some_and(|adapter| adapter.check().is_ok()),
            Self::Path => text.is_some_and(|text| !text.is_empty()),
            Self::Address => text.is_some_and(|text| text.parse::<SocketAddr>().is_ok()),
            Self::Choice(words) => text.is_some_and(|text| words.contains(&text)),
            Self::Flag => value.to_bool().is_some(),
            Self::Whole(min, max) => {
                value.to_i128().is_some_and(|number| (i128::from(min)..=i128::from(max)).contains(&number))
            }
            Self::Number(min, max) => number(value).is_some_and(|number| (min..=max).contains(&number)),
            Self::Share => text.is_some_and(is_share),
            Self::Resources => text.is_some_and(|text| Capacity::parse(text).is_ok()),
            Self::Words(words) => value.as_array().is_some_and(|list| {
                let fits = |word: &str| words.is_empty() || words.contains(&word);
                list.iter().all(|word| word.as_str().is_some_and(fits))
            }),
        };
        if fits { Ok(()) } else { Err(self.expectation()) }
    }

    fn expectation(self) -> String {
        match self {
            Self::Text => "it must be text".into(),
            Self::Word => format!("it must be text without NUL of at most {WORD_BYTES_MAX} bytes"),
            Self::Command => "it must be a list of texts that begins with a program, or is empty".into(),
            Self::Path => "it must be a path".into(),
            Self::Address => "it must be an address with a port, such as 127.0.0.1:18080".into(),
            Self::Flag => "it must be true or false".into(),
            Self::Choice(words) => format!("it must be one of {}", words.join(", ")),
            Self::Whole(min, max) => format!("it must be a whole number from {min} to {max}"),
            Self::Number(min, max) => format!("it must be a number from {min} to {max}"),
            Self::Share => "it must be text such as \"15%\" or \"20000\"".into(),
            Self::Words([]) => "it must be a list of texts".into(),
            Self::Words(words) => format!("it must be a list of {}", words.join(", ")),
            Self::HealthChecks => "it must be a list of checks".into(),
            Self::Pools => "it must be a list of pools".into(),
            Self::Roles => "it must be a table of roles".into(),
            Self::Reviews => "it must be a table of rules, quorum and weights".into(),
            Self::Aliases => "it must be a table of aliases".into(),
            Self::Slos => "it must be a table of agents".into(),
            Self::Resources => "it must be amounts such as `cpu=4 memory_mb=8192`".into(),
        }
    }
}

/// Returns an adapter that is called by these words, which knows what words may be.
fn command(value: &Value) -> Option<Adapter> {
    let words = value.as_array()?.iter().map(|word| word.as_str().map(str::to_owned));
    Some(Adapter { command: words.collect::<Option<_>>()?, ..Adapter::default() })
}

fn is_share(text: &str) -> bool {
    match text.strip_suffix('%') {
        Some(percent) => percent.parse::<f64>().is_ok_and(|percent| (0.0..=100.0).contains(&percent)),
        None => text.is_empty() || text.parse::<u64>().is_ok(),
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Num(_, Num::F32(number)) => Some(f64::from(*number)),
        Value::Num(_, Num::F64(number)) => Some(*number),
        other => other.to_i128().map(|whole| whole as f64),
    }
}

/// Returns a value as a person would write it.
pub(crate) fn in_words(value: &Value) -> String {
    match (value.as_str(), value.to_bool(), number(value)) {
        (Some(text), ..) => format!("{text:?}"),
        (_, Some(flag), _) => flag.to_string(),
        (.., Some(number)) => number.to_string(),
        _ => "a list or a table".into(),
    }
}

pub(super) const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default, env: &[], secret: false, idle: None, doc }
}

impl Key {
    pub(super) const fn env(mut self, env: &'static [&'static str]) -> Self {
        self.env = env;
        self
    }

    pub(super) const fn idle(mut self, why: &'static str) -> Self {
        self.idle = Some(why);
        self
    }

    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// A day, in seconds: the end of every range of time.
pub(super) const DAY: f64 = 86_400.0;

/// Every setting there is.
pub(crate) static KEYS: LazyLock<Vec<Key>> =
    LazyLock::new(|| [OWN, sandbox::KEYS, github::KEYS, routing::KEYS, agents::KEYS.as_flattened()].concat());

/// The settings of Spalla's own parts.
const OWN: &[Key] = &[
    key("data", Kind::Path, "", "the folder that holds everything Spalla keeps").env(&["SPALLA_DATA"]),
    key("listen", Kind::Address, "127.0.0.1:18080", "the address that the server listens on")
        .env(&["SPALLA_LISTEN"]),
    key(
        "auth",
        Kind::Choice(&["token", "none"]),
        "token",
        "who may use the server: whoever has its token, or everybody",
    )
    .env(&["SPALLA_AUTH"]),
    key(
        "hosts",
        Kind::Text,
        "",
        "further hosts under which a proxy or a container reaches the server, divided by commas",
    )
    .env(&["SPALLA_HOSTS"]),
    key(
        "cors_origins",
        Kind::Text,
        "",
        "foreign pages that may call the server with a token: origins divided by commas, or * for all",
    )
    .env(&["ORCH_CORS_ORIGINS"]),
    key(
        "rate_limit_per_minute",
        Kind::Whole(0, 1_000_000_000),
        "1000",
        "how many requests a client may make in a minute; what workers send all the time is not counted; 0 is any number",
    )
    .env(&["ORCH_RATE_LIMIT_PER_MIN"]),
    key(
        "health_checks",
        Kind::HealthChecks,
        "[]",
        "what the server looks at beside its own parts: name, check, target, interval_seconds, timeout_seconds",
    )
    .env(&["ORCH_HEALTH_CHECKS"]),
    key(
        "behind_tls_proxy",
        Kind::Flag,
        "false",
        "a proxy ends TLS in front of the server, so it may leave loopback",
    )
    .env(&["SPALLA_BEHIND_TLS_PROXY"]),
    key(
        "webhook_networks",
        Kind::Text,
        "",
        "networks that webhooks may lead into although they are not public, such as 10.0.0.0/8, divided by commas",
    )
    .env(&["SPALLA_WEBHOOK_NETWORKS"]),
    key(
        "webhook_ca",
        Kind::Text,
        "",
        "a PEM file of authorities that vouch for receivers of webhooks besides those that this machine trusts",
    )
    .env(&["SPALLA_WEBHOOK_CA"]),
    key("open_browser", Kind::Flag, "true", "`spalla up` opens the page in a browser when a person is there")
        .env(&["SPALLA_OPEN_BROWSER"]),
    key("server_token", Kind::Text, "", "the token that the server asks for; empty is the data folder's own, made at the first start")
        .env(&["SPALLA_SERVER_TOKEN"])
        .secret(),
    key("database", Kind::Text, "", "sqlite://PATH or postgres://…; empty is SQLite in the data folder")
        .env(&["ORCH_DATABASE_URL"]),
    key(
        "secret_key",
        Kind::Text,
        "",
        "the Fernet key that encrypts secrets, before older ones and commas; empty is the data folder's own",
    )
    .env(&["ORCH_SECRET_KEY"])
    .secret(),
    key(
        "secret_key_store",
        Kind::Choice(&["file", "keychain"]),
        "file",
        "where keys are kept that secret_key does not name: a file of the data folder, or the operating system's keychain",
    )
    .env(&["ORCH_SECRET_KEY_STORE"]),
    key(
        "background_interval_seconds",
        Kind::Number(0.0, DAY),
        "1",
        "time between background ticks; 0 is off, then only tick and start make runs",
    )
    .env(&["ORCH_SCHEDULER_BACKGROUND_INTERVAL"]),
    key(
        "require_approval",
        Kind::Flag,
        "true",
        "an approval that is pending or rejected holds its work item",
    )
    .env(&["ORCH_REQUIRE_APPROVAL"]),
    key(
        "approval_policy",
        Kind::Text,
        "",
        "the YAML file that says which work items need whose approval, whether anybody asks for it or not",
    )
    .env(&["ORCH_APPROVAL_POLICY"]),
    key(
        "command_policy",
        Kind::Text,
        "default",
        "which commands of steps are refused, wait for a person or are only recorded: default, classic, none, or a \
         policy.toml",
    )
    .env(&["ORCH_COMMAND_POLICY"]),
    key(
        "recovery_rules",
        Kind::Text,
        "",
        "the YAML file of rules that say which failures are tried again, how often and how soon; the first that \
         applies decides",
    )
    .env(&["ORCH_RECOVERY_RULES"]),
    key(
        "priority_auto",
        Kind::Flag,
        "true",
        "priorities move by themselves, by at most 2 around what a person set",
    )
    .env(&["ORCH_PRIORITY_AUTO"]),
    key(
        "max_concurrent_runs",
        Kind::Whole(0, 1_000_000),
        "0",
        "how many runs may be going on at once; 0 is any number",
    )
    .env(&["ORCH_MAX_CONCURRENT_RUNS"]),
    key(
        "max_concurrent_runs_per_project",
        Kind::Whole(0, 1_000_000),
        "0",
        "how many runs of one project may be going on at once; 0 is any number",
    )
    .env(&["ORCH_MAX_CONCURRENT_RUNS_PER_PROJECT"]),
    key(
        "max_concurrent_runs_per_agent",
        Kind::Whole(0, 1_000_000),
        "0",
        "how many runs of one agent may be going on at once; 0 is any number",
    )
    .env(&["ORCH_MAX_CONCURRENT_RUNS_PER_AGENT"]),
    key(
        "resource_pools",
        Kind::Pools,
        "[]",
        "what the runs of an agent may need together: agent (`*` is all others), cpu, memory_mb, network, storage_mb, …",
    )
    .env(&["ORCH_RESOURCE_POOLS"]),
    key(
        "heartbeat_miss_seconds",
        Kind::Number(0.0, DAY),
        "60",
        "an agent whose entries wait so long, with no worker that takes them, is told of as heartbeat_miss; 0 is off",
    )
    .env(&["ORCH_HEARTBEAT_MISS_SECONDS"]),
    key("max_retries", Kind::Whole(0, 100), "3", "how many times a failed run is tried again")
        .env(&["ORCH_MAX_RETRIES"]),
    key(
        "backoff_base_seconds",
        Kind::Number(0.0, DAY),
        "5",
        "the delay before a retry is this times 2^failures",
    )
    .env(&["ORCH_BACKOFF_BASE_SECONDS"]),
    key(
        "backoff_jitter_seconds",
        Kind::Number(-1.0, DAY),
        "-1",
        "the delay is moved by up to this either way; below 0 is half the base",
    )
    .env(&["ORCH_BACKOFF_JITTER_SECONDS"]),
    key(
        "max_takeovers",
        Kind::Whole(0, 100),
        "3",
        "how many vanished workers a run outlives before it is lost",
    )
    .env(&["ORCH_MAX_TAKEOVERS"]),
    key(
        "queue_limit",
        Kind::Whole(1, 1_000_000_000),
        "100000",
        "how many entries the queue has at most; whoever enqueues more is told to come back",
    )
    .env(&["ORCH_QUEUE_LIMIT"]),
    key(
        "shutdown_grace_seconds",
        Kind::Number(0.0, DAY),
        "30",
        "how long runs may go on after the first SIGTERM before they are stopped and handed back",
    )
    .env(&["SPALLA_SHUTDOWN_GRACE_SECONDS"]),
    key(
        "url",
        Kind::Text,
        "",
        "the server that commands and workers talk to; empty is the data folder's own",
    )
    .env(&["ORCH_URL"]),
    key("token", Kind::Text, "", "the token for it; empty is the data folder's own")
        .env(&["ORCH_TOKEN"])
        .secret(),
    key(
        "log",
        Kind::Text,
        "",
        "which log lines are written, such as `warn,spalla=debug`; empty suits the command",
    )
    .env(&["SPALLA_LOG", "RUST_LOG"]),
    key("log_format", Kind::Choice(&["text", "json"]), "text", "how a log line looks")
        .env(&["SPALLA_LOG_FORMAT"]),
    key(
        "otlp_endpoint",
        Kind::Text,
        "",
        "where traces of ended runs are sent, as OTLP over HTTP; empty is nowhere (needs a build with the feature otlp)",
    )
    .env(&["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    key(
        "worker.id",
        Kind::Text,
        "",
        "the worker's id; empty is random, or the data folder's own when embedded",
    )
    .env(&["AGENT_ID"]),
    key(
        "worker.concurrency",
        Kind::Whole(0, 1_000),
        "0",
        "how many runs the worker executes at once; 0 is one per core",
    )
    .env(&["SPALLA_WORKER_CONCURRENCY"]),
    key("worker.shell", Kind::Path, "/bin/sh", "the shell that executes a run's steps").env(&["AGENT_SHELL"]),
    key("worker.steps", Kind::Text, "", "steps, one per line, that replace every recipe and inference")
        .env(&["AGENT_STEPS"]),
    key(
        "worker.resources",
        Kind::Resources,
        "",
        "what the worker has for all its runs together, such as `cpu=4 memory_mb=8192`; empty is not counted",
    )
    .env(&["AGENT_RESOURCES"]),
    key(
        "worker.heartbeat_interval_seconds",
        Kind::Number(0.05, DAY),
        "10",
        "time between heartbeats of a run",
    )
    .env(&["AGENT_HEARTBEAT_INTERVAL"]),
    key(
        "worker.claim_ttl_seconds",
        Kind::Number(0.1, DAY),
        "300",
        "how long a lease lasts without a heartbeat",
    )
    .env(&["AGENT_CLAIM_TTL"]),
    key(
        "worker.interval_seconds",
        Kind::Number(0.01, DAY),
        "2",
        "how long one call of the worker waits for a run",
    )
    .env(&["AGENT_INTERVAL"]),
    key(
        "worker.tick_interval_seconds",
        Kind::Number(0.0, DAY),
        "1",
        "time between ticks of a worker of its own, for a server that does not tick by itself; 0 is off",
    )
    .env(&["AGENT_TICK_INTERVAL"]),
    key(
        "worker.error_backoff_seconds",
        Kind::Number(0.0, DAY),
        "2",
        "how long a worker waits when the server does not answer as it should; doubled each time, to 15 s",
    )
    .env(&["CODEX_ERROR_BACKOFF"]),
    key(
        "worker.repeats_max",
        Kind::Whole(0, 1_000),
        "12",
        "how often an agent may do the same in a row, with nothing new, until it is stopped; 0 is as often as it likes",
    )
    .env(&["AGENT_REPEATS_MAX"]),
    key(
        "worker.secret_key",
        Kind::Text,
        "",
        "what a remote worker shows to read secret answers, the same on the server; empty is none",
    )
    .env(&["AGENT_SECRET_KEY"])
    .secret(),
    key(
        "worker.context_remaining",
        Kind::Share,
        "",
        "what an agent has left of its context, as 15% or in tokens; below 20% or 20000 the log says less",
    )
    .env(&["CODEX_CONTEXT_REMAINING"]),
    key(
        "oidc.issuer",
        Kind::Text,
        "",
        "the OpenID Connect issuer through which people sign in, as it calls itself; empty is none (needs a build with the feature oidc)",
    )
    .env(&["SPALLA_OIDC_ISSUER"]),
    key("oidc.client_id", Kind::Text, "", "what the issuer calls this server").env(&["SPALLA_OIDC_CLIENT_ID"]),
    key(
        "oidc.client_secret",
        Kind::Text,
        "",
        "what this server shows to the issuer; empty is nothing, or what the file holds",
    )
    .env(&["SPALLA_OIDC_CLIENT_SECRET"])
    .secret(),
    key("oidc.client_secret_file", Kind::Text, "", "the file that holds the client's secret")
        .env(&["SPALLA_OIDC_CLIENT_SECRET_FILE"]),
    key(
        "oidc.redirect_url",
        Kind::Text,
        "",
        "where the issuer sends people back to: this server's origin, such as https://spalla.example, and /sign-in/callback",
    )
    .env(&["SPALLA_OIDC_REDIRECT_URL"]),
    key(
        "oidc.scopes",
        Kind::Words(&[]),
        "",
        "what the issuer is asked for besides openid, such as groups where it says nothing of them otherwise",
    )
    .env(&["SPALLA_OIDC_SCOPES"]),
    key(
        "oidc.role_claim",
        Kind::Text,
        "groups",
        "the claim that says what people may do; a dot leads into a claim that is an object",
    )
    .env(&["SPALLA_OIDC_ROLE_CLAIM"]),
    key(
        "oidc.roles",
        Kind::Roles,
        "{}",
        "what each value of the claim gives: a role, or role, projects and approval_roles; whoever has none is not let in",
    )
    .env(&["SPALLA_OIDC_ROLES"]),
    key(
        "oidc.session_seconds",
        Kind::Number(60.0, 30.0 * DAY),
        "28800",
        "how long somebody is signed in",
    )
    .env(&["SPALLA_OIDC_SESSION_SECONDS"]),
    key(
        "oidc.ca",
        Kind::Text,
        "",
        "a PEM file of authorities that vouch for the issuer besides those that this machine trusts",
    )
    .env(&["SPALLA_OIDC_CA"]),
    key(
        "orchestrate.workspace",
        Kind::Text,
        "",
        "the folder of a session; empty is a new one in the data folder",
    )
    .env(&["ORCHESTRATOR_WORKSPACE"]),
    key("orchestrate.log_level", Kind::Text, "info", "which lines go into the workspace's orchestrator.log")
        .env(&["ORCHESTRATOR_LOG_LEVEL"]),
    key(
        "scratchpad.retention_hours",
        Kind::Number(0.0, 365.0 * 24.0),
        "24",
        "how long a scratchpad is kept after it was last changed; one that was paused stays",
    )
    .env(&["SCRATCHPAD_RETENTION_HOURS"]),
    key(
        "scratchpad.quota_mb",
        Kind::Whole(1, 1_048_576),
        "4096",
        "how much a scratchpad may have, in MiB",
    )
    .env(&["SCRATCHPAD_QUOTA_MB"]),
    key("scratchpad.quota_files", Kind::Whole(10, 200_000), "100000", "how many files a scratchpad may have")
        .env(&["SCRATCHPAD_QUOTA_FILES"]),
    key(
        "pool.size",
        Kind::Whole(0, 64),
        "2",
        "how many processes of one agent, for one project, wait for a further run, and never more than there are cores; 0 keeps none",
    )
    .env(&["SPALLA_POOL_SIZE"]),
    key("pool.max_tasks", Kind::Whole(1, 10_000), "20", "after how many turns such a process is ended")
        .env(&["SPALLA_POOL_MAX_TASKS"]),
    key(
        "pool.idle_seconds",
        Kind::Number(0.0, 86_400.0),
        "300",
        "how long such a process waits for a further run",
    )
    .env(&["SPALLA_POOL_IDLE_SECONDS"]),
    key(
        "review.policy",
        Kind::Reviews,
        "{}",
        "what follows from reviews: rules, of which the first that applies decides, a quorum, and weights of agents",
    )
    .env(&["SPALLA_REVIEW_POLICY"]),
    key(
        "review.while_working",
        Kind::Flag,
        "true",
        "reviewers look at work that goes on when its agent tells a milestone or a blocker, or asks for it",
    )
    .env(&["SPALLA_REVIEW_WHILE_WORKING"]),
    key(
        "review.silence_minutes",
        Kind::Whole(0, 10_080),
        "15",
        "after how many minutes without an event they look as well; 0 is never",
    )
    .env(&["SPALLA_REVIEW_SILENCE_MINUTES"]),
    key(
        "models.smart",
        Kind::Text,
        "",
        "who plans for --decomposer cloud, as AGENT or AGENT:MODEL; empty is an agent whose adapter names its strongest model",
    )
    .env(&["SPALLA_MODELS_SMART"]),
    key(
        "policy.strict_tools",
        Kind::Flag,
        "false",
        "whether the first tool that a definition does not let its agent use fails the run",
    )
    .env(&["SPALLA_STRICT_TOOLS"]),
    key(
        "policy.hook_timeout_seconds",
        Kind::Number(0.1, 3_600.0),
        "60",
        "how long all hooks of one kind may take, and all teardown tasks",
    )
    .env(&["SPALLA_HOOK_TIMEOUT_SECONDS"]),
    key(
        "policy.setup_timeout_seconds",
        Kind::Number(0.1, 86_400.0),
        "600",
        "how long a definition's startup script may take, and all its setup tasks",
    )
    .env(&["SPALLA_SETUP_TIMEOUT_SECONDS"]),
    key(
        "balance.strategy",
        Kind::Choice(&["round_robin", "least_connections", "weighted"]),
        "least_connections",
        "by what the agent of a piece is chosen that names none",
    )
    .env(&["SPALLA_BALANCE_STRATEGY"]),
    key(
        "balance.weights",
        Kind::Words(&[]),
        "",
        "what agents bear in comparison with others where the strategy is weighted, as codex=2; 1 where nothing is said",
    )
    .env(&["SPALLA_BALANCE_WEIGHTS"]),
    key(
        "features.langcache_enabled",
        Kind::Flag,
        "false",
        "answers to like prompts are shared through Redis LangCache",
    )
    .env(&["LANGCACHE_ENABLED"])
    .idle("this version keeps no answers of models"),
    key(
        "features.scratchpad_enabled",
        Kind::Flag,
        "true",
        "a run works in a folder of its own",
    )
    .env(&["SCRATCHPAD_ENABLED"])
    .idle("in this version a run always does"),
];
