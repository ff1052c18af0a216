//! Which walls stood around a run, and how: for the record of the run.

use crate::cgroup::Cgroup;
use crate::policy::{Layer, Network, Policy, Preset};
use crate::report::Missing;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is attested of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// The hash of the policy.
    pub policy_hash: String,
    /// The policy's preset.
    pub preset: Preset,
    /// The policy itself; none where nobody could say.
    pub policy: Option<Box<Policy>>,
    /// Every layer, in the order in which they are put up.
    pub layers: Vec<LayerState>,
}

/// How one layer stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerState {
    /// The layer.
    pub layer: Layer,
    /// How it stood.
    pub state: State,
    /// What exactly.
    pub detail: String,
}

/// How a layer stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The kernel holds it.
    Enforced,
    /// It is held by watching, or by an older form that leaves gaps.
    Approximate,
    /// It did not stand; the operator allowed that.
    Off,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforced => "enforced",
            Self::Approximate => "approximate",
            Self::Off => "off",
        })
    }
}

impl Attestation {
    pub(crate) fn of(policy: &Policy) -> Self {
        let (policy_hash, preset) = (policy.hash(), policy.preset);
        Self { policy_hash, preset, policy: Some(Box::new(policy.clone())), layers: Vec::new() }
    }

    /// What is attested of a command that runs behind its walls.
    pub(crate) fn of_walls(
        policy: &Policy,
        cgroup: Option<&Cgroup>,
        landlock_abi: i32,
        missing: &[Missing],
    ) -> Self {
        let mut all = Self::of(policy);
        let off = |layer: Layer| {
            let missing = missing.iter().find(|missing| missing.layer == layer)?;
            Some((State::Off, format!("allowed by the operator: {}", missing.reason)))
        };
        let network = describe(&policy.network);
        all.add(
            Layer::Namespaces,
            State::Enforced,
            format!("users, mounts, processes, IPC, host name; {network}"),
        );
        let (state, detail) = off(Layer::Landlock).unwrap_or_else(|| match landlock_abi {
            ..6 => (
                State::Approximate,
                format!("version {landlock_abi}: files, without signals and abstract sockets"),
            ),
            _ => (State::Enforced, format!("version {landlock_abi}: files, signals, abstract sockets")),
        });
        all.add(Layer::Landlock, state, detail);
        let (state, detail) =
            off(Layer::Seccomp).unwrap_or_else(|| (State::Enforced, "deny-list".to_owned()));
        all.add(Layer::Seccomp, state, detail);
        all.add(
            Layer::Privileges,
            State::Enforced,
            "no capabilities, no new privileges, no descriptors, limits",
        );
        match cgroup {
            Some(cgroup) => all.add(Layer::Cgroup, State::Enforced, cgroup.describe()),
            None => {
                let detail =
                    "memory by a watchdog, processes by a limit of their user, processor by priority";
                all.add(Layer::Cgroup, State::Approximate, detail);
            }
        }
        all.add(Layer::Disk, State::Approximate, "by a watchdog, and the size of each file");
        all
    }

    pub(crate) fn add(&mut self, layer: Layer, state: State, detail: impl Into<String>) {
        self.layers.push(LayerState { layer, state, detail: detail.into() });
    }

    /// Returns how a layer stood.
    pub fn state(&self, layer: Layer) -> Option<State> {
        self.layers.iter().find(|entry| entry.layer == layer).map(|entry| entry.state)
    }
}

/// Says whom a network leads to.
fn describe(network: &Network) -> String {
    let (relays, inject) = match network {
        Network::None => return "a network of its own, connected to nothing".to_owned(),
        Network::Open => return "the machine's network".to_owned(),
        Network::Proxy { relays, inject, .. } => (relays, inject),
    };
    let listed = |what: &str, all: Vec<String>| {
        let others = all.join(", ");
        if all.is_empty() { String::new() } else { format!(", and {what} to {others}") }
    };
    let relays = listed("relays", relays.iter().map(ToString::to_string).collect());
    let gateway = listed("a gateway", inject.iter().map(ToString::to_string).collect());
    let only = if relays.is_empty() && gateway.is_empty() { "only " } else { "" };
    format!("a network of its own, out of which {only}the proxy leads{relays}{gateway}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::injection::Injection;

    #[test]
    fn a_network_says_whom_it_leads_to_and_who_gets_which_credential() {
        let proxy = |relays: &[&str], inject: &[&str]| {
            let inject: Vec<String> = inject.iter().map(|word| (*word).to_owned()).collect();
            let relays = relays.iter().map(|relay| relay.parse().unwrap()).collect();
            let inject = Injection::read_all(&inject, &mut Vec::new()).unwrap();
            describe(&Network::Proxy { allow: Vec::new(), relays, inject })
        };
        assert_eq!(proxy(&[], &[]), "a network of its own, out of which only the proxy leads");
        assert_eq!(
            proxy(&["127.0.0.1:1", "[::1]:1"], &["api.openai.com=KEY", "127.0.0.1:2=OTHER"]),
            "a network of its own, out of which the proxy leads, and relays to 127.0.0.1:1, [::1]:1, and a gateway to \
             api.openai.com with the credential of KEY, 127.0.0.1:2 with the credential of OTHER"
        );
    }
}
