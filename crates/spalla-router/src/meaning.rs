//! What each agent is for, as a direction; and which agents a task is alike to, where no trigger was found.

use crate::fleet::{Entry, Number};
use crate::score::Micro;
use crate::source::Source;
use spalla_embedding::{Embedding, Vector};
use std::sync::Arc;

/// The directions of all agents.
#[derive(Debug)]
pub(crate) struct Meanings {
    embedding: Arc<Embedding>,
    /// By the agents' numbers.
    agents: Vec<Vector>,
}

impl Meanings {
    /// Reads what each agent is for; `describe` returns its description. The table comes from the source.
    pub(crate) fn read(
        entries: &[Entry],
        source: &dyn Source,
        describe: impl Fn(Number) -> String,
    ) -> Result<Self, String> {
        let embedding = source.embedding()?;
        let vector = |(entry, number): (&Entry, Number)| {
            let text = format!("{} {} {}. {}", entry.name, entry.domain, entry.subdomain, describe(number));
            embedding.embed(&text)
        };
        let agents = entries.iter().zip(0..).map(vector).collect();
        Ok(Self { embedding, agents })
    }

    /// Hands on every agent with how alike it is to a task, in the order of their numbers.
    pub(crate) fn alike(&self, task: &str, mut take: impl FnMut(Number, Micro)) {
        let task = self.embedding.embed(task);
        for (agent, number) in self.agents.iter().zip(0..) {
            take(number, Micro::of(f64::from(task.cosine(agent))));
        }
    }
}
