//! The table of the house: which crate stands on which level, and what it may and may not use.

/// One crate of the workspace.
pub(crate) struct Room {
    /// The crate's name, which is its folder's name too.
    pub(crate) name: &'static str,
    /// Higher levels use lower ones; never the other way, never sideways.
    pub(crate) level: u8,
    /// The workspace's crates that it may depend on.
    pub(crate) may_use: &'static [&'static str],
    /// Foreign crates that it may not depend on, by family.
    pub(crate) shuns: &'static [Family],
    /// Whether it has no I/O, clock, environment or randomness; the families it shuns are then shunned
    /// through all its dependencies, not only the direct ones.
    pub(crate) is_pure: bool,
}

/// Foreign crates of one kind.
pub(crate) struct Family {
    /// What the crates have in common, as it reads in a finding.
    pub(crate) what: &'static str,
    /// The crates' names.
    pub(crate) crates: &'static [&'static str],
}

const SQL: Family = Family {
    what: "SQL drivers belong to spalla-store",
    crates: &[
        "deadpool-postgres",
        "diesel",
        "libsqlite3-sys",
        "postgres",
        "refinery",
        "rusqlite",
        "rusqlite_migration",
        "sea-orm",
        "sqlx",
        "tokio-postgres",
    ],
};

const WEB: Family = Family {
    what: "the web framework belongs to spalla-server",
    crates: &["axum", "axum-core", "axum-extra", "utoipa-axum", "utoipa-swagger-ui"],
};

const HTTP: Family = Family {
    what: "this crate speaks no HTTP",
    crates: &["h2", "hyper", "hyper-util", "reqwest", "tower-http", "ureq"],
};

const ASYNC: Family = Family {
    what: "a pure crate has no runtime",
    crates: &["async-std", "mio", "smol", "tokio", "tokio-util"],
};

const SYSTEM: Family = Family {
    what: "a pure crate does not reach the operating system",
    crates: &[
        "etcetera",
        "figment",
        "ignore",
        "nix",
        "notify",
        "rustix",
        "signal-hook",
        "socket2",
        "tempfile",
        "walkdir",
    ],
};

const CHANCE: Family = Family {
    what: "a pure crate takes randomness as an argument",
    crates: &["fastrand", "getrandom", "rand"],
};

/// Crates that keep what is impure about them to themselves; a pure crate may be built with them.
pub(crate) const SEALED: &[&str] = &[
    // It seeds its maps, as the standard library does; nobody who uses one is given a number.
    "ahash",
];

/// Crates that stand in for the world outside in tests. The tests of every crate may use them, wherever it stands: they
/// use none of ours, so that no arrow leads back.
pub(crate) const DOUBLES: &[&str] = &["spalla-fake-model"];

