//! What is attested of the walls around a run: under which policy its commands ran, and how each wall stood. Of several
//! commands the weakest counts, so that nothing looks safer than it was.

use crate::Refusal;
use crate::limits::Effective;
use crate::problem::Code;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// The most walls that are told of.
pub const LAYERS_MAX: usize = 16;
/// The most policies that are told of besides the weakest.
pub const OTHERS_MAX: usize = 16;
/// The most refused hosts that are kept.
pub const REFUSED_HOSTS_MAX: usize = 256;
/// The longest text in an attestation, in bytes: a reason is a sentence.
pub const TEXT_BYTES_MAX: usize = 500;
/// The most that the policies of one run have together, in bytes: a usual one has a thousandth of a mebibyte.
pub const POLICIES_BYTES_MAX: usize = 64 * 1024;

/// What is attested of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attested {
    /// The preset that the policy began with.
    pub preset: String,
    /// The hash of the policy: the SHA-256 of its canonical text, in hexadecimal digits.
    pub policy_hash: String,
    /// The policy itself; none where it is too long to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyObject>,
    /// Every wall, in the order in which they are put up.
    pub layers: Vec<AttestedLayer>,
    /// The other policies under which commands of the run ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<AttestedPolicy>,
    /// The hosts that commands asked for and did not get, with the reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_hosts: Vec<String>,
    /// Which limits held, and whose they were.
    #[serde(default, skip_serializing_if = "Effective::is_empty")]
    pub limits: Effective,
    /// How much of the machine the commands used; none where nobody measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
}

/// How much of the machine was used; what nobody measured is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Used {
    /// Time of processors, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// The most memory at once, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Files that came into being, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
}

impl Used {
    /// Returns what two commands used of which one came after the other: what one of them does not tell stays unknown.
    fn then(self, other: Self) -> Self {
        let both = |one: Option<u64>, other: Option<u64>| one.zip(other);
        let sum = |one, other| both(one, other).map(|(one, other)| one.saturating_add(other));
        Self {
            cpu_ms: sum(self.cpu_ms, other.cpu_ms),
            memory_bytes: both(self.memory_bytes, other.memory_bytes).map(|(one, other)| one.max(other)),
            disk_bytes: sum(self.disk_bytes, other.disk_bytes),
        }
    }
}

/// How one wall stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestedLayer {
    /// The wall.
    pub layer: String,
    /// How it stood.
    pub state: LayerState,
    /// What exactly.
    #[serde(default)]
    pub detail: String,
}

/// How a wall stood; the later is the weaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerState {
    /// The kernel holds it.
    Enforced,
    /// It is held by watching, or by an older form that leaves gaps.
    Approximate,
    /// It did not stand; the operator allowed that.
    Off,
}

/// A policy by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestedPolicy {
    /// The preset that it began with.
    pub preset: String,
    /// Its hash.
    pub policy_hash: String,
    /// All of it; none where it is too long to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyObject>,
}

/// A policy, whole, as it was when a command was started: what the command might do, with variables by their names alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PolicyObject(Map<String, Value>);

impl PolicyObject {
    /// Reads a policy's text; none where it is no object, or longer than what is kept.
    pub fn parse(text: &str) -> Option<Self> {
        let policy: Self = serde_json::from_str(text).ok()?;
        (policy.canonical().len() <= POLICIES_BYTES_MAX).then_some(policy)
    }

