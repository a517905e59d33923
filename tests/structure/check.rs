//! What is wrong with the imports of a crate.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
};

use super::read::Import;

/// Files that import each other.
#[derive(Debug)]
pub struct Circle {
    pub files: BTreeSet<String>,
    /// A shortest way round.
    chain: Vec<Import>,
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for import in &self.chain {
            write!(f, "{} -> ({}) ", import.from, import.item)?;
        }
        let first = self.chain.first().map_or("", |import| &import.from);
        write!(f, "{first}; of the circle: {}", self.files.iter().cloned().collect::<Vec<_>>().join(", "))
    }
}

/// The imports of each file.
type Graph<'a> = BTreeMap<&'a str, Vec<&'a Import>>;

/// The largest sets of files each of which imports, through others, all of its set.
pub fn circles(imports: &BTreeSet<Import>) -> Vec<Circle> {
    let mut graph: Graph<'_> = BTreeMap::new();
    for import in imports {
        graph.entry(&import.from).or_default().push(import);
    }
    let (mut found, mut done) = (Vec::new(), BTreeSet::new());
    for &file in graph.keys() {
        let Some(chain) = way_back(&graph, file).filter(|_| !done.contains(file)) else { continue };
        let there = reached(&graph, file);
        let files: BTreeSet<String> = there
            .into_iter()
            .filter(|other| reached(&graph, other).contains(file))
            .map(str::to_owned)
            .collect();
        done.extend(graph.keys().copied().filter(|file| files.contains(*file)));
        found.push(Circle { files, chain });
    }
    found
}

fn reached<'a>(graph: &Graph<'a>, from: &str) -> BTreeSet<&'a str> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        for import in graph.get(file).into_iter().flatten() {
            if seen.insert(import.to.as_str()) {
                next.push(&import.to);
            }
        }
    }
    seen
}

/// The fewest imports that lead from a file to itself.
fn way_back(graph: &Graph<'_>, file: &str) -> Option<Vec<Import>> {
    let mut came: BTreeMap<&str, &Import> = BTreeMap::new();
    let mut next = VecDeque::from([file]);
    while let Some(at) = next.pop_front() {
        for import in graph.get(at).into_iter().flatten() {
            if came.contains_key(import.to.as_str()) {
                continue;
            }
            came.insert(&import.to, import);
            if import.to != file {
                next.push_back(&import.to);
                continue;
            }
            let mut chain = vec![(*import).clone()];
            while let Some(first) = chain.first().filter(|first| first.from != file) {
                let before = (*came.get(first.from.as_str())?).clone();
                chain.insert(0, before);
            }
            return Some(chain);
        }
    }
    None
}

/// The module of a file among those that `lib.rs` declares.
pub fn module_of(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// The imports of a module that `lib.rs` declares before the one that it imports.
pub fn upward<'a>(modules: &[String], imports: &'a BTreeSet<Import>) -> Vec<&'a Import> {
    let place = |file: &str| modules.iter().position(|module| module == module_of(file));
    let wrong =
        |import: &&Import| matches!((place(&import.from), place(&import.to)), (Some(a), Some(b)) if a < b);
    imports.iter().filter(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(pairs: &[(&str, &str)]) -> BTreeSet<Import> {
        let import = |(from, to): &(&str, &str)| Import {
            from: (*from).into(),
            to: (*to).into(),
            item: format!("{to}::X"),
        };
        pairs.iter().map(import).collect()
    }

    #[test]
    fn a_circle_is_shown_with_the_way_round_it() {
        let found =
            circles(&imports(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "a"), ("b", "a")]));
        let [circle] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(circle.to_string(), "a -> (b::X) b -> (a::X) a; of the circle: a, b, c");
        assert!(circles(&imports(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    }

    #[test]
    fn two_circles_are_two() {
        let found = circles(&imports(&[("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "c")]));
        let files: Vec<_> = found.iter().map(|circle| circle.files.len()).collect();
        assert_eq!(files, [2, 2]);
    }

    #[test]
    fn an_import_of_a_later_module_is_found() {
        let modules = ["low", "high"].map(str::to_owned);
        let imports = imports(&[("low/a.rs", "high/mod.rs"), ("high/b.rs", "low/a.rs")]);
        let found: Vec<_> = upward(&modules, &imports).into_iter().map(|import| &*import.from).collect();
        assert_eq!(found, ["low/a.rs"]);
    }
}
