//! `spalla serve`: the server alone, and what `up` shares with it.

use crate::app::{App, Listen, Wishes};
use crate::cli::Global;
use crate::commands::block_on_all_cores;
use crate::config::{Config, Override};
use crate::exit::Exit;
use crate::failure::Result;
use crate::output;
use crate::signals::Signals;
use clap::Args;
use std::io::IsTerminal;

/// Runs the server alone.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    server: ServerFlags,
}

/// How a server is reached, and where it keeps its rows.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerFlags {
    /// The address to listen on [default: 127.0.0.1:18080]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Who may use it: whoever has the token, or everybody on this machine [default: token]
    #[arg(long, value_name = "token|none")]
    auth: Option<String>,
    /// The database: sqlite://PATH or postgres://… [default: SQLite in the data folder]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Opens no browser
    #[arg(long)]
    no_open: bool,
}

impl ServerFlags {
    /// Returns what the flags say about the settings.
    pub(crate) fn overrides(&self) -> Vec<Override> {
        let texts = [
            ("listen", "--listen", self.listen.clone()),
            ("auth", "--auth", self.auth.clone()),
            ("database", "--database", self.database.clone()),
            ("open_browser", "--no-open", self.no_open.then(|| "false".to_owned())),
        ];
        let given =
            texts.into_iter().filter_map(|(name, flag, text)| Some(Override { name, flag, text: text? }));
        given.collect()
    }
}

impl Serve {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let config = global.config(self.server.overrides())?;
        serve(global, &config, false)
    }
}

/// Runs a server until a signal comes, with a worker in it or without.
pub(super) fn serve(global: &Global, config: &Config, worker: bool) -> Result<Exit> {
    global.listen(config, "info")?;
    config.tell_idle();
    let settings = &config.settings;
    block_on_all_cores(async {
        // From here on a signal ends the server in order, also while it starts.
        let signals = Signals::listen()?;
        let wishes = Wishes { listen: Some(Listen::At(settings.listen)), worker, issues: true };
        let mut app = App::start(settings, wishes).await?;
        if let Err(failure) = greet(&app, worker && settings.open_browser) {
            app.stop(std::future::ready(())).await;
            return Err(failure);
        }
        app.pursue_sessions();
        app.run(signals).await.map(|()| Exit::Done)
    })
}

/// Says where the server is, to people and to the other commands.
fn greet(app: &App, may_open: bool) -> Result<()> {
    app.announce()?;
    let Some(url) = &app.url else { return Ok(()) };
    output::line(format_args!("listening on {url}"))?;
    if let Some(link) = &app.start_link {
        output::line(format_args!("open once in a browser: {link}"))?;
    }
    if may_open && std::io::stdout().is_terminal() {
        let page = app.start_link.as_ref().unwrap_or(url);
        if let Err(error) = open::that_detached(page) {
            tracing::info!("no browser was opened: {error}");
        }
    }
    Ok(())
}
