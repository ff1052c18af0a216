//! `spalla demo seed`: sample data through the API. What an earlier call has made is found again and left alone.

use crate::cli::Global;
use crate::client::{Client, query};
use crate::commands::ServerArgs;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{self, cell, elements};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Makes sample data: a project, work items that wait for each other, and an approval.
#[derive(Debug, Args)]
pub(crate) struct Seed {
    /// Prints what is there now as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// How many projects or work items are looked at for those of an earlier call: the newest, in one call.
const LIST_MAX: u32 = 500;
/// The project's name, by which it is found again.
const PROJECT: &str = "sample";
/// The label of everything that is made here.
const LABEL: &str = "sample";

/// A work item of the sample.
struct Sample {
    title: &'static str,
    after: &'static [&'static str],
    priority: u8,
    recipe: &'static str,
    /// Whether a person has to say yes before it starts.
    gated: bool,
}

/// The work items, each after those that it waits for.
const SAMPLES: [Sample; 6] = [
    Sample::new("Build the sample", &[], "steps: [\"echo compiling\", \"echo linking\"]"),
    Sample::new("Test the sample", &["Build the sample"], "steps: [\"echo 12 tests passed\"]"),
    Sample::new("Lint the sample", &["Build the sample"], "steps: [\"echo nothing to complain about\"]"),
    Sample::new(
        "Package the sample",
        &["Test the sample", "Lint the sample"],
        "steps:\n  - run: mkdir -p dist && date > dist/sample.txt\n    artifacts: [dist/**]\n",
    ),
    Sample {
        gated: true,
        ..Sample::new("Deploy the sample", &["Package the sample"], "steps: [\"echo deployed\"]")
    },
    Sample { priority: 2, ..Sample::new("Write notes for the sample", &[], "steps: [\"echo noted\"]") },
];

impl Sample {
    const fn new(title: &'static str, after: &'static [&'static str], recipe: &'static str) -> Self {
        Self { title, after, priority: 5, recipe, gated: false }
    }
}

impl Seed {
    pub(super) fn run(self, global: &Global) -> Result<Exit> {
        self.server.clone().talk(global, |client| async move {
            let project = project(&client, PROJECT, "Sample data, made by `spalla demo seed`.").await?;
            let (items, made) = items(&client, &project).await?;
            let approval = approval(&client, &items).await?;
            enqueue(&client, &items).await?;
            if self.json {
                let ids: Vec<i64> = items.values().map(|item| item.id).collect();
                let there =
                    json!({"project": project, "work_items": ids, "approval": approval, "work_items_made": made});
                output::json(&there)?;
            } else {
                say(&project, &items, made, &approval)?;
            }
            Ok(Exit::Done)
        })
    }
}

/// Finds the project of a name, or makes it.
pub(super) async fn project(client: &Client, name: &str, description: &str) -> Result<Value> {
    let projects = client.get(&format!("/projects/?limit={LIST_MAX}")).await?;
    match elements(&projects).iter().find(|project| project["name"] == name) {
        Some(known) => Ok(known.clone()),
        None => client.post("/projects/", &json!({"name": name, "description": description})).await,
    }
}

/// A work item of the sample that is there.
struct Item {
    id: i64,
    is_open: bool,
}

/// Returns the sample's work items by title, made where they were missing, and how many were.
async fn items(client: &Client, project: &Value) -> Result<(BTreeMap<&'static str, Item>, usize)> {
    let filter = query(&[
        ("project_id", Some(cell(&project["id"]))),
        ("label", Some(LABEL.into())),
        ("limit", Some(LIST_MAX.to_string())),
    ]);
    let known = client.get(&format!("/work-items/{filter}")).await?;
    let (mut items, mut made) = (BTreeMap::new(), 0);
    for sample in &SAMPLES {
        let found = elements(&known).iter().find(|item| item["title"] == sample.title).cloned();
        let item = match found {
            Some(item) => item,
            None => {
                made += 1;
                let after = sample.after.iter().filter_map(|title| items.get(title));
                let after: Vec<i64> = after.map(|item: &Item| item.id).collect();
                let body = json!({
                    "project_id": project["id"], "title": sample.title, "recipe": sample.recipe,
                    "priority": sample.priority, "labels": [LABEL], "depends_on": after,
                });
                client.post("/work-items/", &body).await?
            }
        };
        let id = item["id"].as_i64().unwrap_or_default();
        items.insert(sample.title, Item { id, is_open: item["status"] == "open" });
    }
    Ok((items, made))
}

/// Asks for the approval of what is gated, before it is in the queue; one that was asked for is not asked for again.
async fn approval(client: &Client, items: &BTreeMap<&'static str, Item>) -> Result<Value> {
    let mut last = Value::Null;
    for sample in SAMPLES.iter().filter(|sample| sample.gated) {
        let Some(item) = items.get(sample.title) else { continue };
        let path = format!("/work-items/{}/approvals", item.id);
        let known = client.get(&path).await?;
        last = match elements(&known).first() {
            Some(known) => known.clone(),
            None => client.post(&path, &json!({"kind": "deploy"})).await?,
        };
    }
    Ok(last)
}

async fn enqueue(client: &Client, items: &BTreeMap<&'static str, Item>) -> Result<()> {
    for item in items.values().filter(|item| item.is_open) {
        client.post("/scheduler/enqueue", &json!({"work_item_id": item.id})).await?;
    }
    Ok(())
}

fn say(project: &Value, items: &BTreeMap<&'static str, Item>, made: usize, approval: &Value) -> Result<()> {
    output::line(format_args!("project {} ({})", cell(&project["id"]), cell(&project["name"])))?;
    for sample in &SAMPLES {
        let Some(item) = items.get(sample.title) else { continue };
        let after: Vec<String> =
            sample.after.iter().filter_map(|title| Some(items.get(title)?.id.to_string())).collect();
        let after = if after.is_empty() { String::new() } else { format!(", after {}", after.join(" and ")) };
        output::line(format_args!("work item {} ({}){after}", item.id, sample.title))?;
    }
    output::line(format_args!("approval {} is {}", cell(&approval["id"]), cell(&approval["status"])))?;
    match made {
        0 => output::line("all of it was there already"),
        _ => {
            output::line(format_args!("say yes to the deploy with: spalla approve {}", cell(&approval["id"])))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_waits_only_for_samples_before_it_and_has_a_valid_recipe() {
        for (index, sample) in SAMPLES.iter().enumerate() {
            let before: Vec<&str> = SAMPLES[..index].iter().map(|sample| sample.title).collect();
            assert!(sample.after.iter().all(|title| before.contains(title)), "{}", sample.title);
            assert!(!spalla_domain::recipe::parse(sample.recipe).unwrap().steps.is_empty());
        }
    }
}
