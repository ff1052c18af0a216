//! `spalla secrets`: the keys that answers to info requests are encrypted with.

use super::block_on_all_cores;
use crate::app::open_store;
use crate::cli::Global;
use crate::clock::{SystemClock, SystemRandomness};
use crate::config::Settings;
use crate::data_folder::DataFolder;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output;
use crate::secret_key;
use clap::{Args, Subcommand};
use serde_json::json;
use spalla_domain::fernet::KeyRing;
use spalla_server::{Rotated, Vault};
use spalla_store::command::Sealed;
use std::sync::Arc;

/// What can be done with the keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Makes a new key, encrypts everything with it, and forgets the older ones; no server may run meanwhile
    Rotate(Rotate),
}

/// A rotation.
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Prints what was done as JSON
    #[arg(long)]
    json: bool,
}

/// What helps where a rotation was cut short.
const MEND: &str = "mend that and call it again: until then all keys are kept, and nothing is unreadable";

impl Secrets {
    pub(crate) fn run(self, global: &Global) -> Result<Exit> {
        let Self::Rotate(args) = self;
        let settings = global.config(Vec::new())?.settings;
        let folder = DataFolder::at(&settings.data).own()?;
        let wanted = secret_key::Wanted::of(&settings);
        let (ring, rotation) = secret_key::renewed(&folder, wanted)?;
        let rotated = block_on_all_cores(rotate(&settings, ring))?;
        if rotated.unreadable.is_empty() {
            secret_key::forget_older(&folder, wanted, &rotation)?;
        }
        tell(&rotated, args.json)
    }
}

async fn rotate(settings: &Settings, ring: KeyRing) -> Result<Rotated> {
    let store = open_store(settings).await?;
    let vault = Vault::new(ring, store.clone(), Arc::new(SystemClock), Arc::new(SystemRandomness));
    let rotated = vault.rotate().await;
    store.close().await;
    rotated.map_err(|error| Failure::failed(format!("encrypting anew: {error}")).mend(MEND))
}

fn tell(rotated: &Rotated, as_json: bool) -> Result<Exit> {
    let Rotated { key_id, resealed, unreadable } = rotated;
    let unreadable: Vec<String> = unreadable.iter().map(named).collect();
    if as_json {
        output::json(&json!({"key_id": key_id, "resealed": resealed, "unreadable": unreadable}))?;
    } else {
        output::line(format_args!("{resealed} secrets are encrypted with the new key {key_id}"))?;
    }
    if unreadable.is_empty() {
        return Ok(Exit::Done);
    }
    let detail = format!("no key opens {}", unreadable.join(", "));
    Err(Failure::failed(detail)
        .mend("add the key they need to ORCH_SECRET_KEY or secret.key; all keys are kept"))
}

fn named(sealed: &Sealed) -> String {
    match sealed {
        Sealed::Answer(id) => format!("the answer to info request {id}"),
        Sealed::Webhook(id) => format!("what webhook {id} signs with"),
    }
}
