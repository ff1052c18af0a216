//! What a run is given of an agent: who it is, by which text, and what it is told before its task.

use super::Registry;
use crate::built_in;
use crate::read::Loaded;
use std::io;

/// What a run is given of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The agent's id.
    pub id: String,
    /// The alias under which it works.
    pub alias: Option<String>,
    /// The digest of the definition, with what the alias says otherwise, and of the instructions: BLAKE3 in hexadecimal digits.
    pub digest: String,
    /// The digest of the publication that it is of; empty for one that comes with the program.
    pub publication: String,
    /// What it is told: its brief, or what it is for where it has none.
    pub instructions: String,
}

impl Registry {
    /// Returns what a run is given of an agent.
    ///
    /// # Errors
    /// Where its brief can't be read.
    pub fn given(&self, loaded: &Loaded) -> io::Result<Given> {
        let agent = &loaded.definition.agent;
        let snapshot = self.snapshot();
        let is_published = snapshot.entry(&agent.id).is_some();
        let brief = match is_published {
            true => snapshot.shared_brief(&agent.id)?.map(|brief| brief.to_string()),
            false => {
                let own = built_in::all().iter().find(|own| own.loaded.definition.agent.id == agent.id);
                own.map(|own| own.brief.to_owned())
            }
        };
        let said = || agent.long_description.clone().unwrap_or_else(|| agent.description.clone());
        let instructions = brief.filter(|brief| !brief.trim().is_empty()).unwrap_or_else(said);
        let definition = serde_json::to_vec(&loaded.definition).map_err(io::Error::other)?;
        let mut hasher = blake3::Hasher::new();
        hasher
            .update(&(definition.len() as u64).to_le_bytes())
            .update(&definition)
            .update(instructions.as_bytes());
        Ok(Given {
            id: agent.id.clone(),
            alias: agent.instance_alias.clone(),
            digest: hasher.finalize().to_hex().to_string(),
            publication: if is_published { snapshot.index().digest.clone() } else { String::new() },
            instructions,
        })
    }
}
