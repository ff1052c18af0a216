//! Resource pools: what an agent or a worker has, what of it is reserved, and whether a wish fits. Reserved with the
//! claim, released with the lease.

use crate::Refusal;
use crate::problem::Code;
use crate::work_item::WORD_CHARS_MAX;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most custom resources of one pool or wish.
pub const CUSTOM_MAX: usize = 64;

/// Amounts of resources: what is wished for or reserved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amounts {
    /// Cores, in thousandths.
    #[serde(default)]
    pub cpu_milli: u64,
    /// Memory, in megabytes.
    #[serde(default)]
    pub memory_mb: u64,
    /// Network, in whatever unit the pool counts.
    #[serde(default)]
    pub network: u64,
    /// Storage, in megabytes.
    #[serde(default)]
    pub storage_mb: u64,
    /// Others by their names, such as `gpu`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, u64>,
}

/// What a pool has in all. A built-in resource that it does not name is not counted; a custom one that it does not
/// name is not there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// Cores, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_milli: Option<u64>,
    /// Memory, in megabytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mb: Option<u64>,
    /// Network, in whatever unit the pool counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<u64>,
    /// Storage, in megabytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_mb: Option<u64>,
    /// Others by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom: BTreeMap<String, u64>,
}

/// What is missing for a wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{resource}: {wanted} wanted, {there} there")]
pub struct Short {
    /// The resource.
    pub resource: String,
    /// How much is wished for.
    pub wanted: u64,
    /// How much there is.
    pub there: u64,
}

impl Amounts {
    /// Checks the names of custom resources.
    pub fn check(&self) -> Result<(), Refusal> {
        check_names(&self.custom)
    }

    /// Returns every resource of which something is wished for.
    fn each(&self) -> impl Iterator<Item = (&str, u64)> {
        let builtin = [
            ("cpu", self.cpu_milli),
            ("memory_mb", self.memory_mb),
            ("network", self.network),
            ("storage_mb", self.storage_mb),
        ];
        let custom = self.custom.iter().map(|(name, amount)| (name.as_str(), *amount));
        builtin.into_iter().chain(custom).filter(|(_, amount)| *amount > 0)
    }

    fn of(&self, resource: &str) -> u64 {
        match resource {
            "cpu" => self.cpu_milli,
            "memory_mb" => self.memory_mb,
            "network" => self.network,
            "storage_mb" => self.storage_mb,
            custom => self.custom.get(custom).copied().unwrap_or(0),
        }
    }

    fn set(&mut self, resource: &str, amount: u64) {
        match resource {
            "cpu" => self.cpu_milli = amount,
            "memory_mb" => self.memory_mb = amount,
            "network" => self.network = amount,
            "storage_mb" => self.storage_mb = amount,
            custom if amount == 0 => {
                self.custom.remove(custom);
            }
            custom => {
                self.custom.insert(custom.to_owned(), amount);
            }
        }
    }
}

impl Capacity {
    /// Checks the names of custom resources.
    pub fn check(&self) -> Result<(), Refusal> {
        check_names(&self.custom)
    }

    fn of(&self, resource: &str) -> Option<u64> {
        match resource {
            "cpu" => self.cpu_milli,
            "memory_mb" => self.memory_mb,
            "network" => self.network,
            "storage_mb" => self.storage_mb,
            custom => Some(self.custom.get(custom).copied().unwrap_or(0)),
        }
    }

    /// Tells whether a wish fits once nothing is reserved.
    fn holds(&self, wish: &Amounts) -> Result<(), Short> {
        self.holds_with(wish, &Amounts::default())
    }

    fn holds_with(&self, wish: &Amounts, reserved: &Amounts) -> Result<(), Short> {
        for (resource, wanted) in wish.each() {
            let Some(capacity) = self.of(resource) else { continue };
            let there = capacity.saturating_sub(reserved.of(resource));
            if wanted > there {
                return Err(Short { resource: resource.to_owned(), wanted, there });
            }
        }
        Ok(())
    }
}

/// Names that a custom resource can't have: they are built in.
const BUILT_IN: [&str; 5] = ["cpu", "cpu_milli", "memory_mb", "network", "storage_mb"];

