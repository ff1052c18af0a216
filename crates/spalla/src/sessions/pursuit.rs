//! One goal from its plan to its report: makes the work items, follows them, gives back what could not be merged, and says how
//! it ended. What it knows stands in the session's record after every step, so that another process may go on from there.

use super::advance::{advance, is_ready, overruled};
use super::balance::Balance;
use super::decompose::decomposed;
use super::folder::{SessionFolder, Wish};
use super::follow::{Followed, Follower};
use super::holding::said;
use super::news::change_of;
use super::report::{self, Reported};
use super::screen::Screen;
use super::settle::Revision;
use super::watch::{Looking, Noticed, Watch};
use super::workspace::Workspace;
use super::{asked, ends, looks, mirror, proposal, rounds};
use crate::clock::SystemClock;
use crate::config::Settings;
use crate::control::Control;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::routing::Serving;
use crate::signals::Signals;
use spalla_domain::plan::OnError;
use spalla_domain::review::Policy;
use spalla_domain::session::{ItemKind, Look, Session, SessionItem, SessionRun, SessionStatus};
use spalla_domain::session_event::SessionChange;
use spalla_domain::tier::Tier;
use spalla_domain::work_item::Status;
use spalla_store::Clock as _;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

/// How long stopped work has to end after an interruption.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How often it is looked whether a person wishes something.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// How often it is looked whether a queue that was full has room again.
const ROOM_LOOK: Duration = Duration::from_secs(1);

/// What a pursuit waits for.
enum Event {
    /// Something came to its end.
    News,
    /// A person wishes something.
    Wish(Wish),
    /// A person asks for a review.
    Asked,
    /// A person agreed with a plan, which is this one.
    Agreed(String),
    /// Something is noticed of the agents at work.
    Noticed(Noticed),
    /// This process is to end.
    Signal(&'static str),
}

/// A session that is pursued.
pub(crate) struct Pursuit {
    /// Its folder.
    pub(crate) folder: SessionFolder,
    /// Its record.
    pub(crate) session: Session,
    /// What the person sees.
    pub(crate) screen: Screen,
    /// What the person does with a plan that an agent makes.
    pub(crate) revision: Revision,
    /// What follows from reviews.
    pub(crate) policy: Policy,
    /// How pieces are spread among agents.
    pub(crate) balance: Balance,
    /// The definitions by which pieces are done that name no agent.
    pub(crate) definitions: Option<Arc<Serving>>,
    /// When reviewers look at work that goes on.
    pub(crate) looking: Looking,
    /// Whether it goes on to wait where a person has to do something, since they can do it meanwhile.
    pub(crate) is_patient: bool,
    /// Why it stops or waits, where that is known.
    pub(crate) why: Option<String>,
    /// Work items that are to be tried again, and wait for room in the queue.
    pub(crate) late: Vec<i64>,
    /// Whether it has failed where the verifier's report is red, as a pipeline of CI expects it.
    pub(crate) red_fails: bool,
}

/// With what a session is pursued, beside its record.
pub(crate) struct Means<'a> {
    /// The settings.
    pub(crate) settings: &'a Settings,
    /// What the person sees.
    pub(crate) screen: Screen,
    /// What the person does with a plan that an agent makes.
    pub(crate) revision: Revision,
    /// The definitions by which pieces are done that name no agent.
    pub(crate) definitions: Option<Arc<Serving>>,
    /// Whether it goes on to wait where a person has to do something.
    pub(crate) is_patient: bool,
}

impl Pursuit {
    /// Makes ready to pursue a session.
    pub(crate) fn new((folder, session): (SessionFolder, Session), means: Means<'_>) -> Result<Self> {
        let Means { settings, screen, revision, definitions, is_patient } = means;
        Ok(Self {
            folder,
            session,
            screen,
            revision,
            policy: settings.review_policy()?,
            balance: Balance::of(settings, SystemClock.now())?,
            definitions,
            looking: settings.looking(),
            is_patient,
            why: None,
            late: Vec::new(),
            red_fails: false,
        })
    }

