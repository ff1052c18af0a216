//! Reads of work items. A state is found in the table of the place that means it; words and labels are looked for by
//! reading back from the newest item, page by page.

use super::{SqlReads, before};
use crate::sql::driver::Reader;
use crate::sql::row::{each, row, work_item};
use crate::sql::statement::{Call, Statement, Value};
use crate::sql::statements::{dep, queue, work_item as sql};
use crate::sql::tx::call::by_ids;
use crate::tx::{EdgeRow, Result};
use crate::view::{Page, WorkItemFilter, WorkItemView};
use spalla_domain::work_item::{Dependency, Status, WorkItem};
use spalla_domain::{ProjectId, QueueId, WorkItemId};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many items a search reads at once at most: enough that a rare word costs few round trips, few enough that a page of a
/// frequent one does not cost more than it shows.
const SEARCH_PAGE: u32 = 200;
/// In how many queues a label is looked for one by one; where more have it, it is found soon.
const LABELLED_QUEUES_MAX: u32 = 16;
/// A longer word is looked for in the database by its beginning only; what is found is compared with all of it.
const PATTERN_CHARS_MAX: usize = 200;

impl<R: Reader> SqlReads<R> {
    pub(super) async fn list_work_items(
        &self,
        filter: WorkItemFilter,
        page: Page,
    ) -> Result<Vec<WorkItemView>> {
        let items = match Search::new(&filter) {
            Some(search) => self.search(&search, before(page), page.offset, page.limit).await?,
            None => {
                let (statement, scalars) = list(filter.project_id, filter.status, page);
                each("work_item", self.rows(statement, scalars).await?, work_item::read_view)?
            }
        };
        self.with_dependencies(items).await
    }

    pub(super) async fn work_items_count(&self, filter: WorkItemFilter) -> Result<u64> {
        let (statement, scalars) = match Search::new(&filter) {
            None => count(filter.project_id, filter.status),
            Some(search) if search.is_exact => search.count(),
            Some(search) => {
                let found = self.search(&search, i64::MAX, 0, u32::MAX).await?;
                return Ok(found.len() as u64);
            }
        };
        self.count(statement, scalars).await
    }

    pub(super) async fn find_work_item(&self, id: WorkItemId) -> Result<Option<WorkItemView>> {
        let rows = self.rows(&sql::FIND, row![id]).await?;
        let items = each("work_item", rows, work_item::read_view)?;
        Ok(self.with_dependencies(items).await?.pop())
    }