fn check_names(custom: &BTreeMap<String, u64>) -> Result<(), Refusal> {
    let invalid = |detail| Err(Refusal::new(Code::Invalid, detail));
    if custom.len() > CUSTOM_MAX {
        return invalid(format!("{} custom resources; at most {CUSTOM_MAX} are counted", custom.len()));
    }
    for name in custom.keys() {
        let fits = (1..=WORD_CHARS_MAX).contains(&name.trim().chars().count())
            && !name.chars().any(char::is_control);
        if !fits || BUILT_IN.contains(&name.as_str()) {
            return invalid(format!(
                "{name:?} is no name of a custom resource: it has 1 to {WORD_CHARS_MAX} characters and is none of {}",
                BUILT_IN.join(", ")
            ));
        }
    }
    Ok(())
}

/// What somebody has, and what of it is reserved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Pool {
    /// What there is in all.
    pub capacity: Capacity,
    /// What is reserved.
    #[serde(default)]
    pub reserved: Amounts,
}

impl Pool {
    /// Makes a pool of which nothing is reserved.
    pub fn new(capacity: Capacity) -> Self {
        Self { capacity, reserved: Amounts::default() }
    }

    /// Tells whether a wish fits beside what is reserved; else what is missing first.
    pub fn fits(&self, wish: &Amounts) -> Result<(), Short> {
        self.capacity.holds_with(wish, &self.reserved)
    }

    /// Reserves all of a wish, or nothing of it.
    pub fn reserve(&mut self, wish: &Amounts) -> Result<(), Short> {
        self.fits(wish)?;
        for (resource, wanted) in wish.each() {
            let reserved = self.reserved.of(resource).saturating_add(wanted);
            self.reserved.set(resource, reserved);
        }
        Ok(())
    }

    /// Gives back what was reserved for a wish. What was never reserved is not given back twice: nothing goes below
    /// zero.
    pub fn release(&mut self, wish: &Amounts) {
        for (resource, wanted) in wish.each() {
            let reserved = self.reserved.of(resource).saturating_sub(wanted);
            self.reserved.set(resource, reserved);
        }
    }
}

