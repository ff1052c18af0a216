//! What the command policy found in the steps of a run.

use crate::api::Api;
use crate::api::routes;
use crate::extract::{Id, Wish};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::found_command::{CommandAnswer, CommandReport};
use crate::wire::number::IdInPath;
use axum::Json;
use axum::extract::State;
use spalla_domain::RunId;
use spalla_domain::claim::Heartbeat;
use spalla_store::{Command, Reply};

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(report_commands))
}

/// Reports what the command policy found in a run's steps; what waits for a person is asked for
#[utoipa::path(post, path = "/work-items/runs/{id}/commands", tag = "runs", params(IdInPath),
    request_body = CommandReport,
    responses((status = 200, description = "What the commands wait for.", body = CommandAnswer)))]
async fn report_commands(
    State(app): State<App>,
    Id(run_id): Id<RunId>,
    wish: Wish<CommandReport>,
) -> Result<Json<CommandAnswer>, Problem> {
    let (fencing_token, worker, mut found) = wish.body.into_parts()?;
    app.vault.redact_commands(run_id, &mut found).await?;
    let holder = Heartbeat { run_id, fencing_token };
    match app.execute(Command::ReportCommands { holder, worker, found }, wish.key).await? {
        Reply::CommandsFound(answer) => Ok(Json(answer.into())),
        other => Err(Problem::unexpected_reply(&other)),
    }
}
