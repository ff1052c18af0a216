//! The databases that a server may use, for tests that have to hold on each.

use crate::postgres_fixture::Cluster;

/// Where a server under test keeps its rows.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// The file in its data folder.
    Sqlite,
    /// A fresh database of a real Postgres, by its URL.
    Postgres(String),
}

impl Database {
    /// Makes a fresh database in the server that all tests share.
    pub(crate) fn postgres() -> Self {
        Self::Postgres(Cluster::shared().create_database())
    }

    /// Returns the flags that make a server use it.
    pub(crate) fn flags(&self) -> Vec<String> {
        match self {
            Self::Sqlite => Vec::new(),
            Self::Postgres(url) => vec!["--database".into(), url.clone()],
        }
    }
}

/// Makes of one async function two tests, one for each database.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $test() { super::$test(crate::databases::Database::Sqlite).await; })+
        }
        mod postgres {
            $(#[tokio::test] async fn $test() { super::$test(crate::databases::Database::postgres()).await; })+
        }
    };
}
pub(crate) use on_both;
