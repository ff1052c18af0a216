//! A run whose agent has a definition: what is done around its work, what it needs at least for `succeeded`, and what of the
//! definition its result says.

use super::around::Around;
use super::turn::Turn;
use super::{Left, Work};
use crate::executors::recipe::{Verified, verify};
use crate::run::{End, Failure};
use serde_json::{Value, json};
use spalla_adapter::definition::Definition;
use spalla_adapter::recovery::{Action, Diagnosis};
use spalla_domain::agent_event::{AgentEvent, AgentEventType};
use spalla_domain::agent_policy::{AgentPolicy, Verification};
use spalla_domain::retry::ErrorClass;
use spalla_domain::session::session_of;

impl Work<'_> {
    /// Lets the agents work with what their definition wants done around it.
    pub(super) async fn by_policy(&mut self, mut around: Around<'_>) -> Result<End, End> {
        let policy = around.policy();
        self.tell_caps(policy).await;
        let begun = around.before(&mut self.told).await;
        let end = match begun {
            Ok(()) => self.by_agents().await,
            Err(end) => Err(end),
        };
        let end = match end {
            Ok(End::Succeeded { result }) if self.review.is_none() => {
                self.least(&around, policy, result).await
            }
            Ok(end) | Err(end) => end,
        };
        around.after(&mut self.told, &end).await;
        Ok(self.with_policy(policy, end))
    }

    /// Says which caps hold, and whose they are.
    async fn tell_caps(&mut self, policy: &AgentPolicy) {
        let caps = json!(self.run.limits);
        let text = format!("works as {} by its definition", policy.name());
        let event = AgentEvent::new(AgentEventType::Status, text).with("limits", caps);
        self.told.own(event.with("definition", policy.digest.clone())).await;
    }

    /// Holds what succeeded against the least that the definition asks for.
    async fn least(&mut self, around: &Around<'_>, policy: &AgentPolicy, result: Value) -> End {
        let failed = |class, message: String, result| {
            Failure { result: Some(result), ..Failure::new(class, message) }.into()
        };
        match policy.verification {
            Verification::None => End::Succeeded { result },
            Verification::Smoke if policy.smoke.is_none() => {
                let message = "its definition asks for a smoke test (verification_policy), and has none";
                failed(ErrorClass::Validation, message.into(), result)
            }
            Verification::Smoke => match around.smoke(&mut self.told).await {
                Ok(()) => End::Succeeded { result },
                Err(End::Failed(failure)) => failed(failure.error.class, failure.error.message, result),
                Err(end) => end,
            },
            Verification::Verifier => match verify(self.run, self.scratchpad).await {
                Ok(Verified::Green(_)) => End::Succeeded { result },
                Ok(Verified::Red(error, _)) => failed(
                    error.class,
                    format!("what the agent did is not verified: {}", error.message),
                    result,
                ),
                Ok(Verified::Unverified(why)) => {
                    let message = format!("its definition asks for a verifier (verification_policy): {why}");
                    failed(ErrorClass::Validation, message, result)
                }
                Err(end) => end,
            },
            // The session has it reviewed before anything is merged.
            Verification::Peer if session_of(&self.run.assignment.labels).is_some() => {
                End::Succeeded { result }
            }
            Verification::Peer => {
                let message = "its definition asks for a peer's approval (verification_policy), and outside a session nobody reviews";
                failed(ErrorClass::Validation, message.into(), result)
            }
        }
    }

    /// Adds to a result what of the definition held.
    fn with_policy(&self, policy: &AgentPolicy, end: End) -> End {
        let mut said = json!({ "definition": { "id": policy.id, "alias": policy.alias, "digest": policy.digest },
            "limits": self.run.limits });
        if let Some(refused) = self.told.watch.result() {
            said["refused_tools"] = refused;
        }
        match end {
            End::Succeeded { result } => End::Succeeded { result: joined(result, said) },
            End::Failed(failure) => {
                let result = joined(failure.result.unwrap_or_else(|| json!({})), said);
                End::Failed(Failure { result: Some(result), ..failure })
            }
            other => other,
        }
    }

    /// Ends a run whose agent used what it may not use.
    pub(super) fn broken(&self, definition: &Definition, turn: Turn, why: String) -> Result<Left, End> {
        let reason = format!("{} was stopped: {why}", definition.title);
        if self.review.is_some() {
            return Err(Failure::new(ErrorClass::Policy, reason).into());
        }
        let action = Action::Fail { class: ErrorClass::Policy };
        let diagnosis = Diagnosis { cause: None, reason: why, resets_at: None, action, may_succeed: false };
        Ok(Left::Over(Box::new((turn, diagnosis))))
    }
}

fn joined(mut result: Value, said: Value) -> Value {
    if let (Some(members), Value::Object(said)) = (result.as_object_mut(), said) {
        members.extend(said);
    }
    result
}
