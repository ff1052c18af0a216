-- The tables of the store. Three kinds of column, the same on both databases: integer (also ids, flags 0 and 1, and
-- times in milliseconds since 1970), text (also JSON) and blob.
--
-- There are no foreign keys. The rows of the queue move between tables all the time, so a reference to them would be
-- checked and, on Postgres, lock its target with every move; and all rows are written by one program, which has
-- loaded and locked what they belong to in the same transaction. CHECK constraints state the life cycle once more.

-- What belongs to the store as a whole, such as its id.
create table meta (
    key text not null primary key,
    value text not null
) strict, without rowid;

-- The next number of each kind.
create table sequence (
    name text not null primary key,
    next integer not null check (next > 0)
) strict, without rowid;

insert into sequence (name, next)
values ('project', 1), ('work_item', 1), ('entry', 1), ('run', 1), ('approval', 1), ('queue', 1), ('vision', 1),
    ('draft', 1), ('schedule', 1), ('info_request', 1), ('artifact', 1),
    ('token', 1), ('webhook', 1), ('message', 1), ('alias', 1);

create table project (
    id integer not null primary key,
    name text not null check (name <> ''),
    description text,
    repository text,
    limits text,
    created_at integer not null,
    archived_at integer
) strict;

create index project_listed on project (id) where archived_at is null;

-- What claimers choose by: one row for each combination of project, executor, labels, agent and resources that ever
-- occurred. No agent and no resources are empty texts, because two nulls would not be the same.
create table queue (
    id integer not null primary key,
    project_id integer not null,
    executor text not null check (executor in ('recipe', 'agent', 'external')),
    labels text not null,
    agent text not null,
    resources text not null,
    unique (project_id, executor, labels, agent, resources)
) strict;

-- What is to be done. The texts come last: whoever reads only the head does not read their pages.
create table work_item (
    id integer not null primary key,
    project_id integer not null,
    queue integer not null,
    priority integer not null check (priority between 0 and 9),
    critical integer not null check (critical in (0, 1)),
    on_critical_path integer not null check (on_critical_path in (0, 1)),
    timeout_ms integer check (timeout_ms > 0),
    max_retries integer check (max_retries >= 0),
    backoff text check (backoff in ('fixed', 'exponential')),
    backoff_base_ms integer,
    backoff_jitter_ms integer,
    token_budget integer check (token_budget > 0),
    review integer check (review in (0, 1)),
    created_at integer not null,
    updated_at integer not null,
    archived_at integer,
    executor text not null check (executor in ('recipe', 'agent', 'external')),
    agent text,
    category text,
    labels text not null,
    resources text,
    title text not null check (title <> ''),
    description text,
    prompt text,
    recipe text,
    adapter text,
    definition text,
    limits text,
    check (executor <> 'agent' or agent is not null)
) strict;

create index work_item_by_project on work_item (project_id, id) where archived_at is null;
create index work_item_by_agent on work_item (agent, project_id, id) where agent is not null;
create index work_item_archived on work_item (id, project_id) where archived_at is not null;
-- By the number below zero, so that the newest of a queue is never looked for among all others.
create index work_item_labelled on work_item (queue, (-id)) where labels <> '[]';

-- The fixed part of a queue entry; a work item has at most one, and it is used again when the item is requeued. Under
-- `queue` and `prio` it is found in `ready` when it stands there. `moved` is JSON, null while the priority is just what a
-- person set.
create table entry (
    work_item_id integer not null primary key,
    id integer not null,
    queue integer not null,
    prio integer not null,
    priority integer not null check (priority between 0 and 9),
    moved text,
    dependencies integer not null check (dependencies >= 0),
    enqueued_at integer not null
) strict;

-- The five places where an entry's work item can stand; it stands in exactly one of them. An item without an entry
-- stands nowhere and is open. Each row carries the newest fencing token and the counters along.

