//! The aliases of the settings: tables `[alias.NAME]`, each an agent's id with what is said otherwise.

use figment::value::Value;
use serde::Deserialize;
use spalla_domain::alias::{ALIASES_MAX, OVERRIDES_BYTES_MAX};
use spalla_registry::alias::Alias;
use spalla_registry::id::is_id;
use std::collections::BTreeMap;

/// One alias as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    #[serde(default)]
    overrides: serde_json::Value,
}

/// Reads the tables; the error says which alias is wrong, and why. Whether what is said otherwise fits is known when the agent is.
pub(crate) fn read(value: &Value) -> Result<BTreeMap<String, Alias>, String> {
    let tables = value.as_dict().ok_or("it must be a table of aliases, such as [alias.careful]")?;
    if tables.len() > ALIASES_MAX {
        return Err(format!("it must have {ALIASES_MAX} aliases at most"));
    }
    let mut aliases = BTreeMap::new();
    for (name, value) in tables {
        let wrong = |why: String| format!("the alias {name:?} is wrong: {why}");
        if !is_id(name) {
            return Err(wrong("a name has small letters, digits, and -, _ and . between them".into()));
        }
        let Written { id, overrides } = value
            .deserialize()
            .map_err(|error| wrong(error.to_string().lines().collect::<Vec<_>>().join(" ")))?;
        if !(overrides.is_object() || overrides.is_null()) {
            return Err(wrong("overrides is a table, in the form of a definition".into()));
        }
        if overrides.to_string().len() > OVERRIDES_BYTES_MAX {
            return Err(wrong(format!("overrides has at most {OVERRIDES_BYTES_MAX} bytes")));
        }
        aliases.insert(name.clone(), Alias { id, overrides, domain: None });
    }
    Ok(aliases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(tables: serde_json::Value) -> Result<BTreeMap<String, Alias>, String> {
        read(&Value::serialize(tables).unwrap())
    }

    #[test]
    fn an_alias_names_its_agent_and_what_is_said_otherwise() {
        let aliases = of(json!({"careful": {"id": "reviewer", "overrides": {"runtime": {"autonomy_level": 0.2}}}, "plain": {"id": "a"}})).unwrap();
        assert_eq!(aliases["careful"].overrides["runtime"]["autonomy_level"], 0.2);
        assert_eq!((aliases["plain"].id.as_str(), aliases.len()), ("a", 2));
        assert_eq!(of(json!({})).unwrap().len(), 0);
    }

    #[test]
    fn an_alias_that_says_something_else_is_named() {
        for wrong in [
            json!({"careful": {}}),
            json!({"careful": {"id": "a", "colour": 1}}),
            json!({"careful": {"id": "a", "overrides": [1]}}),
            json!({"No Name": {"id": "a"}}),
        ] {
            assert!(of(wrong.clone()).unwrap_err().contains("is wrong"), "{wrong}");
        }
        assert!(of(json!([])).is_err());
    }
}
