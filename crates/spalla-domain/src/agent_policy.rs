//! What an agent's definition says of its runs, as it was when the work item was made: the tools, the caps, what is done around
//! the work, and when somebody is told. It travels with the work item, so that a run keeps what it began with.

pub mod caps;

use crate::{Refusal, problem::Code};
use caps::Caps;
use serde::{Deserialize, Serialize};

/// The most entries of one list of tools, or of what has to be there.
pub const ENTRIES_MAX: usize = 500;
/// The most commands of one list, such as the hooks before a task.
pub const COMMANDS_MAX: usize = 50;
/// The longest entry of a list of names, in bytes.
pub const ENTRY_BYTES_MAX: usize = 1_024;
/// The longest command, in bytes.
pub const COMMAND_BYTES_MAX: usize = 32 * 1024;
/// The most that a policy has in all, in bytes of JSON: it is kept with each item and handed to each worker.
pub const POLICY_BYTES_MAX: usize = 128 * 1024;

/// What an agent's definition says of its runs. What is empty, or none, is not said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentPolicy {
    /// The definition's id.
    pub id: String,
    /// The alias under which it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The digest of the definition, overrides and all, in hexadecimal digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub digest: String,
    /// What led the work to it, where a router says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
    /// The tools that it may use.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub tools: Tools,
    /// Whether the first attempt at another tool fails the run.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub strict_tools: bool,
    /// The caps of the definition itself.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub limits: Caps,
    /// The caps that its alias says otherwise.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub alias_limits: Caps,
    /// What is done before and after its work.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub workflow: Workflow,
    /// Commands around each task.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub hooks: Hooks,
    /// Where the output of hooks goes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log_channels: Vec<String>,
    /// How long it may tell nothing until that is told, in milliseconds: its heartbeat times the misses that are let pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u64>,
    /// How much it may do without asking, in thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autonomy_permille: Option<u16>,
    /// The least that a run needs for `succeeded`.
    #[serde(skip_serializing_if = "is_unsaid")]
    pub verification: Verification,
    /// The command by which the agent is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smoke: Option<String>,
    /// Above which share of failed runs somebody is told, in thousandths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_rate_permille: Option<u16>,
    /// Who is told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
}

/// Tools, by the names that definitions have for them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tools {
    /// Those that may be used; `*` is all, and where none is named nothing is said.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<String>,
    /// Those that may not be used, whatever else is said; `*` is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub restricted: Vec<String>,
}

/// What is done before and after an agent's work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Workflow {
    /// Run once before the first step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_script: Option<String>,
    /// Run before the first step, one after another.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub setup_tasks: Vec<String>,
    /// Run after the last step, whatever became of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub teardown_tasks: Vec<String>,
    /// Programs that have to be there, such as `node >= 20`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runtime: Vec<String>,
    /// Packages that have to be there, such as `npm:typescript`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
}

/// Commands around each task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// Before it; one that fails stops the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_task: Vec<String>,
    /// After it succeeded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_task: Vec<String>,
    /// After it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failure: Vec<String>,
}

/// The least that a run needs for `succeeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verification {
    /// Nothing more than what any run needs.
    #[default]
    None,
    /// The agent's own smoke test, in the worktree as it is afterwards.
    Smoke,
    /// That the project builds and its tests pass.
    Verifier,
    /// That a peer approves.
    Peer,
}

