-- The tables of the store: the same as on SQLite, where each is explained. Three kinds of column: bigint (also ids,
-- flags 0 and 1, and times in milliseconds since 1970), text (also JSON) and bytea.
--
-- There are no foreign keys. The rows of the queue move between tables all the time, so a reference to them would be
-- checked and lock its target with every move; and all rows are written by one program, which has loaded and locked
-- what they belong to in the same transaction. CHECK constraints state the life cycle once more.
--
-- Ids and event numbers come from sequences, which keep nobody waiting. The tables whose rows come and go leave dead
-- rows behind, so they are cleaned early and without pauses; a leased row has room beside it for its next version.

-- What belongs to the store as a whole, such as its id.
create table meta (
    key text not null primary key,
    value text not null
);

create sequence project_seq as bigint;
create sequence work_item_seq as bigint;
create sequence entry_seq as bigint;
create sequence run_seq as bigint;
create sequence approval_seq as bigint;
create sequence queue_seq as bigint;
create sequence vision_seq as bigint;
create sequence draft_seq as bigint;
create sequence schedule_seq as bigint;
create sequence info_request_seq as bigint;
create sequence artifact_seq as bigint;
create sequence token_seq as bigint;
create sequence webhook_seq as bigint;
create sequence alias_seq as bigint;
create sequence message_seq as bigint;

create table project (
    id bigint not null primary key,
    name text not null check (name <> ''),
    description text,
    repository text,
    limits text,
    created_at bigint not null,
    archived_at bigint
);

create index project_listed on project (id) where archived_at is null;

-- What claimers choose by: one row for each combination of project, executor, labels, agent and resources that ever
-- occurred.
create table queue (
    id bigint not null primary key,
    project_id bigint not null,
    executor text not null check (executor in ('recipe', 'agent', 'external')),
    labels text not null,
    agent text not null,
    resources text not null
);

-- By digest, because the labels of an item can be longer than an index takes.
create unique index queue_by_key
on queue (project_id, executor, md5(labels || chr(10) || agent || chr(10) || resources));

-- What is to be done. The texts come last: whoever reads only the head does not read their pages.
create table work_item (
    id bigint not null primary key,
    project_id bigint not null,
    queue bigint not null,
    priority bigint not null check (priority between 0 and 9),
    critical bigint not null check (critical in (0, 1)),
    on_critical_path bigint not null check (on_critical_path in (0, 1)),
    timeout_ms bigint check (timeout_ms > 0),
    max_retries bigint check (max_retries >= 0),
    backoff text check (backoff in ('fixed', 'exponential')),
    backoff_base_ms bigint,
    backoff_jitter_ms bigint,
    token_budget bigint check (token_budget > 0),
    review bigint check (review in (0, 1)),
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint,
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
);

create index work_item_by_project on work_item (project_id, id) where archived_at is null;
create index work_item_by_agent on work_item (agent, project_id, id) where agent is not null;
create index work_item_archived on work_item (id, project_id) where archived_at is not null;
-- By the number below zero, so that the newest of a queue is never looked for among all others.
create index work_item_labelled on work_item (queue, (-id)) where labels <> '[]';

-- The fixed part of a queue entry; a work item has at most one, and it is used again when the item is requeued. Under
-- `queue` and `prio` it is found in `ready` when it stands there.
create table entry (
    work_item_id bigint not null primary key,
    id bigint not null,
    queue bigint not null,
    prio bigint not null,
    priority bigint not null check (priority between 0 and 9),
    moved text,
    dependencies bigint not null check (dependencies >= 0),
    enqueued_at bigint not null
);

-- The five places where an entry's work item can stand; it stands in exactly one of them. An item without an entry
-- stands nowhere and is open. Each row carries the newest fencing token and the counters along.

-- Where an item without an entry is found. That it has none is what makes it open.
create table open (
    work_item_id bigint not null primary key,
    project_id bigint not null
);

