//! Walls that are put up before the command that is to start behind them: a start then takes no longer than telling the
//! supervisor what it is. A spare serves one command of the policy, the environment and the journal that it was put up
//! for, and nobody else.

use super::life::{START_MS, order_of};
use super::line::Line;
use super::{Child, CommandSpec, Sandbox, SpawnError, Walls};
use spalla_sandbox::{SupervisedOrder, Word};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Walls that stand, or are being put up, and wait for their command. Dropping them takes them down, without anybody
/// waiting for it.
#[derive(Debug)]
pub struct Spare {
    line: Line,
    pipes: [OwnedFd; 2],
    label: String,
    wanted: SupervisedOrder,
    is_ready: bool,
}

impl Sandbox {
    /// Begins to put up walls for a command like this one; none for one without walls, and where others could change
    /// what is shown while it is put up.
    pub async fn put_up_ahead(&self, like: &CommandSpec) -> Result<Option<Spare>, SpawnError> {
        match &like.walls {
            // A command that runs meanwhile may replace whatever lies in other folders that it writes.
            Walls::Up(confined) if confined.policy.write.is_empty() => {}
            _ => return Ok(None),
        }
        let mut wanted = order_of(like, None);
        wanted.ahead = true;
        // Nothing of the command itself is known yet.
        wanted.order.command =
            spalla_sandbox::Command { program: like.program.clone(), ..spalla_sandbox::Command::default() };
        let opened = self.open(&like.label);
        let (mut line, pipes) = opened.map_err(|source| self.failed(source))?;
        line.send(&wanted, b"").await.map_err(|source| self.failed(source))?;
        self.refill();
        Ok(Some(Spare { line, pipes, label: like.label.clone(), wanted, is_ready: false }))
    }

    /// Starts a command behind walls that were put up for it, or, where there are none that fit, behind new ones; it
    /// runs when this returns.
    pub async fn spawn_behind(&self, spare: Option<Spare>, spec: CommandSpec) -> Result<Child, SpawnError> {
        let order = order_of(&spec, None);
        match self.begin_behind(spare, &spec, &order).await? {
            Some(child) => Ok(child),
            None => self.spawn(spec).await,
        }
    }

    /// Starts a command behind walls that were put up for it; none, and nothing was started, where they do not fit.
    pub(super) async fn begin_behind(
        &self,
        spare: Option<Spare>,
        spec: &CommandSpec,
        order: &SupervisedOrder,
    ) -> Result<Option<Child>, SpawnError> {
        let Some(mut spare) = spare else { return Ok(None) };
        if spare.is_for(spec, order) && spare.is_ready().await {
            let Spare { line, pipes, .. } = spare;
            return self.begin((line, pipes), spec, order, None).await;
        }
        spare.take_down().await;
        Ok(None)
    }
}

impl Spare {
    fn is_for(&self, spec: &CommandSpec, order: &SupervisedOrder) -> bool {
        matches!(spec.walls, Walls::Up(_)) && self.label == spec.label && self.wanted.wants_same_walls(order)
    }

    /// Waits until the walls stand; tells whether they do.
    pub async fn is_ready(&mut self) -> bool {
        if !self.is_ready {
            let word = tokio::time::timeout(Duration::from_millis(START_MS), self.line.word()).await;
            self.is_ready = matches!(word, Ok(Some(Word::Ready)));
        }
        self.is_ready && self.line.is_open()
    }

    /// Takes the walls down, and waits until nothing is left of them.
    pub async fn take_down(self) {
        self.line.close().await;
    }
}
