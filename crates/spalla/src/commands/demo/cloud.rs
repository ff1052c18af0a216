//! `spalla demo aws|gcp|azure`: a work item that needs a cloud's keys, and the calls by which a person hands them over.

use super::seed;
use crate::cli::Global;
use crate::client::Client;
use crate::commands::ServerArgs;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{self, cell};
use clap::Args;
use serde_json::{Value, json};
use spalla_domain::cloud::Cloud;

/// Makes a work item that asks for a cloud's keys, and prints the calls that answer it.
#[derive(Debug, Args)]
pub(crate) struct CloudDemo {
    /// Prints what was made, and the calls, as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArgs,
}

/// The project that the work items of these demos belong to.
const PROJECT: &str = "demo";

impl CloudDemo {
    pub(super) fn run(self, global: &Global, cloud: Cloud) -> Result<Exit> {
        let data = global.data().map(|data| format!(" --data {}", data.display())).unwrap_or_default();
        self.server.clone().talk(global, |client| async move {
            let project = seed::project(&client, PROJECT, "What the demos leave behind.").await?;
            let item = item(&client, &project, cloud).await?;
            let calls = calls(client.url(), &cell(&item["id"]), cloud, &data);
            if self.json {
                output::json(&json!({"project": project, "work_item": item, "calls": calls.to_json()}))?;
            } else {
                say(&item, cloud, &calls)?;
            }
            Ok(Exit::Done)
        })
    }
}

/// Makes the work item: no recipe, so that its worker infers the steps and asks for what the cloud needs.
async fn item(client: &Client, project: &Value, cloud: Cloud) -> Result<Value> {
    let body = json!({
        "project_id": project["id"], "title": title(cloud), "labels": [cloud.as_str()],
        "description": "Made by `spalla demo`: its run asks for what it needs before it does anything.",
    });
    let item = client.post("/work-items/", &body).await?;
    client.post("/scheduler/enqueue", &json!({"work_item_id": item["id"]})).await?;
    client.get(&format!("/work-items/{}", cell(&item["id"]))).await
}

const fn title(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Aws => "Deploy to AWS",
        Cloud::Gcp => "Deploy to GCP",
        Cloud::Azure => "Deploy to Azure",
        Cloud::Kubernetes => "Deploy to k8s",
    }
}

/// What a person types, in its order. RUN and REQUEST stand for numbers that the call before shows.
struct Calls {
    runs: String,
    requests: String,
    respond: String,
    answer: String,
}

impl Calls {
    fn to_json(&self) -> Value {
        json!({
            "find_run": self.runs, "find_request": self.requests, "respond": self.respond, "answer": self.answer,
        })
    }
}

fn calls(url: &str, item: &str, cloud: Cloud, data: &str) -> Calls {
    let curl = format!("curl -s -H \"Authorization: Bearer $(spalla token show{data})\"");
    let names: Vec<String> = cloud.fields().into_iter().map(|field| field.name).collect();
    let values: serde_json::Map<String, Value> =
        names.iter().map(|name| (name.clone(), Value::from("…"))).collect();
    let body = json!({"values": values});
    let pairs = names.iter().map(|name| format!("{name}=…")).collect::<Vec<_>>().join(" ");
    Calls {
        runs: format!("{curl} {url}/work-items/{item}/runs"),
        requests: format!("{curl} {url}/work-items/runs/RUN/info-requests"),
        respond: format!(
            "{curl} -H 'Content-Type: application/json' -d '{body}' {url}/work-items/runs/info-requests/REQUEST/respond"
        ),
        answer: format!("spalla answer REQUEST {pairs}{data}"),
    }
}

fn say(item: &Value, cloud: Cloud, calls: &Calls) -> Result<()> {
    output::line(format_args!(
        "work item {} ({}) is {}",
        cell(&item["id"]),
        cell(&item["title"]),
        cell(&item["status"])
    ))?;
    output::line("\nIts run asks for these before it does anything:")?;
    for field in cloud.fields() {
        let kind = if field.secret { " (secret)" } else { "" };
        let description = field.description.unwrap_or_default();
        output::line(format_args!("  {}{kind}: {description}", field.name))?;
    }
    output::line("\nThe run's number, RUN:")?;
    output::line(format_args!("  {}", calls.runs))?;
    output::line("\nThe question's number, REQUEST:")?;
    output::line(format_args!("  {}", calls.requests))?;
    output::line("\nThe answer, by either of these:")?;
    output::line(format_args!("  {}", calls.answer))?;
    output::line(format_args!("  {}", calls.respond))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_name_every_value_that_the_cloud_needs() {
        let wanted: [(Cloud, &[&str]); 3] = [
            (Cloud::Aws, &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"]),
            (Cloud::Gcp, &["GOOGLE_APPLICATION_CREDENTIALS_JSON", "GOOGLE_CLOUD_PROJECT"]),
            (
                Cloud::Azure,
                &["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_SUBSCRIPTION_ID"],
            ),
        ];
        for (cloud, names) in wanted {
            let calls = calls("http://h", "7", cloud, "");
            for name in names {
                assert!(calls.respond.contains(&format!("\"{name}\":")), "{}", calls.respond);
                assert!(calls.answer.contains(&format!(" {name}=")), "{}", calls.answer);
            }
            assert!(calls.runs.ends_with(" http://h/work-items/7/runs"));
        }
    }

    #[test]
    fn a_title_and_a_label_both_hint_at_the_cloud() {
        for cloud in Cloud::ALL {
            let label = vec![cloud.as_str().to_owned()];
            assert_eq!(spalla_domain::cloud::hinted(title(cloud), &[]), [cloud]);
            assert_eq!(spalla_domain::cloud::hinted("", &label), [cloud]);
        }
    }
}