/// Every crate of the workspace, from the lowest level up.
pub(crate) const ROOMS: &[Room] = &[
    Room {
        name: "spalla-domain",
        level: 0,
        may_use: &[],
        shuns: &[SQL, WEB, HTTP, ASYNC, SYSTEM, CHANCE],
        is_pure: true,
    },
    Room {
        name: "spalla-crash",
        level: 0,
        may_use: &[],
        shuns: &[SQL, WEB, HTTP, ASYNC, CHANCE],
        is_pure: false,
    },
    Room {
        name: "spalla-policy",
        level: 0,
        may_use: &[],
        shuns: &[SQL, WEB, HTTP, ASYNC, SYSTEM, CHANCE],
        is_pure: true,
    },
    Room {
        name: "spalla-embedding",
        level: 0,
        may_use: &[],
        shuns: &[SQL, WEB, HTTP, ASYNC, SYSTEM, CHANCE],
        is_pure: true,
    },
    Room {
        name: "spalla-adapter",
        level: 1,
        may_use: &["spalla-domain"],
        shuns: &[SQL, WEB, HTTP, ASYNC, SYSTEM, CHANCE],
        is_pure: true,
    },
    Room {
        name: "spalla-sandbox",
        level: 1,
        may_use: &["spalla-crash", "spalla-domain"],
        shuns: &[SQL, WEB],
        is_pure: false,
    },
    Room {
        name: "spalla-store",
        level: 1,
        may_use: &["spalla-crash", "spalla-domain"],
        shuns: &[WEB],
        is_pure: false,
    },
    Room {
        name: "spalla-scratchpad",
        level: 1,
        may_use: &["spalla-crash", "spalla-domain"],
        shuns: &[SQL, WEB, HTTP, ASYNC],
        is_pure: false,
    },
    Room {
        name: "spalla-registry",
        level: 1,
        may_use: &["spalla-crash", "spalla-domain", "spalla-embedding"],
        shuns: &[SQL, WEB, HTTP],
        is_pure: false,
    },
    Room {
        name: "spalla-gateway",
        level: 1,
        may_use: &["spalla-crash", "spalla-domain", "spalla-embedding"],
        shuns: &[SQL, WEB],
        is_pure: false,
    },
    Room {
        name: "spalla-router",
        level: 1,
        may_use: &["spalla-embedding"],
        shuns: &[SQL, WEB, HTTP, ASYNC, SYSTEM, CHANCE],
        is_pure: true,
    },
    Room {
        name: "spalla-engine",
        level: 2,
        may_use: &["spalla-domain", "spalla-store", "spalla-registry", "spalla-gateway"],
        shuns: &[SQL, WEB],
        is_pure: false,
    },
    Room {
        name: "spalla-worker",
        level: 2,
        may_use: &[
            "spalla-adapter",
            "spalla-crash",
            "spalla-domain",
            "spalla-policy",
            "spalla-gateway",
            "spalla-sandbox",
            "spalla-scratchpad",
        ],
        shuns: &[SQL, WEB],
        is_pure: false,
    },
    Room {
        name: "spalla-server",
        level: 3,
        may_use: &[
            "spalla-crash",
            "spalla-domain",
            "spalla-scratchpad",
            "spalla-store",
            "spalla-registry",
            "spalla-router",
            "spalla-gateway",
            "spalla-engine",
        ],
        shuns: &[SQL],
        is_pure: false,
    },
    Room {
        name: "spalla",
        level: 4,
        may_use: &[
            "spalla-adapter",
            "spalla-crash",
            "spalla-domain",
            "spalla-policy",
            "spalla-embedding",
            "spalla-router",
            "spalla-sandbox",
            "spalla-scratchpad",
            "spalla-store",
            "spalla-registry",
            "spalla-gateway",
            "spalla-engine",
            "spalla-worker",
            "spalla-server",
        ],
        shuns: &[SQL, WEB],
        is_pure: false,
    },
    Room {
        name: "spalla-proof",
        level: 5,
        may_use: &[
            "spalla-crash",
            "spalla-domain",
            "spalla-policy",
            "spalla-embedding",
            "spalla-sandbox",
            "spalla-store",
            "spalla-registry",
            "spalla-gateway",
            "spalla-engine",
            "spalla-worker",
            "spalla-server",
            "spalla",
            "spalla-fake-model",
        ],
        shuns: &[SQL, WEB],
        is_pure: false,
    },
    Room { name: "spalla-fake-model", level: 5, may_use: &[], shuns: &[SQL, WEB], is_pure: false },
    Room { name: "xtask", level: 5, may_use: &[], shuns: &[SQL, WEB], is_pure: false },
];

/// Returns the row of a crate.
pub(crate) fn room_of(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

#[cfg(test)]
mod tests {
    use super::{DOUBLES, ROOMS, room_of};

    #[test]
    fn every_arrow_of_the_table_leads_to_a_lower_level() {
        for room in ROOMS {
            for used in room.may_use {
                let lower = room_of(used).expect("a crate of the table").level < room.level;
                assert!(lower || DOUBLES.contains(used), "{} → {used}", room.name);
            }
        }
    }

    #[test]
    fn a_double_uses_none_of_ours_and_only_the_proof_uses_it_outside_of_tests() {
        for double in DOUBLES {
            assert!(room_of(double).expect("a crate of the table").may_use.is_empty(), "{double}");
            let users = ROOMS.iter().filter(|room| room.may_use.contains(double)).map(|room| room.name);
            assert_eq!(users.collect::<Vec<_>>(), ["spalla-proof"]);
        }
    }
}
