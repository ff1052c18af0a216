//! How far agents are trusted by their records, before a session has a server: read from the one that works on the data folder, or
//! else from its database. Nobody waits for it: where nothing can be read, all count alike.

use crate::app::open_store;
use crate::client::{Client, locate};
use crate::config::Settings;
use crate::control::{Control, trust_in};
use crate::data_folder::DataFolder;
use crate::failure::Result;
use std::collections::BTreeMap;

/// Returns how far agents are trusted, from 0 to 1; those of whom nothing is known are left out.
pub(crate) async fn trusted(settings: &Settings) -> BTreeMap<String, f64> {
    let read = read(settings).await;
    read.unwrap_or_else(|failure| {
        tracing::warn!("the records of agents can't be read, all count alike: {failure}");
        BTreeMap::new()
    })
}

async fn read(settings: &Settings) -> Result<BTreeMap<String, f64>> {
    let folder = DataFolder::at(&settings.data);
    // A session that comes to nothing leaves no data folder behind.
    if !folder.was_used() {
        return Ok(BTreeMap::new());
    }
    if folder.server().is_some() {
        let own = Settings { url: String::new(), token: String::new(), ..settings.clone() };
        if let Ok(trust) = Control::Remote(Client::new(locate(&own, None)?)?).trust().await {
            return Ok(trust);
        }
    }
    let _owned = folder.own()?;
    let store = open_store(settings).await?;
    trust_in(store.read()).await
}
