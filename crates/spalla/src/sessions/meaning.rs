//! How alike two texts are: the static model that the program carries. No network, and the same answer on every machine.

use crate::failure::{Failure, Result};
use spalla_embedding::{Embedding, shipped};

/// The static model.
#[derive(Debug)]
pub(super) struct Meaning(Embedding);

impl Meaning {
    /// Unpacks it, which takes some tens of milliseconds.
    pub(super) fn load() -> Result<Self> {
        let table = shipped().ok_or_else(|| {
            Failure::usage("tiny: this program was built without the feature embedding")
                .mend("leave it to the heuristic, or install a build that has it")
        })?;
        let embedding = Embedding::load(table);
        embedding.map(Self).map_err(|error| Failure::failed(format!("reading the static model: {error}")))
    }

    /// Returns how alike two texts are, from 0 for nothing in common to 1.
    pub(super) fn like(&self, one: &str, other: &str) -> f32 {
        self.0.embed(one).cosine(&self.0.embed(other))
    }
}
