//! Which file of a crate names items of which other file.
//!
//! Files are read as tokens. A path counts wherever it is written, in `use` items, in code and in macros, if it begins
//! with `crate`, `self`, `super` or the name of a child module. It leads to the file that defines the item: re-exports
//! are followed, and do not count themselves. What is compiled for tests alone is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// One file names an item of another one, both by their paths from the folder of the crate's sources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub from: String,
    pub to: String,
    /// The item, by its path from the crate's root.
    pub item: String,
}

/// What is known of a crate.
#[derive(Debug)]
pub struct Crate {
    /// The modules that `lib.rs` declares, in order.
    pub modules: Vec<String>,
    pub imports: BTreeSet<Import>,
}

/// Names from the crate's root.
type Place = Vec<String>;

#[derive(Default)]
struct Module {
    file: String,
    /// Names that `use` brings in, with where they are in this crate; `None` for those of other crates.
    brought: BTreeMap<String, Option<Place>>,
}

#[derive(Default)]
struct Reading {
    folder: PathBuf,
    modules: BTreeMap<Place, Module>,
    /// The modules that `lib.rs` declares.
    order: Vec<String>,
    /// The paths that each module names.
    named: Vec<(Place, Place)>,
}

impl Crate {
    /// Reads the crate whose `lib.rs` is in this folder.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut reading = Reading { folder: folder.to_owned(), ..Reading::default() };
        reading.file(Vec::new(), "lib.rs".into())?;
        let mut imports = BTreeSet::new();
        for (module, path) in &reading.named {
            let from = &reading.modules[module].file;
            if let Some(to) = reading.defined_in(path, 0)
                && to != from
            {
                imports.insert(Import { from: from.clone(), to: to.into(), item: path.join("::") });
            }
        }
        Ok(Self { modules: reading.order, imports })
    }
}

impl Reading {
    fn file(&mut self, module: Place, file: String) -> io::Result<()> {
        let text = fs::read_to_string(self.folder.join(&file))?;
        let tokens = TokenStream::from_str(&text).map_err(|e| io::Error::other(format!("{file}: {e}")))?;
        self.module(module, file, tokens)
    }

    fn module(&mut self, module: Place, file: String, tokens: TokenStream) -> io::Result<()> {
        let tokens: Vec<TokenTree> = without_tests(tokens);
        self.modules.insert(module.clone(), Module { file: file.clone(), ..Module::default() });
        // All child modules first: paths may name them before they are declared.
        for i in 0..tokens.len() {
            let [TokenTree::Ident(word), TokenTree::Ident(name), body, ..] = &tokens[i..] else { continue };
            if word != "mod" {
                continue;
            }
            let mut child = module.clone();
            child.push(name.to_string());
            match body {
                TokenTree::Group(body) => self.module(child, file.clone(), body.stream())?,
                _ => {
                    let place = self.file_of(&child)?;
                    if module.is_empty() {
                        self.order.push(name.to_string());
                    }
                    self.file(child, place)?;
                }
            }
        }
        self.paths(&module, &tokens, true);
        Ok(())
    }

    fn file_of(&self, module: &Place) -> io::Result<String> {
        let path = module.join("/");
        let candidates = [format!("{path}.rs"), format!("{path}/mod.rs")];
        let found = candidates.into_iter().find(|file| self.folder.join(file).exists());
        found.ok_or_else(|| io::Error::other(format!("the module {path} has no file")))
    }

