//! What becomes of a session is told: to whoever looks on, and to the server that it has, as events that webhooks see.

use super::pursuit::Pursuit;
use crate::control::Control;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output;
use spalla_domain::session::SessionDecision;
use spalla_domain::session_event::SessionChange;

impl Pursuit {
    /// Says to whoever looks on what was decided, and by whom.
    pub(super) fn announce(&self, decision: &SessionDecision) -> Result<()> {
        let look = self.session.looks.iter().find(|look| look.key() == decision.key);
        let key = look.map_or(&decision.key, |look| &look.work);
        let item = self.session.items.iter().find(|item| item.key == *key);
        let title = item.map(|item| output::plain(&item.title)).unwrap_or_default();
        let word = serde_json::to_value(decision.decision).unwrap_or_default();
        let word = word.as_str().unwrap_or_default().to_owned();
        let by = if decision.by_rules { "by rules, no reviewer was there" } else { "by its reviewers" };
        tracing::info!(decision = word, rule = decision.rule, title, "decided");
        self.screen.progress(format_args!("review of \"{title}\": {word} ({}, {by})", decision.rule))?;
        for vote in &decision.votes {
            let said = match (&vote.verdict, &vote.absent) {
                (Some(verdict), _) => format!("{:?}: {}", verdict.verdict, verdict.text).to_lowercase(),
                (None, absent) => format!("absent: {}", absent.as_deref().unwrap_or_default()),
            };
            self.screen.progress(format_args!("  {}: {}", vote.reviewer, output::plain(&said)))?;
        }
        Ok(())
    }

    /// Tells what became of the session. A server that can't be told keeps nobody from going on.
    pub(super) async fn tell(&self, control: &Control, change: SessionChange, why: Option<&str>) {
        if let Err(failure) = control.tell_session(&self.session, change, why).await {
            tracing::info!("telling that session {} {}: {failure}", self.session.id, change.as_str());
        }
    }
}

/// Returns what became of a session that ended like this.
pub(super) const fn change_of(exit: Exit) -> SessionChange {
    match exit {
        Exit::Waits => SessionChange::Waiting,
        Exit::Stopped | Exit::Interrupted => SessionChange::Stopped,
        _ => SessionChange::Ended,
    }
}
