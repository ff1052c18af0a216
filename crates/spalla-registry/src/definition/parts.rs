//! The sections of a definition. Every field may be missing: what is missing says nothing, and caps nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Declares sections whose fields may all be missing, and are then not written.
macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub struct $name {$(
            $(#[$field_doc])*
            #[serde(default, skip_serializing_if = "super::says_nothing")]
            pub $field: $kind,
        )*}
    )*};
}

/// Where an agent stands among others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Classification {
    /// The field of work; the first folder of the published file.
    #[schemars(regex(pattern = r"^[a-z0-9]+([_-][a-z0-9]+)*$"), length(min = 1, max = 64))]
    pub domain: String,
    /// A part of the field; the second folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-z0-9]+([_-][a-z0-9]+)*$"), length(min = 1, max = 64))]
    pub subdomain: Option<String>,
    /// How wide its work is; `generalist` takes what nobody else of the domain takes.
    #[schemars(regex(pattern = r"^[a-z0-9]+([_-][a-z0-9]+)*$"), length(min = 1, max = 64))]
    pub tier: String,
}

/// In which order waiting tasks are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum QueueStrategy {
    /// The oldest first.
    Fifo,
    /// The newest first.
    Lifo,
    /// The most urgent first.
    Priority,
}

/// The least that a run needs for `succeeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerificationPolicy {
    /// Nothing more than its own word.
    None,
    /// Its smoke test.
    Smoke,
    /// A verifier's.
    Verifier,
    /// A peer's.
    Peer,
}

/// A regular expression that leads work to an agent; read alike by JavaScript and by this program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Pattern {
    /// The expression, without flags.
    #[schemars(length(min = 1, max = 1000))]
    pub pattern: String,
    /// How early it is tried; the highest first.
    #[serde(default)]
    pub priority: i64,
}

