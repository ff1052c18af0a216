//! What is attested of the walls around a run, on the wire.

use super::limits::Held;
use super::number::Ordinal;
use super::object::{object, objects};
use super::text::Text;
use super::words;
use serde::{Deserialize, Deserializer, Serialize};
use spalla_domain::sandbox::{
    Attested, AttestedLayer, AttestedPolicy, LAYERS_MAX, LayerState as DomainState, OTHERS_MAX, PolicyObject,
    REFUSED_HOSTS_MAX, TEXT_BYTES_MAX, Used,
};
use utoipa::ToSchema;

/// A reason: a sentence.
type Sentence = Text<TEXT_BYTES_MAX>;

words! {
    /// How a wall stood.
    LayerState for DomainState {
        /// The kernel holds it.
        Enforced = "enforced",
        /// It is held by watching, or by an older form that leaves gaps.
        Approximate = "approximate",
        /// It did not stand; the operator allowed that.
        Off = "off",
    }
}

/// Which walls stood around a run's commands, as its worker says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SandboxBody {
    /// The preset of the policy.
    #[schema(inline)]
    preset: Sentence,
    /// The hash of the policy.
    #[schema(inline)]
    policy_hash: Sentence,
    /// The policy itself, with variables by their names alone: the hash is the SHA-256 of its JSON without spaces, with
    /// the members of each object sorted by their names.
    #[serde(default, deserialize_with = "object")]
    #[schema(value_type = Option<Object>)]
    policy: Option<PolicyObject>,
    /// Every wall, in the order in which they are put up.
    #[serde(deserialize_with = "objects")]
    layers: Vec<LayerBody>,
    /// The other policies under which commands of the run ran.
    #[serde(default, deserialize_with = "objects")]
    others: Vec<SandboxPolicyBody>,
    /// The hosts that commands asked for and did not get, with the reasons.
    #[serde(default)]
    #[schema(inline)]
    refused_hosts: Vec<Sentence>,
    /// Which limits held for its commands, and whose they were.
    #[serde(default)]
    #[schema(inline)]
    limits: Option<Held>,
    /// How much of the machine its commands used.
    #[serde(default, deserialize_with = "object")]
    used: Option<SandboxUsed>,
}

/// How much of the machine commands used; what nobody measured is left out.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SandboxUsed {
    /// Time of processors, in milliseconds.
    #[serde(default, deserialize_with = "measure", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Ordinal>, inline)]
    cpu_ms: Option<u64>,
    /// The most memory at once, in bytes.
    #[serde(default, deserialize_with = "measure", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Ordinal>, inline)]
    memory_bytes: Option<u64>,
    /// Files that came into being, in bytes.
    #[serde(default, deserialize_with = "measure", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Ordinal>, inline)]
    disk_bytes: Option<u64>,
}

/// Reads what was measured, as far as the document says that it goes.
fn measure<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(Option::<Ordinal>::deserialize(deserializer)?.map(Ordinal::unsigned))
}

impl From<SandboxUsed> for Used {
    fn from(SandboxUsed { cpu_ms, memory_bytes, disk_bytes }: SandboxUsed) -> Self {
        Self { cpu_ms, memory_bytes, disk_bytes }
    }
}

impl From<Used> for SandboxUsed {
    fn from(Used { cpu_ms, memory_bytes, disk_bytes }: Used) -> Self {
        Self { cpu_ms, memory_bytes, disk_bytes }
    }
}

/// How one wall stood.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerBody {
    /// The wall.
    #[schema(inline)]
    layer: Sentence,
    /// How it stood.
    state: LayerState,
    /// What exactly.
    #[serde(default)]
    #[schema(inline)]
    detail: Option<Sentence>,
}

/// A policy by its name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SandboxPolicyBody {
    /// The preset that it began with.
    #[schema(inline)]
    preset: Sentence,
    /// Its hash.
    #[schema(inline)]
    policy_hash: Sentence,
    /// All of it.
    #[serde(default, deserialize_with = "object")]
    #[schema(value_type = Option<Object>)]
    policy: Option<PolicyObject>,
}

impl From<SandboxBody> for Box<Attested> {
    /// What is more than is kept is left out.
    fn from(body: SandboxBody) -> Self {
        let layers = body.layers.into_iter().take(LAYERS_MAX).map(|layer| AttestedLayer {
            layer: layer.layer.into(),
            state: layer.state.into(),
            detail: layer.detail.map(String::from).unwrap_or_default(),
        });
        let others = body.others.into_iter().take(OTHERS_MAX).map(|other| AttestedPolicy {
            preset: other.preset.into(),
            policy_hash: other.policy_hash.into(),
            policy: other.policy,
        });
        Self::new(Attested {
            preset: body.preset.into(),
            policy_hash: body.policy_hash.into(),
            policy: body.policy,
            layers: layers.collect(),
            others: others.collect(),
            refused_hosts: body.refused_hosts.into_iter().take(REFUSED_HOSTS_MAX).map(Into::into).collect(),
            limits: body.limits.map(|held| held.0).unwrap_or_default(),
            used: body.used.map(Into::into),
        })
    }
}

/// Which walls stood around a run's commands; of several commands the weakest counts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SandboxView {
    /// The preset of the policy.
    preset: String,
    /// The hash of the policy: the SHA-256 of its JSON without spaces, with the members of each object sorted by their
    /// names.
    policy_hash: String,
    /// The policy itself, with variables by their names alone; null where it was too long to be kept.
    #[schema(value_type = Option<Object>)]
    policy: Option<PolicyObject>,
    /// Every wall, in the order in which they are put up.
    layers: Vec<LayerView>,
    /// The other policies under which commands of the run ran.
    others: Vec<SandboxPolicyView>,
    /// The hosts that commands asked for and did not get, with the reasons.
    refused_hosts: Vec<String>,
    /// Which limits held for its commands, and whose they were.
    #[schema(inline)]
    limits: Held,
    /// How much of the machine its commands used; null where nobody measured it.
    used: Option<SandboxUsed>,
}

/// How one wall stood.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LayerView {
    /// The wall.
    layer: String,
    /// How it stood.
    state: LayerState,
    /// What exactly.
    detail: String,
}

/// A policy by its name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SandboxPolicyView {
    /// The preset that it began with.
    preset: String,
    /// Its hash.
    policy_hash: String,
    /// All of it; null where it was too long to be kept.
    #[schema(value_type = Option<Object>)]
    policy: Option<PolicyObject>,
}

impl From<Attested> for SandboxView {
    fn from(attested: Attested) -> Self {
        let layer = |layer: AttestedLayer| LayerView {
            layer: layer.layer,
            state: layer.state.into(),
            detail: layer.detail,
        };
        let other = |other: AttestedPolicy| SandboxPolicyView {
            preset: other.preset,
            policy_hash: other.policy_hash,
            policy: other.policy,
        };
        Self {
            preset: attested.preset,
            policy_hash: attested.policy_hash,
            policy: attested.policy,
            layers: attested.layers.into_iter().map(layer).collect(),
            others: attested.others.into_iter().map(other).collect(),
            refused_hosts: attested.refused_hosts,
            limits: Held(attested.limits),
            used: attested.used.map(Into::into),
        }
    }
}