    /// Pursues the goal to its end, or until a signal comes.
    pub(crate) async fn pursue(mut self, control: &Control, signals: &mut Signals) -> Result<Exit> {
        let Some(_held) = self.folder.hold_patiently().await? else { return Err(self.taken()) };
        self.begin()?;
        self.weigh(control).await;
        if self.folder.wish() != Some(Wish::Pause) {
            // Whoever held its runs may have gone before it could let them go on.
            self.let_runs_go_on(control).await;
        }
        let screen = self.screen;
        let mut follower = Follower::new(control, &screen, Vec::new());
        let mut watch = Watch::new(self.looking, follower.live());
        let is_new = self.session.items.iter().all(|item| item.work_item_id.is_none());
        let mut begins = Some(if is_new { SessionChange::Begun } else { SessionChange::Resumed });
        let exit = loop {
            let had_room = match self.begin_next(control).await? {
                ControlFlow::Continue(had_room) => had_room,
                ControlFlow::Break(exit) => break exit,
            };
            follower.adopt(self.followed());
            // It has a project from now on, to which its events belong.
            if let Some(change) = begins.take() {
                self.tell(control, change, None).await;
            }
            let event = tokio::select! {
                followed = self.news(&mut follower, had_room) => followed.map(|()| Event::News)?,
                wished = self.wished() => wished,
                noticed = watch.next((&self.session, self.folder.data()), control) => Event::Noticed(noticed),
                name = signals.next() => Event::Signal(name),
            };
            self.take_note(follower.items())?;
            match event {
                Event::Signal(name) => {
                    screen.progress(format_args!("{name}: stopping what is under way"))?;
                    self.why = Some(format!("it was interrupted ({name})"));
                    self.stop(control, &mut follower, signals).await;
                    break Exit::Interrupted;
                }
                Event::Wish(Wish::Stop) => {
                    screen.progress("a person stops the session")?;
                    self.why = Some("a person stopped it".to_owned());
                    self.stop(control, &mut follower, signals).await;
                    break Exit::Stopped;
                }
                Event::Wish(Wish::Pause) => {
                    if !self.pause(control, signals).await? {
                        self.stop(control, &mut follower, signals).await;
                        break Exit::Interrupted;
                    }
                    continue;
                }
                Event::Asked => self.session.asked = asked::all(&self.folder),
                Event::Agreed(plan) => self.settle_plan(Some(&plan))?,
                Event::Noticed(Noticed::Looks(looks)) => self.begin_looks(looks)?,
                Event::Noticed(Noticed::Away(away)) => self.reckon(&away)?,
                Event::News => self.mirror(),
            }
            if let Some(exit) = self.advance(control, &follower).await? {
                if exit == Exit::Stopped {
                    self.stop(control, &mut follower, signals).await;
                }
                break exit;
            }
        };
        let items = follower.into_items();
        self.take_note(&items)?;
        let exit = self.finish(&items, exit)?;
        self.tell(control, change_of(exit), self.why.as_deref()).await;
        Ok(exit)
    }

    fn taken(&self) -> Failure {
        Failure::new(Exit::Stopped, format!("another process pursues session {}", self.session.id))
    }

    /// Makes what can begin, once the target has what was merged before, and tells whether the queue had room for all of it;
    /// breaks off where what was merged does not fit the target.
    async fn begin_next(&mut self, control: &Control) -> Result<ControlFlow<Exit, bool>> {
        match self.bring().await? {
            Some(exit) => Ok(ControlFlow::Break(exit)),
            None => Ok(ControlFlow::Continue(self.make_items(control).await?)),
        }
    }

    /// Takes the record over, and writes down that it is pursued.
    fn begin(&mut self) -> Result<()> {
        self.take_over()?;
        let Session { id, goal, target, .. } = &self.session;
        tracing::info!(session = id, goal, target, "the session begins");
        self.session.status = SessionStatus::Running;
        self.session.ended_at = None;
        self.session.asked = asked::all(&self.folder);
        let late = std::mem::take(&mut self.late);
        for item in &mut self.session.items {
            // As if it were not in the queue yet: that is what it waits for.
            if item.work_item_id.is_some_and(|id| late.contains(&id)) {
                item.status = Some(Status::Open.as_str().to_owned());
            }
        }
        self.late = late;
        self.folder.write(&self.session)
    }

    /// Has words and pieces weigh what the records of agents say now.
    async fn weigh(&mut self, control: &Control) {
        match control.trust().await {
            Ok(trust) => {
                self.policy = self.policy.by_records(trust.iter().map(|(name, trust)| (name, *trust)));
                self.balance = std::mem::take(&mut self.balance).by_records(&trust);
            }
            Err(failure) => tracing::warn!("the records of agents can't be read, all count alike: {failure}"),
        }
    }

    /// Waits for news of the items: where a person is waited for, until they did something; where the queue had no room for all of
    /// them, no longer than until that is tried again.
    async fn news(&self, follower: &mut Follower<'_>, had_room: bool) -> Result<()> {
        let news = async {
            match self.session.status {
                SessionStatus::Waiting => follower.stirs().await,
                _ => follower.next().await,
            }
        };
        tokio::select! {
            news = news => news,
            () = tokio::time::sleep(ROOM_LOOK), if !had_room => Ok(()),
        }
    }

