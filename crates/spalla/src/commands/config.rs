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
    let row = |shown: Shown| vec![shown.name.to_owned(), shown.value_in_words(), shown.source];
    output::table(&["setting", "value", "source"], shown.into_iter().map(row).collect())
}

/// Which switch shows what, and the setting that it comes from. Those of Codex bear the plain names.
fn switches(settings: &Settings) -> Vec<(&'static str, bool, &'static str)> {
    let (features, has_background) = (&settings.features, settings.background_interval_seconds > 0.0);
    let Settings { codex, claude, gemini, .. } = settings;
    vec![
        ("adaptive_budgeting_enabled", codex.enable_adaptive_budgeting, "codex.enable_adaptive_budgeting"),
        ("approvals_required", settings.require_approval, "require_approval"),
        ("authentication_enabled", settings.auth == Auth::Token, "auth"),
        ("background_tick_enabled", has_background, "background_interval_seconds"),
        ("caching_enabled", codex.enable_caching, "codex.enable_caching"),
        (
            "claude_adaptive_budgeting_enabled",
            claude.enable_adaptive_budgeting,
            "claude.enable_adaptive_budgeting",
        ),
        ("claude_caching_enabled", claude.enable_caching, "claude.enable_caching"),
        ("claude_process_reuse_enabled", claude.enable_process_reuse, "claude.enable_process_reuse"),
        ("claude_task_batching_enabled", claude.enable_task_batching, "claude.enable_task_batching"),
        ("claude_web_search_enabled", claude.enable_web_search, "claude.enable_web_search"),
        (
            "gemini_adaptive_budgeting_enabled",
            gemini.enable_adaptive_budgeting,
            "gemini.enable_adaptive_budgeting",
        ),
        ("gemini_caching_enabled", gemini.enable_caching, "gemini.enable_caching"),
        ("gemini_process_reuse_enabled", gemini.enable_process_reuse, "gemini.enable_process_reuse"),
        ("gemini_task_batching_enabled", gemini.enable_task_batching, "gemini.enable_task_batching"),
        ("gemini_web_search_enabled", gemini.enable_web_search, "gemini.enable_web_search"),
        ("langcache_enabled", features.langcache_enabled, "features.langcache_enabled"),
        ("process_reuse_enabled", codex.enable_process_reuse, "codex.enable_process_reuse"),
        ("retries_enabled", settings.max_retries > 0, "max_retries"),
        ("scratchpad_enabled", features.scratchpad_enabled, "features.scratchpad_enabled"),
        ("task_batching_enabled", codex.enable_task_batching, "codex.enable_task_batching"),
        ("web_search_enabled", codex.enable_web_search, "codex.enable_web_search"),
    ]
}

/// Which features are on; those that have no effect in this version say so.
fn summary(config: &Config, as_json: bool) -> Result<()> {
    let switches = switches(&config.settings);
    if as_json {
        let members = switches.into_iter().map(|(name, on, _)| (name, on));
        return output::json(&members.collect::<BTreeMap<_, _>>());
    }
    let shown = config.shown();
    let row = |(name, on, key): (&str, bool, &str)| {
        let of_key = shown.iter().find(|shown| shown.name == key);
        // Some are on where a number is not 0, so that their value says less.
        let why = of_key.and_then(|shown| shown.no_effect).map(|why| format!(" (no effect: {why})"));
        let source = of_key.map(|shown| shown.source.clone()).unwrap_or_default();
        vec![name.to_owned(), format!("{on}{}", why.unwrap_or_default()), source]
    };
    output::table(&["switch", "value", "source"], switches.into_iter().map(row).collect())
}
