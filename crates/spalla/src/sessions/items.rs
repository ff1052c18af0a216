//! The work items of a session: made once, in the project of the session's repository, and put into the queue.

use super::advance::is_ready;
use super::looks;
use super::pursuit::Pursuit;
use crate::clock::{SystemClock, random_hex};
use crate::control::{Control, NewItem};
use crate::failure::{Answer, Failure, Result};
use spalla_domain::alias::label_of;
use spalla_domain::plan::PieceExecutor;
use spalla_domain::session::{
    ANSWERS_LABEL, ItemKind, MERGES_LABEL, PLANS_LABEL, RESTS_LABEL, REVIEWS_LABEL, SessionItem,
};
use spalla_domain::work_item::{self, Executor, Status};
use spalla_store::{Clock as _, ExecuteError};
use std::path::Path;

/// How often an agent's run that broke is tried again: it may have cost money.
const AGENT_RETRIES: u32 = 1;
/// What a server answers whose queue has no room.
const TOO_MANY: u16 = 429;
/// The most of one agent's answer that another one is told, in bytes.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// How a work item comes into the queue.
#[derive(Clone, Copy)]
enum Queueing {
    /// For the first time.
    Enqueue(i64),
    /// Once more.
    Requeue(i64),
}

impl Pursuit {
    /// Makes the work items that are not made yet, and puts them into the queue. An item that was made before a crash, and not
    /// written down, is found by its label. Tells whether all had room there: what had none is brought again later.
    pub(super) async fn make_items(&mut self, control: &Control) -> Result<bool> {
        let project_id = self.project(control).await?;
        for index in 0..self.session.items.len() {
            let item = &self.session.items[index];
            if item.work_item_id.is_some() || !is_ready(&self.session, item) {
                continue;
            }
            let label = self.label_of(index)?;
            let id = match control.labelled(project_id, &label).await? {
                Some(id) => id,
                None => control.create(&self.new_item(project_id, index, label)).await?,
            };
            self.session.items[index].work_item_id = Some(id);
            self.folder.write(&self.session)?;
        }
        let mut had_room = self.requeue_late(control).await?;
        for item in self.session.items.iter().filter(|item| !self.is_late(item)) {
            let Some(id) = item.work_item_id else { continue };
            if control.item(id).await?.status == Status::Open {
                had_room &= self.bring_in(control, item, Queueing::Enqueue(id)).await?;
            }
        }
        Ok(had_room)
    }

    /// Puts those into the queue again that wait for room there, and tells whether there was room for all of them.
    pub(super) async fn requeue_late(&mut self, control: &Control) -> Result<bool> {
        for id in std::mem::take(&mut self.late) {
            let item = self.session.items.iter().find(|item| item.work_item_id == Some(id));
            let Some(item) = item else { continue };
            if !self.bring_in(control, item, Queueing::Requeue(id)).await? {
                self.late.push(id);
            }
        }
        Ok(self.late.is_empty())
    }

    /// Tells whether an item is to be tried again, and waits for room.
    pub(super) fn is_late(&self, item: &SessionItem) -> bool {
        item.work_item_id.is_some_and(|id| self.late.contains(&id))
    }

    /// Puts a work item into the queue, and tells whether there was room for it.
    async fn bring_in(&self, control: &Control, item: &SessionItem, queueing: Queueing) -> Result<bool> {
        let alias = item.definition.as_ref().and_then(|chosen| chosen.alias.as_deref());
        let (Queueing::Enqueue(id) | Queueing::Requeue(id)) = queueing;
        // A server that is asked over HTTP counts by itself.
        if let (Control::InProcess(engine), Some(alias), Some(serving)) = (control, alias, &self.definitions)
        {
            let read = engine.store().read();
            match serving.definitions().admit(read, (alias, 1), SystemClock.now()).await {
                Ok(()) => {}
                Err(ExecuteError::Refused(full)) => {
                    tracing::info!(work_item = id, "it waits for room: {}", full.detail);
                    return Ok(false);
                }
                Err(ExecuteError::Store(error)) => {
                    return Err(Failure::failed(format!("counting what waits for {alias}: {error}")));
                }
            }
        }
        let ended = match queueing {
            Queueing::Enqueue(id) => control.enqueue(id).await,
            Queueing::Requeue(id) => control.requeue(id).await,
        };
        match ended {
            Err(failure) if failure.answer == Answer::Status(TOO_MANY) => {
                tracing::info!(work_item = id, "it waits for room: {failure}");
                Ok(false)
            }
            ended => ended.map(|()| true),
        }
    }

