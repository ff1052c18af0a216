//! The query of a request.

use super::complaint;
use crate::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::error::Error;
use utoipa::IntoParams;

/// The query's parameters.
#[derive(Debug)]
pub(crate) struct Params<Q>(pub(crate) Q);

/// A query without parameters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoParams {}

impl<S: Send + Sync, Q: DeserializeOwned> FromRequestParts<S> for Params<Q> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        read(&parts.uri).map(Self)
    }
}

/// Reads the query; unknown parameters are refused.
pub(super) fn read<Q: DeserializeOwned>(uri: &Uri) -> Result<Q, Problem> {
    Query::try_from_uri(uri).map(|Query(params)| params).map_err(|rejection| refused(&rejection))
}

fn refused(rejection: &QueryRejection) -> Problem {
    type Cause = serde_path_to_error::Error<serde::de::value::Error>;
    let mut cause: Option<&(dyn Error + 'static)> = Some(rejection);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<Cause>() {
            return Problem::invalid_at(complaint(&error.path().to_string(), &error.inner().to_string()));
        }
        cause = error.source();
    }
    Problem::invalid("query", rejection.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::list::list_query;
    use crate::wire::work_item::WorkItemStatus;

    list_query! {
        /// A list for this test.
        Sample {
            /// A filter.
            status: Option<WorkItemStatus>,
        }
    }

    fn path_of(query: &str) -> Option<String> {
        let uri = format!("/x?{query}").parse().unwrap();
        read::<Sample>(&uri).unwrap_err().document("", "").errors.remove(0).path
    }

    #[test]
    fn a_parameter_that_is_unknown_or_does_not_fit_is_named() {
        let cases =
            ["limit=501", "limit=0", "limit=x", "cursor=-1", "count=maybe", "status=odd", "offset=-1"];
        for query in cases {
            assert_eq!(path_of(query).as_deref(), query.split('=').next(), "{query}");
        }
        assert_eq!(path_of("odd=1").as_deref(), Some("odd"));
        assert_eq!(path_of("limit=1&limit=2").as_deref(), Some("limit"));
    }

    #[test]
    fn what_fits_is_read() {
        let read: Sample = read(&"/x?limit=500&count=true&status=open&cursor=7".parse().unwrap()).unwrap();
        let paging = read.paging();
        assert_eq!((paging.page.limit, paging.page.before, paging.count), (500, Some(7), true));
        assert_eq!(read.status, Some(WorkItemStatus::Open));
    }
}