    /// Notes the paths that are written in these tokens.
    fn paths(&mut self, module: &Place, tokens: &[TokenTree], top: bool) {
        let mut i = 0;
        while i < tokens.len() {
            match &tokens[i] {
                TokenTree::Ident(word) if top && word == "mod" => {
                    // Its body was read as a module.
                    i += 3;
                    continue;
                }
                TokenTree::Ident(word) if word == "use" => {
                    let end = tokens[i..].iter().position(|t| is(t, ';')).map_or(tokens.len(), |n| i + n);
                    // `pub use`, `pub(crate) use`
                    let before = tokens[..i].last();
                    let shown = match before {
                        Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
                        Some(TokenTree::Ident(word)) => word == "pub",
                        _ => false,
                    };
                    self.tree(module, &[], &tokens[i + 1..end], shown);
                    i = end;
                }
                TokenTree::Ident(_) if colons(tokens, i + 1) && !(i > 0 && is(&tokens[i - 1], ':')) => {
                    let (mut path, mut at) = (Vec::new(), i);
                    while let Some(TokenTree::Ident(name)) = tokens.get(at) {
                        path.push(name.to_string());
                        at += 1;
                        if !colons(tokens, at) {
                            break;
                        }
                        at += 2;
                    }
                    if let Some(path) = self.absolute(module, &path) {
                        self.named.push((module.clone(), path));
                    }
                    i = at;
                    continue;
                }
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    self.paths(module, &inner, false);
                }
                _ => {}
            }
            i += 1;
        }
    }

    /// Notes what a part of a `use` item names, `before` being the path that leads to it.
    fn tree(&mut self, module: &Place, before: &[String], tokens: &[TokenTree], shown: bool) {
        let mut path = before.to_vec();
        let mut alias = None;
        for (i, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Group(group) => {
                    for part in parts(group) {
                        self.tree(module, &path, &part, shown);
                    }
                    return;
                }
                TokenTree::Ident(name) if name == "as" => {
                    alias = tokens.get(i + 1).map(ToString::to_string);
                    break;
                }
                TokenTree::Ident(name) if name == "self" && !path.is_empty() => {}
                TokenTree::Ident(name) => path.push(name.to_string()),
                _ => {}
            }
        }
        let place = self.absolute(module, &path);
        if let (Some(name), Some(module)) = (alias.or(path.last().cloned()), self.modules.get_mut(module)) {
            module.brought.insert(name, place.clone());
        }
        // A module that shows what its children define does not depend on it.
        let named = place.filter(|place| !(shown && place.starts_with(module)));
        self.named.extend(named.map(|place| (module.clone(), place)));
    }

    /// A path from the crate's root; `None` where it leads into another crate or begins with a local name.
    fn absolute(&self, module: &Place, path: &[String]) -> Option<Place> {
        let (first, rest) = path.split_first()?;
        let mut place = match first.as_str() {
            "crate" => Vec::new(),
            "self" => module.clone(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            name => {
                let mut child = module.clone();
                child.push(name.into());
                self.modules.contains_key(&child).then_some(child)?
            }
        };
        for name in rest {
            match name.as_str() {
                "super" => _ = place.pop(),
                name => place.push(name.into()),
            }
        }
        Some(place)
    }

    /// The file that defines what a path names.
    fn defined_in(&self, path: &[String], depth: usize) -> Option<&str> {
        let mut known = path.len();
        while !self.modules.contains_key(&path[..known]) {
            known -= 1;
        }
        let module = &self.modules[&path[..known]];
        let Some(name) = path.get(known) else { return Some(&module.file) };
        match module.brought.get(name) {
            Some(None) => None,
            // A module that brings in its own child by its own name is that child.
            Some(Some(place)) if depth < 16 && place != path => {
                let mut whole = place.clone();
                whole.extend_from_slice(&path[known + 1..]);
                self.defined_in(&whole, depth + 1)
            }
            _ => Some(&module.file),
        }
    }
}

/// The parts of `{a, b::{c, d}}`.
fn parts(group: &Group) -> Vec<Vec<TokenTree>> {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    tokens.split(|token| is(token, ',')).filter(|part| !part.is_empty()).map(<[_]>::to_vec).collect()
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

fn colons(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at..at + 2), Some([a, b]) if is(a, ':') && is(b, ':'))
}

/// The tokens of a module but for the items behind `#[cfg(test)]` and `#[cfg(doctest)]`.
fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if is(&token, '#')
            && let Some(TokenTree::Group(attribute)) = tokens.peek()
            && ["cfg(test)", "cfg(doctest)"].contains(&&*attribute.stream().to_string().replace(' ', ""))
        {
            let ends = |token: &TokenTree| match token {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                other => is(other, ';'),
            };
            tokens.by_ref().find(ends);
            continue;
        }
        kept.push(token);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(files: &[(&str, &str)]) -> Vec<(String, String)> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = Crate::read(folder.path()).unwrap();
        found.imports.into_iter().map(|import| (import.from, import.to)).collect()
    }

    fn pair(from: &str, to: &str) -> (String, String) {
        (from.into(), to.into())
    }

    #[test]
    fn paths_lead_to_the_file_that_defines_the_item() {
        let found = imports(&[
            ("lib.rs", "mod a; mod b; pub use b::{inner::Deep as Other, Plain};"),
            ("a.rs", "use crate::{Other, b::{self, Plain}};"),
            ("b/mod.rs", "mod inner; pub struct Plain; fn f() { inner::g(); }"),
            ("b/inner.rs", "pub struct Deep; pub fn g() -> super::Plain { std::mem::take() }"),
        ]);
        let expected = [
            pair("a.rs", "b/inner.rs"),
            pair("a.rs", "b/mod.rs"),
            pair("b/inner.rs", "b/mod.rs"),
            pair("b/mod.rs", "b/inner.rs"),
        ];
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    }

    #[test]
    fn tests_do_not_count_and_modules_within_a_file_are_the_file() {
        let found = imports(&[
            ("lib.rs", "mod a; mod b; #[cfg(test)] mod absent;"),
            (
                "a.rs",
                "pub mod part { use super::X; use super::super::b::Y; } #[cfg(test)] mod t { use crate::b; }",
            ),
            (
                "b.rs",
                "macro_rules! m { () => { $crate::a::part::Z } } #[cfg(test)] fn f() { crate::a::g(); }",
            ),
        ]);
        assert_eq!(found, [pair("a.rs", "b.rs"), pair("b.rs", "a.rs")]);
    }
}