    /// Returns the label by which an item is found again. Agents see labels and make items: nobody guesses it beforehand.
    fn label_of(&mut self, index: usize) -> Result<String> {
        let item = &mut self.session.items[index];
        if item.tag.is_none() {
            item.tag = Some(random_hex(2));
            self.folder.write(&self.session)?;
        }
        Ok(format!("piece:{}", self.session.items[index].tag.as_deref().unwrap_or_default()))
    }

    /// Returns the project of its items; makes it where there is none yet.
    pub(super) async fn project(&mut self, control: &Control) -> Result<i64> {
        if let Some(id) = self.session.project_id {
            return Ok(id);
        }
        let target = Path::new(&self.session.target);
        let name = target
            .file_name()
            .map_or_else(|| self.session.target.as_str().into(), |name| name.to_string_lossy());
        let id = match &self.session.base {
            // Its runs work on the session's repository, so that nothing reaches the target.
            Some(_) => {
                let repository = self.folder.repository();
                control
                    .project(&format!("{name} · {}", self.session.id), &repository.to_string_lossy())
                    .await?
            }
            None => control.project(&name, &self.session.target).await?,
        };
        self.session.project_id = Some(id);
        self.folder.write(&self.session)?;
        Ok(id)
    }

    fn new_item(&self, project_id: i64, index: usize, label: String) -> NewItem {
        let item = &self.session.items[index];
        let id_of = |key: &String| self.session.items.iter().find(|other| other.key == *key)?.work_item_id;
        // A piece of work is made when what it builds on is merged; there is nothing left to wait for.
        let is_work = item.kind == ItemKind::Work;
        let before = item.depends_on.iter().filter(|_| !is_work);
        let depends_on: Vec<i64> = before.filter_map(id_of).collect();
        let mut labels = vec![label, format!("session:{}", self.session.id)];
        let about = depends_on.first();
        labels.extend(match item.kind {
            ItemKind::Work if item.part.answers => Some(ANSWERS_LABEL.to_owned()),
            ItemKind::Work if item.part.may_rest => Some(RESTS_LABEL.to_owned()),
            ItemKind::Work => None,
            ItemKind::Merge => about.map(|id| format!("{MERGES_LABEL}{id}")),
            ItemKind::Review => about
                .map(|id| format!("{REVIEWS_LABEL}{id}"))
                .or_else(|| looks::label_of(&self.session, item)),
            ItemKind::Plan => Some(PLANS_LABEL.to_owned()),
        });
        // A reviewer is asked for its own opinion.
        let has_fallback = matches!(item.kind, ItemKind::Work | ItemKind::Plan) && item.model.is_none();
        let fallback =
            self.session.agents.iter().filter(|agent| has_fallback && **agent != item.agent).cloned();
        let is_model = self.session.agents.contains(&item.agent);
        let max_retries = is_model.then_some(AGENT_RETRIES);
        let policy = work_item::Policy { max_retries, ..work_item::Policy::default() };
        let mut new = NewItem {
            depends_on,
            labels,
            fallback: if is_model { fallback.collect() } else { Vec::new() },
            timeout_ms: item.timeout_ms,
            category: item.wishes.category.clone(),
            resources: item.wishes.resources(),
            model: item.model.clone(),
            policy: policy.overlaid(item.wishes.policy()),
            agent_policy: item.wishes.policy.clone(),
            ..NewItem::new(project_id, &item.title, Executor::Agent)
        };
        if item.wishes.executor == Some(PieceExecutor::Recipe) {
            return NewItem { executor: Executor::Recipe, recipe: Some(item.prompt.clone()), ..new };
        }
        new.labels.extend(item.definition.iter().filter_map(|chosen| chosen.alias.as_deref()).map(label_of));
        let told = item.wishes.told(&item.prompt) + &self.heard_by(item);
        let prompt = Some(told).filter(|prompt| !prompt.is_empty());
        NewItem { prompt, agent: Some(item.agent.clone()), definition: item.definition.clone(), ..new }
    }

    /// Returns what others said that an item is told.
    fn heard_by(&self, item: &SessionItem) -> String {
        let said = item.part.hears.iter().filter_map(|key| {
            let other = self.session.items.iter().find(|other| other.key == *key)?;
            let answer = other.runs.last()?.result.as_ref()?["answer"].as_str()?;
            let answer = &answer[..answer.floor_char_boundary(ANSWER_BYTES_MAX)];
            Some(format!("\n\n{} says ({}):\n\n{answer}", other.agent, other.title))
        });
        said.collect()
    }
}
