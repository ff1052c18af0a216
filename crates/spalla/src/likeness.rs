//! "Did you mean": which of the names there are is most like the one that was typed.

/// How alike two names have to be, from 0 to 1, for one to be offered for the other.
const LIKENESS_MIN: f64 = 0.8;

/// Returns the name that is most like another, where one is like it at all.
pub(crate) fn nearest<'a>(typed: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let measured = names.into_iter().map(|name| (strsim::jaro_winkler(name, typed), name));
    let best = measured.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (best.0 >= LIKENESS_MIN).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn only_a_name_that_is_like_it_is_offered() {
        let names = ["up", "agent", "demo-aws"];
        assert_eq!(nearest("agnet", names), Some("agent"));
        assert_eq!(nearest("demo-asw", names), Some("demo-aws"));
        assert_eq!((nearest("zzz", names), nearest("up", [])), (None, None));
    }
}