-- Where an item without an entry is found. That it has none is what makes it open.
create table open (
    work_item_id integer not null primary key,
    project_id integer not null
) strict;

-- Nothing is missing: claimers take the smallest key first.
create table ready (
    queue integer not null,
    prio integer not null,
    work_item_id integer not null,
    priority integer not null check (priority between 0 and 9),
    fence integer not null check (fence >= 0),
    attempt integer not null check (attempt >= 0),
    failures integer not null check (failures >= 0),
    primary key (queue, prio, work_item_id)
) strict, without rowid;

-- Only the time is missing.
create table delayed (
    due_at integer not null,
    work_item_id integer not null unique,
    project_id integer not null,
    prio integer not null,
    fence integer not null check (fence >= 0),
    attempt integer not null check (attempt >= 0),
    failures integer not null check (failures >= 0),
    primary key (due_at, work_item_id)
) strict, without rowid;

-- A dependency or an approval is missing.
create table blocked (
    work_item_id integer not null primary key,
    project_id integer not null,
    prio integer not null,
    fence integer not null check (fence >= 0),
    attempt integer not null check (attempt >= 0),
    failures integer not null check (failures >= 0),
    reason text not null,
    unmet integer not null check (unmet >= 0),
    broken_reason text
        check (broken_reason in ('dependency_failed', 'dependency_cancelled', 'dependency_succeeded')),
    broken_by integer,
    pending integer not null check (pending >= 0),
    rejected integer not null check (rejected >= 0),
    due_at integer,
    check (unmet + pending + rejected > 0),
    check ((broken_reason is null) = (broken_by is null)),
    check (broken_reason is null or broken_reason = reason)
) strict;

create index blocked_broken on blocked (work_item_id) where broken_reason is not null;

-- A run of it is not over. Nobody holds the run while worker is null.
create table leased (
    work_item_id integer not null primary key,
    run_id integer not null unique,
    queue integer not null,
    prio integer not null,
    priority integer not null check (priority between 0 and 9),
    fence integer not null check (fence >= 0),
    attempt integer not null check (attempt > 0),
    failures integer not null check (failures >= 0),
    worker text,
    until integer,
    takeovers integer not null check (takeovers >= 0),
    holds integer not null check (holds >= 0),
    questions integer not null check (questions >= 0),
    paused integer not null check (paused in (0, 1)),
    created_at integer not null,
    started_at integer,
    check ((worker is null) = (until is null)),
    check (worker is null or (started_at is not null and fence > 0))
) strict;

-- What a claim takes first. `until` is in no index, so that a heartbeat changes the row alone.
create index leased_pending on leased (queue, prio, work_item_id)
where worker is null and holds = 0 and paused = 0;

-- It came to its end.
create table finished (
    work_item_id integer not null primary key,
    project_id integer not null,
    status text not null check (status in ('succeeded', 'failed', 'cancelled')),
    at integer not null,
    prio integer not null,
    fence integer not null check (fence >= 0),
    attempt integer not null check (attempt >= 0),
    failures integer not null check (failures >= 0)
) strict;

-- Most end well: those are found by going through all.
create index finished_badly on finished (status, work_item_id) where status <> 'succeeded';
create index finished_by_project on finished (project_id, status, work_item_id);

-- What a work item waits for.
create table dep (
    parent integer not null,
    child integer not null,
    "when" text not null check ("when" in ('success', 'failure', 'done')),
    primary key (parent, child),
    check (parent <> child)
) strict, without rowid;

create index dep_by_child on dep (child, parent, "when");

-- Runs that are over: written once, never changed.
create table run (
    id integer not null primary key,
    work_item_id integer not null,
    project_id integer not null,
    attempt integer not null check (attempt > 0),
    takeovers integer not null check (takeovers >= 0),
    fence integer not null check (fence >= 0),
    ended_under integer check (ended_under > 0 and ended_under <= fence),
    created_at integer not null,
    started_at integer,
    ended_at integer not null,
    exit_code integer,
    status text not null check (status in ('succeeded', 'failed', 'cancelled', 'lost')),
    class text,
    worker text,
    usage text,
    error text,
    sandbox text,
    result text,
    check ((status = 'failed') = (class is not null))
) strict;

