//! The routes and the document that describes them, made from one list. A path works with and without a slash at
//! its end; the document names it as the list does. It is made once somebody wants it: its making takes megabytes
//! and runs through much code, which an idle server would keep in memory.

use crate::entrance::{no_method, no_route, panicked};
use crate::openapi;
use crate::state::App;
use axum::Router;
use axum::handler::Handler;
use axum::routing::MethodRouter;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::path::Paths;
use utoipa::openapi::{OpenApi, PathItem, RefOr, Schema};
use utoipa_axum::PathItemExt;
use utoipa_axum::router::OpenApiRouter;

/// Ends a path whose last parameter is all that follows; the document writes it as it writes other parameters.
const REST: &str = "/{*path}";

/// The methods of one path: what answers them, and what the document says of them.
pub(crate) struct Routes {
    pub(crate) path: String,
    pub(crate) methods: MethodRouter<App>,
    pub(crate) describe: Describe,
}

/// Makes the schemas and the operations of some routes.
pub(crate) type Describe = fn() -> (Vec<(String, RefOr<Schema>)>, Paths);

/// Makes the [`Routes`] of handlers that have one path.
macro_rules! routes {
    ($first:ident $(, $other:ident)* $(,)?) => {
        pastey::paste! {{
            let methods = $crate::api::with::<[<__path_ $first>], _, _>(axum::routing::MethodRouter::new(), $first);
            $(let methods = $crate::api::with::<[<__path_ $other>], _, _>(methods, $other);)*
            $crate::api::Routes {
                path: <[<__path_ $first>] as utoipa::Path>::path(),
                methods,
                describe: || {
                    let routes: utoipa_axum::router::UtoipaMethodRouter<$crate::state::App> =
                        utoipa_axum::routes!($first $(, $other)*);
                    (routes.0, routes.1)
                },
            }
        }}
    };
}
pub(crate) use routes;

/// Adds a handler for the methods that its description names.
pub(crate) fn with<P: utoipa::Path, H: Handler<T, App>, T: 'static>(
    methods: MethodRouter<App>,
    handler: H,
) -> MethodRouter<App> {
    P::methods()
        .iter()
        .fold(methods, |methods, method| methods.on(method.to_method_filter(), handler.clone()))
}

/// Collects routes.
pub(crate) struct Api {
    router: Router<App>,
    described: Vec<Described>,
}

/// Routes that the document describes, under a second path where there is one.
struct Described {
    describe: Describe,
    alias: Option<&'static str>,
}

impl Api {
    /// Adds the methods of one path.
    #[must_use]
    pub(crate) fn add(self, routes: Routes) -> Self {
        let path = routes.path.clone();
        self.serve(&path, routes, None)
    }

    /// Adds the methods of one path under a second path too, which the document names as well.
    #[must_use]
    pub(crate) fn add_also_at(self, alias: &'static str, routes: Routes) -> Self {
        let again =
            Routes { path: alias.to_owned(), methods: routes.methods.clone(), describe: routes.describe };
        self.add(routes).serve(alias, again, Some(alias))
    }

    fn serve(mut self, path: &str, routes: Routes, alias: Option<&'static str>) -> Self {
        let router = match other_spelling(path) {
            Some(other) => self.router.route(&other, routes.methods.clone()),
            None => self.router,
        };
        self.described.push(Described { describe: routes.describe, alias });
        Self { router: router.route(path, routes.methods), described: self.described }
    }
}

/// What the document is made from.
pub(crate) struct Descriptions {
    version: String,
    described: Vec<Described>,
}

impl Descriptions {
    /// Makes the document as far as the routes themselves say it.
    pub(crate) fn document(&self) -> OpenApi {
        let empty = OpenApiRouter::<()>::with_openapi(openapi::frame(&self.version));
        let all = self.described.iter().fold(empty, |router, described| {
            let (schemas, mut paths) = (described.describe)();
            if let Some(alias) = described.alias {
                let items = std::mem::take(&mut paths.paths).into_values();
                paths.paths.extend(items.map(|item| (alias.to_owned(), renamed(item, alias))));
            }
            router.routes((schemas, paths, MethodRouter::new()))
        });
        all.into_openapi()
    }
}

/// Returns the routes without their state, and what their document is made from. Where nobody signs in, there is
/// nowhere to do so.
pub(crate) fn build(version: &str, people_sign_in: bool) -> (Router<App>, Descriptions) {
    let api = crate::routes::add_all(Api { router: Router::new(), described: vec![] }, people_sign_in);
    let router = api
        .router
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked));
    (router, Descriptions { version: version.to_owned(), described: api.described })
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
        let (router, descriptions) = build("0", true);
        let document = descriptions.document();
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
        let document = build("0", false).1.document();
        assert!(document.paths.paths.keys().all(|path| !path.starts_with("/sign-")));
    }

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let mut document = build("0", true).1.document();
        let mut ids = BTreeSet::new();
        for (path, item) in &mut document.paths.paths {
            for operation in openapi::operations(item) {
                assert!(ids.insert(operation.operation_id.clone()), "{path}: {:?}", operation.operation_id);
            }
        }
    }
}
