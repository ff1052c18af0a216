//! What a sandboxed command may do: data that is made once, never changed during a run, and has a hash.

use crate::injection::Injection;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// How long a tree has between the wish to end and the end by force, in milliseconds.
const GRACE_MS: u64 = 3_000;

/// Everything that a command may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// The named choice that the rest began with.
    pub preset: Preset,
    /// The folder in which the command starts and which it may write.
    pub workspace: PathBuf,
    /// What it may read besides the system and the toolchains.
    #[serde(default)]
    pub read: Vec<PathBuf>,
    /// What it may write besides the workspace.
    #[serde(default)]
    pub write: Vec<PathBuf>,
    /// The programs that it may start although they lie elsewhere; each is seen with its package and interpreter.
    #[serde(default)]
    pub tools: Vec<PathBuf>,
    /// The variables that it gets from the environment of whoever starts it; everything else is built or named.
    #[serde(default)]
    pub environment: Vec<String>,
    /// Whom it may talk to.
    pub network: Network,
    /// How much it may use.
    #[serde(default)]
    pub limits: Limits,
    /// The layers that the operator allows to be missing.
    #[serde(default)]
    pub allow_degraded: Vec<Layer>,
}

impl Policy {
    /// Makes the policy of a preset over a workspace.
    pub fn new(preset: Preset, workspace: PathBuf) -> Self {
        let network = match preset {
            Preset::Strict => Network::None,
            Preset::Agent | Preset::Build => Network::proxy(),
            Preset::OpenNet | Preset::None => Network::Open,
        };
        Self {
            preset,
            workspace,
            read: Vec::new(),
            write: Vec::new(),
            tools: Vec::new(),
            environment: Vec::new(),
            network,
            limits: Limits::default(),
            allow_degraded: Vec::new(),
        }
    }

    /// Returns the one text of exactly this policy: JSON, members sorted by their names, no spaces.
    pub fn canonical(&self) -> String {
        // Only strings, numbers and lists: nothing that could fail to be written. A value's members are sorted.
        serde_json::to_value(self).map(|policy| policy.to_string()).unwrap_or_default()
    }

    /// Returns the name of exactly this policy: the SHA-256 of its canonical text, in hexadecimal digits.
    pub fn hash(&self) -> String {
        Sha256::digest(self.canonical()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Tells whether the operator allows this layer to be missing.
    pub fn allows_missing(&self, layer: Layer) -> bool {
        self.allow_degraded.contains(&layer)
    }
}

/// A named policy to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The workspace to write, the system to read, no network.
    Strict,
    /// Strict, and the model provider through the run's proxy.
    Agent,
    /// Agent, and named package registries.
    Build,
    /// Strict, with the machine's own network.
    OpenNet,
    /// No walls at all; only an operator's configuration can choose it.
    None,
}

impl Preset {
    /// Reads a name as `Display` writes it.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Strict, Self::Agent, Self::Build, Self::OpenNet, Self::None]
            .into_iter()
            .find(|preset| preset.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Strict => "strict",
            Self::Agent => "agent",
            Self::Build => "build",
            Self::OpenNet => "open-net",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whom a command may talk to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "mode", deny_unknown_fields)]
pub enum Network {
    /// Nobody but itself: a loopback device of its own, connected to nothing.
    None,
    /// The hosts of a list, through the run's proxy.
    Proxy {
        /// The hosts.
        allow: Vec<String>,
        /// Servers on this machine's loopback device that are reached at the same address from inside, past the proxy.
        #[serde(default)]
        relays: Vec<SocketAddr>,
        /// The hosts that get a credential on the way, which the command never holds. A policy without any has the hash
        /// that it always had.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inject: Vec<Injection>,
    },
    /// Whomever this machine can reach.
    Open,
}

impl Network {
    /// Returns a proxy that leads to nobody yet.
    pub fn proxy() -> Self {
        Self::Proxy { allow: Vec::new(), relays: Vec::new(), inject: Vec::new() }
    }

