//! Lists: plain arrays, with the rest in headers.

use super::number::Number;
use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use spalla_store::view::Page;

/// How many entries a list has when the client does not say.
const LIMIT_DEFAULT: u32 = 50;
/// The most entries of one page.
pub(crate) const LIMIT_MAX: i64 = 500;

/// How many entries a client wants.
pub(crate) type Limit = Number<1, LIMIT_MAX>;
/// How many entries a client wants left out.
pub(crate) type Offset = Number<0, { u32::MAX as i64 }>;

/// Which part of a list a client wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paging {
    /// The part.
    pub(crate) page: Page,
    /// Whether the whole list is to be counted.
    pub(crate) count: bool,
    /// Whether the next page is named by the last entry's id, or by how many came before.
    pub(crate) by_cursor: bool,
}

impl Paging {
    /// Puts the query's parameters together.
    pub(crate) fn new(
        limit: Option<Limit>,
        before: Option<i64>,
        offset: Option<Offset>,
        count: Option<bool>,
    ) -> Self {
        let page = Page {
            limit: limit.map_or(LIMIT_DEFAULT, Limit::small),
            before,
            offset: offset.map_or(0, Offset::small),
        };
        Self { page, count: count.unwrap_or_default(), by_cursor: true }
    }

    /// Names the next page by how many entries came before: for lists that are not ordered by id.
    #[must_use]
    pub(crate) const fn by_offset(mut self) -> Self {
        self.by_cursor = false;
        self
    }
}

/// Declares the query of a list: its filters, and the parameters that every list has.
macro_rules! list_query {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(crate) struct $name {
            $($(#[$field_doc])* pub(crate) $field: $type,)*
            /// How many entries at most; 50 when left out.
            #[param(inline)]
            limit: Option<$crate::wire::list::Limit>,
            /// Only entries with an id below this one.
            #[param(inline)]
            cursor: Option<$crate::wire::number::IdNumber>,
            /// How many entries to leave out.
            #[param(inline)]
            offset: Option<$crate::wire::list::Offset>,
            /// Counts the whole list into X-Total-Count.
            count: Option<bool>,
        }

        impl $name {
            /// Returns the part of the list that is wanted.
            pub(crate) fn paging(&self) -> $crate::wire::list::Paging {
                let before = self.cursor.map($crate::wire::number::IdNumber::get);
                $crate::wire::list::Paging::new(self.limit, before, self.offset, self.count)
            }
        }
    };
}
pub(crate) use list_query;

/// A page of a list, as a response.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    entries: Vec<T>,
    links: String,
    total: Option<u64>,
}

impl<T> Listed<T> {
    /// Makes the response; `last_id` is the id of the page's last entry.
    pub(crate) fn new(
        entries: Vec<T>,
        last_id: Option<i64>,
        uri: &Uri,
        paging: Paging,
        total: Option<u64>,
    ) -> Self {
        let next = last_id.filter(|_| entries.len() >= paging.page.limit as usize).map(|last_id| {
            if paging.by_cursor {
                ("cursor", last_id.unsigned_abs())
            } else {
                ("offset", u64::from(paging.page.offset) + u64::from(paging.page.limit))
            }
        });
        Self { entries, links: links(uri, next), total }
    }

    /// Makes the response of a page that may be short although there is more behind the id: nobody looked any further.
    pub(crate) fn cut(entries: Vec<T>, looked_at: i64, uri: &Uri) -> Self {
        Self { entries, links: links(uri, Some(("cursor", looked_at.unsigned_abs()))), total: None }
    }
}

fn links(uri: &Uri, next: Option<(&str, u64)>) -> String {
    let mut links = format!("<{}>; rel=\"first\"", with_query(uri, None));
    if let Some(next) = next {
        links.push_str(&format!(", <{}>; rel=\"next\"", with_query(uri, Some(next))));
    }
    links
}

/// Returns the path with the query that leads to another page of the same list. The query is written anew, since a
/// client may have escaped too much of it, such as `curs%6Fr`, or too little.
fn with_query(uri: &Uri, place: Option<(&str, u64)>) -> String {
    let given = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let kept = given.filter(|(name, _)| name != "cursor" && name != "offset");
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(kept);
    query.extend_pairs(place.map(|(name, number)| (name, number.to_string())));
    let query = query.finish();
    if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        let mut headers = HeaderMap::new();
        // The paths of lists and what is escaped have visible ASCII characters only, so the value is always a header's.
        headers.extend(HeaderValue::from_str(&self.links).ok().map(|links| (header::LINK, links)));
        headers.extend(self.total.map(|n| (HeaderName::from_static("x-total-count"), HeaderValue::from(n))));
        (headers, Json(self.entries)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(uri: &str, entries: usize, paging: Paging) -> String {
        Listed::new(vec![(); entries], Some(7), &uri.parse().unwrap(), paging, None).links
    }

    #[test]
    fn a_full_page_names_the_next_one_and_keeps_the_filters() {
        let paging = Paging::new(None, None, None, None);
        assert_eq!(links("/projects/", 3, paging), "</projects/>; rel=\"first\"");
        assert_eq!(
            links("/work-items/?status=open&cursor=99&limit=50", 50, paging),
            "</work-items/?status=open&limit=50>; rel=\"first\", \
             </work-items/?status=open&limit=50&cursor=7>; rel=\"next\""
        );
    }

    #[test]
    fn the_next_page_is_named_well_however_a_client_escaped_its_query() {
        let paging = Paging::new(None, None, None, None);
        assert!(links("/x?curs%6Fr=99", 50, paging).ends_with("</x?cursor=7>; rel=\"next\""));
        assert!(links("/x?&q=ä", 50, paging).ends_with("</x?q=%C3%A4&cursor=7>; rel=\"next\""));
    }

    #[test]
    fn a_list_that_is_not_ordered_by_id_goes_on_by_offset() {
        let paging = Paging::new(None, None, None, None).by_offset();
        assert!(
            links("/scheduler/queue", 50, paging).ends_with("</scheduler/queue?offset=50>; rel=\"next\"")
        );
    }
}
