//! Takes secrets out of everything that CI is told: what the settings hold, and what the environment calls a secret.

use super::gathered::{Gathered, Verdict};
use crate::config::Settings;
use crate::failure::{Failure, Result};
use crate::programs;
use spalla_domain::redact::Redactor;
use spalla_domain::secret::Secret;

/// What the name of a variable says that holds a secret.
const WORDS: [&str; 9] =
    ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "APIKEY", "ACCESS_KEY", "PRIVATE_KEY", "CREDENTIAL"];
/// The shortest value of a variable that is taken for a secret, in bytes: a shorter one would hide words of every text.
const BYTES_MIN: usize = 8;
/// The longest one, in bytes: several have room in one search.
const BYTES_MAX: usize = 8 * 1024;
/// How many bytes all have together.
const ALL_BYTES_MAX: usize = 48 * 1024;

/// What is hidden.
pub(crate) struct Hidden(Redactor);

impl Hidden {
    /// Prepares for the secrets of this process.
    pub(crate) fn of(settings: &Settings) -> Result<Self> {
        let of_settings = [
            ("server_token", settings.server_token.as_str()),
            ("token", &settings.token),
            ("secret_key", &settings.secret_key),
            ("worker.secret_key", &settings.worker.secret_key),
            ("oidc.client_secret", &settings.oidc.client_secret),
            ("github.token", &settings.github.token),
            ("github.webhook_secret", &settings.github.webhook_secret),
        ];
        let own = of_settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::new(own.into_iter().chain(programs::variables().filter(|(name, _)| says_secret(name))))
    }

    /// Prepares for some secrets, each with its name.
    pub(crate) fn new(secrets: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut room = ALL_BYTES_MAX;
        let mut kept: Vec<(String, Secret)> = Vec::new();
        for (name, value) in secrets {
            let value = value.trim();
            if (BYTES_MIN..=BYTES_MAX.min(room)).contains(&value.len()) {
                room -= value.len();
                kept.push((name, value.into()));
            }
        }
        let redactor = Redactor::new(kept.iter().map(|(name, secret)| (name, secret)));
        redactor.map(Self).map_err(|error| Failure::failed(format!("preparing to hide secrets: {error}")))
    }

    /// Returns a text without them.
    pub(crate) fn text(&self, text: &str) -> String {
        self.0.redact(text).into_owned()
    }

    /// Takes them out of all that was gathered.
    pub(super) fn hide(&self, gathered: &mut Gathered) {
        let hide = |text: &mut String| *text = self.text(text);
        hide(&mut gathered.goal);
        for suite in &mut gathered.suites {
            hide(&mut suite.name);
            for case in &mut suite.cases {
                hide(&mut case.class);
                hide(&mut case.name);
                if let Some((file, _)) = &mut case.place {
                    hide(file);
                }
                match &mut case.verdict {
                    Verdict::Failed(why) | Verdict::Broken(why) | Verdict::Skipped(why) => hide(why),
                    Verdict::Passed => {}
                }
            }
        }
        for found in &mut gathered.found {
            hide(&mut found.message);
            hide(&mut found.rule);
            found.file.iter_mut().for_each(hide);
        }
    }
}

fn says_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    WORDS.iter().any(|word| name.contains(word)) || name.ends_with("_KEY") || name.ends_with("_PAT")
}