create index run_by_work_item on run (work_item_id, id);
create index run_ended_badly on run (status, id) where status <> 'succeeded';
create index run_by_project on run (project_id, status, id);

create table approval (
    id integer not null primary key,
    work_item_id integer not null,
    kind text not null check (kind in ('start', 'deploy', 'command', 'merge', 'spend', 'secret')),
    status text not null check (status in ('pending', 'approved', 'rejected')),
    requested_at integer not null,
    decided_at integer,
    decided_by text,
    note text,
    subject text,
    check ((status = 'pending') = (decided_at is null)),
    check (status <> 'pending' or (decided_by is null and note is null))
) strict;

create index approval_by_work_item on approval (work_item_id, id);
create index approval_pending on approval (id) where status = 'pending';

-- Facts, in the order in which they became visible: those of a transaction together, compressed. The number of an event
-- follows from its place in its chunk. `projects` and `runs` hold the ids that the events name, eight bytes each.
create table event_chunk (
    last_seq integer not null primary key,
    events integer not null check (events > 0),
    projects blob not null,
    runs blob not null,
    data blob not null
) strict;

-- In which stretches of 1024 event numbers a project has some: whoever follows a small one passes over the rest.
create table event_stretch (
    project_id integer not null,
    stretch integer not null,
    primary key (project_id, stretch)
) strict, without rowid;

-- Consecutive log lines, compressed.
create table log_chunk (
    run_id integer not null,
    first_seq integer not null check (first_seq > 0),
    lines integer not null check (lines > 0),
    data blob not null,
    primary key (run_id, first_seq)
) strict;

-- What runs left to be kept, by path; each time that a path is written it gets another id.
create table artifact (
    run_id integer not null,
    path text not null check (path <> ''),
    id integer not null unique,
    media_type text not null,
    bytes integer not null check (bytes >= 0),
    sha256 text not null check (length(sha256) = 64),
    stored_at integer not null,
    primary key (run_id, path)
) strict;

create index artifact_listed on artifact (run_id, id);

-- What is in them. Parts of a file that is on its way in have no artifact yet, but a document of the kind `upload`.
create table artifact_chunk (
    artifact_id integer not null,
    place integer not null check (place >= 0),
    data blob not null,
    primary key (artifact_id, place)
) strict;

-- What is small, belongs to a project, a work item or a run, and is never claimed: all of it as JSON, beside what lists
-- and the clock go by. `owner` is the number of what it belongs to.
create table document (
    kind text not null
        check (kind in ('vision', 'draft', 'quota', 'schedule', 'info_request', 'votes', 'starvation', 'upload',
            'token', 'webhook', 'refusals', 'run_events', 'message', 'mailboxes', 'agent_states',
            'alias', 'scorecards')),
    id integer not null,
    owner integer not null,
    status text not null,
    due_at integer,
    body text not null,
    primary key (kind, id)
) strict, without rowid;

create index document_by_owner on document (kind, owner, id);
create index document_due on document (due_at) where due_at is not null;

-- What a project used on a UTC day, counted in days since 1970. It only grows, and is added to without being read.
create table usage (
    project_id integer not null,
    day integer not null,
    runs integer not null check (runs >= 0),
    tokens integer not null check (tokens >= 0),
    cost_micro_usd integer not null check (cost_micro_usd >= 0),
    primary key (project_id, day)
) strict, without rowid;

-- Workers that said something lately, and what they offer as JSON. `heard_at` is renewed now and then, not with every word.
create table worker (
    name text not null primary key,
    heard_at integer not null,
    offer text
) strict, without rowid;

