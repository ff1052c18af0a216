//! How many streams the server bears: altogether, and of one client.

use crate::auth::Client;
use crate::problem::Problem;
use axum::http::StatusCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many streams there may be: each costs a connection and its buffers, some 64 KiB.
const ALL_MAX: usize = 1_000;
/// How many of them one client may have: every page that a person has open, many times over.
const CLIENT_MAX: usize = 64;
/// How long a client waits that found no place, in seconds.
const RETRY_AFTER_SECONDS: u32 = 5;

/// The places; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_client: HashMap<Client, usize>,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    client: Client,
}

impl Places {
    /// Takes a place for a client.
    pub(crate) fn take(&self, client: Client) -> Result<Place, Problem> {
        let mut taken = self.lock();
        if taken.all >= ALL_MAX {
            return Err(crowded(StatusCode::SERVICE_UNAVAILABLE, "the server serves", ALL_MAX));
        }
        let own = taken.by_client.entry(client).or_default();
        if *own >= CLIENT_MAX {
            return Err(crowded(StatusCode::TOO_MANY_REQUESTS, "this client has", CLIENT_MAX));
        }
        *own += 1;
        taken.all += 1;
        Ok(Place { places: self.clone(), client })
    }

    /// Returns how many places are taken.
    pub(crate) fn taken(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.all -= 1;
        if let Some(own) = taken.by_client.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

fn crowded(status: StatusCode, whose: &str, max: usize) -> Problem {
    Problem::new(status, "too_many_streams", format!("{whose} {max} streams already"))
        .mend("close a stream that nobody reads, or try again later")
        .retry_after(RETRY_AFTER_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> Client {
        Client::Address([10, 0, 0, u8::try_from(number).unwrap()].into())
    }

    #[test]
    fn one_client_has_its_bound_and_all_together_have_theirs() {
        let places = Places::default();
        let mut held: Vec<Place> = (0..CLIENT_MAX).map(|_| places.take(client(0)).unwrap()).collect();
        assert_eq!(places.take(client(0)).unwrap_err().status().as_u16(), 429);
        held.extend((CLIENT_MAX..ALL_MAX).map(|n| places.take(client(1 + n % 200)).unwrap()));
        assert_eq!(places.take(client(250)).unwrap_err().status().as_u16(), 503);
        held.truncate(CLIENT_MAX - 1);
        assert_eq!(places.taken(), CLIENT_MAX - 1);
        places.take(client(0)).unwrap();
        drop(held);
        assert_eq!((places.taken(), places.lock().by_client.len()), (0, 0));
    }
}
