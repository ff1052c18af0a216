//! Which walls stand around a run's commands: the operator's settings, and what each kind of command needs.

use crate::credentials::Credentials;
use crate::limits;
use crate::run::Run;
use crate::sandbox::{Confined, Ended, PROXY_VARIABLES, SpawnError, TRUST_VARIABLES, Walls};
use spalla_domain::claim::RunError;
use spalla_domain::limits::{self as domain, Effective};
use spalla_domain::retry::ErrorClass;
use spalla_domain::sandbox::{
    Attested, AttestedLayer, LayerState, PolicyObject, REFUSED_HOSTS_MAX, TEXT_BYTES_MAX, Used,
};
use spalla_sandbox::{
    Attestation, HostCredentials, Injection, Layer, Limits, Network, Policy, Preset, State,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// What the operator says of the sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SandboxOptions {
    /// The preset of every command; none lets each kind of command have its own.
    pub preset: Option<Preset>,
    /// The layers that may be missing.
    pub allow_degraded: Vec<Layer>,
    /// How much a command and all that it starts may use.
    pub limits: Limits,
    /// What the operator says of single agents and aliases, by their names.
    pub agent_limits: BTreeMap<String, domain::Limits>,
    /// The hosts that commands reach through the proxy, where their preset has one. With such a list, or with injections,
    /// a step that has network has this much of it; without either, it has the machine's.
    pub hosts: Vec<String>,
    /// The servers of models on the loopback device that the operator's settings name.
    pub servers: Vec<SocketAddr>,
    /// The hosts that get a credential on the way, where a command's preset has a proxy.
    pub inject: Vec<Injection>,
    /// What they get.
    pub credentials: HostCredentials,
    /// Further folders and files that commands may read.
    pub read: Vec<PathBuf>,
    /// Further folders that commands may write, all of them: what one leaves there, the others see.
    pub write: Vec<PathBuf>,
    /// How long a step goes on without its worker, until another one takes it up, in milliseconds; none ends it with its
    /// worker.
    pub reattach_grace_ms: Option<u64>,
}

/// What a command needs besides its workspace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Needs {
    /// Whether it reaches other machines.
    pub(crate) network: bool,
    /// Programs that lie elsewhere.
    pub(crate) tools: Vec<PathBuf>,
    /// What it reads.
    pub(crate) read: Vec<PathBuf>,
    /// What it writes besides its workspace.
    pub(crate) write: Vec<PathBuf>,
    /// The model that it works by; none for what works by itself.
    pub(crate) model: Option<Model>,
}

/// Where the model of an agent is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    /// The hosts, reached through the proxy.
    pub(crate) hosts: Vec<String>,
    /// Servers on this machine's loopback device.
    pub(crate) servers: Vec<SocketAddr>,
}

