//! `spalla sandbox`: runs a command behind the walls of a run, and says which walls stand here. Needs no server and no
//! data folder.

mod collect;
mod explain;
mod run;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use clap::{Args, Subcommand, ValueEnum};
use spalla_sandbox::{Injection, Network, Policy, Preset, check_host, loopback_servers};
use std::path::PathBuf;

/// What can be done with a sandbox.
#[derive(Debug, Subcommand)]
pub(crate) enum Sandbox {
    /// Runs a command in a sandbox, with its output here, and ends with its status
    Run(run::Run),
    /// Says what was left in a workspace, from behind the walls: changed files, the difference, and sums of files
    Collect(collect::Collect),
    /// Says what a command would see and may do, which walls stand on this machine, and tries ten escapes
    Explain(explain::Explain),
}

impl Sandbox {
    pub(crate) fn run(self) -> Result<Exit> {
        match self {
            Self::Run(args) => args.run(),
            Self::Collect(args) => args.run(),
            Self::Explain(args) => args.run(),
        }
    }
}

/// What the command may do.
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// The policy to begin with
    #[arg(long, value_enum, default_value_t = PresetArg::Strict)]
    preset: PresetArg,
    /// The folder it starts in and may write
    #[arg(long, value_name = "DIR", default_value = ".")]
    workspace: PathBuf,
    /// Another folder or file to read
    #[arg(long, value_name = "PATH")]
    read: Vec<PathBuf>,
    /// Another folder to write
    #[arg(long, value_name = "DIR")]
    write: Vec<PathBuf>,
    /// How long it may take, in seconds [default: 3600]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Memory of all its processes together, in MiB [default: 2048]
    #[arg(long, value_name = "N")]
    memory_mb: Option<u64>,
    /// Processes and threads at a time [default: 512]
    #[arg(long, value_name = "N")]
    processes: Option<u64>,
    /// By how much it may make its folders grow, in MiB [default: 2048]
    #[arg(long, value_name = "N")]
    disk_mb: Option<u64>,
    /// By how many files it may make its folders grow [default: 262144]
    #[arg(long, value_name = "N")]
    files: Option<u64>,
    /// The most it may use of the processor, in percent of one core
    #[arg(long, value_name = "N")]
    cpu_percent: Option<u64>,
    /// Whom it may talk to [default: that of the preset]
    #[arg(long, value_enum, value_name = "MODE")]
    network: Option<NetworkArg>,
    /// A host that it may reach through the proxy
    #[arg(long, value_name = "HOST", value_parser = host)]
    allow_host: Vec<String>,
    /// A host that gets the credential of a variable on the way, which the command never holds
    #[arg(long, value_name = "HOST=VARIABLE")]
    inject: Vec<String>,
}

fn host(text: &str) -> Result<String, String> {
    check_host(text).map(|()| text.to_owned())
}

/// The presets by their names on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PresetArg {
    /// The workspace to write, the system to read, no network
    Strict,
    /// Strict, and the model provider through the run's proxy
    Agent,
    /// Agent, and named package registries
    Build,
    /// Strict, with the machine's own network
    OpenNet,
    /// No walls; only an operator's configuration can choose it
    None,
}

/// The networks by their names on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NetworkArg {
    /// Nobody but itself
    None,
    /// The allowed hosts, through the run's proxy
    Proxy,
    /// Whomever this machine can reach
    Open,
}

impl PolicyArgs {
    fn policy(&self) -> Result<Policy> {
        let preset = match self.preset {
            PresetArg::Strict => Preset::Strict,
            PresetArg::Agent => Preset::Agent,
            PresetArg::Build => Preset::Build,
            PresetArg::OpenNet => Preset::OpenNet,
            PresetArg::None => Preset::None,
        };
        let mut policy = Policy::new(preset, crate::cli::absolute(&self.workspace)?);
        let absolute = |paths: &[PathBuf]| -> Result<Vec<PathBuf>> {
            paths.iter().map(|path| crate::cli::absolute(path)).collect()
        };
        policy.read = absolute(&self.read)?;
        policy.write = absolute(&self.write)?;
        match self.network {
            Some(NetworkArg::None) => policy.network = Network::None,
            Some(NetworkArg::Open) => policy.network = Network::Open,
            Some(NetworkArg::Proxy) => policy.network = Network::proxy(),
            None => {}
        }
        self.lead_out(&mut policy.network)?;
        let limits = &mut policy.limits;
        let set = |limit: &mut u64, wish: Option<u64>| *limit = wish.unwrap_or(*limit);
        set(&mut limits.timeout_ms, self.timeout.map(|seconds| seconds.saturating_mul(1_000)));
        set(&mut limits.memory_mb, self.memory_mb);
        set(&mut limits.processes, self.processes);
        set(&mut limits.disk_mb, self.disk_mb);
        set(&mut limits.files, self.files);
        limits.cpu_percent = self.cpu_percent;
        Ok(policy)
    }

    /// Says whom a proxy leads to.
    fn lead_out(&self, network: &mut Network) -> Result<()> {
        let Network::Proxy { allow, relays, inject } = network else {
            let flags = [("--allow-host", self.allow_host.is_empty()), ("--inject", self.inject.is_empty())];
            let Some((flag, _)) = flags.into_iter().find(|(_, is_absent)| !is_absent) else { return Ok(()) };
            let failure = Failure::usage(format!("{flag} has no meaning without a proxy"));
            return Err(failure.mend("add --network proxy, or leave it out"));
        };
        allow.extend(self.allow_host.clone());
        *relays = loopback_servers(&crate::programs::variables().collect());
        *inject = Injection::read_all(&self.inject, relays).map_err(|error| Failure::usage(error.story()))?;
        Ok(())
    }
}
