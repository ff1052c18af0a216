//! Who hears a client that follows something, and answers it.

use super::feed::{Feed, Next};
use spalla_store::StoreError;

/// What is said to a client's message.
pub(crate) struct Said<F> {
    /// The answer, as JSON; none where there is nothing to say.
    pub(crate) answer: Option<String>,
    /// What the client follows from now on, where that changes.
    pub(crate) follows: Option<Follows<F>>,
}

/// What a client follows.
pub(crate) enum Follows<F> {
    /// This.
    Feed(F),
    /// Nothing.
    Nothing,
}

/// Who hears a client.
pub(crate) trait Party: Send + 'static {
    /// What the client follows.
    type Feed: Feed;
    /// The largest message of the client, in bytes.
    const BYTES_MAX: usize;

    /// Hears a message.
    fn hear(&mut self, message: &[u8]) -> impl Future<Output = Said<Self::Feed>> + Send;
}

impl<F: Feed> Follows<F> {
    /// Waits for what comes next. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Result<Next, StoreError> {
        match self {
            Self::Feed(feed) => feed.next().await,
            Self::Nothing => std::future::pending().await,
        }
    }
}