sections! {
    /// How an agent is run, and within which caps.
    Runtime {
        /// How it is carried out.
        execution_mode: Option<String>,
        /// How much it may do without asking, from 0 to 1.
        #[schemars(range(min = 0.0, max = 1.0))]
        autonomy_level: Option<f64>,
        /// How many tasks it has at a time, and in which order.
        concurrency: Concurrency,
        /// Hard caps.
        resource_limits: ResourceLimits,
        /// Milliseconds between signs of life.
        #[schemars(range(min = 1))]
        heartbeat_interval_ms: Option<u64>,
        /// The longest that a run may take, in milliseconds.
        #[schemars(range(min = 1))]
        timeout_ms: Option<u64>,
    }

    /// How many tasks an agent has at a time.
    Concurrency {
        /// The most at a time.
        #[schemars(range(min = 1, max = 10000))]
        max_parallel_tasks: Option<u32>,
        /// The order of those that wait.
        queue_strategy: Option<QueueStrategy>,
    }

    /// Hard caps of one run.
    ResourceLimits {
        /// Cores.
        #[schemars(range(min = 0.0))]
        cpu: Option<f64>,
        /// Memory, in MiB.
        memory_mb: Option<u64>,
        /// Growth of its folders, in MiB.
        disk_mb: Option<u64>,
    }

    /// What an agent can do.
    Capabilities {
        /// In a word each.
        core: Vec<String>,
        /// In which languages, and with which tools.
        detail: Detail,
        /// How good it is held to be.
        quality: Quality,
        /// How well it can do what: name → expert, advanced or basic.
        levels: BTreeMap<String, String>,
    }

    /// In which languages and frameworks an agent is at home.
    Detail {
        /// Programming languages.
        languages: Vec<String>,
        /// Frameworks and libraries.
        frameworks: Vec<String>,
        /// Fields of knowledge.
        domains: Vec<String>,
        /// Tools.
        tools: Tools,
    }

    /// Tools that an agent may use.
    Tools {
        /// Those that it may use; `*` is all of them.
        allowed: Vec<String>,
        /// Those that it may not; an attempt is audited.
        restricted: Vec<String>,
    }

    /// How good an agent is held to be, each from 0 to 1.
    Quality {
        /// How often it comes to a good end.
        #[schemars(range(min = 0.0, max = 1.0))]
        reliability: Option<f64>,
        /// How soon it answers.
        #[schemars(range(min = 0.0, max = 1.0))]
        responsiveness: Option<f64>,
        /// How good its work is.
        #[schemars(range(min = 0.0, max = 1.0))]
        quality: Option<f64>,
    }

    /// What an agent is there for.
    Responsibilities {
        /// First of all.
        primary: Vec<String>,
        /// Besides.
        secondary: Vec<String>,
    }

    /// What leads work to an agent.
    Triggers {
        /// Words of the task, in small letters.
        keywords: Vec<String>,
        /// Expressions that the task matches.
        regex: Vec<Pattern>,
        /// Globs of the files that the task is about.
        file_patterns: Vec<String>,
        /// To whom it hands on.
        delegations: Delegations,
        /// Words that speak against it.
        avoid: Vec<String>,
    }

    /// To whom an agent hands on.
    Delegations {
        /// Ids of those that it calls.
        prefers: Vec<String>,
        /// Ids of those that it works beside.
        complements: Vec<String>,
    }

    /// What is done before and after an agent's work.
    Workflow {
        /// Run once before its first step.
        startup_script: Option<String>,
        /// Run before the first step.
        setup_tasks: Vec<String>,
        /// Run after the last step, always.
        teardown_tasks: Vec<String>,
        /// What has to be there.
        dependencies: Dependencies,
    }

    /// What has to be there.
    Dependencies {
        /// Programs.
        runtime: Vec<String>,
        /// Packages.
        packages: Vec<String>,
    }

    /// What an agent remembers.
    Memory {
        /// For how long.
        retention: Retention,
        /// Under which names.
        namespaces: Vec<String>,
        /// For whom.
        sharing_policy: SharingPolicy,
    }

    /// For how long something is remembered, such as `24h`.
    Retention {
        /// Within a task.
        short_term: Option<String>,
        /// Beyond it.
        long_term: Option<String>,
    }

    /// With whom notes are shared.
    SharingPolicy {
        /// Ids.
        share_with: Vec<String>,
        /// Expressions whose matches are taken out before.
        redact: Vec<String>,
    }

    /// What is measured of an agent.
    Metrics {
        /// Names of measures.
        tracked: Vec<String>,
        /// When somebody is told.
        thresholds: Thresholds,
        /// Who is told.
        escalation: Escalation,
    }

    /// When somebody is told.
    Thresholds {
        /// After how many signs of life that did not come.
        #[schemars(range(min = 1))]
        heartbeat_miss: Option<u32>,
        /// Above which share of failed runs, in percent.
        #[schemars(range(min = 0.0, max = 100.0))]
        failure_rate_pct: Option<f64>,
    }

    /// Who is told.
    Escalation {
        /// Names or addresses.
        notify: Vec<String>,
    }

    /// Commands around each task, run in the sandbox.
    Hooks {
        /// Before it; one that fails stops the run.
        pre_task: Vec<String>,
        /// After it.
        post_task: Vec<String>,
        /// After it failed.
        failure: Vec<String>,
    }

    /// How an agent is tried.
    Testing {
        /// A command that has to succeed before the definition serves.
        smoke: Option<String>,
        /// A longer one, for `agents validate --full`.
        integration: Option<String>,
        /// The least that its runs need for `succeeded`.
        verification_policy: Option<VerificationPolicy>,
    }

    /// What an agent tells of itself.
    Observability {
        /// Which log lines.
        log_level: Option<String>,
        /// Where hooks' output goes.
        log_channels: Vec<String>,
        /// Traces.
        tracing: Tracing,
    }

    /// Traces of an agent's runs.
    Tracing {
        /// Whether there are any.
        enabled: Option<bool>,
        /// Of which share of its runs, from 0 to 1.
        #[schemars(range(min = 0.0, max = 1.0))]
        sample_rate: Option<f64>,
    }
}
