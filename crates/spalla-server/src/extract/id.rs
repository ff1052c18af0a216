//! The id in a path. What can't be an id names nothing, so it is not found.

use crate::problem::Problem;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use spalla_domain::id::ID_MAX;

/// The id that the path names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Id<T>(pub(crate) T);

impl<S: Send + Sync, T: From<i64>> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::no_route(parts.uri.path()))?;
        number(&text).map(|id| Self(id.into())).ok_or_else(|| Problem::no_id(&text))
    }
}

/// The two ids that the path names, in their order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids<A, B>(pub(crate) A, pub(crate) B);

impl<S: Send + Sync, A: From<i64>, B: From<i64>> FromRequestParts<S> for Ids<A, B> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((first, second)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::no_route(parts.uri.path()))?;
        let read = |text: &str| number(text).ok_or_else(|| Problem::no_id(text));
        Ok(Self(read(&first)?.into(), read(&second)?.into()))
    }
}

/// Reads an id; none where the text is none.
pub(super) fn number(text: &str) -> Option<i64> {
    let plain =
        text.starts_with(|c: char| ('1'..='9').contains(&c)) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|id| plain && (1..=ID_MAX).contains(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        assert_eq!([number("1"), number("9007199254740991")], [Some(1), Some(ID_MAX)]);
        for bad in
            ["0", "-1", "+1", "01", "1.0", "1e3", "abc", "", " 1", "9007199254740992", "99999999999999999999"]
        {
            assert_eq!(number(bad), None, "{bad}");
        }
    }
}
