//! Whether what a recipe may say is what a worker can do.

use crate::damage::damaged;
use crate::look::files::globs_of;
use proptest::prelude::*;
use serde_json::json;
use spalla_domain::recipe;

proptest! {
    #[test]
    fn a_pattern_that_a_recipe_may_have_can_be_searched_for(
        pattern in prop_oneof![
            damaged(&["dist/**", "*.[ch]", "a{b,c}/?.txt", "[!a-z]*", "x\\{y", "**/é/[[:alpha:]]", "{a,{b,c}}"]),
            "[a-c*?\\[\\]{},!\\\\/.-]{1,12}",
        ],
    ) {
        let text = json!({"steps": [{"run": "x", "artifacts": [pattern]}]}).to_string();
        if recipe::parse(&text).is_ok() {
            let globs = globs_of(std::slice::from_ref(&pattern));
            prop_assert!(globs.is_ok(), "{:?} is accepted: {}", pattern, globs.unwrap_err());
        }
    }
}
