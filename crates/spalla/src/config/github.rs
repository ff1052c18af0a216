//! The settings of GitHub: where it is, how this program shows who it is, and which issues become work.

use super::keys::{DAY, Key, Kind, key};
use serde::Deserialize;

/// How GitHub is spoken to.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GitHubSettings {
    /// Where its API is.
    pub(crate) api_url: String,
    /// Where repositories are fetched from and pushed to; empty means as the API's address says.
    pub(crate) git_url: String,
    /// The repository, as owner/name; empty means that of the target's remote.
    pub(crate) repo: String,
    /// What this program shows; empty means what the file holds, or the login of `gh`.
    pub(crate) token: String,
    /// The file that holds it; empty means none.
    pub(crate) token_file: String,
    /// A file of authorities that vouch for it besides those that this machine trusts; empty means none.
    pub(crate) ca: String,
    /// How long a limit of GitHub's is waited for.
    pub(crate) wait_seconds: f64,
    /// The label of issues that become work; empty means that none does.
    pub(crate) label: String,
    /// What the author of such an issue has to be to the repository.
    pub(crate) associations: Vec<String>,
    /// The folder that they are worked on in: a checkout of the repository.
    pub(crate) target: String,
    /// The agents that work on them; none means those that are installed and logged in.
    pub(crate) agents: Vec<String>,
    /// Seconds between looks at the issues; 0 means none.
    pub(crate) poll_seconds: f64,
    /// What GitHub signs with what it sends; empty means that nothing is taken.
    pub(crate) webhook_secret: String,
    /// Whether a pull request is opened of what is done.
    pub(crate) pull_requests: bool,
    /// Whether an issue is closed when its work was applied.
    pub(crate) allow_close: bool,
}

/// The table.
pub(super) const KEYS: &[Key] = &[
    key(
        "ci.folder",
        Kind::Path,
        "spalla-report",
        "the folder of junit.xml, report.sarif and summary.md that --ci writes",
    )
    .env(&["SPALLA_CI_FOLDER"]),
    key(
        "github.api_url",
        Kind::Path,
        "https://api.github.com",
        "where GitHub's API is; of an Enterprise server https://HOST/api/v3",
    )
    .env(&["SPALLA_GITHUB_API_URL", "GITHUB_API_URL"]),
    key(
        "github.git_url",
        Kind::Text,
        "",
        "what stands before owner/name.git where branches are pushed; empty is as the API's address says",
    )
    .env(&["SPALLA_GITHUB_GIT_URL"]),
    key(
        "github.repo",
        Kind::Text,
        "",
        "the repository on GitHub, as owner/name; empty is that of the target's remote origin",
    )
    .env(&["SPALLA_GITHUB_REPO", "GITHUB_REPOSITORY"]),
    key(
        "github.token",
        Kind::Text,
        "",
        "the token for GitHub; empty is that of the file, or of the login of gh",
    )
    .env(&["SPALLA_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"])
    .secret(),
    key(
        "github.token_file",
        Kind::Text,
        "",
        "the file that holds the token for GitHub, which nobody else may read",
    )
    .env(&["SPALLA_GITHUB_TOKEN_FILE"]),
    key(
        "github.ca",
        Kind::Text,
        "",
        "a PEM file of authorities that vouch for GitHub besides those that this machine trusts",
    )
    .env(&["SPALLA_GITHUB_CA"]),
    key(
        "github.wait_seconds",
        Kind::Number(0.0, DAY),
        "900",
        "how long a limit of GitHub's is waited for at most; what takes longer fails with the time",
    )
    .env(&["SPALLA_GITHUB_WAIT_SECONDS"]),
    key("github.label", Kind::Text, "", "the label of issues that become work of the server; empty is none")
        .env(&["SPALLA_GITHUB_LABEL"]),
    key(
        "github.associations",
        Kind::Words(&[
            "OWNER",
            "MEMBER",
            "COLLABORATOR",
            "CONTRIBUTOR",
            "FIRST_TIME_CONTRIBUTOR",
            "FIRST_TIMER",
            "MANNEQUIN",
            "NONE",
        ]),
        "OWNER,MEMBER,COLLABORATOR",
        "what the author of such an issue has to be to the repository, as GitHub tells it",
    )
    .env(&["SPALLA_GITHUB_ASSOCIATIONS"]),
    key(
        "github.target",
        Kind::Text,
        "",
        "the folder that issues are worked on in: a checkout of the repository on the server's machine",
    )
    .env(&["SPALLA_GITHUB_TARGET"]),
    key(
        "github.agents",
        Kind::Words(&[]),
        "",
        "the agents that work on issues; empty is those that are installed and logged in",
    )
    .env(&["SPALLA_GITHUB_AGENTS"]),
    key(
        "github.poll_seconds",
        Kind::Number(0.0, DAY),
        "60",
        "time between looks at the issues; with 0 it is looked once at the start, and GitHub's webhook brings the rest",
    )
    .env(&["SPALLA_GITHUB_POLL_SECONDS"]),
    key(
        "github.webhook_secret",
        Kind::Text,
        "",
        "the secret of GitHub's webhook to /api/github/webhook; empty is no such route",
    )
    .env(&["SPALLA_GITHUB_WEBHOOK_SECRET"])
    .secret(),
    key(
        "github.pull_requests",
        Kind::Flag,
        "false",
        "a pull request is opened of what was done for an issue",
    )
    .env(&["SPALLA_GITHUB_PULL_REQUESTS"]),
    key(
        "github.allow_close",
        Kind::Flag,
        "false",
        "an issue is closed when its work was applied, or its pull request merged",
    )
    .env(&["SPALLA_GITHUB_ALLOW_CLOSE"]),
];
