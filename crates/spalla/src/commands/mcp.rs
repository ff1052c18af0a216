//! `spalla mcp`: tools for an agent over the Model Context Protocol, on standard input and output. A run's agent gets it
//! with the run's token, and reaches by it what that token opens.

use super::{ServerArgs, block_on};
use crate::cli::Global;
use crate::client::{Client, Place};
use crate::exit::Exit;
use crate::failure::{Answer, Failure, Result};
use crate::telemetry;
use clap::Args;
use rmcp::ServiceExt as _;
use rmcp::service::ServerInitializeError;
use serde_json::Value;
use spalla_server::mcp::{Answered, Asked, Extensions, Refused, Server, Way};

/// Where the server is, as a run's agent is told.
const URL_VARIABLE: &str = "SPALLA_API_URL";
/// The token that opens it.
const TOKEN_VARIABLE: &str = "SPALLA_API_TOKEN";
/// The file with the token, where it is not said itself.
const TOKEN_FILE_VARIABLE: &str = "SPALLA_API_TOKEN_FILE";

/// Offers tools to an agent on standard input and output.
#[derive(Debug, Args)]
pub(crate) struct Mcp {
    /// The run for which it speaks, where the token is not that of a run
    #[arg(long, value_name = "ID")]
    run: Option<i64>,
    #[command(flatten)]
    server: ServerArgs,
}

impl Mcp {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let client = match told() {
            // An agent's folder may hold settings of anybody; what the run was told comes before them.
            Some(place) if self.server.is_unsaid() => {
                telemetry::start(global.plain_telemetry("warn"))?;
                Client::new(place)?
            }
            _ => {
                let config = global.config(self.server.overrides())?;
                global.listen(&config, "warn")?;
                self.server.client(&config)?
            }
        };
        let serving = Box::pin(serve(client, self.run));
        block_on(tokio::runtime::Builder::new_current_thread(), serving)
    }
}

/// Returns the server that the environment names.
fn told() -> Option<Place> {
    let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let url = variable(URL_VARIABLE)?.trim().trim_end_matches('/').to_owned();
    let by_file = || std::fs::read_to_string(variable(TOKEN_FILE_VARIABLE)?).ok();
    let token = variable(TOKEN_VARIABLE).or_else(by_file).map(|token| token.trim().to_owned());
    Some(Place { url, token, found: URL_VARIABLE.to_owned() })
}

/// Serves until the other side has gone.
async fn serve(client: Client, run: Option<i64>) -> Result<Exit> {
    let server = Server::new(Outside(client), run);
    let serving = match server.serve(rmcp::transport::stdio()).await {
        Ok(serving) => serving,
        // Whoever goes before saying anything wanted nothing.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(Exit::Done),
        Err(error) => return Err(Failure::usage(format!("this is no client of the protocol: {error}"))),
    };
    let ended = serving.waiting().await;
    ended.map_err(|error| Failure::failed(format!("serving the protocol: {error}")))?;
    Ok(Exit::Done)
}

/// The way to a server elsewhere.
struct Outside(Client);

impl Way for Outside {
    async fn ask(&self, _: &Extensions, path: &str, asked: Asked<'_>) -> std::result::Result<Value, Refused> {
        let answer = match asked {
            Asked::Get => self.0.get(path).await,
            Asked::Post(body) => self.0.post(path, body).await,
        };
        answer.map_err(|failure| Refused {
            why: failure.to_string(),
            answer: match failure.answer {
                Answer::None => Answered::Odd,
                Answer::Unreachable => Answered::Nothing,
                Answer::Status(status) => Answered::Status(status),
            },
        })
    }
}
