//! Pushes a session's branch. The token is in a variable of git's process alone: in no argument, address or setting.

use super::api::Api;
use crate::failure::{Failure, Result};
use crate::programs::{self, Call};
use std::path::Path;
use url::Url;

/// The variable that the helper hands on.
const TOKEN: &str = "SPALLA_GITHUB_TOKEN";
/// What hands it on, to whoever asks for a name and a password for the one host.
const HELPER: &str = "!f() { test \"$1\" = get || exit 0; echo username=x-access-token; echo \"password=$SPALLA_GITHUB_TOKEN\"; }; f";
/// How long it may take, in milliseconds: a large repository on a slow line.
const PUSH_MS: i64 = 15 * 60_000;

/// Pushes a branch of a repository to the same name there; what is there already stays, unless it is behind.
pub(super) async fn push(api: &Api, repository: &Path, url: &str, branch: &str) -> Result<()> {
    let refspec = format!("refs/heads/{branch}:refs/heads/{branch}");
    let origin = Url::parse(url).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
    let origin = origin.map(|url| url.origin().ascii_serialization());
    let helper = origin.as_ref().map(|origin| format!("credential.{origin}.helper={HELPER}"));
    let mut args = vec![
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "safe.directory=*",
        "-c",
        "protocol.ext.allow=never",
        "-c",
        "http.followRedirects=false",
        "-c",
        "push.followTags=false",
        // Whatever was set before is forgotten.
        "-c",
        "credential.helper=",
    ];
    if let Some(helper) = &helper {
        args.extend(["-c", helper]);
    }
    args.extend(["--git-dir=.", "push", "--quiet", "--no-verify", "--", url, &refspec]);
    let token = api.token().expose_text().map_err(|_| Failure::usage("the token for GitHub is no text"))?;
    let env = [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("LC_ALL", "C"),
        (TOKEN, token),
    ];
    let call = Call { program: "git", args: &args, folder: repository, env: &env, timeout_ms: PUSH_MS };
    let answer = programs::call(call).await?;
    if answer.is_good() {
        return Ok(());
    }
    let why = answer.complaint();
    let failure = Failure::failed(format!("pushing {branch} to {url}: {why}"));
    Err(if why.contains("rejected") && why.contains("fetch first") || why.contains("non-fast-forward") {
        failure.mend("the branch has commits there that the session does not have; remove or rename it there")
    } else if why.contains("Authentication failed") || why.contains("403") {
        failure.mend("let the token write the repository's contents")
    } else {
        failure
    })
}
