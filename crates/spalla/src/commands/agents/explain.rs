//! `spalla agents explain`: where each field of a definition came from.

use crate::cli::Global;
use crate::definitions::{PublishedArgs, find};
use crate::exit::Exit;
use crate::failure::Result;
use crate::{output, telemetry};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use spalla_registry::definition::Definition;

/// Says where each field of a definition came from: what its author wrote, or the rule by which it was derived.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The agent's id
    id: String,
    #[command(flatten)]
    published: PublishedArgs,
    /// Prints it as JSON
    #[arg(long)]
    json: bool,
}

/// One field and its origin.
#[derive(Debug, Serialize)]
struct Row {
    field: String,
    value: Value,
    /// `said`, or the rule.
    origin: String,
}

impl Explain {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        telemetry::start(global.plain_telemetry("error"))?;
        let registry = self.published.open()?;
        let loaded = find(&registry, &self.id)?;
        let rows = rows(&loaded.definition);
        if self.json {
            output::json(&rows)?;
            return Ok(Exit::Done);
        }
        let cells = |row: &Row| vec![row.field.clone(), row.origin.clone(), output::cell(&row.value)];
        output::table(&["field", "origin", "value"], rows.iter().map(cells).collect())?;
        Ok(Exit::Done)
    }
}

fn rows(definition: &Definition) -> Vec<Row> {
    let mut rows = Vec::new();
    let whole = serde_json::to_value(definition).unwrap_or_default();
    for (key, value) in whole.as_object().into_iter().flatten() {
        match key.as_str() {
            "provenance" | "schema_version" => {}
            "x-source" => add("x-source.keys", &value["keys"], definition, &mut rows),
            _ => add(key, value, definition, &mut rows),
        }
    }
    rows
}

fn add(path: &str, value: &Value, definition: &Definition, rows: &mut Vec<Row>) {
    match value {
        Value::Null => {}
        Value::Object(members) if !definition.provenance.contains_key(path) => {
            for (key, value) in members {
                add(&format!("{path}.{key}"), value, definition, rows);
            }
        }
        other => {
            let rule = definition.provenance.get(path);
            let origin = rule.map_or_else(|| "said".to_owned(), |rule| format!("derived: {rule}"));
            rows.push(Row { field: path.to_owned(), value: other.clone(), origin });
        }
    }
}
