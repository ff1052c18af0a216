//! Which file gets which id. Names are not unique in the world; ids are.

use crate::id;
use crate::problem::{Problem, Severity};
use crate::source::{Source, stem};
use std::collections::{BTreeMap, BTreeSet};

/// The id of a file, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) id: String,
    pub(crate) rule: &'static str,
}

/// Gives each source an id, in their order. Of those that want the same one, the file that is named like it gets it, then
/// the one whose path comes first; the others get `<folder>-<id>`, and then numbers from 2 on.
pub(crate) fn give(sources: &[&Source]) -> (Vec<Given>, Vec<Problem>) {
    let wanted: Vec<Given> = sources.iter().map(|source| wish(source)).collect();
    let mut order: Vec<usize> = (0..sources.len()).collect();
    order.sort_by_key(|place| (stem(&sources[*place].path) != wanted[*place].id, &sources[*place].path));
    let mut holders: BTreeMap<&str, usize> = BTreeMap::new();
    for place in &order {
        holders.entry(&wanted[*place].id).or_insert(*place);
    }
    let mut taken: BTreeSet<String> = holders.keys().map(|id| (*id).to_owned()).collect();
    let mut given = wanted.clone();
    let mut problems = Vec::new();
    for place in order {
        let (source, wish) = (sources[place], &wanted[place].id);
        let Some(holder) = holders.get(wish.as_str()).filter(|holder| **holder != place) else { continue };
        let id = other(source, wish, &taken);
        let message =
            format!("the id {wish:?} is that of {} already; this one is {id:?}", sources[*holder].path);
        let problem = Problem::new(&source.path, Severity::Warning, "collision", message);
        problems.push(problem.at(2, 1).mend("give it a name of its own"));
        taken.insert(id.clone());
        given[place] = Given { id, rule: "collision" };
    }
    (given, problems)
}

fn wish(source: &Source) -> Given {
    let said = source.said.id.clone().map(|id| Given { id, rule: "said" });
    let name = || Some(Given { id: id::id(source.said.name.as_ref()?)?, rule: "name" });
    let file = || Some(Given { id: id::id(stem(&source.path))?, rule: "file name" });
    let digest = || Given { id: format!("agent-{}", &source.digest[..8]), rule: "digest" };
    said.or_else(name).or_else(file).unwrap_or_else(digest)
}

fn other(source: &Source, wish: &str, taken: &BTreeSet<String>) -> String {
    let mut folders: Vec<&str> = source.path.split('/').collect();
    folders.pop();
    let below = folders.last().and_then(|folder| id::folder(folder));
    let base =
        below.and_then(|folder| id::id(&format!("{folder}-{wish}"))).unwrap_or_else(|| wish.to_owned());
    if !taken.contains(&base) {
        return base;
    }
    // A name may be as long as an id can be; the number needs room.
    let short: String = base.chars().take(id::ID_BYTES_MAX - 8).collect();
    let short = short.trim_end_matches(['-', '_', '.']);
    (2_u64..).map(|number| format!("{short}-{number}")).find(|id| !taken.contains(id)).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Reading, read};

    fn source(path: &str, name: &str) -> Source {
        match read(path, format!("---\nname: {name}\ndescription: d\n---\nx\n").as_bytes()) {
            Reading::Agent(source) => *source,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn of_equal_names_the_file_that_is_named_like_it_keeps_the_id() {
        let all = [
            source("a/x.md", "dev"),
            source("b/dev.md", "dev"),
            source("a/y.md", "Dev"),
            source("z.md", "a-dev"),
        ];
        let (given, problems) = give(&all.iter().collect::<Vec<_>>());
        let ids: Vec<_> = given.iter().map(|given| given.id.as_str()).collect();
        assert_eq!(ids, ["a-dev-2", "dev", "a-dev-3", "a-dev"]);
        assert_eq!(problems.len(), 2);
        assert!(problems[0].to_string().contains("b/dev.md already"), "{}", problems[0]);
    }
}
