//! Ten real attempts to get out of the sandbox, made before anybody relies on it.

use crate::config::Settings;
use crate::worker_options::allowed_missing;
use spalla_sandbox::Layer;
use std::path::Path;

/// How they came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Escapes {
    /// None of so many worked.
    Held(usize),
    /// These worked.
    Worked(Vec<&'static str>),
    /// None could be tried, for this reason.
    NotTried(String),
}

/// Makes the attempts.
pub(crate) async fn attempt_escapes(settings: &Settings) -> Escapes {
    let missing = allowed_missing(&settings.sandbox);
    let attempts = move || spalla_sandbox::self_test(Path::new("/proc/self/exe"), &missing);
    let trials = tokio::task::spawn_blocking(attempts).await.unwrap_or_default();
    let open: Vec<_> = trials.iter().filter(|trial| !trial.held).collect();
    let worked: Vec<_> = open.iter().filter(|trial| trial.detail.starts_with("escaped")).collect();
    match open.first() {
        _ if !worked.is_empty() => Escapes::Worked(worked.iter().map(|trial| trial.name).collect()),
        None if !trials.is_empty() => Escapes::Held(trials.len()),
        other => Escapes::NotTried(
            other.map_or_else(|| "no escape could be tried".into(), |trial| trial.detail.clone()),
        ),
    }
}

/// Makes the attempts before a worker begins; returns why no command may run behind the walls, if that is so.
pub(crate) async fn distrust(settings: &Settings) -> Option<String> {
    if settings.sandbox.preset == "none" {
        tracing::warn!("the sandbox is switched off (sandbox.preset): commands of runs have no walls");
        return None;
    }
    match attempt_escapes(settings).await {
        Escapes::Held(count) => {
            tracing::debug!("the sandbox holds: {count} of {count} escapes did not work");
            None
        }
        // Where the operator allows a wall to be missing, what that wall alone held back does work.
        Escapes::Worked(names) if names.iter().all(|name| is_permitted(name, settings)) => {
            tracing::warn!(
                "the sandbox has gaps, which sandbox.allow_degraded permits: {}",
                names.join(", ")
            );
            None
        }
        Escapes::Worked(names) => {
            let names = names.join(", ");
            tracing::error!("the sandbox does not hold, so runs are refused; escapes that worked: {names}");
            Some(format!("escapes that worked: {names}"))
        }
        Escapes::NotTried(why) => {
            tracing::error!("commands of runs will be refused: {why}");
            Some(format!("nobody could try whether it holds: {why}"))
        }
    }
}

/// Tells whether an escape is one that only a layer holds back which the operator lets be missing.
fn is_permitted(escape: &str, settings: &Settings) -> bool {
    let by_seccomp = matches!(escape, "unshare-user" | "io-uring" | "setuid-chmod");
    by_seccomp && allowed_missing(&settings.sandbox).contains(&Layer::Seccomp)
}
