//! What amounts read as, what fits into pools, and that nothing is reserved beyond what there is.

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
    let short = pool.reserve(&Amounts { cpu_milli: 501, memory_mb: 1, ..Amounts::default() }).unwrap_err();
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
    let refusal = can_ever_fit([&small(), &Capacity { memory_mb: Some(8), ..small() }], &wish).unwrap_err();
    assert_eq!(refusal.code, Code::InsufficientResources);
    assert_eq!(refusal.detail, "600 of memory_mb are wanted, and there are never more than 512");
    let large = Capacity { memory_mb: Some(4_096), ..small() };
    assert_eq!(can_ever_fit([&small(), &large], &wish), Ok(()));
    assert_eq!(can_ever_fit([], &wish), Ok(()));
}

#[test]
fn amounts_are_read_by_their_names_and_shown_again() {
    let named =
        |pairs: &[(&str, f64)]| pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<Named>();
    let wish = named(&[("cpu", 1.5), ("memory_mb", 512.0), ("gpu", 1.0)]);
    let amounts = Amounts::from_named(wish.clone()).unwrap();
    assert_eq!((amounts.cpu_milli, amounts.memory_mb, &amounts.custom), (1_500, 512, &gpu(1)));
    assert_eq!(amounts.named(), wish);
    let capacity = Capacity::parse("cpu=1.5, memory_mb=512 gpu=1").unwrap().unwrap();
    assert_eq!(capacity.named(), wish);
    assert_eq!(Capacity::parse(" ").unwrap(), None);
    for bad in [("cpu", -1.0), ("memory_mb", 0.5), ("gpu", f64::NAN), ("network", 1e300), ("a\nb", 1.0)] {
        assert!(Amounts::from_named(named(&[bad])).is_err(), "{bad:?}");
        assert!(Capacity::from_named(named(&[bad])).is_err(), "{bad:?}");
    }
    for bad in ["cpu", "cpu=x", "=1", "cpu_milli=3"] {
        assert!(Capacity::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn an_agent_without_a_pool_shares_that_of_others() {
    let wish = Amounts { memory_mb: 600, ..Amounts::default() };
    let own = ("big".to_owned(), Capacity { memory_mb: Some(1_024), ..Capacity::default() });
    let pools = Pools(BTreeMap::from([own.clone(), (Pools::OF_OTHERS.to_owned(), small())]));
    assert_eq!(pools.of(Some("big")).map(|(name, _)| name), Some("big"));
    assert_eq!(pools.of(Some("other")).map(|(name, _)| name), Some("*"));
    assert_eq!(pools.check(Some("big"), &wish), Ok(()));
    for agent in [Some("other"), None] {
        assert_eq!(pools.check(agent, &wish).unwrap_err().code, Code::InsufficientResources);
    }
    assert_eq!(Pools(BTreeMap::from([own])).check(None, &wish), Ok(()), "nothing is known of others");
}

#[test]
fn a_custom_resource_has_a_name_of_its_own() {
    let named = |name: &str| Amounts { custom: BTreeMap::from([(name.to_owned(), 1)]), ..Amounts::default() };
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
            let fit = pool.fit_at_most(&wish, 3);
            prop_assert_eq!(fit > 0, pool.fits(&wish).is_ok());
            let mut full = pool.clone();
            for _ in 0..fit {
                prop_assert!(full.reserve(&wish).is_ok());
            }
            prop_assert!(fit == 3 || full.reserve(&wish).is_err());
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