    /// Returns the hosts that get a credential on the way.
    pub fn injections(&self) -> &[Injection] {
        match self {
            Self::Proxy { inject, .. } => inject,
            Self::None | Self::Open => &[],
        }
    }
}

/// How much a command and all that it starts may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Memory of all processes together, in MiB.
    pub memory_mb: u64,
    /// Processes and threads at a time.
    pub processes: u64,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
    /// How long its tree has between the wish to end and the end by force, in milliseconds.
    pub grace_ms: u64,
    /// By how much the folders that it writes may grow, in MiB.
    pub disk_mb: u64,
    /// By how many files they may grow.
    pub files: u64,
    /// Its share of a busy machine, from 1 to 100; 100 is that of an ordinary process.
    pub cpu_weight: u64,
    /// The most it may ever use, in percent of one core.
    pub cpu_percent: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_mb: 2_048,
            processes: 512,
            timeout_ms: 3_600_000,
            grace_ms: GRACE_MS,
            disk_mb: 2_048,
            files: 262_144,
            cpu_weight: 50,
            cpu_percent: None,
        }
    }
}

/// One wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// Namespaces of its own, with a file system that shows only what the policy lists.
    Namespaces,
    /// Landlock, which says the same about files once more, and keeps signals and abstract sockets in.
    Landlock,
    /// The list of system calls that are refused.
    Seccomp,
    /// No capabilities, no way to gain any, no inherited descriptors, limits of each process.
    Privileges,
    /// Limits of all processes together.
    Cgroup,
    /// The limit of what is written into the workspace.
    Disk,
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Namespaces => "namespaces",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Privileges => "privileges",
            Self::Cgroup => "cgroup",
            Self::Disk => "disk",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_differs_in_anything_has_another_hash() {
        let policy = Policy::new(Preset::Strict, "/w".into());
        assert_eq!(policy.hash(), policy.clone().hash());
        let mut other = policy.clone();
        other.limits.processes += 1;
        assert_ne!(policy.hash(), other.hash());
        let open = Policy { network: Network::Open, ..policy.clone() };
        assert_ne!(policy.hash(), open.hash());
    }

    #[test]
    fn the_canonical_text_of_a_policy_is_sorted_and_without_spaces() {
        let text = Policy::new(Preset::Strict, "/w".into()).canonical();
        assert!(
            text.starts_with(r#"{"allow_degraded":[],"environment":[],"limits":{"cpu_percent":null,"#),
            "{text}"
        );
        assert!(
            text.ends_with(r#""preset":"strict","read":[],"tools":[],"workspace":"/w","write":[]}"#),
            "{text}"
        );
    }

    #[test]
    fn a_policy_survives_being_stored() {
        let mut policy = Policy::new(Preset::Build, "/w".into());
        policy.network = Network::Proxy {
            allow: vec!["example.org".into()],
            relays: vec!["127.0.0.1:11434".parse().unwrap()],
            inject: Injection::read_all(&["api.openai.com=OPENAI_API_KEY".into()], &mut Vec::new()).unwrap(),
        };
        policy.allow_degraded = vec![Layer::Cgroup];
        let text = serde_json::to_string(&policy).unwrap();
        assert_eq!(serde_json::from_str::<Policy>(&text).unwrap(), policy);
    }

    #[test]
    fn a_policy_without_injections_reads_and_writes_as_before_there_were_any() {
        let text = r#"{"allow":["example.org"],"mode":"proxy","relays":[]}"#;
        let network: Network = serde_json::from_str(text).unwrap();
        assert_eq!(network.injections(), []);
        assert_eq!(serde_json::to_value(&network).unwrap().to_string(), text);
    }

    #[test]
    fn every_preset_is_found_by_its_name() {
        for name in ["strict", "agent", "build", "open-net", "none"] {
            assert_eq!(Preset::from_name(name).unwrap().to_string(), name);
        }
        assert_eq!(Preset::from_name("open"), None);
    }
}
