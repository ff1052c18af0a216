//! The audit: who wanted what, and what came of it.

use crate::api::Api;
use crate::api::routes;
use crate::extract::{NoParams, Params};
use crate::problem::Problem;
use crate::state::App;
use crate::wire::audit::{AuditEntry, AuditHead, AuditOutcome};
use crate::wire::list::{Listed, list_query};
use crate::wire::number::{Number, Ordinal};
use crate::wire::text::Needle;
use axum::Json;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::IntoResponse;
use serde::Deserialize;
use spalla_domain::AuditId;
use spalla_store::view::AuditFilter;
use utoipa::IntoParams;

/// How many entries are exported at once.
const EXPORTED_MAX: i64 = 5_000;
/// How many entries a client wants.
type ExportLimit = Number<1, EXPORTED_MAX>;

/// Adds the routes.
pub(super) fn add(api: Api) -> Api {
    api.add(routes!(list_audit)).add(routes!(export_audit)).add(routes!(get_audit_head))
}

list_query! {
    /// Which entries are shown.
    AuditQuery {
        /// Of this caller.
        #[param(inline)]
        principal: Option<Needle>,
        /// For this, such as `POST /work-items/{id}/start`.
        #[param(inline)]
        operation: Option<Needle>,
        /// About this resource or one beneath it, such as `/work-items/runs/7`.
        #[param(inline)]
        resource: Option<Needle>,
        /// With this end.
        #[param(inline)]
        outcome: Option<AuditOutcome>,
    }
}

/// Lists who wanted what, newest first
///
/// Every call that is to change something is here, also when it was refused, but for what workers send without end
/// (claim, exchange, heartbeat, log) and for ticks that started nothing. An entry is written in the transaction of what it
/// tells of, and never changed.
#[utoipa::path(get, path = "/audit", tag = "observability", params(AuditQuery),
    responses((status = 200, description = "The entries.", body = Vec<AuditEntry>)))]
async fn list_audit(
    State(app): State<App>,
    uri: Uri,
    Params(query): Params<AuditQuery>,
) -> Result<Listed<AuditEntry>, Problem> {
    let paging = query.paging();
    let filter = AuditFilter {
        principal: query.principal.map(Into::into),
        operation: query.operation.map(Into::into),
        resource: query.resource.map(Into::into),
        outcome: query.outcome.map(Into::into),
    };
    let found = app.read().audit(filter.clone(), paging.page).await?;
    let total = if paging.count { Some(app.read().count_audit(filter).await?) } else { None };
    let last = found.last().map(|entry| entry.id.0);
    Ok(Listed::new(found.into_iter().map(Into::into).collect(), last, &uri, paging, total))
}

/// Which part of the chain is exported.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// Begins after the entry with this number; 0 or nothing begins with the first.
    #[param(inline)]
    after: Option<Ordinal>,
    /// How many entries at most; as many as there may be when left out.
    #[param(inline)]
    limit: Option<ExportLimit>,
}

/// Exports the audit as it can be verified: oldest first, one entry a line
///
/// Each entry holds the digest of the one before, so that a change, a gap or another order is found by whoever follows
/// the chain from its first entry to the end that `/audit/head` names: `spalla audit verify` does. Fewer lines than asked
/// for are the last.
#[utoipa::path(get, path = "/audit/export", tag = "observability", params(ExportQuery),
    responses((status = 200, description = "The entries, one JSON object a line.", body = String,
        content_type = "application/x-ndjson")))]
async fn export_audit(
    State(app): State<App>,
    Params(query): Params<ExportQuery>,
) -> Result<impl IntoResponse, Problem> {
    let after = AuditId(query.after.map_or(0, Ordinal::get));
    let limit = query.limit.map_or(EXPORTED_MAX as u32, ExportLimit::small);
    let mut lines = vec![];
    for entry in app.read().audit_from(after, limit).await? {
        // An entry is plain texts and numbers, so it always becomes JSON.
        serde_json::to_writer(&mut lines, &AuditEntry::from(entry)).map_err(|_| Problem::internal())?;
        lines.push(b'\n');
    }
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines))
}

/// Shows where the chain ends; kept elsewhere, it finds also entries that were removed from the end
#[utoipa::path(get, path = "/audit/head", tag = "observability",
    responses((status = 200, description = "The newest entry.", body = AuditHead)))]
async fn get_audit_head(State(app): State<App>, _: Params<NoParams>) -> Result<Json<AuditHead>, Problem> {
    Ok(Json(app.read().audit_head().await?.into()))
}
