//! The commands, one file each, in the order in which a newcomer meets them.

mod agents;
mod answer;
mod approve;
mod audit;
mod cleanup;
mod completions;
mod config;
mod convert;
mod demo;
mod doctor;
mod init;
mod item;
mod logs;
mod man;
mod mcp;
mod message;
mod orchestrate;
mod pipeline;
mod project;
mod queue;
mod replay;
mod route;
mod run;
mod runs;
mod sandbox;
mod scratchpad;
mod secrets;
mod serve;
mod session;
mod task;
mod tick;
mod token;
mod up;
mod worker;

pub(crate) use session::bring_into_target;

use crate::cli::Global;
use crate::client::{Client, locate};
use crate::config::{Config, Override};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use clap::{Args, Subcommand};
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the server with its worker and its page
    Up(up::Up),
    /// Runs the server alone
    Serve(serve::Serve),
    /// Runs a worker that takes its work from a server
    Worker(worker::Worker),
    /// Pursues a goal in a folder, and reports
    Orchestrate(orchestrate::Orchestrate),
    /// Does one task in a folder without a question, and reports, also for a pipeline of CI
    Run(run::Run),
    /// Lists, shows and applies sessions: what was pursued, and the branch that came of it
    #[command(subcommand)]
    Session(session::Session),
    /// Tells again what the agents of a session told
    Replay(replay::Replay),
    /// Validates the agents of this project, and registers them
    Init(init::Init),
    /// Converts the agents' files of this project into the definitions that are published
    Convert(convert::Convert),
    /// Lists, shows, validates and exports the agents that are known, and shows how their command lines are called
    #[command(subcommand)]
    Agents(agents::Agents),
    /// Finds the agents that a task is for, and says why
    Route(route::Route),
    /// Makes, lists and shows projects
    #[command(subcommand)]
    Project(project::Project),
    /// Makes, lists, starts and stops work items
    #[command(subcommand)]
    Item(item::Item),
    /// Shows what waits, in its order, and why
    Queue(queue::Queue),
    /// Gives every eligible work item a run
    Tick(tick::Tick),
    /// Lists, shows and stops runs
    #[command(subcommand)]
    Runs(runs::Runs),
    /// Prints a run's log
    Logs(logs::Logs),
    /// Says yes or no to what waits for a person
    Approve(approve::Approve),
    /// Gives a run the values that it asks a person for
    Answer(answer::Answer),
    /// Sends, lists, reads and acknowledges messages between people and agents
    #[command(subcommand)]
    Message(message::Message),
    /// Shows who wanted what, and what came of it, and tells whether the record is whole
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Shows the settings and where they come from
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Checks what Spalla needs on this machine
    Doctor(doctor::Doctor),
    /// Takes a sample repository through build, test, package and an approved deploy
    Demo(demo::Demo),
    /// Carries out one task of codex.yaml, and ends with the status of the command that failed
    Task(task::Task),
    /// Carries out tasks of codex.yaml in order until one fails, and ends with its status
    Pipeline(pipeline::Pipeline),
    /// Runs a command behind the walls of a run, and shows which walls stand here
    #[command(subcommand)]
    Sandbox(sandbox::Sandbox),
    /// Makes, shows, exports and removes the folders in which tasks are worked on
    #[command(subcommand)]
    Scratchpad(scratchpad::Scratchpad),
    /// Removes what earlier runs and sessions left and nobody needs; shows first what and how much
    Cleanup(cleanup::Cleanup),
    /// Changes the key that answers are encrypted with
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    /// Shows the administrator token, and makes and revokes those of others
    #[command(subcommand)]
    Token(token::Token),
    /// Offers tools to an agent: tells events, asks people, sends and reads messages, reads and makes work items
    Mcp(mcp::Mcp),
    /// Prints what a shell needs to complete the command line
    Completions(completions::Completions),
    /// Prints the manual, or writes its pages into a folder
    Man(man::Man),
}

impl Command {
    /// Does it.
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        match self {
            Self::Up(args) => args.run(global),
            Self::Serve(args) => args.run(global),
            Self::Worker(args) => args.run(global),
            Self::Orchestrate(args) => args.run(global),
            Self::Run(args) => args.run(global),
            Self::Session(command) => command.run(global),
            Self::Replay(args) => args.run(global),
            Self::Init(args) => args.run(global),
            Self::Convert(args) => args.run(global),
            Self::Agents(command) => command.run(global),
            Self::Route(args) => args.run(global),
            Self::Project(command) => command.run(global),
            Self::Item(command) => command.run(global),
            Self::Queue(args) => args.run(global),
            Self::Tick(args) => args.run(global),
            Self::Runs(command) => command.run(global),
            Self::Logs(args) => args.run(global),
            Self::Approve(args) => args.run(global),
            Self::Answer(args) => args.run(global),
            Self::Message(command) => command.run(global),
            Self::Audit(command) => command.run(global),
            Self::Config(command) => command.run(global),
            Self::Doctor(args) => args.run(global),
            Self::Demo(args) => args.run(global),
            Self::Task(args) => args.run(global),
            Self::Pipeline(args) => args.run(global),
            Self::Sandbox(command) => command.run(),
            Self::Scratchpad(command) => command.run(global),
            Self::Cleanup(args) => args.run(global),
            Self::Secrets(command) => command.run(global),
            Self::Token(command) => command.run(global),
            Self::Mcp(args) => args.run(global),
            Self::Completions(args) => args.run(),
            Self::Man(args) => args.run(),
        }
    }
}

/// Which server a command talks to.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// The server's URL [default: ORCH_URL, then the server of the data folder]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A file that holds the server's token [default: ORCH_TOKEN, then the token of the data folder]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

impl ServerArgs {
    /// Returns what the flags say about the settings.
    pub(crate) fn overrides(&self) -> Vec<Override> {
        let server = self.server.iter();
        server.map(|url| Override { name: "url", flag: "--server", text: url.clone() }).collect()
    }

    /// Tells whether the command line says nothing of the server.
    pub(crate) const fn is_unsaid(&self) -> bool {
        self.server.is_none() && self.token_file.is_none()
    }

    /// Finds the server of these settings.
    pub(crate) fn client(&self, config: &Config) -> Result<Client> {
        Client::new(locate(&config.settings, self.token_file.as_deref())?)
    }

    /// Finds the server and does something with it.
    pub(crate) fn talk<F: Future<Output = Result<Exit>>>(
        &self,
        global: &Global,
        talk: impl FnOnce(Client) -> F,
    ) -> Result<Exit> {
        let config = global.config(self.overrides())?;
        global.listen(&config, "warn")?;
        let client = self.client(&config)?;
        block_on(tokio::runtime::Builder::new_current_thread(), talk(client))
    }
}

/// How long what is left of a command may take to leave; everything of worth has ended by then.
const LEAVE: Duration = Duration::from_secs(2);

/// Runs something to its end on a runtime of its own.
pub(crate) fn block_on<T>(
    mut builder: tokio::runtime::Builder,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let runtime = builder.enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::failed(format!("starting the program's threads: {error}")))?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(LEAVE);
    done
}

/// Runs something to its end with a thread per core.
pub(crate) fn block_on_all_cores<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    block_on(tokio::runtime::Builder::new_multi_thread(), work)
}
