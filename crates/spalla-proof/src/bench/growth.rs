//! What grows must not slow down what is done: a history of millions of runs, a million blocked items, a snapshot that
//! somebody holds open, another project's long queue, and lists of a million rows.

mod copies;
mod fairness;
mod lists;
mod ratio;
mod scenery;
mod snapshot;

use super::administrator::Administrator;
use super::figure::Figures;
use super::is_wanted;
use super::site::{Ground, Kind, Node};
use anyhow::Result;
use clap::Args;
use spalla_store::Location;

/// What can be measured by itself.
const PARTS: [&str; 5] = ["history", "blocked", "snapshot", "fairness", "lists"];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where the rows are kept
    #[arg(long, value_enum)]
    store: Kind,
    /// How many finished runs the history has
    #[arg(long, default_value_t = 10_000_000)]
    runs: u64,
    /// How many items are blocked
    #[arg(long, default_value_t = 1_000_000)]
    blocked: u64,
    /// How many items the lists have behind their first page
    #[arg(long, default_value_t = 1_000_000)]
    items: u64,
    /// How many entries another project has in the queue before one comes with ten
    #[arg(long, default_value_t = 100_000)]
    entries: usize,
    /// For how many seconds a snapshot is held
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many rounds alternate between the empty and the full database
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Measures only these parts
    #[arg(long, value_delimiter = ',', value_parser = PARTS)]
    only: Vec<String>,
}

/// Measures everything.
pub(crate) async fn measure(arguments: &Arguments) -> Result<()> {
    let figures = Figures { store: arguments.store.name() };
    if is_wanted(&arguments.only, "history") {
        ratio::claims(arguments, figures).await?;
    }
    if is_wanted(&arguments.only, "blocked") {
        ratio::enqueues(arguments, figures).await?;
    }
    if is_wanted(&arguments.only, "snapshot") {
        snapshot::measure(arguments, figures).await?;
    }
    if is_wanted(&arguments.only, "fairness") {
        fairness::measure(arguments, figures).await?;
    }
    if is_wanted(&arguments.only, "lists") {
        lists::measure(arguments, figures).await?;
    }
    Ok(())
}

/// An empty database of our own, which goes with this.
struct Database {
    _ground: Ground,
    location: Location,
}

impl Database {
    async fn make(kind: Kind) -> Result<Self> {
        let ground = Ground::prepare_own(kind).await?;
        let location = ground.fresh().await?;
        Ok(Self { _ground: ground, location })
    }

    fn administrator(&self) -> Administrator {
        Administrator::of(&self.location)
    }

    async fn node(&self) -> Result<Node> {
        Node::start(self.location.clone()).await
    }
}
