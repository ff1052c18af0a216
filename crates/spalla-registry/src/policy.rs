//! What a definition says of an agent's runs, in the form that travels with a work item.

use crate::alias::Alias;
use crate::definition::{Definition, VerificationPolicy};
use crate::description::distinct;
use crate::registry::Registry;
use spalla_domain::agent_policy::caps::Caps;
use spalla_domain::agent_policy::{AgentPolicy, Hooks, Tools, Verification, Workflow};

/// Makes the policy of a definition, which may be that of an alias; of an alias the agent's own caps hold as well.
pub fn of(definition: &Definition, base: Option<&Definition>) -> AgentPolicy {
    let Definition { agent, runtime, capabilities, workflow, metrics, hooks, testing, observability, .. } =
        definition.clone();
    let mut tools = capabilities.detail.tools;
    if tools.has_none() {
        // Where none is named none may be used: a conversion names all where its source says nothing.
        tools.allowed.clear();
        tools.restricted.push("*".to_owned());
        distinct(&mut tools.restricted);
    }
    let misses = u64::from(metrics.thresholds.heartbeat_miss.unwrap_or(1));
    let verification = match testing.verification_policy {
        None | Some(VerificationPolicy::None) => Verification::None,
        Some(VerificationPolicy::Smoke) => Verification::Smoke,
        Some(VerificationPolicy::Verifier) => Verification::Verifier,
        Some(VerificationPolicy::Peer) => Verification::Peer,
    };
    AgentPolicy {
        id: agent.id,
        alias: agent.instance_alias,
        digest: digest(definition),
        trigger: None,
        tools: Tools { allowed: tools.allowed, restricted: tools.restricted },
        strict_tools: false,
        limits: caps(base.unwrap_or(definition)),
        alias_limits: base.map(|_| caps(definition)).unwrap_or_default(),
        workflow: Workflow {
            startup_script: workflow.startup_script,
            setup_tasks: workflow.setup_tasks,
            teardown_tasks: workflow.teardown_tasks,
            runtime: workflow.dependencies.runtime,
            packages: workflow.dependencies.packages,
        },
        hooks: Hooks { pre_task: hooks.pre_task, post_task: hooks.post_task, failure: hooks.failure },
        log_channels: observability.log_channels,
        silence_ms: runtime.heartbeat_interval_ms.map(|ms| ms.saturating_mul(misses)),
        autonomy_permille: runtime.autonomy_level.map(|level| permille(level * 1_000.0)),
        verification,
        smoke: testing.smoke.filter(|_| verification == Verification::Smoke),
        failure_rate_permille: metrics.thresholds.failure_rate_pct.map(|percent| permille(percent * 10.0)),
        notify: metrics.escalation.notify,
    }
}

impl Registry {
    /// Returns the policy of an id or alias; the error says why there is none.
    pub fn policy(&self, name: &str) -> Result<AgentPolicy, String> {
        let loaded = self.definition(name).map_err(|missing| missing.to_string())?;
        let base = match self.aliases().get(name) {
            Some(Alias { id, .. }) => Some(self.definition(id).map_err(|missing| missing.to_string())?),
            None => None,
        };
        let policy = of(&loaded.definition, base.as_ref().map(|base| &base.definition));
        policy.check().map_err(|refusal| refusal.detail)?;
        Ok(policy)
    }
}

fn caps(definition: &Definition) -> Caps {
    let limits = &definition.runtime.resource_limits;
    Caps {
        cpu_millis: limits
            .cpu
            .filter(|cores| *cores > 0.0)
            .map(|cores| (cores * 1_000.0).clamp(0.0, 1e9).round() as u64),
        // Nothing could start with none of it: such a number says nothing.
        memory_mb: limits.memory_mb.filter(|mb| *mb > 0),
        disk_mb: limits.disk_mb.filter(|mb| *mb > 0),
        timeout_ms: definition.runtime.timeout_ms,
    }
}

fn permille(share: f64) -> u16 {
    share.clamp(0.0, 1_000.0).round() as u16
}

/// The same definition has the same digest, whoever reads it: the members of a value are sorted.
fn digest(definition: &Definition) -> String {
    let text = serde_json::to_value(definition).map(|value| value.to_string()).unwrap_or_default();
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{Agent, Classification};

    fn definition() -> Definition {
        let classification =
            Classification { domain: "x".into(), subdomain: None, tier: "specialist".into() };
        let (id, name, description) = ("a".into(), "A".into(), "d".into());
        Definition::new(Agent {
            id,
            name,
            instance_alias: None,
            classification,
            description,
            long_description: None,
        })
    }

    #[test]
    fn an_alias_may_lower_a_cap_and_the_agent_s_own_holds_as_well() {
        let mut base = definition();
        base.runtime.resource_limits.memory_mb = Some(512);
        base.runtime.resource_limits.cpu = Some(1.5);
        let mut alias = base.clone();
        alias.agent.instance_alias = Some("big".into());
        alias.runtime.resource_limits.memory_mb = Some(4_096);
        let policy = of(&alias, Some(&base));
        assert_eq!((policy.limits.memory_mb, policy.alias_limits.memory_mb), (Some(512), Some(4_096)));
        assert_eq!((policy.limits.cpu_millis, policy.name()), (Some(1_500), "big"));
        assert_eq!(of(&base, None).alias_limits, Caps::default());
    }

    #[test]
    fn another_definition_has_another_digest() {
        let one = definition();
        let mut other = definition();
        other.hooks.pre_task = vec!["true".into()];
        let of = |definition: &Definition| of(definition, None).digest;
        let same = definition();
        assert_eq!(of(&one), of(&same));
        assert_ne!(of(&one), of(&other));
    }

    #[test]
    fn what_the_definition_says_is_what_the_run_keeps() {
        let mut said = definition();
        said.runtime.heartbeat_interval_ms = Some(1_000);
        said.metrics.thresholds.heartbeat_miss = Some(3);
        said.metrics.thresholds.failure_rate_pct = Some(12.5);
        said.runtime.autonomy_level = Some(0.25);
        said.testing.verification_policy = Some(VerificationPolicy::Smoke);
        said.testing.smoke = Some("make smoke".into());
        let policy = of(&said, None);
        assert_eq!((policy.silence_ms, policy.failure_rate_permille), (Some(3_000), Some(125)));
        assert_eq!((policy.autonomy_permille, policy.verification), (Some(250), Verification::Smoke));
        assert_eq!(policy.smoke.as_deref(), Some("make smoke"));
    }
}