-- Nothing is missing: claimers take the smallest key first.
create table ready (
    queue bigint not null,
    prio bigint not null,
    work_item_id bigint not null,
    priority bigint not null check (priority between 0 and 9),
    fence bigint not null check (fence >= 0),
    attempt bigint not null check (attempt >= 0),
    failures bigint not null check (failures >= 0),
    primary key (queue, prio, work_item_id)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- Only the time is missing.
create table delayed (
    due_at bigint not null,
    work_item_id bigint not null unique,
    project_id bigint not null,
    prio bigint not null,
    fence bigint not null check (fence >= 0),
    attempt bigint not null check (attempt >= 0),
    failures bigint not null check (failures >= 0),
    primary key (due_at, work_item_id)
) with (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- A dependency or an approval is missing.
create table blocked (
    work_item_id bigint not null primary key,
    project_id bigint not null,
    prio bigint not null,
    fence bigint not null check (fence >= 0),
    attempt bigint not null check (attempt >= 0),
    failures bigint not null check (failures >= 0),
    reason text not null,
    unmet bigint not null check (unmet >= 0),
    broken_reason text
        check (broken_reason in ('dependency_failed', 'dependency_cancelled', 'dependency_succeeded')),
    broken_by bigint,
    pending bigint not null check (pending >= 0),
    rejected bigint not null check (rejected >= 0),
    due_at bigint,
    check (unmet + pending + rejected > 0),
    check ((broken_reason is null) = (broken_by is null)),
    check (broken_reason is null or broken_reason = reason)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

create index blocked_broken on blocked (work_item_id) where broken_reason is not null;

-- A run of it is not over. Nobody holds the run while worker is null. `revision` counts how often the row was written since:
-- the row is written as well when the item or its entry is, so that a server that remembers both knows whether they still are
-- as it left them.
create table leased (
    work_item_id bigint not null primary key,
    run_id bigint not null unique,
    queue bigint not null,
    prio bigint not null,
    priority bigint not null check (priority between 0 and 9),
    fence bigint not null check (fence >= 0),
    attempt bigint not null check (attempt > 0),
    failures bigint not null check (failures >= 0),
    worker text,
    until bigint,
    takeovers bigint not null check (takeovers >= 0),
    holds bigint not null check (holds >= 0),
    questions bigint not null check (questions >= 0),
    paused bigint not null check (paused in (0, 1)),
    created_at bigint not null,
    started_at bigint,
    revision bigint not null default 0,
    check ((worker is null) = (until is null)),
    check (worker is null or (started_at is not null and fence > 0))
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_cost_delay = 0);

-- What a claim takes first. `until` is in no index, so that a heartbeat changes the row alone.
create index leased_pending on leased (queue, prio, work_item_id)
where worker is null and holds = 0 and paused = 0;

-- It came to its end.
create table finished (
    work_item_id bigint not null primary key,
    project_id bigint not null,
    status text not null check (status in ('succeeded', 'failed', 'cancelled')),
    at bigint not null,
    prio bigint not null,
    fence bigint not null check (fence >= 0),
    attempt bigint not null check (attempt >= 0),
    failures bigint not null check (failures >= 0)
);

-- Most end well: those are found by going through all.
create index finished_badly on finished (status, work_item_id) where status <> 'succeeded';
create index finished_by_project on finished (project_id, status, work_item_id);

-- What a work item waits for.
create table dep (
    parent bigint not null,
    child bigint not null,
    "when" text not null check ("when" in ('success', 'failure', 'done')),
    primary key (parent, child),
    check (parent <> child)
);

create index dep_by_child on dep (child, parent, "when");

-- Runs that are over: written once, never changed.
create table run (
    id bigint not null primary key,
    work_item_id bigint not null,
    project_id bigint not null,
    attempt bigint not null check (attempt > 0),
    takeovers bigint not null check (takeovers >= 0),
    fence bigint not null check (fence >= 0),
    ended_under bigint check (ended_under > 0 and ended_under <= fence),
    created_at bigint not null,
    started_at bigint,
    ended_at bigint not null,
    exit_code bigint,
    status text not null check (status in ('succeeded', 'failed', 'cancelled', 'lost')),
    class text,
    worker text,
    usage text,
    error text,
    sandbox text,
    result text,
    check ((status = 'failed') = (class is not null))
);

create index run_by_work_item on run (work_item_id, id);
create index run_ended_badly on run (status, id) where status <> 'succeeded';
create index run_by_project on run (project_id, status, id);

create table approval (
    id bigint not null primary key,
    work_item_id bigint not null,
    kind text not null check (kind in ('start', 'deploy', 'command', 'merge', 'spend', 'secret')),
    status text not null check (status in ('pending', 'approved', 'rejected')),
    requested_at bigint not null,
    decided_at bigint,
    decided_by text,
    note text,
    subject text,
    check ((status = 'pending') = (decided_at is null)),
    check (status <> 'pending' or (decided_by is null and note is null))
);

create index approval_by_work_item on approval (work_item_id, id);
create index approval_pending on approval (id) where status = 'pending';

-- Facts, in the order in which they became visible: those of a transaction together, compressed. The number of an event
-- follows from its place in its chunk. `projects` and `runs` hold the ids that the events name, eight bytes each.
create table event_chunk (
    last_seq bigint not null primary key,
    events bigint not null check (events > 0),
    projects bytea not null,
    runs bytea not null,
    data bytea not null
);

-- Events are compressed already, and to compress a list of ids takes seven times as long as to store it; meanwhile everybody
-- else waits for the next number.
alter table event_chunk alter column projects set storage external;
alter table event_chunk alter column runs set storage external;
alter table event_chunk alter column data set storage external;

-- In which stretches of 1024 event numbers a project has some: whoever follows a small one passes over the rest.
create table event_stretch (
    project_id bigint not null,
    stretch bigint not null,
    primary key (project_id, stretch)
);

-- Consecutive log lines, compressed.
create table log_chunk (
    run_id bigint not null,
    first_seq bigint not null check (first_seq > 0),
    lines bigint not null check (lines > 0),
    data bytea not null,
    primary key (run_id, first_seq)
);

-- Compressed already.
alter table log_chunk alter column data set storage external;

-- What runs left to be kept, by path; each time that a path is written it gets another id.
create table artifact (
    run_id bigint not null,
    path text not null check (path <> ''),
    id bigint not null unique,
    media_type text not null,
    bytes bigint not null check (bytes >= 0),
    sha256 text not null check (length(sha256) = 64),
    stored_at bigint not null,
    primary key (run_id, path)
);

create index artifact_listed on artifact (run_id, id);

-- What is in them. Parts of a file that is on its way in have no artifact yet, but a document of the kind `upload`.
create table artifact_chunk (
    artifact_id bigint not null,
    place bigint not null check (place >= 0),
    data bytea not null,
    primary key (artifact_id, place)
);

-- Most files are compressed already.
alter table artifact_chunk alter column data set storage external;

-- What is small, belongs to a project, a work item or a run, and is never claimed: all of it as JSON, beside what lists
-- and the clock go by. `owner` is the number of what it belongs to.
create table document (
    kind text not null
        check (kind in ('vision', 'draft', 'quota', 'schedule', 'info_request', 'votes', 'starvation', 'upload',
            'token', 'webhook', 'refusals', 'run_events', 'message', 'mailboxes', 'agent_states',
            'alias', 'scorecards')),
    id bigint not null,
    owner bigint not null,
    status text not null,
    due_at bigint,
    body text not null,
    primary key (kind, id)
);

create index document_by_owner on document (kind, owner, id);
create index document_due on document (due_at) where due_at is not null;

-- What a project used on a UTC day, counted in days since 1970. It only grows, and is added to without being read.
create table usage (
    project_id bigint not null,
    day bigint not null,
    runs bigint not null check (runs >= 0),
    tokens bigint not null check (tokens >= 0),
    cost_micro_usd bigint not null check (cost_micro_usd >= 0),
    primary key (project_id, day)
);

-- Who wanted what, and what came of it. Rows are added and never changed; each bears the digest of the one before.
-- `thing` and `collection` are beginnings of the resource that lists go by: up to its first id, and its first part.
-- Resources are compared byte by byte, so that all beneath one lie beside each other.
create table audit (
    id bigint not null primary key,
    at bigint not null,
    principal text not null,
    client text not null,
    operation text not null,
    resource text collate "C" not null,
    request_id text not null,
    outcome text not null check (outcome in ('done', 'refused', 'failed')),
    code text,
    previous_hash bytea not null check (length(previous_hash) = 32),
    hash bytea not null check (length(hash) = 32),
    thing text,
    collection text,
    check ((outcome = 'done') = (code is null))
);

create index audit_by_thing on audit (thing, id);
create index audit_by_collection on audit (collection, id);
create index audit_by_principal on audit (principal, id);
create index audit_by_operation on audit (operation, id);
create index audit_not_done on audit (outcome, id) where outcome <> 'done';

-- The end of that chain: one row, locked by whoever adds to it, so that numbers have no gap and nobody adds beside it.
create table audit_head (
    one bigint not null primary key check (one = 1),
    id bigint not null,
    hash bytea not null check (length(hash) = 32)
);

insert into audit_head (one, id, hash) values (1, 0, decode(repeat('00', 32), 'hex'));

-- Answers kept for requests that bore an idempotency key.
create table worker (
    name text not null primary key,
    heard_at bigint not null,
    offer text
);

create table reply (
    key text not null primary key,
    at bigint not null,
    fingerprint bytea not null check (length(fingerprint) = 32),
    reply text not null
);

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
    leased.worker, leased.until, leased.created_at, leased.started_at, cast(null as bigint) as ended_at,
    case
        when leased.worker is null and leased.paused = 1 then 'paused'
        when leased.worker is null then 'pending'
        when leased.questions > 0 then 'awaiting_input'
        when leased.paused = 1 then 'paused'
        else 'running'
    end as status,
    cast(null as bigint) as exit_code, cast(null as text) as usage, cast(null as text) as error,
    cast(null as text) as sandbox,
    cast(null as text) as result,
    work_item.executor, work_item.agent, work_item.title, leased.queue
from leased
cross join work_item
where work_item.id = leased.work_item_id;

create view ended_run_state as
select
    run.id, run.work_item_id, run.project_id, run.attempt, run.takeovers, run.fence,
    run.worker, cast(null as bigint) as until, run.created_at, run.started_at, run.ended_at,
    run.status, run.exit_code, run.usage, run.error, run.sandbox, run.result,
    work_item.executor, work_item.agent, work_item.title, work_item.queue
from run
cross join work_item
where work_item.id = run.work_item_id;