    /// Reads back from the newest item until enough were found that fit, or none is left.
    async fn search(
        &self,
        search: &Search,
        before: i64,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<WorkItemView>> {
        let (mut before, mut left_out, mut found) = (before, 0, vec![]);
        let limit = limit as usize;
        let queues = self.labelled_queues(search).await?;
        // What the database finds need not fit where the text is not exactly what it looks for.
        let wanted = offset.saturating_add(limit as u32).clamp(1, SEARCH_PAGE);
        let size = if search.is_exact { wanted } else { SEARCH_PAGE };
        while found.len() < limit {
            let rows = match &queues {
                Some(queues) if queues.is_empty() => break,
                Some(queues) => self.reader.read(search.page_of(queues, before, size)).await?,
                None => {
                    let (statement, scalars) = search.page(before, size);
                    self.rows(statement, scalars).await?
                }
            };
            let mut page: Vec<WorkItemView> = each("work_item", rows, work_item::read_view)?;
            page.sort_unstable_by_key(|view| Reverse(view.item.id));
            page.truncate(size as usize);
            let is_last = page.len() < size as usize;
            before = page.last().map_or(before, |view| view.item.id.0);
            for view in page.into_iter().filter(|view| search.fits(&view.item)) {
                if left_out < offset {
                    left_out += 1;
                } else if found.len() < limit {
                    found.push(view);
                }
            }
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    /// Returns the queues of a label; none where there are so many that each is not worth a look of its own.
    async fn labelled_queues(&self, search: &Search) -> Result<Option<Vec<QueueId>>> {
        let Some(label) = search.label_as_kept() else { return Ok(None) };
        let scalars = row![search.project_id, label, LABELLED_QUEUES_MAX + 1];
        let rows = self.rows(&queue::LIST_LABELLED, scalars).await?;
        let queues: Vec<QueueId> = each("queue", rows, |fields| fields.id("id"))?;
        Ok((queues.len() <= LABELLED_QUEUES_MAX as usize).then_some(queues))
    }

    async fn with_dependencies(&self, mut items: Vec<WorkItemView>) -> Result<Vec<WorkItemView>> {
        let ids: Vec<WorkItemId> = items.iter().map(|view| view.item.id).collect();
        let edges = each("dep", self.rows_of(&dep::ABOVE, &ids).await?, work_item::read_edge)?;
        let mut above: BTreeMap<WorkItemId, Vec<Dependency>> = BTreeMap::new();
        for EdgeRow { parent, child, when } in edges {
            above.entry(child).or_default().push(Dependency { id: parent, when });
        }
        for view in &mut items {
            view.depends_on = above.remove(&view.item.id).unwrap_or_default();
            view.depends_on.sort_unstable_by_key(|dependency| dependency.id);
        }
        Ok(items)
    }
}

fn list(project: Option<ProjectId>, status: Option<Status>, page: Page) -> (&'static Statement, Vec<Value>) {
    let (before, Page { limit, offset, .. }) = (before(page), page);
    let statement = match status {
        None => {
            return match project {
                None => (&sql::LIST, row![before, limit, offset]),
                Some(project) => (&sql::LIST_OF_PROJECT, row![project, before, limit, offset]),
            };
        }
        Some(status @ (Status::Succeeded | Status::Failed | Status::Cancelled)) => {
            let listed =
                if status == Status::Succeeded { &sql::LIST_FINISHED } else { &sql::LIST_FINISHED_BADLY };
            let status = status.as_str();
            return match project {
                None => (listed, row![status, before, limit, offset]),
                Some(project) => {
                    (&sql::LIST_FINISHED_OF_PROJECT, row![project, status, before, limit, offset])
                }
            };
        }
        Some(Status::Open) => &sql::LIST_OPEN,
        Some(Status::Queued) => &sql::LIST_QUEUED,
        Some(Status::Blocked) => &sql::LIST_BLOCKED,
        Some(Status::Running) => &sql::LIST_RUNNING,
        Some(Status::Archived) => &sql::LIST_ARCHIVED,
    };
    (statement, row![before, project, limit, offset])
}

fn count(project: Option<ProjectId>, status: Option<Status>) -> (&'static Statement, Vec<Value>) {
    let statement = match status {
        None => {
            return match project {
                None => (&sql::COUNT, vec![]),
                Some(project) => (&sql::COUNT_OF_PROJECT, row![project]),
            };
        }
        Some(status @ (Status::Succeeded | Status::Failed | Status::Cancelled)) => {
            return match project {
                None => (&sql::COUNT_FINISHED, row![status.as_str()]),
                Some(project) => (&sql::COUNT_FINISHED_OF_PROJECT, row![project, status.as_str()]),
            };
        }
        Some(Status::Open) => &sql::COUNT_OPEN,
        Some(Status::Queued) => &sql::COUNT_QUEUED,
        Some(Status::Blocked) => &sql::COUNT_BLOCKED,
        Some(Status::Running) => &sql::COUNT_RUNNING,
        Some(Status::Archived) => &sql::COUNT_ARCHIVED,
    };
    (statement, row![project])
}

/// What is looked for in labels and texts.
struct Search {
    project_id: Option<ProjectId>,
    status: Option<Status>,
    label: Option<String>,
    /// The text looked for, in small letters.
    q: Option<String>,
    /// What the database is asked for in its place.
    pattern: Option<String>,
    /// Whether what the database finds is just what is looked for.
    is_exact: bool,
}

impl Search {
    /// Makes it of a filter that looks into labels or texts.
    fn new(filter: &WorkItemFilter) -> Option<Self> {
        let WorkItemFilter { project_id, status, label, q } = filter;
        if label.is_none() && q.is_none() {
            return None;
        }
        let q = q.as_ref().map(|q| q.to_lowercase());
        let word = q.as_deref().map(longest_plain_part);
        let is_exact = q.as_deref() == word;
        let pattern = word.filter(|word| !word.is_empty()).map(like);
        Some(Self { project_id: *project_id, status: *status, label: label.clone(), q, pattern, is_exact })
    }

    /// Returns the label as it stands in the JSON, between its quotes.
    fn label_as_kept(&self) -> Option<String> {
        self.label.as_ref().map(|label| serde_json::Value::from(label.as_str()).to_string())
    }

    fn conditions(&self) -> Vec<Value> {
        row![self.label_as_kept(), self.pattern.clone(), self.status.map(Status::as_str)]
    }

    /// A page of the newest of each of some queues.
    fn page_of(&self, queues: &[QueueId], before: i64, size: u32) -> Call {
        let scalars = row![before, self.pattern.clone(), self.status.map(Status::as_str), size];
        Call { scalars, ..by_ids(&sql::LIST_LABELLED, queues) }
    }

    fn page(&self, before: i64, size: u32) -> (&'static Statement, Vec<Value>) {
        let (statement, mut scalars) = match self.project_id {
            None => (&sql::SEARCH, row![before]),
            Some(project) => (&sql::SEARCH_OF_PROJECT, row![project, before]),
        };
        scalars.extend(self.conditions());
        scalars.extend(row![size]);
        (statement, scalars)
    }

    fn count(&self) -> (&'static Statement, Vec<Value>) {
        let (statement, mut scalars) = match self.project_id {
            None => (&sql::COUNT_SEARCH, vec![]),
            Some(project) => (&sql::COUNT_SEARCH_OF_PROJECT, row![project]),
        };
        scalars.extend(self.conditions());
        (statement, scalars)
    }

    /// Tells whether an item that the database found is one that is looked for.
    fn fits(&self, item: &WorkItem) -> bool {
        let Some(q) = &self.q else { return true };
        let texts = [Some(&item.spec.title), item.spec.description.as_ref(), item.spec.prompt.as_ref()];
        texts.into_iter().flatten().any(|text| text.to_lowercase().contains(q))
    }
}

/// Returns the longest part of a text in small letters that is the same to both databases. They know the capitals of
/// ASCII only, so a letter beyond it that has one can't be left to them.
fn longest_plain_part(q: &str) -> &str {
    let is_plain = |letter: char| letter.is_ascii() || letter.to_uppercase().eq([letter]);
    let parts = q.split(|letter| !is_plain(letter));
    let part = parts.max_by_key(|part| part.len()).unwrap_or_default();
    part.char_indices().nth(PATTERN_CHARS_MAX).map_or(part, |(end, _)| &part[..end])
}

/// Makes a pattern that finds a text anywhere.
fn like(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_asks_the_database_for_what_it_compares_as_we_do() {
        let search = |q: &str| {
            let filter = WorkItemFilter { q: Some(q.to_owned()), ..WorkItemFilter::default() };
            let search = Search::new(&filter).unwrap();
            (search.pattern, search.is_exact)
        };
        assert_eq!(search("Build 100%_"), (Some("%build 100\\%\\_%".to_owned()), true));
        assert_eq!(search("Über den Wolken"), (Some("%ber den wolken%".to_owned()), false));
        assert_eq!(search("東京"), (Some("%東京%".to_owned()), true));
        assert_eq!(search("ñ"), (None, false));
        assert_eq!(search(""), (None, true));
        assert_eq!(search(&"x".repeat(500)), (Some(format!("%{}%", "x".repeat(200))), false));
    }
}
