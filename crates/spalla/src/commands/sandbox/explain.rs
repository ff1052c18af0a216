//! `spalla sandbox explain`: what a policy means on this machine.

use super::PolicyArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use clap::Args;
use spalla_sandbox::{Explanation, Injection, State, explain, self_test};
use std::path::Path;

/// Says what a command would see and may do, which walls stand on this machine, and tries ten escapes.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    #[command(flatten)]
    policy: PolicyArgs,
    /// Prints it as JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(self) -> Result<Exit> {
        let policy = self.policy.policy()?;
        let explanation = explain(&policy).map_err(|error| Failure::usage(error.story()))?;
        let trials = self_test(Path::new("/proc/self/exe"), &[]);
        let held = trials.iter().filter(|trial| trial.held).count();
        let exit = if held == trials.len() { Exit::Done } else { Exit::Failed };
        if self.json {
            let value = serde_json::json!({ "policy": policy, "explanation": explanation, "trials": trials });
            return output::json(&value).map(|()| exit);
        }
        print(&explanation)?;
        output::line(format_args!("escapes: {held} of {} held", trials.len()))?;
        for trial in &trials {
            let mark =
                if trial.held { output::good("ok  ").to_string() } else { output::bad("fail").to_string() };
            output::line(format_args!("  {mark}  {:<15} {}", trial.name, output::plain(&trial.detail)))?;
        }
        Ok(exit)
    }
}

fn print(explanation: &Explanation) -> Result<()> {
    let attested = &explanation.attestation;
    output::line(format_args!("policy {} ({})", attested.policy_hash, attested.preset))?;
    output::line("walls")?;
    for layer in &attested.layers {
        let state = match layer.state {
            State::Enforced => output::good(format!("{:<12}", layer.state.to_string())).to_string(),
            State::Approximate => output::notable(format!("{:<12}", layer.state.to_string())).to_string(),
            State::Off => output::bad(format!("{:<12}", layer.state.to_string())).to_string(),
        };
        output::line(format_args!("  {:<11} {state} {}", layer.layer.to_string(), layer.detail))?;
    }
    let inject = attested.policy.as_ref().map_or(&[][..], |policy| policy.network.injections());
    if !inject.is_empty() {
        output::line("credentials")?;
    }
    for injection in inject {
        let at: Vec<String> = injection.listen.iter().map(|at| format!("http://{at}")).collect();
        let Injection { host, variable, .. } = injection;
        output::line(format_args!("  {variable} for {host}, inside at {}", at.join(", ")))?;
    }
    output::line("files")?;
    for part in &explanation.files {
        output::line(format_args!("  {:<6} {}", part.access, part.path.display()))?;
    }
    output::line(format_args!("variables: {}", explanation.variables.join(" ")))
}
