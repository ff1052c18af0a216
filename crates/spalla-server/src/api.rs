//! The routes and the document that describes them, made from one list. A path works with and without a slash at
//! its end; the document names it as the list does.

use crate::entrance::{no_method, no_route, panicked};
use crate::openapi;
use crate::routes;
use crate::state::App;
use axum::Router;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::{OpenApi, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// Ends a path whose last parameter is all that follows; the document writes it as it writes other parameters.
const REST: &str = "/{*path}";

/// Collects routes.
pub(crate) struct Api(OpenApiRouter<App>);

impl Api {
    /// Adds the methods of one path.
    #[must_use]
    pub(crate) fn add(self, routes: UtoipaMethodRouter<App>) -> Self {
        let twins: Vec<String> = routes.1.paths.keys().filter_map(|path| other_spelling(path)).collect();
        let methods = routes.2.clone();
        let router = self.0.routes(routes);
        Self(twins.iter().fold(router, |router, path| router.route(path, methods.clone())))
    }

    /// Adds the methods of one path under a second path too, which the document names as well.
    #[must_use]
    pub(crate) fn add_also_at(self, alias: &str, routes: UtoipaMethodRouter<App>) -> Self {
        let (schemas, mut paths, methods) = routes.clone();
        let items = std::mem::take(&mut paths.paths).into_values();
        paths.paths.extend(items.map(|item| (alias.to_owned(), renamed(item, alias))));
        self.add(routes).add((schemas, paths, methods))
    }
}

/// Returns the routes without their state, and their document before it is finished. Where nobody signs in, there is
/// nowhere to do so.
pub(crate) fn build(version: &str, people_sign_in: bool) -> (Router<App>, OpenApi) {
    let api = routes::add_all(Api(OpenApiRouter::with_openapi(openapi::frame(version))), people_sign_in);
    let (router, document) = api.0.split_for_parts();
    let router = router
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked));
    (router, document)
}

fn other_spelling(path: &str) -> Option<String> {
    match path.strip_suffix('/') {
        Some("") => None,
        // What takes all that follows takes a slash as well.
        None if path.ends_with(REST) => None,
        Some(bare) => Some(bare.to_owned()),
        None => Some(format!("{path}/")),
    }
}

/// Gives the operations of a second path ids of their own.
fn renamed(mut item: PathItem, alias: &str) -> PathItem {
    let suffix = alias.trim_matches('/').replace(['/', '-'], "_");
    for operation in openapi::operations(&mut item) {
        operation.operation_id = operation.operation_id.take().map(|id| format!("{id}_at_{suffix}"));
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_names_every_path_that_is_served_and_no_other() {
        let (router, document) = build("0", true);
        let shown = format!("{router:?}");
        let served: BTreeSet<&str> = shown
            .split('"')
            .skip(1)
            .step_by(2)
            .filter(|text| text.starts_with('/') && !text.contains("fallback"))
            .map(|path| path.trim_end_matches('/'))
            .collect();
        let named: BTreeSet<&str> =
            document.paths.paths.keys().map(|path| path.trim_end_matches('/')).collect();
        assert_eq!(served, named);
    }

    #[test]
    fn where_nobody_signs_in_no_path_says_so() {
        let (_, document) = build("0", false);
        assert!(document.paths.paths.keys().all(|path| !path.starts_with("/sign-")));
    }

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let (_, mut document) = build("0", true);
        let mut ids = BTreeSet::new();
        for (path, item) in &mut document.paths.paths {
            for operation in openapi::operations(item) {
                assert!(ids.insert(operation.operation_id.clone()), "{path}: {:?}", operation.operation_id);
            }
        }
    }
}