impl Run<'_> {
    /// Returns the walls around a command that works in a folder of the run's own.
    pub(crate) fn walls(&self, workspace: &Path, needs: Needs) -> Walls {
        let options = &self.options.sandbox;
        if options.preset == Some(Preset::None) {
            return Walls::None;
        }
        let outside = &self.options.child_env;
        let preset = match &needs.model {
            Some(_) => options.preset.unwrap_or(Preset::Agent),
            None => preset_of(options, needs.network),
        };
        let mut policy = Policy::new(preset, workspace.to_owned());
        let mut credentials = HostCredentials::default();
        if let Network::Proxy { allow, relays, inject } = &mut policy.network {
            allow.clone_from(&options.hosts);
            relays.clone_from(&options.servers);
            inject.clone_from(&options.inject);
            credentials.clone_from(&options.credentials);
            if let Some(model) = needs.model {
                allow.extend(model.hosts);
                relays.extend(model.servers);
                relays.sort_unstable();
                relays.dedup();
            }
        }
        policy.limits = limits::of_commands(&options.limits, &self.limits);
        policy.allow_degraded.clone_from(&options.allow_degraded);
        policy.tools = needs.tools;
        policy.read = needs.read;
        policy.read.extend(options.read.iter().filter(|path| path.exists()).cloned());
        policy.write = options.write.iter().filter(|path| path.exists()).cloned().collect();
        policy.write.extend(needs.write);
        if policy.network != Network::None {
            policy.environment =
                PROXY_VARIABLES.iter().chain(&TRUST_VARIABLES).map(|name| (*name).to_owned()).collect();
            let trusted = TRUST_VARIABLES.iter().filter_map(|name| outside.get(*name)).map(PathBuf::from);
            policy.read.extend(trusted.filter(|path| path.is_absolute() && path.exists()));
        }
        let (outside, journal) = (outside.clone(), Some(self.journal()));
        let refusals = self.refusals.clone();
        let secret_files = self.credentials().map(Credentials::files).cloned().unwrap_or_default();
        Walls::Up(Box::new(Confined { policy, outside, credentials, secret_files, journal, refusals }))
    }

    /// Takes note of the walls that stood around a command, and of what it was refused.
    pub(crate) fn attest(&self, ended: &Ended) {
        let mut attested = attested(&ended.attestation);
        attested.refused_hosts =
            ended.refused_hosts.iter().take(REFUSED_HOSTS_MAX).map(|host| cut(host)).collect();
        attested.used = ended.used.map(|used| {
            let spalla_sandbox::Used { cpu_ms, memory_bytes, disk_bytes } = used;
            Used { cpu_ms, memory_bytes, disk_bytes }
        });
        self.join(attested);
    }

    /// Takes note of the walls around a process that goes on after its turn.
    pub(crate) fn attest_standing(&self, attestation: &Attestation) {
        self.join(attested(attestation));
    }

    /// Takes note that a command was not started, because a wall can't stand.
    pub(crate) fn attest_refusal(&self, walls: &Walls, layer: Layer, reason: &str) {
        let Walls::Up(confined) = walls else { return };
        self.join(Attested {
            preset: confined.policy.preset.to_string(),
            policy_hash: confined.policy.hash(),
            policy: PolicyObject::parse(&confined.policy.canonical()),
            layers: vec![AttestedLayer {
                layer: layer.to_string(),
                state: LayerState::Off,
                detail: cut(&format!("missing, so nothing was started: {reason}")),
            }],
            others: Vec::new(),
            refused_hosts: Vec::new(),
            limits: Effective::default(),
            // Nothing was started.
            used: Some(Used { cpu_ms: Some(0), memory_bytes: Some(0), disk_bytes: Some(0) }),
        });
    }

    /// Returns why a command did not start, and whether trying again makes sense; a wall that can't stand is attested.
    pub(crate) fn unstarted(&self, walls: &Walls, error: &SpawnError) -> RunError {
        let class = match error {
            SpawnError::Refused { layer, reason, .. } => {
                self.attest_refusal(walls, *layer, reason);
                ErrorClass::Validation
            }
            SpawnError::Impossible { .. } | SpawnError::Command { missing: true, .. } => {
                ErrorClass::Validation
            }
            _ => ErrorClass::System,
        };
        RunError::new(class, error.to_string())
    }

    fn join(&self, mut attested: Attested) {
        attested.limits.clone_from(&self.limits);
        let mut all = self.attested.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *all {
            Some(known) => known.join(attested),
            None => *all = Some(attested),
        }
    }
}

/// Recipes have no network. A step whose tool says that it needs one reaches the operator's list of hosts and those of
/// injections, or, where there is neither, whomever the machine reaches.
fn preset_of(options: &SandboxOptions, network: bool) -> Preset {
    match (options.preset.unwrap_or(Preset::Strict), network) {
        // The hosts of injections are a list as well: without the proxy nothing would be injected.
        (Preset::Strict, true) if options.hosts.is_empty() && options.inject.is_empty() => Preset::OpenNet,
        (Preset::Strict, true) => Preset::Build,
        (preset, _) => preset,
    }
}

fn attested(attestation: &Attestation) -> Attested {
    let state = |state| match state {
        State::Enforced => LayerState::Enforced,
        State::Approximate => LayerState::Approximate,
        State::Off => LayerState::Off,
    };
    let layers = attestation.layers.iter().map(|entry| AttestedLayer {
        layer: entry.layer.to_string(),
        state: state(entry.state),
        detail: cut(&entry.detail),
    });
    Attested {
        preset: attestation.preset.to_string(),
        policy_hash: attestation.policy_hash.clone(),
        policy: attestation.policy.as_ref().and_then(|policy| PolicyObject::parse(&policy.canonical())),
        layers: layers.collect(),
        others: Vec::new(),
        refused_hosts: Vec::new(),
        limits: Effective::default(),
        used: None,
    }
}

/// Returns as much of a text as is attested.
pub(crate) fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_network_only_when_it_asks_and_only_as_much_as_the_operator_lists() {
        let strict = SandboxOptions::default();
        assert_eq!(preset_of(&strict, false), Preset::Strict);
        assert_eq!(preset_of(&strict, true), Preset::OpenNet);
        let listed = SandboxOptions { hosts: vec!["example.org".into()], ..strict };
        assert_eq!(preset_of(&listed, false), Preset::Strict);
        assert_eq!(preset_of(&listed, true), Preset::Build);
        let inject = Injection::read_all(&["api.openai.com=OPENAI_API_KEY".into()], &mut Vec::new()).unwrap();
        let injected = SandboxOptions { inject, ..SandboxOptions::default() };
        assert_eq!(preset_of(&injected, true), Preset::Build, "the machine's network injects nothing");
        let agent = SandboxOptions { preset: Some(Preset::Agent), ..listed };
        assert_eq!(preset_of(&agent, true), Preset::Agent);
    }
}