    /// Takes note of whether a person is waited for, and tells it where that is news; tells whether they are.
    async fn waits(&mut self, control: &Control, exit: Exit) -> Result<bool> {
        let is_waiting = self.is_patient && exit == Exit::Waits;
        let status = if is_waiting { SessionStatus::Waiting } else { SessionStatus::Running };
        if status != self.session.status {
            self.session.status = status;
            self.folder.write(&self.session)?;
            let change = if is_waiting { SessionChange::Waiting } else { SessionChange::Resumed };
            self.tell(control, change, self.why.as_deref().filter(|_| is_waiting)).await;
        }
        Ok(is_waiting)
    }

    /// Waits until a person wishes something.
    async fn wished(&self) -> Event {
        loop {
            if let Some(wish) = self.folder.wish() {
                return Event::Wish(wish);
            }
            if asked::all(&self.folder).len() > self.session.asked.len() {
                return Event::Asked;
            }
            let is_proposed = self.session.proposed().is_some();
            if let Some(plan) = is_proposed.then(|| proposal::agreed(&self.folder).ok().flatten()).flatten() {
                return Event::Agreed(plan);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Takes the record as it is now that nobody else writes it; what this process was to change of it stays changed.
    fn take_over(&mut self) -> Result<()> {
        let mut record = self.folder.read()?;
        let wanted = std::mem::take(&mut self.session.decisions);
        for decision in wanted {
            if !record.decisions.contains(&decision) {
                record.decisions.push(decision);
            }
        }
        record.by_server = record.by_server.or(self.session.by_server.take());
        record.project_id = record.project_id.or(self.session.project_id);
        self.session = record;
        Ok(())
    }

    /// Lets go on what was stopped before, and tries anew what failed where the plan says to stop then: without that it would
    /// stop for the same reason at once. What the queue has no room for is brought again later.
    pub(crate) async fn requeue_stopped(&mut self, control: &Control) -> Result<()> {
        let wanted = self.session.items.iter().filter(|item| !rounds::is_replaced(&self.session, item));
        for item in wanted {
            let Some(id) = item.work_item_id else { continue };
            let status = control.item(id).await?.status;
            if status == Status::Cancelled || (status == Status::Failed && self.stops_all(item)) {
                self.late.push(id);
            }
        }
        self.requeue_late(control).await.map(drop)
    }

    /// Tells whether the session stops where an item of this piece fails for good.
    fn stops_all(&self, item: &SessionItem) -> bool {
        let is_of_piece = matches!(item.kind, ItemKind::Work | ItemKind::Merge);
        is_of_piece && rounds::piece_of(&self.session, item).wishes.on_error == Some(OnError::Stop)
    }

    /// Decides what comes next; returns how it ends where nothing does.
    async fn advance(&mut self, control: &Control, follower: &Follower<'_>) -> Result<Option<Exit>> {
        if self.waits_for_plan(control).await? {
            return Ok(None);
        }
        if let Some(decomposed) = decomposed(&self.session) {
            self.lay_out(decomposed)?;
            self.waits_for_plan(control).await?;
            return Ok(None);
        }
        if let Some(exit) = self.bring().await? {
            return Ok(Some(exit));
        }
        let next = advance(&self.session, &self.policy, SystemClock.now());
        for decision in &next.decisions {
            self.announce(decision)?;
        }
        self.session.decisions.extend(next.decisions);
        let is_more = !next.items.is_empty() || self.has_ready();
        for again in next.items.iter().filter(|item| item.kind == ItemKind::Work) {
            let title = output::plain(&again.title);
            self.screen.progress(format_args!("\"{title}\" is given back to {}", again.agent))?;
        }
        self.session.items.extend(next.items);
        self.folder.write(&self.session)?;
        self.halt(control, &next.halt).await;
        if let Some(why) = next.stop {
            self.screen.say(format_args!("{}: {}", output::bad("stopped"), output::plain(&why)))?;
            self.say_how_to_go_on()?;
            self.why = Some(why);
            return Ok(Some(Exit::Stopped));
        }
        if is_more || !self.late.is_empty() || !follower.all_rest() {
            return self.waits(control, Exit::Done).await.map(|_| None);
        }
        if let Some(why) = next.person {
            self.screen.say(format_args!("a person has to decide: {}", output::plain(&why)))?;
            self.why = Some(why);
            let id = &self.session.id;
            self.screen
                .say(format_args!("to merge it all the same: spalla session resume {id} --overrule"))?;
            return Ok(Some(Exit::Waits));
        }
        let asked = asked::all(&self.folder);
        if asked.len() > self.session.asked.len() {
            self.session.asked = asked;
            return Ok(None);
        }
        let exit = ends::of(&self.session, follower.items(), self.red_fails);
        Ok(if self.waits(control, exit).await? { None } else { Some(exit) })
    }

    /// Says what a person may do about what stopped it: reviewers are overruled, and what failed is tried anew.
    fn say_how_to_go_on(&self) -> Result<()> {
        let id = &self.session.id;
        if overruled(&self.session, SystemClock.now()).is_empty() {
            self.screen.say(format_args!("to try it anew: spalla session resume {id}"))
        } else {
            self.screen.say(format_args!(
                "a person may merge it all the same: spalla session resume {id} --overrule"
            ))
        }
    }

    /// Ends work that must not go on as it does.
    async fn halt(&self, control: &Control, keys: &[String]) {
        let items = self.session.items.iter().filter(|item| keys.contains(&item.key));
        for id in items.filter_map(|item| item.work_item_id) {
            said(id, control.stop(id).await);
        }
    }

    /// Says with which agents it goes on, now that others are not called, or are again.
    fn reckon(&mut self, away: &BTreeMap<String, jiff::Timestamp>) -> Result<()> {
        let here = self.session.agents.iter().filter(|agent| !away.contains_key(*agent)).cloned();
        let tier = Tier::of(&here.collect::<Vec<_>>());
        let until = away.iter().map(|(agent, until)| format!("{agent} until {until:.0}"));
        let why = match until.collect::<Vec<_>>().as_slice() {
            [] => String::new(),
            until => format!(" (at their limits: {})", until.join(", ")),
        };
        self.screen.say(format_args!("{tier}{why}"))?;
        tracing::info!(tier = tier.number, "{tier}{why}");
        self.session.tier = tier.number;
        self.folder.write(&self.session)
    }

    /// Has reviewers look at work that goes on.
    fn begin_looks(&mut self, looks: Vec<Look>) -> Result<()> {
        for look in &looks {
            let work = self.session.items.iter().find(|item| item.key == look.work);
            let title = work.map(|item| output::plain(&item.title)).unwrap_or_default();
            self.screen.progress(format_args!("\"{title}\" is looked at: {}", looks::why(look)))?;
        }
        self.session.looks.extend(looks);
        self.folder.write(&self.session)
    }

    fn has_ready(&self) -> bool {
        self.session.items.iter().any(|item| item.work_item_id.is_none() && is_ready(&self.session, item))
    }

    /// Stops what is under way and waits a little for its end; a second signal cuts that short.
    async fn stop(&self, control: &Control, follower: &mut Follower<'_>, signals: &mut Signals) {
        for id in follower.items().iter().map(|item| item.id).collect::<Vec<_>>() {
            if let Err(failure) = control.stop(id).await {
                tracing::warn!("stopping work item {id}: {failure}");
            }
        }
        tokio::select! {
            followed = tokio::time::timeout(STOP_LIMIT, follower.follow()) => {
                if !matches!(followed, Ok(Ok(()))) {
                    tracing::warn!("what was stopped has not ended yet");
                }
            }
            _ = signals.next() => {}
        }
    }

    /// Writes the report and says where it is.
    fn finish(&mut self, items: &[Followed], exit: Exit) -> Result<Exit> {
        let workspace = Workspace::of(&self.session);
        mirror::write(&workspace, &self.session)?;
        self.session.ended_at = Some(SystemClock.now());
        self.session.status = match exit {
            Exit::Done => SessionStatus::Done,
            Exit::Waits => SessionStatus::Waiting,
            Exit::Stopped | Exit::Interrupted => SessionStatus::Stopped,
            _ => SessionStatus::Failed,
        };
        let reported = Reported { session: &self.session, items, exit };
        let paths = report::write(&reported, &workspace)?;
        let text = reported.as_json(&paths);
        self.session.report = Some(paths.markdown.to_string_lossy().into_owned());
        self.folder.write(&self.session)?;
        tracing::info!(status = exit.code(), "the session ends");
        match self.screen {
            Screen::Nobody => return Ok(exit),
            Screen::Program => return output::json(&text).map(|()| exit),
            Screen::Person { .. } => {}
        }
        if self.session.items.iter().any(is_merged) && !self.session.in_place {
            let id = &self.session.id;
            self.screen.progress(format_args!("look at the change with `spalla session diff {id}`"))?;
            self.screen
                .progress(format_args!("bring it into the target with `spalla session apply {id}`"))?;
        }
        output::line(format_args!("session: {}", self.session.id))?;
        output::line(format_args!("report: {}", paths.markdown.display()))?;
        Ok(exit)
    }
}

/// Tells whether an item brought something onto the session's branch.
fn is_merged(item: &SessionItem) -> bool {
    let commit = |run: &SessionRun| run.result.as_ref().is_some_and(|result| result["commit"].is_string());
    item.kind == ItemKind::Merge
        && item.status.as_deref() == Some("succeeded")
        && item.runs.iter().any(commit)
}