    /// Returns the one text that says exactly this: members sorted by their names, at every depth, and no spaces.
    pub fn canonical(&self) -> String {
        // The members of a value are sorted already, and it can always be written.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Returns the SHA-256 of the canonical text, in hexadecimal digits.
    pub fn hash(&self) -> String {
        Sha256::digest(self.canonical()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The presets from the strictest on; any other counts as weaker than all.
const PRESETS: [&str; 5] = ["strict", "agent", "build", "open-net", "none"];

impl Attested {
    /// Adds what is attested of another command of the same run: the weaker policy comes first, and of each wall the
    /// weaker state counts.
    pub fn join(&mut self, mut other: Self) {
        let used = self.used.zip(other.used).map(|(one, other)| one.then(other));
        if rank(&other.preset) > rank(&self.preset) {
            std::mem::swap(self, &mut other);
        }
        self.used = used;
        for layer in other.layers {
            match self.layers.iter().position(|known| known.layer == layer.layer) {
                Some(at) if self.layers[at].state < layer.state => self.layers[at] = layer,
                None if self.layers.len() < LAYERS_MAX => self.layers.push(layer),
                Some(_) | None => {}
            }
        }
        let Self { preset, policy_hash, policy, .. } = other;
        let its_own = AttestedPolicy { preset, policy_hash, policy };
        for policy in std::iter::once(its_own).chain(other.others) {
            self.add(policy);
        }
        self.others.retain(|policy| policy.policy_hash != self.policy_hash);
        for host in other.refused_hosts {
            if self.refused_hosts.len() < REFUSED_HOSTS_MAX && !self.refused_hosts.contains(&host) {
                self.refused_hosts.push(host);
            }
        }
    }

    /// Adds another policy, by its name alone where there is no room for all of it.
    fn add(&mut self, mut policy: AttestedPolicy) {
        let is_known = self.policies().any(|(hash, _)| hash == policy.policy_hash);
        if is_known || self.others.len() >= OTHERS_MAX {
            return;
        }
        let bytes = |policy: &PolicyObject| policy.canonical().len();
        let kept: usize = self.policies().filter_map(|(_, policy)| policy).map(bytes).sum();
        policy.policy = policy.policy.filter(|policy| kept + bytes(policy) <= POLICIES_BYTES_MAX);
        self.others.push(policy);
    }

    /// Returns the hash of each policy, and the policy.
    fn policies(&self) -> impl Iterator<Item = (&str, Option<&PolicyObject>)> {
        let others = self.others.iter().map(|other| (other.policy_hash.as_str(), other.policy.as_ref()));
        std::iter::once((self.policy_hash.as_str(), self.policy.as_ref())).chain(others)
    }

    /// Refuses policies that are not what their hashes are of, and more of them than is kept.
    pub fn check(&self) -> Result<(), Refusal> {
        let mut bytes = 0;
        for (hash, policy) in self.policies() {
            let Some(policy) = policy else { continue };
            bytes += policy.canonical().len();
            if policy.hash() != hash {
                let detail = format!("the sandbox's policy does not have the hash {hash} that is attested");
                return Err(Refusal::new(Code::Invalid, detail)
                    .mend("send the SHA-256 of its canonical text, or leave it out"));
            }
        }
        if bytes > POLICIES_BYTES_MAX {
            let detail =
                format!("the sandbox's policies have {bytes} bytes; at most {POLICIES_BYTES_MAX} are kept");
            return Err(Refusal::new(Code::Invalid, detail).mend("leave some of them out"));
        }
        Ok(())
    }

    /// Tells whether nothing in it is longer than it may be.
    pub fn is_bounded(&self) -> bool {
        let texts = [&self.preset, &self.policy_hash].into_iter();
        let texts = texts.chain(self.layers.iter().flat_map(|layer| [&layer.layer, &layer.detail]));
        let texts = texts.chain(self.others.iter().flat_map(|other| [&other.preset, &other.policy_hash]));
        let mut texts = texts.chain(&self.refused_hosts);
        self.layers.len() <= LAYERS_MAX
            && self.others.len() <= OTHERS_MAX
            && self.refused_hosts.len() <= REFUSED_HOSTS_MAX
            && texts.all(|text| text.len() <= TEXT_BYTES_MAX)
    }
}

fn rank(preset: &str) -> usize {
    PRESETS.iter().position(|known| *known == preset).unwrap_or(PRESETS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attested(preset: &str, hash: &str, seccomp: LayerState) -> Attested {
        let layer = AttestedLayer { layer: "seccomp".into(), state: seccomp, detail: String::new() };
        Attested {
            preset: preset.into(),
            policy_hash: hash.into(),
            policy: None,
            layers: vec![layer],
            others: vec![],
            refused_hosts: vec![],
            limits: Effective::default(),
            used: None,
        }
    }

    #[test]
    fn what_commands_used_adds_up_and_what_one_does_not_tell_stays_unknown() {
        let of = |cpu_ms, memory_bytes, disk_bytes| Attested {
            used: Some(Used { cpu_ms, memory_bytes, disk_bytes }),
            ..attested("strict", "1", LayerState::Enforced)
        };
        let mut run = of(Some(100), Some(7), Some(1));
        run.join(of(Some(50), Some(5), None));
        assert_eq!(run.used, of(Some(150), Some(7), None).used);
        run.join(attested("open-net", "2", LayerState::Enforced));
        assert_eq!(run.used, None);
    }

    #[test]
    fn of_several_commands_the_weakest_counts() {
        let mut run = attested("strict", "1", LayerState::Off);
        run.join(attested("open-net", "2", LayerState::Enforced));
        run.join(attested("strict", "1", LayerState::Approximate));
        assert_eq!((run.preset.as_str(), run.policy_hash.as_str()), ("open-net", "2"));
        assert_eq!(run.layers[0].state, LayerState::Off);
        let strict = AttestedPolicy { preset: "strict".into(), policy_hash: "1".into(), policy: None };
        assert_eq!(run.others, [strict]);
    }

    #[test]
    fn a_policy_has_one_text_whatever_the_order_of_its_members() {
        let [one, other] = [r#"{"b": {"d": 1, "c": [2]}, "a": "x"}"#, r#"{"a":"x","b":{"c":[2],"d":1}}"#]
            .map(|text| PolicyObject::parse(text).unwrap());
        assert_eq!(one.canonical(), r#"{"a":"x","b":{"c":[2],"d":1}}"#);
        assert_eq!((one.hash(), one.hash().len()), (other.hash(), 64));
        assert_eq!(PolicyObject::parse("[1]"), None);
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(POLICIES_BYTES_MAX));
        assert_eq!(PolicyObject::parse(&long), None);
    }

    fn with_policy(preset: &str, text: &str) -> Attested {
        let policy = PolicyObject::parse(text).unwrap();
        Attested { policy: Some(policy.clone()), ..attested(preset, &policy.hash(), LayerState::Enforced) }
    }

    #[test]
    fn a_policy_that_is_not_what_its_hash_is_of_is_refused() {
        let mut run = with_policy("strict", r#"{"a":1}"#);
        run.join(with_policy("open-net", r#"{"a":2}"#));
        assert_eq!(run.check(), Ok(()));
        assert_eq!(run.others[0].policy, PolicyObject::parse(r#"{"a":1}"#));
        run.others[0].policy = PolicyObject::parse(r#"{"a":3}"#);
        assert_eq!(run.check().unwrap_err().code, Code::Invalid);
        run.others[0].policy = None;
        run.policy = PolicyObject::parse(r#"{"a":1}"#);
        assert_eq!(run.check().unwrap_err().code, Code::Invalid);
    }

    #[test]
    fn of_policies_that_are_too_long_together_the_later_are_named_only() {
        let half = |letter: &str| format!(r#"{{"a":"{}"}}"#, letter.repeat(POLICIES_BYTES_MAX / 2 - 8));
        let mut run = with_policy("strict", &half("x"));
        for letter in ["y", "z"] {
            run.join(with_policy("strict", &half(letter)));
        }
        let kept: Vec<bool> = run.policies().map(|(_, policy)| policy.is_some()).collect();
        assert_eq!(kept, [true, true, false]);
        assert_eq!(run.check(), Ok(()));
    }

    #[test]
    fn the_same_command_again_adds_nothing() {
        let mut run = attested("strict", "1", LayerState::Enforced);
        run.join(run.clone());
        assert_eq!(run, attested("strict", "1", LayerState::Enforced));
        assert!(run.is_bounded());
        run.refused_hosts = vec!["x".repeat(TEXT_BYTES_MAX + 1)];
        assert!(!run.is_bounded());
    }
}
