//! Every statement of the store by table and verb, read from its file when the program is built.

/// Declares statements: `both` is one file for both databases, `each` is one for each.
macro_rules! statements {
    ($($(#[$doc:meta])* $table:ident { $($constant:ident = $dialects:ident $name:literal;)* })*) => {
        $(
            $(#[$doc])*
            pub(crate) mod $table {
                use crate::sql::statement::Statement;
                $(pub(crate) static $constant: Statement = statements!(@ $dialects $name);)*
            }
        )*

        /// Every statement.
        #[cfg(test)]
        pub(crate) static ALL: &[&super::statement::Statement] = &[$($(&$table::$constant,)*)*];
    };
    (@ both $name:literal) => {
        Statement {
            name: $name,
            sqlite: include_str!(concat!("../../sql/", $name, ".sql")),
            postgres: include_str!(concat!("../../sql/", $name, ".sql")),
        }
    };
    (@ each $name:literal) => {
        Statement {
            name: $name,
            sqlite: include_str!(concat!("../../sql/", $name, ".sqlite.sql")),
            postgres: include_str!(concat!("../../sql/", $name, ".postgres.sql")),
        }
    };
}

statements! {
    /// What belongs to the store as a whole.
    meta {
        VERSION = each "meta/version";
    }
    /// The numbers that ids and events get.
    sequence {
        TAKE = each "sequence/take";
    }
    /// Projects.
    project {
        INSERT = both "project/insert";
        UPDATE = both "project/update";
        LOAD = each "project/load";
        CONFIRM = each "project/confirm";
        IS_ACTIVE = both "project/is_active";
        FIND = both "project/find";
        LIST = both "project/list";
        COUNT = both "project/count";
    }
    /// What claimers choose by.
    queue {
        INSERT = both "queue/insert";
        LOAD = both "queue/load";
        LOAD_BY_ID = both "queue/load_by_id";
        FIND = both "queue/find";
        LIST_LABELLED = both "queue/list_labelled";
        LIST_AGENTS = both "queue/list_agents";
    }
    /// Work items.
    work_item {
        LIST_LABELLED = each "work_item/list_labelled";
        INSERT = both "work_item/insert";
        UPDATE = both "work_item/update";
        LOCK = each "work_item/lock";
        HEADS = each "work_item/heads";
        COUNT_OF_AGENT = both "work_item/count_of_agent";
        HEADS_OF_RUNS = both "work_item/heads_of_runs";
        BODIES = each "work_item/bodies";
        FIND = both "work_item/find";
        LIST = both "work_item/list";
        LIST_OF_PROJECT = both "work_item/list_of_project";
        LIST_FINISHED = both "work_item/list_finished";
        LIST_FINISHED_BADLY = both "work_item/list_finished_badly";
        LIST_FINISHED_OF_PROJECT = both "work_item/list_finished_of_project";
        LIST_RUNNING = both "work_item/list_running";
        LIST_QUEUED = both "work_item/list_queued";
        LIST_BLOCKED = both "work_item/list_blocked";
        LIST_OPEN = both "work_item/list_open";
        LIST_ARCHIVED = both "work_item/list_archived";
        SEARCH = both "work_item/search";
        SEARCH_OF_PROJECT = both "work_item/search_of_project";
        COUNT = both "work_item/count";
        COUNT_OF_PROJECT = both "work_item/count_of_project";
        COUNT_FINISHED = both "work_item/count_finished";
        COUNT_FINISHED_OF_PROJECT = both "work_item/count_finished_of_project";
        COUNT_RUNNING = both "work_item/count_running";
        COUNT_QUEUED = both "work_item/count_queued";
        COUNT_BLOCKED = both "work_item/count_blocked";
        COUNT_OPEN = both "work_item/count_open";
        COUNT_ARCHIVED = both "work_item/count_archived";
        COUNT_SEARCH = both "work_item/count_search";
        COUNT_SEARCH_OF_PROJECT = both "work_item/count_search_of_project";
    }
    /// Queue entries, and the lists of those that wait.
    entry {
        INSERT = both "entry/insert";
        UPDATE = both "entry/update";
        LIST = both "entry/list";
        LIST_READY = both "entry/list_ready";
        LIST_DELAYED = both "entry/list_delayed";
        LIST_BLOCKED = both "entry/list_blocked";
        COUNT_READY = both "entry/count_ready";
        COUNT_DELAYED = both "entry/count_delayed";
        COUNT_BLOCKED = both "entry/count_blocked";
        DEPTHS = both "entry/depths";
    }
    /// Items without an entry.
    open {
        INSERT = both "open/insert";
        DELETE = each "open/delete";
    }
    /// Items that can be claimed.
    ready {
        INSERT = both "ready/insert";
        DELETE = each "ready/delete";
        LOAD = each "ready/load";
        PICK = each "ready/pick";
        FIRST_OF = each "ready/first_of";
    }
    /// Items whose time is missing.
    delayed {
        INSERT = both "delayed/insert";
        DELETE = each "delayed/delete";
        LOAD = each "delayed/load";
        PICK = each "delayed/pick";
        FIRST = both "delayed/first";
    }
    /// Items that something holds.
    blocked {
        INSERT = both "blocked/insert";
        UPDATE = each "blocked/update";
        DELETE = each "blocked/delete";
        LOAD = each "blocked/load";
        FIRST = both "blocked/first";
    }
    /// Items with a run that is not over.
    leased {
        INSERT = both "leased/insert";
        UPDATE = each "leased/update";
        DELETE = each "leased/delete";
        LOAD = each "leased/load";
        LOAD_BY_RUN = each "leased/load_by_run";
        PICK_PENDING = each "leased/pick_pending";
        PICK_OVERDUE = each "leased/pick_overdue";
        PICK_HELD_BY = each "leased/pick_held_by";
        NEXT_MOMENT = both "leased/next_moment";
        BY_WORKER = both "leased/by_worker";
    }
    /// Items that came to their end.
    finished {
        INSERT = both "finished/insert";
        UPDATE = both "finished/update";
        DELETE = each "finished/delete";
        LOAD = each "finished/load";
    }
    /// Dependencies.
    dep {
        INSERT = both "dep/insert";
        ABOVE = each "dep/above";
        BELOW = each "dep/below";
        BELOW_RUNS = both "dep/below_runs";
        LOCK = each "dep/lock";
        ANCESTRY = both "dep/ancestry";
    }
    /// Runs: those that are over, and the lists of all.
    run {
        INSERT = both "run/insert";
        LOAD = both "run/load";
        FIND = both "run/find";
        LIST = both "run/list";
        LIST_OF_WORK_ITEM = both "run/list_of_work_item";
        LIST_OF_PROJECT = both "run/list_of_project";
        LIST_OF_AGENT = both "run/list_of_agent";
        LIST_OF_FEW = both "run/list_of_few";
        LAST_OF_AGENTS = both "run/last_of_agents";
        OUTCOMES_OF_AGENT = both "run/outcomes_of_agent";
        OUTCOMES_OF_FEW = both "run/outcomes_of_few";
        LIST_LIVE = both "run/list_live";
        LIST_ENDED = both "run/list_ended";
        LIST_ENDED_BADLY = both "run/list_ended_badly";
        LIST_ENDED_OF_PROJECT = both "run/list_ended_of_project";
        LIST_BAD_OF_AGENT = both "run/list_bad_of_agent";
        COUNT = both "run/count";
        COUNT_OF_WORK_ITEM = both "run/count_of_work_item";
        COUNT_OF_PROJECT = both "run/count_of_project";
        COUNT_OF_AGENT = both "run/count_of_agent";
        COUNT_LIVE = both "run/count_live";
        COUNT_ENDED = both "run/count_ended";
        COUNT_ENDED_OF_PROJECT = both "run/count_ended_of_project";
    }
    /// Approvals.
    approval {
        INSERT = both "approval/insert";
        DECIDE = both "approval/decide";
        LOAD = each "approval/load";
        LOAD_OF = each "approval/load_of";
        FIND = both "approval/find";
        LIST = both "approval/list";
        LIST_PENDING = both "approval/list_pending";
        LIST_OF_WORK_ITEM = both "approval/list_of_work_item";
    }
    /// Facts.
    event_chunk {
        LOCK = each "event_chunk/lock";
        INSERT = each "event_chunk/insert";
        LIST = both "event_chunk/list";
        LIST_OF_RUN = each "event_chunk/list_of_run";
        LIST_OF_PROJECT = each "event_chunk/list_of_project";
        NEWEST = both "event_chunk/newest";
    }
    /// Where projects have events.
    event_stretch {
        INSERT = both "event_stretch/insert";
    }
    /// Log lines.
    log_chunk {
        INSERT = both "log_chunk/insert";
        ENDS = both "log_chunk/ends";
        LIST = both "log_chunk/list";
    }
    /// What runs left.
    artifact {
        INSERT = both "artifact/insert";
        REPLACE = both "artifact/replace";
        LOAD = each "artifact/load";
        TOTALS = both "artifact/totals";
        FIND = both "artifact/find";
        LIST = both "artifact/list";
    }
    /// What is in it.
    artifact_chunk {
        INSERT = both "artifact_chunk/insert";
        DELETE = each "artifact_chunk/delete";
        FIND = both "artifact_chunk/find";
    }
    /// Who wanted what.
    audit {
        INSERT = both "audit/insert";
        LIST = both "audit/list";
        LIST_OF_THING = both "audit/list_of_thing";
        LIST_OF_COLLECTION = both "audit/list_of_collection";
        LIST_OF_PRINCIPAL = both "audit/list_of_principal";
        LIST_OF_OPERATION = both "audit/list_of_operation";
        LIST_NOT_DONE = both "audit/list_not_done";
        LIST_FROM = both "audit/list_from";
        COUNT = both "audit/count";
    }
    /// The end of its chain.
    audit_head {
        FIND = both "audit_head/find";
        LOAD = each "audit_head/load";
        MOVE = both "audit_head/move";
    }
    /// What projects used.
    usage {
        ADD = both "usage/add";
        LOAD = both "usage/load";
        LIST = both "usage/list";
        ACTIVE = both "usage/active";
    }
    /// Documents.
    document {
        PUT = both "document/put";
        DELETE = each "document/delete";
        LOAD = each "document/load";
        LOAD_OF = each "document/load_of";
        LOCK = each "document/lock";
        PICK_DUE = each "document/pick_due";
        FIND = both "document/find";
        LIST = both "document/list";
        LIST_OF = both "document/list_of";
        COUNT = both "document/count";
    }
    /// Workers that said something lately.
    worker {
        HEAR = both "worker/hear";
        LIST = both "worker/list";
        DELETE = each "worker/delete";
    }
    /// Kept replies.
    reply {
        INSERT = both "reply/insert";
        LOCK = each "reply/lock";
        LOAD = both "reply/load";
    }
}

#[cfg(test)]
mod tests;
