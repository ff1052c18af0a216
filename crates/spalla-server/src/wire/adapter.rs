//! How a work item wants its agent called, on the wire.

use super::object::object;
use super::text::{Text, Word};
use super::words;
use serde::{Deserialize, Serialize};
use spalla_domain::adapter;
use spalla_domain::agent_policy::AgentPolicy;
use utoipa::ToSchema;

words! {
    /// Whether an agent's command line asks before it acts.
    AdapterApproval for adapter::Approval {
        /// Its own guards stay on.
        Guarded = "guarded",
        /// They are off, because the sandbox around it is the wall.
        Bypass = "bypass",
    }
}

/// One word of a command line.
type Argument = Text<{ adapter::WORD_BYTES_MAX }>;

/// What a work item says differently from its agent's adapter; null, or empty, is as the adapter says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Adapter {
    /// The model.
    model: Option<String>,
    /// The profile of the command line's own configuration.
    profile: Option<String>,
    /// Whether the agent may search the web.
    web_search: Option<bool>,
    /// Whether the command line asks before it acts.
    approval: Option<AdapterApproval>,
    /// Arguments that are added.
    args: Vec<String>,
    /// The command instead of the adapter's: a program and its arguments.
    command: Vec<String>,
    /// The agents that go on in the same worktree, in this order, where one meets a limit or can't go on.
    fallback: Vec<String>,
    /// What the agent's definition says of its runs, as it was when the item was made; null without a definition.
    #[schema(value_type = Option<Object>)]
    policy: Option<Box<AgentPolicy>>,
}

impl From<adapter::Adapter> for Adapter {
    fn from(adapter: adapter::Adapter) -> Self {
        Self {
            model: adapter.model,
            profile: adapter.profile,
            web_search: adapter.web_search,
            approval: adapter.approval.map(Into::into),
            args: adapter.args,
            command: adapter.command,
            fallback: adapter.fallback,
            policy: adapter.policy,
        }
    }
}

/// What a work item is to say differently from its agent's adapter; what is left out is as the adapter says.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdapterBody {
    /// The model.
    #[schema(inline)]
    model: Option<Word>,
    /// The profile of the command line's own configuration.
    #[schema(inline)]
    profile: Option<Word>,
    /// Whether the agent may search the web.
    web_search: Option<bool>,
    /// Whether the command line asks before it acts.
    approval: Option<AdapterApproval>,
    /// Arguments that are added.
    #[serde(default)]
    #[schema(inline, max_items = 256)]
    args: Vec<Argument>,
    /// The command instead of the adapter's: a program and its arguments.
    #[serde(default)]
    #[schema(inline, max_items = 256)]
    command: Vec<Argument>,
    /// The agents that go on in the same worktree, in this order, where one meets a limit or can't go on.
    #[serde(default)]
    #[schema(inline, max_items = 256)]
    fallback: Vec<Argument>,
    /// What the agent's definition says of its runs, whichever command line carries them out.
    #[serde(default, deserialize_with = "object")]
    #[schema(value_type = Option<Object>)]
    policy: Option<Box<AgentPolicy>>,
}

impl From<AdapterBody> for adapter::Adapter {
    fn from(body: AdapterBody) -> Self {
        let words = |words: Vec<Argument>| words.into_iter().map(String::from).collect();
        Self {
            model: body.model.map(Into::into),
            profile: body.profile.map(Into::into),
            web_search: body.web_search,
            approval: body.approval.map(Into::into),
            args: words(body.args),
            command: words(body.command),
            fallback: words(body.fallback),
            policy: body.policy,
        }
    }
}
