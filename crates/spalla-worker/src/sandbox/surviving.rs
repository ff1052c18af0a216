//! Commands that go on when this process is gone: how they are started, and how the next one takes them up again.

use super::life::{Life, Terms, order_of_surviving};
use super::line::Line;
use super::{CommandSpec, Sandbox, Spare, SpawnError, Walls};
use spalla_sandbox::{Survival, end_marked, says_the_end};
use std::path::Path;
use std::time::Duration;

/// How often a supervisor that is not reached, and has not said that all is over, is looked for again: it may be about to
/// listen, or to leave.
const LOOKS_MAX: u32 = 50;
/// How long is waited in between.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What became of a command that an earlier process started.
pub(crate) enum TakenUp {
    /// It goes on, or its end is known.
    Life(Box<Life>),
    /// It never began, and does not any more.
    NeverBegan,
    /// Nobody can say how it ended. Nothing is left of it.
    Gone,
}

impl Sandbox {
    /// Starts a command that survives the end of this process, behind walls that were put up for it where they fit; it
    /// runs when this returns. What it writes is read from its file.
    pub(crate) async fn spawn_surviving(
        &self,
        spare: Option<Spare>,
        spec: CommandSpec,
        (survival, journal): (&Survival, &Path),
    ) -> Result<Life, SpawnError> {
        let tree = matches!(spec.walls, Walls::None).then(|| survival.name.clone());
        let order = order_of_surviving(&spec, tree.as_deref(), (survival, journal));
        if let Some(child) = self.begin_behind(spare, &spec, &order).await? {
            return Ok(child.life);
        }
        // The supervisor bears the mark also where its command does not: it is found by it when it does not answer.
        let opened = Line::open(&self.supervisor, &spec.label, Some(&survival.name));
        let opened = opened.map_err(|source| self.failed(source))?;
        match self.begin(opened, &spec, &order, tree).await? {
            Some(child) => Ok(child.life),
            None => {
                let reason = "it waits for other walls".to_owned();
                Err(SpawnError::Unsupervised { program: spec.program, reason })
            }
        }
    }

    /// Takes a command up again that an earlier process started, whether it goes on or ended meanwhile.
    pub(crate) async fn take_up(&self, survival: &Survival, terms: &Terms) -> TakenUp {
        for _ in 0..LOOKS_MAX {
            if let Ok(line) = survival.connect().and_then(Line::again)
                && let Some(life) = Life::take_up(line, terms).await
            {
                return TakenUp::Life(Box::new(life));
            }
            match survival.said() {
                Some(said) if says_the_end(&said) => {
                    let life = Life::take_up(Line::of_gone(said), terms).await;
                    return life.map_or(TakenUp::Gone, |life| TakenUp::Life(Box::new(life)));
                }
                None if survival.forestall() => return TakenUp::NeverBegan,
                _ => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
        let mark = format!("{}={}", super::TREE_VARIABLE, survival.name);
        let _ = tokio::task::spawn_blocking(move || end_marked(&mark)).await;
        TakenUp::Gone
    }
}
