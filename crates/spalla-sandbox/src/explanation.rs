//! What a policy means on this machine, for a person who asks before they rely on it.

use crate::attestation::Attestation;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::refusal::Error;
use crate::stdio::Stdio;
use crate::supervise::{Command, Watcher, run};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a policy means here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The walls that stood around a command that did nothing.
    pub attestation: Attestation,
    /// What a command sees of the machine's files; everything else is not there.
    pub files: Vec<Shown>,
    /// The names of its variables.
    pub variables: Vec<String>,
}

/// A part of the machine's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// Where it is, outside as inside.
    pub path: PathBuf,
    /// `read`, `write` or `device`.
    pub access: &'static str,
}

/// Runs a command that does nothing, and says which walls stood and what it saw. Only for a process of one thread.
pub fn explain(policy: &Policy) -> Result<Explanation, Error> {
    let outside: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let command = Command { program: "true".into(), ..Command::default() };
    let (plan, start) = Plan::new(policy, &command, &outside)?;
    let files = plan.view.parts().into_iter();
    let files = files.map(|part| Shown { path: part.path.clone(), access: part.access.name() }).collect();
    let name = |variable: &std::ffi::CString| {
        variable.to_string_lossy().split('=').next().unwrap_or_default().to_owned()
    };
    let variables = start.environment.iter().map(name).collect();
    let (stdio, _pipes) = Stdio::piped()?;
    let ended = run(policy, &command, &outside, stdio, &mut Watcher { lifeline: None, hear: &mut |_| {} })?;
    Ok(Explanation { attestation: ended.attestation, files, variables })
}
