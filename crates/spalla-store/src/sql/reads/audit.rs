//! Reads of the audit.

use super::{SqlReads, before};
use crate::error::StoreError;
use crate::sql::driver::Reader;
use crate::sql::row::{audit, each, row};
use crate::sql::statement::{Statement, Value};
use crate::sql::statements::{audit as sql, audit_head};
use crate::tx::Result;
use crate::view::{AuditFilter, Page};
use spalla_domain::AuditId;
use spalla_domain::audit::chain::Head;
use spalla_domain::audit::{Entry, Outcome};

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_audit(&self, filter: AuditFilter, page: Page) -> Result<Vec<Entry>> {
        let (statement, scalars) = list(filter, page);
        let rows = self.rows(statement, scalars).await?;
        each("audit", rows, audit::read)
    }

    pub(super) async fn audit_after(&self, after: AuditId, limit: u32) -> Result<Vec<Entry>> {
        each("audit", self.rows(&sql::LIST_FROM, row![after, limit]).await?, audit::read)
    }

    pub(super) async fn find_audit_head(&self) -> Result<Head> {
        let rows = self.rows(&audit_head::FIND, vec![]).await?;
        let found = each("audit_head", rows, audit::read_head)?.pop();
        found.ok_or_else(|| StoreError::Corrupt("the end of the audit is gone".into()))
    }

    pub(super) async fn audit_count(&self, filter: AuditFilter) -> Result<u64> {
        let Asked { resource, beneath, end, principal, operation, outcome } = asked(filter);
        self.count(&sql::COUNT, row![resource, beneath, end, principal, operation, outcome]).await
    }
}

/// What is asked, as the statements take it.
struct Asked {
    resource: Option<String>,
    beneath: Option<String>,
    end: Option<String>,
    principal: Option<String>,
    operation: Option<String>,
    outcome: Option<&'static str>,
}

fn asked(filter: AuditFilter) -> Asked {
    let (beneath, end) = filter.beneath().unzip();
    let resource = filter.resource.map(|resource| resource.trim_end_matches('/').to_owned());
    let AuditFilter { principal, operation, outcome, .. } = filter;
    Asked { resource, beneath, end, principal, operation, outcome: outcome.map(Outcome::as_str) }
}

/// Chooses by the condition that leaves the fewest rows; what else is asked is looked at on the way.
fn list(filter: AuditFilter, page: Page) -> (&'static Statement, Vec<Value>) {
    let (before, Page { limit, offset, .. }) = (before(page), page);
    let Asked { resource, beneath, end, principal, operation, outcome } = asked(filter);
    let is_bad = outcome.is_some_and(|outcome| outcome != Outcome::Done.as_str());
    let named = resource.clone().filter(|resource| !resource.is_empty());
    match (named.as_deref().and_then(audit::thing), &principal, &operation, named.as_deref()) {
        (Some(thing), ..) => (
            &sql::LIST_OF_THING,
            row![thing, before, resource, beneath, end, principal, operation, outcome, limit, offset],
        ),
        (None, Some(_), ..) => (
            &sql::LIST_OF_PRINCIPAL,
            row![principal, before, resource, beneath, end, operation, outcome, limit, offset],
        ),
        (None, None, Some(_), _) => (
            &sql::LIST_OF_OPERATION,
            row![operation, before, resource, beneath, end, principal, outcome, limit, offset],
        ),
        (None, None, None, Some(named)) => {
            let collection = audit::collection(named);
            let scalars = row![
                collection, before, resource, beneath, end, principal, operation, outcome, limit, offset
            ];
            (&sql::LIST_OF_COLLECTION, scalars)
        }
        (None, None, None, None) if is_bad => (
            &sql::LIST_NOT_DONE,
            row![outcome, before, resource, beneath, end, principal, operation, limit, offset],
        ),
        (None, None, None, None) => {
            (&sql::LIST, row![before, resource, beneath, end, principal, operation, outcome, limit, offset])
        }
    }
}
