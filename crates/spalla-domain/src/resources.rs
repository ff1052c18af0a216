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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
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

/// Amounts by the names that people write: cores in `cpu`, maybe with a fraction, and whole numbers of all others.
pub type Named = BTreeMap<String, f64>;

/// The largest amount: beyond it a number may stand for its neighbour.
pub const AMOUNT_MAX: f64 = 9_007_199_254_740_991.0;
/// The most cores.
pub const CORES_MAX: f64 = 1e6;

/// Reads one amount; cores become thousandths.
fn counted(name: &str, amount: f64) -> Result<u64, Refusal> {
    let (most, what) = if name == "cpu" { (CORES_MAX, "a number") } else { (AMOUNT_MAX, "a whole number") };
    if !(0.0..=most).contains(&amount) || (name != "cpu" && amount.fract() != 0.0) {
        return Err(Refusal::new(
            Code::Invalid,
            format!("{name} is {amount}; it is {what} from 0 to {most}"),
        ));
    }
    Ok(if name == "cpu" { (amount * 1e3).round() } else { amount } as u64)
}

impl Amounts {
    /// Reads amounts by their names; every name that is not built in is a custom resource.
    pub fn from_named(named: Named) -> Result<Self, Refusal> {
        let mut amounts = Self::default();
        for (name, amount) in named {
            let counted = counted(&name, amount)?;
            amounts.set(&name, counted);
        }
        amounts.check()?;
        Ok(amounts)
    }

    /// Returns the amounts that are not zero by their names.
    pub fn named(&self) -> Named {
        self.each().map(|(name, amount)| (name.to_owned(), written(name, amount))).collect()
    }
}

fn written(name: &str, amount: u64) -> f64 {
    if name == "cpu" { amount as f64 / 1e3 } else { amount as f64 }
}

impl Capacity {
    /// Reads amounts by their names; every name that is not built in is a custom resource.
    pub fn from_named(named: Named) -> Result<Self, Refusal> {
        let mut capacity = Self::default();
        for (name, amount) in named {
            let counted = counted(&name, amount)?;
            match name.as_str() {
                "cpu" => capacity.cpu_milli = Some(counted),
                "memory_mb" => capacity.memory_mb = Some(counted),
                "network" => capacity.network = Some(counted),
                "storage_mb" => capacity.storage_mb = Some(counted),
                _ => {
                    capacity.custom.insert(name, counted);
                }
            }
        }
        capacity.check()?;
        Ok(capacity)
    }

    /// Returns what is counted by its names.
    pub fn named(&self) -> Named {
        let builtin = [
            ("cpu", self.cpu_milli),
            ("memory_mb", self.memory_mb),
            ("network", self.network),
            ("storage_mb", self.storage_mb),
        ];
        let builtin = builtin.into_iter().filter_map(|(name, amount)| Some((name, amount?)));
        let custom = self.custom.iter().map(|(name, amount)| (name.as_str(), *amount));
        builtin.chain(custom).map(|(name, amount)| (name.to_owned(), written(name, amount))).collect()
    }

    /// Reads what a person writes in a line: `cpu=4 memory_mb=8192 gpu=1`. Nothing written means that nothing is counted.
    pub fn parse(text: &str) -> Result<Option<Self>, Refusal> {
        let pair = |pair: &str| {
            let (name, amount) = pair.split_once('=')?;
            Some((name.trim().to_owned(), amount.trim().parse().ok()?))
        };
        let pairs = text.split([' ', ',', '\n']).filter(|pair| !pair.trim().is_empty());
        let named: Option<Named> = pairs.map(pair).collect();
        match named {
            Some(named) if named.is_empty() => Ok(None),
            Some(named) => Self::from_named(named).map(Some),
            None => Err(Refusal::new(
                Code::Invalid,
                format!("{text:?} does not read name=amount, with spaces between"),
            )),
        }
    }
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
    /// Tells whether nothing is wished for.
    pub fn is_nothing(&self) -> bool {
        self.each().next().is_none()
    }

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
        let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
        let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let fits = (1..=WORD_CHARS_MAX).contains(&name.len()) && letters && begins;
        if !fits || BUILT_IN.contains(&name.as_str()) {
            return invalid(format!(
                "{name:?} is no name of a custom resource: it has 1 to {WORD_CHARS_MAX} letters, digits, _, . and -, begins with \
                 a letter, and is none of {}",
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

    /// Returns how many wishes of one kind fit beside what is reserved, up to so many.
    pub fn fit_at_most(&self, wish: &Amounts, most: u32) -> u32 {
        let times = wish.each().filter_map(|(resource, wanted)| {
            let free = self.capacity.of(resource)?.saturating_sub(self.reserved.of(resource));
            Some(u32::try_from(free / wanted).unwrap_or(u32::MAX))
        });
        times.min().unwrap_or(most).min(most)
    }

    /// Reserves all of a wish, or nothing of it.
    pub fn reserve(&mut self, wish: &Amounts) -> Result<(), Short> {
        self.fits(wish)?;
        self.hold(wish);
        Ok(())
    }

    /// Counts a wish as reserved, whether it fits or not: what a run was given before there was less is not taken away.
    pub fn hold(&mut self, wish: &Amounts) {
        for (resource, wanted) in wish.each() {
            let reserved = self.reserved.of(resource).saturating_add(wanted);
            self.reserved.set(resource, reserved);
        }
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

/// The pools that are configured: of agents by their names, and under [`Pools::OF_OTHERS`] one that all others share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pools(pub BTreeMap<String, Capacity>);

impl Pools {
    /// The name of the pool for whatever has none of its own.
    pub const OF_OTHERS: &str = "*";

    /// Returns the pool from which the wishes of an agent's items are taken, with its name.
    pub fn of(&self, agent: Option<&str>) -> Option<(&str, &Capacity)> {
        let own = agent.and_then(|agent| self.0.get_key_value(agent));
        own.or_else(|| self.0.get_key_value(Self::OF_OTHERS))
            .map(|(name, capacity)| (name.as_str(), capacity))
    }

    /// Refuses a wish that the pool in question can never hold.
    pub fn check(&self, agent: Option<&str>, wish: &Amounts) -> Result<(), Refusal> {
        can_ever_fit(self.of(agent).map(|(_, capacity)| capacity), wish)
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
mod tests;
