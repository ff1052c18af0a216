//! The command line: what may be typed, and how every command begins and ends.

use crate::commands::Command;
use crate::config::{Config, LogFormat, Override, Sources};
use crate::exit;
use crate::failure::{Failure, Result};
use crate::output::{self, Color};
use crate::session_log::SessionLog;
use crate::telemetry;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Turns work items into finished work: queues them, runs them by recipes and agents, and waits for a person where
/// a person has to decide.
#[derive(Debug, Parser)]
#[command(name = "spalla", version, disable_help_subcommand = true, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub(crate) struct Global {
    /// The folder that holds everything Spalla keeps [default: the user's data folder]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Everywhere")]
    data: Option<PathBuf>,
    /// When to use colours
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        help_heading = "Everywhere"
    )]
    color: Color,
    /// Says more about what it does; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Everywhere")]
    verbose: u8,
    /// Says only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Everywhere")]
    quiet: bool,
}

/// Reads the command line, does what it says, and returns how that ended.
pub(crate) fn run() -> ExitCode {
    let parsed = definition().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(refusal) => {
            // Nobody is left to be told when even this can't be printed.
            let _ = refusal.print();
            return u8::try_from(refusal.exit_code()).unwrap_or(exit::Exit::Usage.code()).into();
        }
    };
    cli.global.color.choose();
    match cli.command.run(&cli.global) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            complain(&failure);
            failure.exit.into()
        }
    }
}

/// Returns everything that may be typed, with its help.
pub(crate) fn definition() -> clap::Command {
    with_exits(Cli::command())
}

/// Lets the help of a command, and of all below it, say what its exit statuses mean.
fn with_exits(command: clap::Command) -> clap::Command {
    command.after_help(exit::HELP).mut_subcommands(with_exits)
}

/// Says on standard error why a command did not do what was asked.
pub(crate) fn complain(failure: &Failure) {
    if !failure.is_silent() {
        anstream::eprintln!("{} {failure}", output::bad("error:"));
    }
}

impl Global {
    /// Reads the settings, with what the command's own flags say.
    pub(crate) fn config(&self, mut flags: Vec<Override>) -> Result<Config> {
        if let Some(data) = &self.data {
            flags.push(path_flag("data", "--data", data)?);
        }
        load(flags)
    }

    /// Starts to write log lines for a command that says `usual` where nobody wants more or less.
    pub(crate) fn listen(&self, config: &Config, usual: &str) -> Result<()> {
        self.listen_for_session(config, usual).map(drop)
    }

    /// The same, of a process that pursues one session; returns the log of it, which is yet to be opened.
    pub(crate) fn listen_for_session(&self, config: &Config, usual: &str) -> Result<SessionLog> {
        let log = SessionLog::default();
        let session = Some((log.clone(), config.settings.orchestrate.log_level.clone()));
        telemetry::start(telemetry::Options { session, ..self.telemetry(config, usual) })?;
        Ok(log)
    }

    /// Returns which log lines a command writes that reads no settings, and how.
    pub(crate) fn plain_telemetry(&self, usual: &str) -> telemetry::Options {
        telemetry::Options {
            filter: self.filter("", usual).to_owned(),
            format: LogFormat::Text,
            color: output::stderr_has_color(),
            session: None,
        }
    }

    /// Returns which log lines are written, and how.
    fn telemetry(&self, config: &Config, usual: &str) -> telemetry::Options {
        telemetry::Options {
            filter: self.filter(&config.settings.log, usual).to_owned(),
            format: config.settings.log_format,
            color: output::stderr_has_color(),
            session: None,
        }
    }

    fn filter<'a>(&self, log: &'a str, usual: &'a str) -> &'a str {
        match (self.quiet, self.verbose, log) {
            (true, ..) => "error",
            (_, 1, _) => "info,spalla=debug",
            (_, 2.., _) => "debug",
            (_, 0, "") => usual,
            (_, 0, log) => log,
        }
    }

    /// Tells whether a person wants to hear only what went wrong.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Returns the data folder that the command line names.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }
}

fn load(flags: Vec<Override>) -> Result<Config> {
    let mut config = Config::load(Sources::of_process(flags)?)?;
    config.settings.data = absolute(&config.settings.data)?;
    Ok(config)
}

/// Makes the override of a flag that names a path: from the root, wherever it is read later.
pub(crate) fn path_flag(name: &'static str, flag: &'static str, path: &Path) -> Result<Override> {
    let path = absolute(path)?;
    let text = path
        .to_str()
        .ok_or_else(|| Failure::usage(format!("{flag} {}: the path is not UTF-8", path.display())))?;
    Ok(Override { name, flag, text: text.to_owned() })
}

/// Returns a path from the root, without asking whether it exists.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(crate::failure::file("finding", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_agree_with_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_names_its_exit_statuses() {
        let mut open = vec![definition()];
        while let Some(mut command) = open.pop() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Exit status:"), "{}", command.get_name());
            open.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn every_command_is_listed_and_nothing_else() {
        let command = Cli::command();
        let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        let expected = [
            "up",
            "serve",
            "worker",
            "orchestrate",
            "run",
            "session",
            "replay",
            "init",
            "convert",
            "agents",
            "route",
            "project",
            "item",
            "queue",
            "tick",
            "runs",
            "logs",
            "approve",
            "answer",
            "message",
            "audit",
            "config",
            "doctor",
            "demo",
            "task",
            "pipeline",
            "sandbox",
            "scratchpad",
            "cleanup",
            "secrets",
            "token",
            "mcp",
            "completions",
            "man",
        ];
        assert_eq!(names, expected);
    }
}