fn is_unsaid<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl AgentPolicy {
    /// Returns the name by which its runs are measured: the alias, or else the definition.
    pub fn name(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.id)
    }

    /// Tells whether something is to be done around the agent's work.
    pub fn has_commands(&self) -> bool {
        self.workflow != Workflow::default() || self.hooks != Hooks::default()
    }

    /// Refuses what is too much to be kept with every item, or what no shell could be given.
    pub fn check(&self) -> Result<(), Refusal> {
        let invalid =
            |detail: String| Refusal::new(Code::Invalid, format!("the policy of {:?}: {detail}", self.id));
        if self.id.trim().is_empty() {
            return Err(invalid("it names no definition".into()));
        }
        let Workflow { startup_script, setup_tasks, teardown_tasks, runtime, packages } = &self.workflow;
        let Hooks { pre_task, post_task, failure } = &self.hooks;
        let commands = [
            ("workflow.setup_tasks", setup_tasks),
            ("workflow.teardown_tasks", teardown_tasks),
            ("hooks.pre_task", pre_task),
            ("hooks.post_task", post_task),
            ("hooks.failure", failure),
        ];
        for (name, list) in commands {
            check_list(name, list, (COMMANDS_MAX, COMMAND_BYTES_MAX)).map_err(invalid)?;
        }
        for (name, command) in [("workflow.startup_script", startup_script), ("smoke", &self.smoke)] {
            check_list(name, command.as_slice(), (1, COMMAND_BYTES_MAX)).map_err(invalid)?;
        }
        let names = [
            ("tools.allowed", &self.tools.allowed),
            ("tools.restricted", &self.tools.restricted),
            ("workflow.runtime", runtime),
            ("workflow.packages", packages),
            ("log_channels", &self.log_channels),
            ("notify", &self.notify),
        ];
        for (name, list) in names {
            check_list(name, list, (ENTRIES_MAX, ENTRY_BYTES_MAX)).map_err(invalid)?;
        }
        match serde_json::to_string(self).map_or(usize::MAX, |text| text.len()) {
            bytes if bytes > POLICY_BYTES_MAX => {
                Err(invalid(format!("it has {bytes} bytes; at most {POLICY_BYTES_MAX} are kept")))
            }
            _ => Ok(()),
        }
    }
}

fn check_list(name: &str, list: &[String], (most, bytes): (usize, usize)) -> Result<(), String> {
    if list.len() > most {
        return Err(format!("{name} has {} entries; at most {most} are taken", list.len()));
    }
    match list.iter().find(|entry| entry.len() > bytes || entry.contains('\0')) {
        Some(entry) => {
            let start: String = entry.chars().take(20).collect();
            Err(format!("{name}: the entry that begins {start:?} has a NUL or more than {bytes} bytes"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> AgentPolicy {
        AgentPolicy { id: "a".into(), ..AgentPolicy::default() }
    }

    #[test]
    fn ten_thousand_hooks_are_refused_with_the_words_of_which() {
        let hooks = Hooks { pre_task: vec!["true".into(); 10_000], ..Hooks::default() };
        let refusal = AgentPolicy { hooks, ..policy() }.check().unwrap_err();
        assert!(refusal.detail.contains("hooks.pre_task has 10000 entries"), "{}", refusal.detail);
    }

    #[test]
    fn what_no_shell_could_be_given_is_refused() {
        for odd in ["a\0b".to_owned(), "x".repeat(COMMAND_BYTES_MAX + 1)] {
            let workflow = Workflow { startup_script: Some(odd), ..Workflow::default() };
            assert!(AgentPolicy { workflow, ..policy() }.check().is_err());
        }
        let much = vec!["x".repeat(ENTRY_BYTES_MAX); ENTRIES_MAX];
        let refusal = AgentPolicy { notify: much, ..policy() }.check().unwrap_err();
        assert!(refusal.detail.contains("bytes"), "{}", refusal.detail);
        assert!(AgentPolicy::default().check().is_err());
        assert!(policy().check().is_ok());
    }

    #[test]
    fn what_is_not_said_is_not_written_and_read_back_as_unsaid() {
        let text = serde_json::to_string(&policy()).unwrap();
        assert_eq!(text, r#"{"id":"a"}"#);
        assert_eq!(serde_json::from_str::<AgentPolicy>(&text).unwrap(), policy());
        assert!(serde_json::from_str::<AgentPolicy>(r#"{"id":"a","colour":1}"#).is_err());
    }
}