-- Who wanted what, and what came of it. Rows are added and never changed; each bears the digest of the one before.
-- `thing` and `collection` are beginnings of the resource that lists go by: up to its first id, and its first part.
create table audit (
    id integer not null primary key,
    at integer not null,
    principal text not null,
    client text not null,
    operation text not null,
    resource text not null,
    request_id text not null,
    outcome text not null check (outcome in ('done', 'refused', 'failed')),
    code text,
    previous_hash blob not null check (length(previous_hash) = 32),
    hash blob not null check (length(hash) = 32),
    thing text,
    collection text,
    check ((outcome = 'done') = (code is null))
) strict;

create index audit_by_thing on audit (thing, id);
create index audit_by_collection on audit (collection, id);
create index audit_by_principal on audit (principal, id);
create index audit_by_operation on audit (operation, id);
create index audit_not_done on audit (outcome, id) where outcome <> 'done';

-- The end of that chain: one row, locked by whoever adds to it, so that numbers have no gap and nobody adds beside it.
create table audit_head (
    one integer not null primary key check (one = 1),
    id integer not null,
    hash blob not null check (length(hash) = 32)
) strict;

insert into audit_head (one, id, hash) values (1, 0, zeroblob(32));

-- Answers kept for requests that bore an idempotency key.
create table reply (
    key text not null primary key,
    at integer not null,
    fingerprint blob not null check (length(fingerprint) = 32),
    reply text not null
) strict;

-- Work items as clients see them: the state follows from where the item stands.
create view work_item_state as
select
    work_item.id, work_item.project_id, work_item.priority, work_item.critical,
    work_item.on_critical_path, work_item.timeout_ms,
    work_item.max_retries, work_item.backoff, work_item.backoff_base_ms, work_item.backoff_jitter_ms, work_item.token_budget,
    work_item.review, work_item.created_at,
    work_item.updated_at, work_item.archived_at, work_item.executor, work_item.agent, work_item.category,
    work_item.labels, work_item.resources, work_item.title, work_item.description, work_item.prompt, work_item.recipe,
    work_item.adapter, work_item.definition, work_item.limits,
    case
        when work_item.archived_at is not null then 'archived'
        when finished.work_item_id is not null then finished.status
        when leased.work_item_id is not null then 'running'
        when blocked.broken_reason is not null then 'blocked'
        when entry.work_item_id is not null then 'queued'
        else 'open'
    end as status,
    case when delayed.work_item_id is not null then 'delayed' else blocked.reason end as reason,
    work_item.queue
from work_item
left join finished on finished.work_item_id = work_item.id
left join leased on leased.work_item_id = work_item.id
left join blocked on blocked.work_item_id = work_item.id
left join delayed on delayed.work_item_id = work_item.id
left join entry on entry.work_item_id = work_item.id;

-- Runs as clients see them: those that are not over, and those that are.
create view live_run_state as
select
    leased.run_id as id, leased.work_item_id, work_item.project_id, leased.attempt, leased.takeovers, leased.fence,
    leased.worker, leased.until, leased.created_at, leased.started_at, null as ended_at,
    case
        when leased.worker is null and leased.paused = 1 then 'paused'
        when leased.worker is null then 'pending'
        when leased.questions > 0 then 'awaiting_input'
        when leased.paused = 1 then 'paused'
        else 'running'
    end as status,
    null as exit_code, null as usage, null as error, null as sandbox, null as result,
    work_item.executor, work_item.agent, work_item.title, leased.queue
from leased
cross join work_item
where work_item.id = leased.work_item_id;

create view ended_run_state as
select
    run.id, run.work_item_id, run.project_id, run.attempt, run.takeovers, run.fence,
    run.worker, null as until, run.created_at, run.started_at, run.ended_at,
    run.status, run.exit_code, run.usage, run.error, run.sandbox, run.result,
    work_item.executor, work_item.agent, work_item.title, work_item.queue
from run
cross join work_item
where work_item.id = run.work_item_id;
