//! `spalla agents show`: one definition.

use crate::cli::Global;
use crate::definitions::{PublishedArgs, brief, find};
use crate::exit::Exit;
use crate::failure::Result;
use crate::{output, telemetry};
use clap::Args;
use serde_json::{Value, json};

/// Shows one definition.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The agent's id
    id: String,
    #[command(flatten)]
    published: PublishedArgs,
    /// Prints the file of the definition as it stands there
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Prints definition and brief as JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        telemetry::start(global.plain_telemetry("error"))?;
        let registry = self.published.open()?;
        let loaded = find(&registry, &self.id)?;
        if self.raw {
            output::bytes(loaded.raw.as_bytes())?;
            return Ok(Exit::Done);
        }
        let brief = brief(&registry, &loaded.definition.agent.id)?;
        if self.json {
            output::json(&json!({ "definition": loaded.definition, "brief": brief }))?;
            return Ok(Exit::Done);
        }
        let mut flat = serde_json::Map::new();
        flatten("", &serde_json::to_value(&loaded.definition).unwrap_or_default(), &mut flat);
        flat.retain(|field, _| !field.starts_with("x-source.head") && !field.starts_with("provenance."));
        output::members(&Value::Object(flat))?;
        if !brief.is_empty() {
            output::line(output::quiet(format!("brief: {} lines", brief.lines().count())))?;
        }
        Ok(Exit::Done)
    }
}

/// Names each value by the path that leads to it.
fn flatten(path: &str, value: &Value, flat: &mut serde_json::Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, flat);
            }
        }
        other => drop(flat.insert(path.to_owned(), other.clone())),
    }
}