/// Refuses a wish that none of the pools could ever hold, by the resource that comes nearest. Without any pool nothing
/// is known, and nothing is refused: a worker may come.
pub fn can_ever_fit<'a>(
    pools: impl IntoIterator<Item = &'a Capacity>,
    wish: &Amounts,
) -> Result<(), Refusal> {
    let mut nearest: Option<Short> = None;
    for capacity in pools {
        match capacity.holds(wish) {
            Ok(()) => return Ok(()),
            Err(short)
                if nearest
                    .as_ref()
                    .is_none_or(|best| short.wanted - short.there < best.wanted - best.there) =>
            {
                nearest = Some(short);
            }
            Err(_) => {}
        }
    }
    match nearest {
        None => Ok(()),
        Some(short) => {
            let Short { resource, wanted, there } = short;
            let unit = if resource == "cpu" { " thousandths" } else { "" };
            Err(Refusal::new(
                Code::InsufficientResources,
                format!(
                    "{wanted}{unit} of {resource} are wanted, and there are never more than {there}{unit}"
                ),
            )
            .mend(format!("ask for less {resource}, or start a worker that has more")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gpu(count: u64) -> BTreeMap<String, u64> {
        BTreeMap::from([("gpu".to_owned(), count)])
    }

    fn small() -> Capacity {
        Capacity { cpu_milli: Some(2_000), memory_mb: Some(512), ..Capacity::default() }
    }

    #[test]
    fn what_is_missing_first_is_named() {
        let mut pool = Pool::new(small());
        pool.reserve(&Amounts { cpu_milli: 1_500, ..Amounts::default() }).unwrap();
        let short =
            pool.reserve(&Amounts { cpu_milli: 501, memory_mb: 1, ..Amounts::default() }).unwrap_err();
        assert_eq!(short, Short { resource: "cpu".into(), wanted: 501, there: 500 });
        assert_eq!(pool.reserved, Amounts { cpu_milli: 1_500, ..Amounts::default() });
    }

    #[test]
    fn what_a_pool_does_not_name_is_free_if_built_in_and_absent_if_custom() {
        let pool = Pool::new(small());
        assert_eq!(pool.fits(&Amounts { storage_mb: u64::MAX, network: 9, ..Amounts::default() }), Ok(()));
        assert_eq!(pool.fits(&Amounts { custom: gpu(0), ..Amounts::default() }), Ok(()));
        assert!(pool.fits(&Amounts { custom: gpu(1), ..Amounts::default() }).is_err());
    }

    #[test]
    fn what_can_never_fit_is_refused_by_its_resource() {
        let wish = Amounts { memory_mb: 600, ..Amounts::default() };
        let refusal =
            can_ever_fit([&small(), &Capacity { memory_mb: Some(8), ..small() }], &wish).unwrap_err();
        assert_eq!(refusal.code, Code::InsufficientResources);
        assert_eq!(refusal.detail, "600 of memory_mb are wanted, and there are never more than 512");
        let large = Capacity { memory_mb: Some(4_096), ..small() };
        assert_eq!(can_ever_fit([&small(), &large], &wish), Ok(()));
        assert_eq!(can_ever_fit([], &wish), Ok(()));
    }

    #[test]
    fn a_custom_resource_has_a_name_of_its_own() {
        let named =
            |name: &str| Amounts { custom: BTreeMap::from([(name.to_owned(), 1)]), ..Amounts::default() };
        assert_eq!(named("gpu").check(), Ok(()));
        for bad in ["", " ", "cpu", "a\nb", &"x".repeat(101)] {
            assert!(named(bad).check().is_err(), "{bad:?}");
        }
        assert!(serde_json::from_str::<Amounts>(r#"{"disk": 1}"#).is_err());
    }

    fn any_wish() -> impl Strategy<Value = Amounts> {
        (0..5_u64, 0..5_u64, 0..5_u64, 0..5_u64, proptest::option::of(0..5_u64)).prop_map(
            |(cpu, mem, net, disk, gpus)| {
                let custom = gpus.map(gpu).unwrap_or_default();
                Amounts { cpu_milli: cpu, memory_mb: mem, network: net, storage_mb: disk, custom }
            },
        )
    }

    fn any_capacity() -> impl Strategy<Value = Capacity> {
        let amount = || proptest::option::of(0..12_u64);
        (amount(), amount(), amount(), amount(), 0..12_u64).prop_map(|(cpu, mem, net, disk, gpus)| Capacity {
            cpu_milli: cpu,
            memory_mb: mem,
            network: net,
            storage_mb: disk,
            custom: gpu(gpus),
        })
    }

    proptest! {
        #[test]
        fn nothing_is_reserved_beyond_what_there_is_and_releases_undo_reservations(
            capacity in any_capacity(),
            script in proptest::collection::vec((any_wish(), any::<bool>()), 0..30),
        ) {
            let mut pool = Pool::new(capacity);
            let mut held: Vec<Amounts> = Vec::new();
            for (wish, releases) in script {
                let before = pool.clone();
                if releases && let Some(wish) = held.pop() {
                    pool.release(&wish);
                } else if pool.reserve(&wish).is_ok() {
                    prop_assert_eq!(can_ever_fit([&pool.capacity], &wish), Ok(()));
                    let mut undone = pool.clone();
                    undone.release(&wish);
                    prop_assert_eq!(undone, before);
                    held.push(wish);
                } else {
                    prop_assert_eq!(&pool, &before);
                }
                for resource in ["cpu", "memory_mb", "network", "storage_mb", "gpu"] {
                    let sum: u64 = held.iter().map(|wish| wish.of(resource)).sum();
                    prop_assert_eq!(pool.reserved.of(resource), sum);
                    prop_assert!(pool.capacity.of(resource).is_none_or(|capacity| sum <= capacity));
                }
            }
            while let Some(wish) = held.pop() {
                pool.release(&wish);
            }
            prop_assert_eq!(pool.reserved, Amounts::default());
        }

        #[test]
        fn releasing_what_was_never_reserved_leaves_nothing_below_zero(capacity in any_capacity(), wish in any_wish()) {
            let mut pool = Pool::new(capacity);
            pool.release(&wish);
            prop_assert_eq!(pool.reserved, Amounts::default());
        }
    }
}
