//! The resource pools of the settings: a list of tables, each an agent with what its runs may need together.

use figment::value::Value;
use serde::Deserialize;
use spalla_domain::resources::{Capacity, Named, Pools};

/// How many pools there may be.
const POOLS_MAX: usize = 1_000;

/// One pool as it is written.
#[derive(Debug, Deserialize)]
struct Written {
    agent: String,
    #[serde(flatten)]
    amounts: Named,
}

/// Reads the list; the error says which pool is wrong, and why.
pub(crate) fn read(value: &Value) -> Result<Pools, String> {
    let values = value.as_array().ok_or("it must be a list of pools")?;
    if values.len() > POOLS_MAX {
        return Err(format!("it must have {POOLS_MAX} pools at most"));
    }
    let mut pools = Pools::default();
    for (place, value) in values.iter().enumerate() {
        let wrong = |why: String| format!("pool {} is wrong: {why}", place + 1);
        let written: Written = value.deserialize().map_err(|error| wrong(error.to_string()))?;
        let capacity = Capacity::from_named(written.amounts).map_err(|refusal| wrong(refusal.detail))?;
        if pools.0.insert(written.agent.clone(), capacity).is_some() {
            return Err(wrong(format!("there is another one of {:?}", written.agent)));
        }
    }
    Ok(pools)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(list: serde_json::Value) -> Result<Pools, String> {
        read(&Value::serialize(list).unwrap())
    }

    #[test]
    fn a_pool_names_its_agent_and_its_amounts() {
        let pools =
            of(json!([{"agent": "surveyor", "cpu": 1.5, "gpu": 2}, {"agent": "*", "memory_mb": 512}]))
                .unwrap();
        let capacity = &pools.0["surveyor"];
        assert_eq!((capacity.cpu_milli, capacity.custom["gpu"]), (Some(1_500), 2));
        assert_eq!(pools.0["*"].memory_mb, Some(512));
        assert_eq!(of(json!([])).unwrap(), Pools::default());
    }

    #[test]
    fn a_pool_that_says_something_else_is_named() {
        let twice = json!([{"agent": "a"}, {"agent": "a"}]);
        for wrong in [json!({}), json!([{"cpu": 1}]), json!([{"agent": "a", "cpu": -1}]), twice] {
            assert!(of(wrong.clone()).is_err(), "{wrong}");
        }
    }
}
