//! A server's sessions: begun and controlled by whoever calls it, and pursued in its process. A server that ends lets go of
//! them, and goes on with them when it starts again: their records say how far they are.

use super::agents::Agents;
use super::asked::ask;
use super::begin::{Begun, Planned};
use super::folder::{self, SessionFolder, Wish};
use super::holding::hold;
use super::known::KnownSessions;
use super::pattern::Pattern;
use super::plan::of_text;
use super::pursuit::{Means, Pursuit};
use super::screen::Screen;
use super::settle::{Revision, settle};
use super::split::{Goal, Split};
use super::workspace::Workspace;
use super::{Decomposer, Reached, leave, overruled, proposal};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::control::Control;
use crate::failure::{Failure, Result};
use crate::git;
use crate::routing::Serving;
use crate::session_log::SessionLog;
use crate::signals::Signals;
use futures_util::future::BoxFuture;
use spalla_domain::agent_pool::PoolState;
use spalla_domain::session::{Asked, Request, Session, SessionStatus};
use spalla_domain::session_event::SessionChange;
use spalla_server::{Control as Wanted, Found, Sessions, Unfollowed};
use spalla_store::Clock as _;
use spalla_worker::PoolBoard;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How many sessions one server pursues at once.
const PURSUED_MAX: usize = 64;

/// The sessions of a server; cheap to clone.
#[derive(Clone)]
pub(crate) struct Host(Arc<Inner>);

struct Inner {
    settings: Settings,
    control: Control,
    tasks: TaskTracker,
    leave: CancellationToken,
    /// The agents' processes that the worker of this process keeps.
    pool: PoolBoard,
    /// The records that were read.
    records: KnownSessions,
    /// The agents' definitions by which its work is done.
    definitions: Arc<Serving>,
    /// Held while a session begins, so that one that is asked for twice begins once.
    beginning: Mutex<()>,
}

impl Host {
    /// Returns what the worker of this process tells its kept processes of agents by.
    pub(crate) fn pool_board(&self) -> PoolBoard {
        self.0.pool.clone()
    }

    /// Makes it; nothing is pursued yet.
    pub(crate) fn new(settings: &Settings, control: Control, definitions: Arc<Serving>) -> Self {
        Self(Arc::new(Inner {
            settings: settings.clone(),
            pool: PoolBoard::default(),
            control,
            definitions,
            tasks: TaskTracker::new(),
            leave: CancellationToken::new(),
            records: KnownSessions::default(),
            beginning: Mutex::new(()),
        }))
    }

    /// Goes on with the sessions that a server of this data folder pursued when it ended.
    pub(crate) fn go_on(&self) {
        let all = match folder::list(&self.0.settings.data) {
            Ok(all) => all,
            Err(failure) => return tracing::warn!("the sessions can't be read: {failure}"),
        };
        let is_left = |session: &Session| {
            let waits = session.status == SessionStatus::Waiting && session.ended_at.is_none();
            let is_open = waits || matches!(session.status, SessionStatus::Running | SessionStatus::Paused);
            session.by_server.is_some() && is_open
        };
        for (folder, session) in all.into_iter().filter(|(_, session)| is_left(session)) {
            tracing::info!(session = session.id, "going on with a session");
            match self.left(folder, session) {
                Ok(pursuit) => self.pursue(pursuit),
                Err(failure) => tracing::warn!("a session can't go on: {failure}"),
            }
        }
    }

