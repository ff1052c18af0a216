//! The critical path: of items that are made together, those on a longest chain of dependencies. Whatever is late there
//! makes the whole late.

/// Tells of each item whether it is on a longest chain. `after` names, for each, earlier ones that it waits for; where
/// nothing waits for anything there is no path.
pub fn on_longest_chain(after: &[Vec<usize>]) -> Vec<bool> {
    let mut above = vec![1_usize; after.len()];
    for (item, parents) in after.iter().enumerate() {
        above[item] = 1 + earlier(parents, item).map(|parent| above[parent]).max().unwrap_or(0);
    }
    let mut below = vec![1_usize; after.len()];
    for (item, parents) in after.iter().enumerate().rev() {
        for parent in earlier(parents, item) {
            below[parent] = below[parent].max(1 + below[item]);
        }
    }
    let longest = above.iter().copied().max().unwrap_or(0);
    above.iter().zip(&below).map(|(above, below)| longest > 1 && above + below - 1 == longest).collect()
}

fn earlier(parents: &[usize], item: usize) -> impl Iterator<Item = usize> {
    parents.iter().copied().filter(move |parent| *parent < item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_longest_chain_is_the_path_and_what_hangs_beside_it_is_not() {
        // 0 ← 1 ← 3 and 0 ← 2, while 4 stands alone.
        let after = [vec![], vec![0], vec![0], vec![1], vec![]];
        assert_eq!(on_longest_chain(&after), [true, true, false, true, false]);
        let two_as_long = [vec![], vec![0], vec![], vec![2]];
        assert_eq!(on_longest_chain(&two_as_long), [true; 4]);
    }

    #[test]
    fn without_dependencies_there_is_no_path() {
        assert_eq!(on_longest_chain(&[vec![], vec![]]), [false, false]);
        assert_eq!(on_longest_chain(&[]), [false; 0]);
        assert_eq!(on_longest_chain(&[vec![0, 7], vec![9]]), [false, false], "only earlier ones count");
    }

    /// Returns the length of the longest chain that ends with an item, and of the longest one through it.
    fn by_walking(after: &[Vec<usize>], item: usize) -> usize {
        1 + after[item].iter().map(|parent| by_walking(after, *parent)).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn some_item_of_the_path_ends_it_and_each_of_them_but_the_first_waits_for_another(
            wishes in proptest::collection::vec(proptest::collection::vec(any::<prop::sample::Index>(), 0..3), 1..12),
        ) {
            let after: Vec<Vec<usize>> = wishes
                .iter()
                .enumerate()
                .map(|(item, parents)| if item == 0 { vec![] } else { parents.iter().map(|at| at.index(item)).collect() })
                .collect();
            let path = on_longest_chain(&after);
            let length = |item| by_walking(&after, item);
            let longest = (0..after.len()).map(length).max().unwrap_or(0);
            for item in 0..after.len() {
                if length(item) == longest {
                    prop_assert_eq!(path[item], longest > 1);
                }
                if path[item] && length(item) > 1 {
                    let is_before = |parent: &&usize| path[**parent] && length(**parent) == length(item) - 1;
                    prop_assert!(after[item].iter().any(|parent| is_before(&parent)));
                }
            }
        }
    }
}
