//! `spalla config`: shows every setting with where it came from; secrets stay hidden.

use crate::cli::Global;
use crate::config::{Config, Shown};
use crate::exit::Exit;
use crate::failure::Result;
use crate::output;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

/// What can be done with the settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Shows every setting, its value and where it came from
    Show(Show),
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

impl ConfigCommand {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let Self::Show(args) = self;
        let config = global.config(Vec::new())?;
        if args.summary { summary(&config, args.json) } else { all(&config, args.json) }.map(|()| Exit::Done)
    }
}

fn all(config: &Config, as_json: bool) -> Result<()> {
    let shown = config.shown();
    if as_json {
        let members = shown.into_iter().map(|shown| (shown.name, shown));
        return output::json(&members.collect::<std::collections::BTreeMap<&str, Shown>>());
    }
    let row = |shown: Shown| vec![shown.name.to_owned(), output::cell(&shown.value), shown.source];
    output::table(&["setting", "value", "source"], shown.into_iter().map(row).collect())
}

/// Feature switches. A feature that this version does not have is off, whatever anybody sets.
fn summary(config: &Config, as_json: bool) -> Result<()> {
    let settings = &config.settings;
    let switches = json!({
        "approvals_required": settings.require_approval,
        "authentication_enabled": settings.auth == crate::config::Auth::Token,
        "background_tick_enabled": settings.background_interval_seconds > 0.0,
        "langcache_enabled": false,
        "retries_enabled": settings.max_retries > 0,
        "scratchpad_enabled": true,
        "web_search_enabled": false,
    });
    if as_json {
        return output::json(&switches);
    }
    let members = switches.as_object().into_iter().flat_map(Map::iter);
    members
        .into_iter()
        .try_for_each(|(name, value): (&String, &Value)| output::line(format_args!("{name} = {value}")))
}
