//! Sessions, as the server knows them: somebody else keeps their records and pursues them, and the server shows them and hands
//! people's wishes on.

use futures_util::future::BoxFuture;
use spalla_domain::agent_pool::PoolState;
use spalla_domain::session::{Decomposer, Request, Selector, Session};
use std::path::PathBuf;
use std::sync::Arc;

/// A session with what its record does not say.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The record.
    pub session: Arc<Session>,
    /// Where its branch is; none for a session that changes nothing.
    pub repository: Option<PathBuf>,
    /// Whether a process pursues it now.
    pub is_pursued: bool,
}

/// A wish for a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The person's words.
    pub goal: String,
    /// The folder that it is about, as an absolute path.
    pub target: String,
    /// The agents that work, the first in front; those that are installed and have a login where none is named.
    pub agents: Vec<String>,
    /// A plan as JSON, in the place of one that is made from the goal.
    pub plan: Option<String>,
    /// Who splits the goal where no plan is given.
    pub decomposer: Decomposer,
    /// Who says which agent takes a piece that names none.
    pub selector: Selector,
    /// Whether a person agrees with the plan, or changes it, before anything of it begins.
    pub revise: bool,
    /// What makes it safe to ask twice.
    pub request: Request,
    /// Whether everything in a folder that is no repository may be taken.
    pub may_copy: bool,
}

/// What a person wishes of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Nothing more of it begins for now.
    Pause,
    /// It goes on.
    Resume {
        /// Whether what reviewers hold is merged all the same.
        overrule: bool,
    },
    /// It ends.
    Stop,
    /// What is changed by now is looked at by the other agents.
    Review,
}

/// Why a wish was not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfollowed {
    /// There is no such session.
    #[error("there is no session {0}")]
    Unknown(String),
    /// The wish does not fit.
    #[error("{0}")]
    Invalid(String),
    /// It does not fit where the session stands.
    #[error("{0}")]
    Conflict(String),
    /// The same key came with another wish.
    #[error("the idempotency key was used for another session")]
    KeyReused,
    /// Something broke.
    #[error("{0}")]
    Failed(String),
}

/// Keeps sessions and pursues them. What is not a future blocks, on files.
pub trait Sessions: Send + Sync {
    /// Returns all, the newest first.
    fn list(&self) -> Result<Vec<Found>, Unfollowed>;

    /// Finds one by its name; the newest where none is given.
    fn find(&self, id: Option<&str>) -> Result<Found, Unfollowed>;

    /// Returns which processes of agents are kept for further runs in this process.
    fn pool(&self) -> Vec<PoolState> {
        Vec::new()
    }

    /// Begins one. Asked again with the same key, it returns the one that was begun.
    fn begin(&self, wanted: Wanted) -> BoxFuture<'static, Result<Found, Unfollowed>>;

    /// Follows a wish about a session, or about one agent in it.
    fn control(
        &self,
        id: String,
        worker: Option<String>,
        control: Control,
    ) -> BoxFuture<'static, Result<Found, Unfollowed>>;

    /// Lets a session begin whose plan waits for a person: with this one, as JSON, or with the one that waits.
    fn agree(&self, id: String, plan: Option<String>) -> BoxFuture<'static, Result<Found, Unfollowed>>;
}

/// Where there are no sessions.
#[derive(Debug, Clone, Copy)]
pub struct NoSessions;

impl Sessions for NoSessions {
    fn list(&self) -> Result<Vec<Found>, Unfollowed> {
        Ok(Vec::new())
    }

    fn find(&self, id: Option<&str>) -> Result<Found, Unfollowed> {
        Err(Unfollowed::Unknown(id.unwrap_or("yet").to_owned()))
    }

    fn begin(&self, _: Wanted) -> BoxFuture<'static, Result<Found, Unfollowed>> {
        Box::pin(async { Err(Unfollowed::Conflict("this server pursues no sessions".to_owned())) })
    }

    fn control(
        &self,
        id: String,
        _: Option<String>,
        _: Control,
    ) -> BoxFuture<'static, Result<Found, Unfollowed>> {
        Box::pin(async { Err(Unfollowed::Unknown(id)) })
    }

    fn agree(&self, id: String, _: Option<String>) -> BoxFuture<'static, Result<Found, Unfollowed>> {
        Box::pin(async { Err(Unfollowed::Unknown(id)) })
    }
}
