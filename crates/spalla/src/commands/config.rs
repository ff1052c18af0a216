//! `spalla config`: shows every setting with where it came from; secrets stay hidden.

use crate::cli::Global;
use crate::config::{Auth, Config, Settings, Shown};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::likeness::nearest;
use crate::output;
use clap::{Args, Subcommand};
use std::collections::BTreeMap;

/// What can be done with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Shows every setting, its value and where it came from
    Show(Show),
    /// Prints the value of one setting alone, for scripts; a secret stays hidden
    Get(Get),
}

/// How the settings are shown.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Shows only which features are on
    #[arg(long)]
    summary: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Which setting is printed.
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Its name, such as data
    name: String,
    /// Prints it as JSON, with where it came from
    #[arg(long)]
    json: bool,
}

impl ConfigCommand {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let config = global.config(Vec::new())?;
        let shown = match self {
            Self::Show(args) if args.summary => summary(&config, args.json),
            Self::Show(args) => all(&config, args.json),
            Self::Get(args) => one(&config, &args),
        };
        shown.map(|()| Exit::Done)
    }
}

fn one(config: &Config, args: &Get) -> Result<()> {
    let shown = config.shown();
    let Some(found) = shown.iter().find(|shown| shown.name == args.name) else {
        let failure = Failure::usage(format!("there is no setting `{}`", args.name));
        return Err(match nearest(&args.name, shown.iter().map(|shown| shown.name)) {
            Some(near) => failure.mend(format!("did you mean `{near}`?")),
            None => failure.mend("`spalla config show` lists all of them"),
        });
    };
    if args.json { output::json(found) } else { output::line(output::cell(&found.value)) }
}

fn all(config: &Config, as_json: bool) -> Result<()> {
    let shown = config.shown();
    if as_json {
        let members = shown.into_iter().map(|shown| (shown.name, shown));
        return output::json(&members.collect::<BTreeMap<&str, Shown>>());
    }
    let row = |shown: Shown| vec![shown.name.to_owned(), output::cell(&shown.value), shown.source];
    output::table(&["setting", "value", "source"], shown.into_iter().map(row).collect())
}

/// Which switch shows what, and the setting that it comes from.
fn switches(settings: &Settings) -> [(&'static str, bool, &'static str); 11] {
    let features = &settings.features;
    [
        (
            "adaptive_budgeting_enabled",
            features.adaptive_budgeting_enabled,
            "features.adaptive_budgeting_enabled",
        ),
        ("approvals_required", settings.require_approval, "require_approval"),
        ("authentication_enabled", settings.auth == Auth::Token, "auth"),
        (
            "background_tick_enabled",
            settings.background_interval_seconds > 0.0,
            "background_interval_seconds",
        ),
        ("caching_enabled", features.caching_enabled, "features.caching_enabled"),
        ("langcache_enabled", features.langcache_enabled, "features.langcache_enabled"),
        ("process_reuse_enabled", features.process_reuse_enabled, "features.process_reuse_enabled"),
        ("retries_enabled", settings.max_retries > 0, "max_retries"),
        ("scratchpad_enabled", features.scratchpad_enabled, "features.scratchpad_enabled"),
        ("task_batching_enabled", features.task_batching_enabled, "features.task_batching_enabled"),
        ("web_search_enabled", features.web_search_enabled, "features.web_search_enabled"),
    ]
}

/// Which features are on; those that this version does not use yet say so in the whole list.
fn summary(config: &Config, as_json: bool) -> Result<()> {
    let switches = switches(&config.settings);
    if as_json {
        let members = switches.map(|(name, on, _)| (name, on));
        return output::json(&BTreeMap::from(members));
    }
    let shown = config.shown();
    let source = |key: &str| shown.iter().find(|shown| shown.name == key).map(|shown| shown.source.clone());
    let row = |(name, on, key): (&str, bool, &str)| {
        vec![name.to_owned(), on.to_string(), source(key).unwrap_or_default()]
    };
    output::table(&["switch", "value", "source"], switches.map(row).into())
}