    /// Lets go of what is pursued, and waits until it is.
    pub(crate) async fn stop(&self) {
        self.0.leave.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// A session that was left, as a server goes on with it.
    fn left(&self, folder: SessionFolder, session: Session) -> Result<Pursuit> {
        let settings = &self.0.settings;
        let (screen, revision) = (Screen::Nobody, Revision::None);
        let definitions = Some(Arc::clone(&self.0.definitions));
        let means = Means { settings, screen, revision, definitions, is_patient: true };
        Pursuit::new((folder, session), means)
    }

    fn pursue(&self, pursuit: Pursuit) {
        let own = self.clone();
        let log = SessionLog::default();
        // Without its log it goes on all the same.
        if let Err(failure) = Workspace::of(&pursuit.session).open_log(&log) {
            tracing::warn!("{failure}");
        }
        self.0.tasks.spawn(async move {
            let id = pursuit.session.id.clone();
            let mut signals = Signals::none();
            let pursued = Box::pin(log.hear(pursuit.pursue(&own.0.control, &mut signals)));
            match own.0.leave.run_until_cancelled(pursued).await {
                Some(Ok(exit)) => tracing::info!(session = id, status = exit.code(), "a session ended"),
                Some(Err(failure)) => tracing::warn!(session = id, "a session is left: {failure}"),
                None => tracing::info!(session = id, "a session is let go until the server starts again"),
            }
        });
    }

    async fn begin_one(&self, wanted: spalla_server::Wanted) -> Result<Found, Unfollowed> {
        let _beginning = self.0.beginning.lock().await;
        if let Some(known) = self.known(&wanted.request)? {
            return Ok(known);
        }
        self.check_room()?;
        let pursuit = self.begin_new(wanted).await.map_err(|failure| unfit(&failure))?;
        let (session, folder) = (pursuit.session.clone(), pursuit.folder.clone());
        self.pursue(pursuit);
        Ok(Found { is_pursued: true, ..found(&folder, session) })
    }

    /// Finds the session that was begun with the same key.
    fn known(&self, request: &Request) -> Result<Option<Found>, Unfollowed> {
        let Some(key) = &request.key else { return Ok(None) };
        let is_same =
            |session: &Session| session.by_server.as_ref().and_then(|by| by.key.as_ref()) == Some(key);
        let all = self.0.records.list(&self.0.settings.data).map_err(|failure| broken(&failure))?;
        let Some((folder, session)) = all.into_iter().find(|(_, session)| is_same(session)) else {
            return Ok(None);
        };
        if session.by_server.as_ref() != Some(request) {
            return Err(Unfollowed::KeyReused);
        }
        Ok(Some(found(&folder, session)))
    }

    fn check_room(&self) -> Result<(), Unfollowed> {
        if self.0.leave.is_cancelled() {
            return Err(Unfollowed::Conflict("the server is shutting down".to_owned()));
        }
        if self.0.tasks.len() >= PURSUED_MAX {
            let detail = format!("{PURSUED_MAX} sessions are pursued; wait until one has ended");
            return Err(Unfollowed::Conflict(detail));
        }
        Ok(())
    }

    async fn begin_new(&self, wanted: spalla_server::Wanted) -> Result<Pursuit> {
        let spalla_server::Wanted { goal, target, agents, plan, decomposer, selector, revise, .. } = wanted;
        let (request, may_copy) = (wanted.request, wanted.may_copy);
        let revision = if revise { Revision::OnPage } else { Revision::None };
        let target = self.target_at(&target, may_copy).await?;
        let agents = match agents.is_empty() {
            true => Agents::found(&self.0.settings)?,
            false => Agents::named(&self.0.settings, &agents)?,
        };
        if let Control::InProcess(engine) = &self.0.control {
            let read = self.0.definitions.definitions().refresh(engine.store().read()).await;
            read.map_err(|error| Failure::failed(format!("reading the aliases: {error}")))?;
        }
        let agents = Agents { selector, ..agents }.by(&self.0.definitions);
        let agents = agents.weighed(async { self.0.control.trust().await.unwrap_or_default() }).await;
        // Who a piece is for may stand in many files.
        let wishes = (plan, decomposer.into(), revision);
        let planned = tokio::task::block_in_place(|| self.planned(&goal, wishes, &agents, &target))?;
        let screen = Screen::Nobody;
        let settings = &self.0.settings;
        let by_server = Some(request);
        let in_place = false;
        let begun = Begun { settings, goal: &goal, target: &target, screen, revision, in_place, by_server };
        let (mut pursuit, _) = begun.begin(planned, &agents).await?;
        // Whoever asks wants to know at once whose its events are.
        pursuit.project(&self.0.control).await?;
        Ok(pursuit)
    }

    /// Makes the plan, or the item in which an agent makes it.
    fn planned(
        &self,
        goal: &str,
        (plan, decomposer, revision): (Option<String>, Decomposer, Revision),
        agents: &Agents,
        target: &Path,
    ) -> Result<Planned> {
        let (settings, screen, pattern) = (&self.0.settings, Screen::Nobody, &Pattern::default());
        let items = match plan {
            Some(text) => of_text(&text, agents).map_err(|wrong| Failure::usage(format!("plan: {wrong}")))?,
            None => {
                let split = Goal { settings, screen, text: goal, agents, pattern }.split(decomposer);
                match split.map_err(|failure| of_goal(failure, decomposer))? {
                    Split::Items(items) => items,
                    Split::First(planning) => return Ok(Planned::First(planning)),
                }
            }
        };
        if revision == Revision::OnPage {
            return Ok(Planned::Held(proposal::proposal_of(items, pattern)));
        }
        settle(&screen, items, agents, (pattern, revision), target).map(Planned::Pieces)
    }

    /// Lets a session begin with the plan that a person sends, or with the one that waits for them.
    async fn agree_one(&self, id: &str, plan: Option<String>) -> Result<Found, Unfollowed> {
        let folder = find(&self.0.settings.data, id)?;
        let session = folder.read().map_err(|failure| broken(&failure))?;
        let Some(proposed) = session.proposed().map(ToString::to_string) else {
            return Err(Unfollowed::Conflict("no plan of it waits for a person".to_owned()));
        };
        if !matches!(session.status, SessionStatus::Waiting | SessionStatus::Running) {
            return Err(Unfollowed::Conflict("it is held or ended; let it go on first".to_owned()));
        }
        let text = plan.unwrap_or(proposed);
        let pursuit = self.left(folder.clone(), session.clone()).map_err(|failure| broken(&failure))?;
        let read = (text.as_str(), &session);
        let wishes = (Screen::Nobody, Revision::None);
        tokio::task::block_in_place(|| proposal::pieces_of(read, &pursuit.agents(), wishes))
            .map_err(|failure| unfit(&failure))?;
        proposal::leave(&folder, &text).map_err(|failure| broken(&failure))?;
        if !folder.is_pursued() {
            self.take_up(&folder, (false, false)).await?;
        }
        let session = folder.read().map_err(|failure| broken(&failure))?;
        Ok(found(&folder, session))
    }

    /// Finds the target. Nothing of the data folder ever becomes one, and a folder that is no repository, of which everything
    /// is taken, only for whoever sees secrets.
    async fn target_at(&self, path: &str, may_copy: bool) -> Result<PathBuf> {
        let wrong = |why: String| Failure::usage(format!("target: {path} {why}"));
        let found = Path::new(path).canonicalize();
        let found =
            found.map_err(|error| wrong(format!("can't be found: {}", crate::failure::in_words(&error))))?;
        if !found.is_dir() {
            return Err(wrong("is no folder".to_owned()));
        }
        let data = self.0.settings.data.canonicalize();
        let data = data.map_err(|error| wrong(format!("can't be looked at: {error}")))?;
        if found.starts_with(&data) || data.starts_with(&found) {
            return Err(wrong("holds the server's own data folder, or lies in it".to_owned()));
        }
        if !may_copy && git::head_of(&found).await?.is_none() {
            return Err(wrong(
                "is no git repository with a commit; only an administrator may have all of a folder taken"
                    .to_owned(),
            ));
        }
        Ok(found)
    }

    async fn control_one(
        &self,
        id: &str,
        worker: Option<String>,
        wanted: Wanted,
    ) -> Result<Found, Unfollowed> {
        let folder = find(&self.0.settings.data, id)?;
        match (worker, wanted) {
            (worker, Wanted::Review) => self.review(&folder, worker).await,
            (Some(worker), wanted) => self.control_worker(&folder, &worker, wanted).await,
            (None, Wanted::Pause) => self.wish(&folder, Wish::Pause).await,
            (None, Wanted::Stop) => self.wish(&folder, Wish::Stop).await,
            (None, Wanted::Resume { overrule }) => self.resume(&folder, overrule).await,
        }?;
        let session = folder.read().map_err(|failure| broken(&failure))?;
        Ok(found(&folder, session))
    }

    /// Leaves a wish. What is under way of a session that nobody pursues is held, or ended, here.
    async fn wish(&self, folder: &SessionFolder, wish: Wish) -> Result<(), Unfollowed> {
        match leave(folder, wish).await.map_err(|failure| broken(&failure))? {
            Reached::Pursuer => return Ok(()),
            Reached::Nobody => {
                return Err(Unfollowed::Conflict("it has come to its end already".to_owned()));
            }
            Reached::Record => {}
        }
        let session = folder.read().map_err(|failure| broken(&failure))?;
        let control = &self.0.control;
        for id in session.items.iter().filter_map(|item| item.work_item_id) {
            let done = match wish {
                Wish::Pause => hold(control, id, true).await,
                Wish::Stop => control.stop(id).await,
            };
            if let Err(failure) = done {
                tracing::info!("work item {id}: {failure}");
            }
        }
        let change = match wish {
            Wish::Pause => SessionChange::Paused,
            Wish::Stop => SessionChange::Stopped,
        };
        if let Err(failure) = control.tell_session(&session, change, None).await {
            tracing::info!("telling of session {}: {failure}", session.id);
        }
        Ok(())
    }

    async fn review(&self, folder: &SessionFolder, worker: Option<String>) -> Result<(), Unfollowed> {
        if folder.wish().is_some() {
            return Err(Unfollowed::Conflict("it is held or stopped; let it go on first".to_owned()));
        }
        let asked = Asked { at: SystemClock.now(), worker };
        ask(folder, &asked).map_err(|failure| Unfollowed::Conflict(failure.to_string()))?;
        if folder.is_pursued() { Ok(()) } else { self.take_up(folder, (false, false)).await }
    }

    async fn resume(&self, folder: &SessionFolder, overrule: bool) -> Result<(), Unfollowed> {
        folder.leave_wish(None).map_err(|failure| broken(&failure))?;
        let status = folder.read().map_err(|failure| broken(&failure))?.status;
        match folder.is_pursued() {
            true if overrule => Err(Unfollowed::Conflict(
                "it goes on; what reviewers hold is overruled when it rests".to_owned(),
            )),
            true => Ok(()),
            false if status == SessionStatus::Done => {
                Err(Unfollowed::Conflict("it is done; there is nothing to go on with".to_owned()))
            }
            false => self.take_up(folder, (true, overrule)).await,
        }
    }

    /// Pursues a session from now on that nobody pursues; what was stopped goes on where that is wished.
    async fn take_up(
        &self,
        folder: &SessionFolder,
        (again, overrule): (bool, bool),
    ) -> Result<(), Unfollowed> {
        self.check_room()?;
        let mut session = folder.read().map_err(|failure| broken(&failure))?;
        if overrule {
            session.decisions.extend(overruled(&session, SystemClock.now()));
        }
        session.by_server.get_or_insert_default();
        let mut pursuit = self.left(folder.clone(), session).map_err(|failure| broken(&failure))?;
        if again {
            pursuit.requeue_stopped(&self.0.control).await.map_err(|failure| broken(&failure))?;
        }
        self.pursue(pursuit);
        Ok(())
    }

    /// Holds, lets go on or ends what one agent has under way.
    async fn control_worker(
        &self,
        folder: &SessionFolder,
        worker: &str,
        wanted: Wanted,
    ) -> Result<(), Unfollowed> {
        let session = folder.read().map_err(|failure| broken(&failure))?;
        let control = &self.0.control;
        let own = session.items.iter().filter(|item| item.agent == worker);
        for id in own.filter_map(|item| item.work_item_id) {
            let done = match wanted {
                Wanted::Stop => control.stop(id).await,
                Wanted::Pause => hold(control, id, true).await,
                Wanted::Resume { .. } => hold(control, id, false).await,
                Wanted::Review => Ok(()),
            };
            // One that ended meanwhile needs neither.
            if let Err(failure) = done {
                tracing::info!("work item {id}: {failure}");
            }
        }
        Ok(())
    }
}

impl Sessions for Host {
    fn pool(&self) -> Vec<PoolState> {
        self.0.pool.states()
    }

