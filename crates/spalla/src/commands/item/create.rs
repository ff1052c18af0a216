//! `spalla item create`: makes a work item from flags, with its recipe from a file.

use super::{given, say};
use crate::cli::Global;
use crate::client::Client;
use crate::commands::ServerArgs;
use crate::exit::Exit;
use crate::failure::{Result, file};
use crate::output::cell;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A new work item.
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// What it is called
    #[arg(long)]
    title: String,
    /// Whose it is
    #[arg(long, value_name = "ID")]
    project: i64,
    /// What it is about
    #[arg(long)]
    description: Option<String>,
    /// What an agent is told
    #[arg(long)]
    prompt: Option<String>,
    /// What carries it out [default: recipe, or agent where --agent names one]
    #[arg(long, value_enum)]
    executor: Option<ExecutorWord>,
    /// The agent, such as surveyor
    #[arg(long)]
    agent: Option<String>,
    /// A file with its recipe; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// A work item that it waits for; `ID:failure` and `ID:done` wait for another end than success
    #[arg(long, value_name = "ID[:WHEN]", value_parser = dependency)]
    depends_on: Vec<Value>,
    /// 0 to 9, 9 is the most urgent [default: 5]
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// A free word to choose by
    #[arg(long, value_name = "WORD")]
    label: Vec<String>,
    /// A free word to sort by
    #[arg(long, value_name = "WORD")]
    category: Option<String>,
    /// What a run needs, such as cpu=2 or memory_mb=4096; reserved while a worker holds it
    #[arg(long, value_name = "NAME=AMOUNT", value_parser = resource)]
    resource: Vec<(String, Value)>,
    /// How long a run may take
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Its final failure does not stop what waits for it to be done
    #[arg(long)]
    not_critical: bool,
    /// Puts it into the queue as well
    #[arg(long)]
    enqueue: bool,
    /// Prints the work item as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// What carries a work item out.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExecutorWord {
    /// Steps in a shell
    Recipe,
    /// An agent
    Agent,
    /// Nobody of ours: claimed or completed through the API
    External,
}

impl ExecutorWord {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Recipe => "recipe",
            Self::Agent => "agent",
            Self::External => "external",
        }
    }
}

impl Create {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        self.server.clone().talk(global, |client| self.create(client))
    }

    async fn create(self, client: Client) -> Result<Exit> {
        let recipe = self.recipe.as_deref().map(read_recipe).transpose()?;
        let executor = self.executor.or(self.agent.as_ref().map(|_| ExecutorWord::Agent));
        let body = given([
            ("project_id", Some(self.project.into())),
            ("title", Some(self.title.into())),
            ("description", self.description.map(Into::into)),
            ("prompt", self.prompt.map(Into::into)),
            ("executor", executor.map(|executor| executor.as_str().into())),
            ("agent", self.agent.map(Into::into)),
            ("recipe", recipe.map(Into::into)),
            ("depends_on", (!self.depends_on.is_empty()).then_some(self.depends_on.into())),
            ("priority", self.priority.map(Into::into)),
            ("labels", (!self.label.is_empty()).then_some(self.label.into())),
            ("category", self.category.map(Into::into)),
            (
                "resources",
                (!self.resource.is_empty()).then(|| Value::Object(self.resource.into_iter().collect())),
            ),
            ("timeout_seconds", self.timeout.map(Into::into)),
            ("critical", self.not_critical.then_some(Value::Bool(false))),
        ]);
        let mut item = client.post("/work-items/", &body).await?;
        let id = item["id"].clone();
        if self.enqueue {
            client.post("/scheduler/enqueue", &json!({"work_item_id": id})).await?;
            item = client.get(&format!("/work-items/{}", cell(&id))).await?;
        }
        let words = format!("work item {} is {}", cell(&id), cell(&item["status"]));
        say(self.json, &item, words)
    }
}

fn read_recipe(path: &Path) -> Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        return match std::io::stdin().read_to_string(&mut text) {
            Ok(_) => Ok(text),
            Err(error) => Err(file("reading the recipe from", path)(error)),
        };
    }
    std::fs::read_to_string(path).map_err(file("reading the recipe in", path))
}

fn resource(text: &str) -> Result<(String, Value), String> {
    let (name, amount) = text.split_once('=').ok_or_else(|| format!("{text:?} is no NAME=AMOUNT"))?;
    let amount: serde_json::Number =
        serde_json::from_str(amount).map_err(|_| format!("{amount:?} is no number"))?;
    Ok((name.to_owned(), Value::Number(amount)))
}

fn dependency(text: &str) -> Result<Value, String> {
    let (id, when) = text.split_once(':').unwrap_or((text, "success"));
    let id: i64 = id.parse().map_err(|_| format!("{id:?} is no id of a work item"))?;
    match when {
        "success" | "failure" | "done" => Ok(json!({"id": id, "when": when})),
        _ => Err(format!("{when:?} is none of success, failure, done")),
    }
}
