//! What this program shows to GitHub: of the settings, of a file, or of the login that `gh` has.

use crate::config::GitHubSettings;
use crate::failure::{Failure, Result, file};
use crate::programs::{self, Call};
use spalla_domain::secret::Secret;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use url::Url;

/// The longest token, in bytes, that is read of a file.
const TOKEN_BYTES_MAX: u64 = 4_096;
/// How long `gh` may take, in milliseconds.
const CALL_MS: i64 = 20_000;

/// Finds it.
pub(super) async fn find(settings: &GitHubSettings, base: &Url) -> Result<Secret> {
    match (settings.token.trim(), settings.token_file.as_str()) {
        ("", "") => of_gh(base).await,
        ("", path) => of_file(Path::new(path)),
        (token, _) => Ok(token.into()),
    }
}

/// A token that others can read is everybody's.
fn of_file(path: &Path) -> Result<Secret> {
    let opened = File::open(path).map_err(file("reading the token in", path))?;
    let mode = opened.metadata().map_err(file("reading the token in", path))?.mode();
    if mode & 0o077 != 0 {
        return Err(Failure::usage(format!("github.token_file {}: others can read it", path.display()))
            .mend(format!("chmod 600 {}", path.display())));
    }
    let mut text = String::new();
    opened.take(TOKEN_BYTES_MAX).read_to_string(&mut text).map_err(file("reading the token in", path))?;
    match text.trim() {
        "" => Err(Failure::usage(format!("github.token_file {}: it is empty", path.display()))),
        token => Ok(token.into()),
    }
}

async fn of_gh(base: &Url) -> Result<Secret> {
    let none = |why: &str| {
        Failure::usage(format!("there is no token for GitHub{why}"))
            .mend("set GITHUB_TOKEN or github.token_file, or log in with `gh auth login`")
    };
    if programs::find("gh").is_none() {
        return Err(none(", and no gh"));
    }
    let host = base.host_str().unwrap_or_default();
    let host = if host == "api.github.com" { "github.com" } else { host };
    // Where a person keeps the login is said by their own variables.
    let of_person = ["GH_CONFIG_DIR", "XDG_CONFIG_HOME", "HOME"];
    let env: Vec<_> = programs::variables().filter(|(name, _)| of_person.contains(&name.as_str())).collect();
    let env: Vec<(&str, &str)> = env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let args = ["auth", "token", "--hostname", host];
    let call = Call { program: "gh", args: &args, folder: Path::new("/"), env: &env, timeout_ms: CALL_MS };
    let answer = programs::call(call).await?;
    match answer.stdout.trim() {
        token if answer.is_good() && !token.is_empty() => Ok(token.into()),
        _ => Err(none(&format!(", and gh has no login for {host}"))),
    }
}