    fn list(&self) -> Result<Vec<Found>, Unfollowed> {
        let all = self.0.records.list(&self.0.settings.data).map_err(|failure| broken(&failure))?;
        Ok(all.into_iter().map(|(folder, session)| found(&folder, session)).collect())
    }

    fn find(&self, id: Option<&str>) -> Result<Found, Unfollowed> {
        let folder = find(&self.0.settings.data, id.unwrap_or("latest"))?;
        let session = folder.read().map_err(|failure| broken(&failure))?;
        Ok(found(&folder, session))
    }

    fn begin(&self, wanted: spalla_server::Wanted) -> BoxFuture<'static, Result<Found, Unfollowed>> {
        let own = self.clone();
        // A client that goes away leaves nothing half begun.
        let begun = self.0.tasks.spawn(async move {
            let begun = own.0.leave.run_until_cancelled(own.begin_one(wanted)).await;
            begun.unwrap_or_else(|| Err(Unfollowed::Conflict("the server is shutting down".to_owned())))
        });
        Box::pin(async move {
            begun.await.unwrap_or_else(|_| Err(Unfollowed::Failed("the beginning broke off".to_owned())))
        })
    }

    fn control(
        &self,
        id: String,
        worker: Option<String>,
        control: Wanted,
    ) -> BoxFuture<'static, Result<Found, Unfollowed>> {
        let own = self.clone();
        Box::pin(async move { own.control_one(&id, worker, control).await })
    }

    fn agree(&self, id: String, plan: Option<String>) -> BoxFuture<'static, Result<Found, Unfollowed>> {
        let own = self.clone();
        Box::pin(async move { own.agree_one(&id, plan).await })
    }
}

fn found(folder: &SessionFolder, session: impl Into<Arc<Session>>) -> Found {
    let session = session.into();
    let repository = session.base.is_some().then(|| folder.repository());
    Found { session, repository, is_pursued: folder.is_pursued() }
}

fn find(data: &Path, id: &str) -> Result<SessionFolder, Unfollowed> {
    SessionFolder::find(data, id).map_err(|_| Unfollowed::Unknown(id.to_owned()))
}

/// Says that it is the goal which can't be split, where nobody else is asked to.
fn of_goal(failure: Failure, decomposer: Decomposer) -> Failure {
    match decomposer {
        Decomposer::Heuristic | Decomposer::Tiny => Failure::usage(format!("goal: {failure}")),
        Decomposer::Llm | Decomposer::Cloud => failure,
    }
}

/// Says why a session can't begin.
fn unfit(failure: &Failure) -> Unfollowed {
    Unfollowed::Invalid(failure.to_string())
}

fn broken(failure: &Failure) -> Unfollowed {
    Unfollowed::Failed(failure.to_string())
}
