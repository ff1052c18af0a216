//! Which server pursues the goal: the one that already works on the data folder, or one of this process's own.

use crate::app::{App, Listen, Wishes};
use crate::client::{Client, locate};
use crate::config::Settings;
use crate::control::Control;
use crate::data_folder::DataFolder;
use crate::failure::{Failure, Result};
use crate::sessions::Screen;
use crate::signals::Signals;
use std::net::{Ipv4Addr, SocketAddr};

/// The port of the page where nobody says otherwise.
const PORT_DEFAULT: u16 = 8000;

/// The server of a session.
pub(super) enum Reach {
    /// A running one.
    Joined(Client),
    /// Our own.
    Embedded(Box<App>),
}

impl Reach {
    /// Joins the server of the data folder, or starts one where there is none that answers.
    pub(super) async fn find(settings: &Settings, port: Option<u16>, dashboard: bool) -> Result<Self> {
        // Only the folder's own server will do: another one would keep the session elsewhere.
        let own = Settings { url: String::new(), token: String::new(), ..settings.clone() };
        if DataFolder::at(&settings.data).server().is_some() {
            let client = Client::new(locate(&own, None)?)?;
            if client.get("/health").await.is_ok() {
                return Ok(Self::Joined(client));
            }
        }
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listen = match (dashboard, port) {
            (false, _) => None,
            (true, Some(port)) => Some(Listen::At(at(port))),
            (true, None) => Some(Listen::From(at(PORT_DEFAULT))),
        };
        let app = App::start(settings, Wishes { listen, worker: true, issues: false }).await?;
        app.announce()?;
        Ok(Self::Embedded(Box::new(app)))
    }

    /// Returns the way to the server.
    pub(super) fn control(&self) -> Control {
        match self {
            Self::Joined(client) => Control::Remote(client.clone()),
            Self::Embedded(app) => Control::InProcess(app.engine.clone()),
        }
    }

    /// Waits until our own server breaks, and returns why. Never returns while all goes well.
    pub(super) async fn broken(&mut self) -> Failure {
        match self {
            Self::Joined(_) => std::future::pending().await,
            Self::Embedded(app) => app.broken().await,
        }
    }

    /// Says where the page is.
    pub(super) fn introduce(&self, screen: &Screen) -> Result<()> {
        match self {
            Self::Joined(client) => screen.say(format_args!("server: {} (already running)", client.url())),
            Self::Embedded(app) => match app.start_link.as_ref().or(app.url.as_ref()) {
                Some(link) => screen.say(format_args!("server: {link} (until the goal is reached)")),
                None => Ok(()),
            },
        }
    }

    /// Tells whether people can do something while the session goes on: on the page, or over HTTP.
    pub(super) fn has_page(&self) -> bool {
        match self {
            Self::Joined(_) => true,
            Self::Embedded(app) => app.url.is_some(),
        }
    }

    /// Ends our own server; a running one goes on. After an interruption no run is waited for, and none that waits for a person.
    pub(super) async fn leave(self, is_interrupted: bool, signals: &mut Signals) {
        if let Self::Embedded(app) = self {
            app.stop(signals.wait_unless(is_interrupted)).await;
        }
    }
}
