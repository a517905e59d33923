//! The tools of an agent, in the words that the model is shown, which can be learnt.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arguments::plain;
use crate::value::{ToolSpec, hint};

/// The name of the tool that ends an agent's work.
pub(crate) const FINISH: &str = "finish";

/// The words in which a model is told of a tool. Optimizers change them, and files of programs hold them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ToolWords {
    /// The name that the tool has in the program.
    pub tool: String,
    /// The name under which the model calls it.
    pub name: String,
    /// What it does and when to use it.
    pub description: String,
    /// What is said of its arguments, by name; of those that have a description.
    #[serde(default)]
    pub arguments: BTreeMap<String, String>,
}

impl ToolWords {
    /// The words in which a tool describes itself.
    pub fn of(spec: &ToolSpec) -> Self {
        let described = |(name, schema): (&String, &Value)| {
            Some((name.clone(), schema.get("description")?.as_str()?.to_owned()))
        };
        let properties = spec.parameters.get("properties").and_then(Value::as_object);
        Self {
            tool: spec.name.clone(),
            name: spec.name.clone(),
            description: spec.description.clone(),
            arguments: properties.into_iter().flatten().filter_map(described).collect(),
        }
    }

    /// A tool that describes itself in these words.
    fn told(&self, own: &ToolSpec) -> ToolSpec {
        let mut spec = ToolSpec::new(self.name.as_str(), self.description.as_str(), own.parameters.clone());
        for (name, description) in &self.arguments {
            if let Some(Value::Object(argument)) = spec.parameters.pointer_mut(&pointer(name)) {
                argument.insert("description".into(), description.as_str().into());
            }
        }
        spec
    }
}

fn pointer(argument: &str) -> String {
    format!("/properties/{}", argument.replace('~', "~0").replace('/', "~1"))
}

/// The tools that a model is told of. Of an agent, the last is the one that ends its work.
#[derive(Debug, Clone)]
pub(crate) struct ToolSet {
    own: Arc<[Arc<ToolSpec>]>,
    words: Vec<ToolWords>,
    told: Vec<ToolSpec>,
    names: Names,
}

/// What the names of tools may be.
#[derive(Debug, Clone)]
struct Names {
    fit: fn(&str) -> bool,
    /// Of what they are, for messages.
    rule: &'static str,
    /// Those that mean something else.
    taken: Arc<[String]>,
}

impl Names {
    /// Why it cannot be the name of a tool.
    fn flaw(&self, name: &str) -> Option<String> {
        if !(self.fit)(name) {
            return Some(format!("`{name}` cannot be the name of a tool: a name is {}", self.rule));
        }
        let taken = self.taken.iter().any(|taken| taken == name);
        taken.then(|| format!("`{name}` cannot be the name of a tool: in the code it is something else"))
    }
}

impl ToolSet {
    /// Tools that are called as providers have it.
    pub(crate) fn new(own: impl IntoIterator<Item = Arc<ToolSpec>>) -> Self {
        let rule = "of letters, digits, `_` and `-`, at most 64";
        Self::with(own.into_iter().collect(), Names { fit: is_name, rule, taken: Arc::default() })
    }

    /// Tools that are functions of code, in which other names are taken.
    #[cfg(feature = "sandbox")]
    pub(crate) fn in_code(own: impl IntoIterator<Item = Arc<ToolSpec>>, taken: Vec<String>) -> Self {
        let rule = "one that code can use: of letters, digits and `_`, with no digit first, and no word of the language";
        let names = Names { fit: super::python::is_name, rule, taken: taken.into() };
        Self::with(own.into_iter().collect(), names)
    }

    fn with(own: Arc<[Arc<ToolSpec>]>, names: Names) -> Self {
        let words = own.iter().map(|spec| ToolWords::of(spec)).collect();
        let mut set = Self { words, own, told: Vec::new(), names };
        set.tell();
        set
    }

    fn tell(&mut self) {
        self.told = self.words.iter().zip(&*self.own).map(|(words, own)| words.told(own)).collect();
    }

    pub(crate) fn words(&self) -> &[ToolWords] {
        &self.words
    }

    /// As the model is told of them.
    pub(crate) fn told(&self) -> &[ToolSpec] {
        &self.told
    }

    /// Their names, as the model is told.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.words.iter().map(|words| words.name.as_str())
    }

    /// Whether a tool could have this name.
    pub(crate) fn allows(&self, name: &str) -> bool {
        self.names.flaw(name).is_none()
    }

    /// Whether a tool, by its name in the program, has such an argument.
    pub(crate) fn takes(&self, tool: &str, argument: &str) -> bool {
        let own = self.own.iter().find(|own| own.name == tool);
        own.is_some_and(|own| own.parameters.pointer(&pointer(argument)).is_some())
    }

    /// Takes words, of the tools that they are for.
    ///
    /// # Errors
    /// Why words do not fit; nothing is changed then.
    pub(crate) fn set_words(&mut self, words: &[ToolWords]) -> Result<(), String> {
        let mut new = self.words.clone();
        for words in words {
            let Some(at) = self.own.iter().position(|own| own.name == words.tool) else {
                let names: Vec<String> = self.own.iter().map(|own| format!("`{}`", own.name)).collect();
                return Err(format!("there is no tool `{}`; there are {}", words.tool, names.join(", ")));
            };
            if let Some(flaw) = self.names.flaw(&words.name) {
                return Err(flaw);
            }
            let own = &self.own[at];
            if let Some(unknown) =
                words.arguments.keys().find(|name| own.parameters.pointer(&pointer(name)).is_none())
            {
                return Err(format!("the tool `{}` has no argument `{unknown}`", words.tool));
            }
            new[at] = words.clone();
        }
        for (i, words) in new.iter().enumerate() {
            if new[..i].iter().any(|other| other.name == words.name) {
                return Err(format!("two tools have the name `{}`", words.name));
            }
        }
        self.words = new;
        self.tell();
        Ok(())
    }

    /// The words in which the tools describe themselves.
    pub(crate) fn reset(&mut self) {
        self.words = self.own.iter().map(|spec| ToolWords::of(spec)).collect();
        self.tell();
    }

    /// The place of the tool that the model means.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        if let Some(at) = self.words.iter().position(|words| words.name == name) {
            return Some(at);
        }
        let name = name.trim().trim_end_matches("()");
        let meant = plain(name.rsplit_once(['.', ':']).map_or(name, |(_, name)| name));
        let mut near = self.words.iter().enumerate().filter(|(_, words)| plain(&words.name) == meant);
        let first = near.next().map(|(at, _)| at);
        first.filter(|_| near.next().is_none())
    }

    /// The tools as a list for a prompt.
    pub(crate) fn list(&self) -> String {
        let mut out = String::new();
        for spec in &self.told {
            let _ = write!(out, "- `{}`", spec.name);
            let mut lines = spec.description.trim().lines();
            if let Some(first) = lines.next() {
                let _ = write!(out, ": {first}");
            }
            out.push('\n');
            for line in lines {
                let _ = writeln!(out, "  {line}");
            }
            let none =
                spec.parameters.get("properties").and_then(Value::as_object).is_none_or(|p| p.is_empty());
            let Ok(schema) = schemars::Schema::try_from(spec.parameters.clone()) else { continue };
            if none {
                out.push_str("  no arguments\n");
                continue;
            }
            let _ = writeln!(out, "  arguments:");
            for line in hint(&schema).lines() {
                let _ = writeln!(out, "  {line}");
            }
        }
        out.truncate(out.trim_end().len());
        out
    }
}

/// Whether providers take it as the name of a tool.
pub(crate) fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

/// A name with `_` for what providers do not take in one.
pub(crate) fn name_for_providers(name: &str) -> String {
    if is_name(name) {
        return name.to_owned();
    }
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let shown: String = name.chars().map(fits).take(64).collect();
    if shown.is_empty() { "tool".into() } else { shown }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn set() -> ToolSet {
        let parameters = json!({
            "type": "object",
            "properties": { "query": { "type": "string", "description": "what to look for" } },
            "required": ["query"],
        });
        let none = json!({ "type": "object", "properties": {} });
        ToolSet::new([
            Arc::new(ToolSpec::new("search_web", "Search.\nOnly once.", parameters)),
            Arc::new(ToolSpec::new(FINISH, "", none)),
        ])
    }

    #[test]
    fn words_change_what_the_model_is_told() {
        let mut set = set();
        let mut words = set.words()[0].clone();
        (words.name, words.description) = ("find".into(), "Finds.".into());
        words.arguments.insert("query".into(), "in English".into());
        set.set_words(&[words]).unwrap();
        let told = &set.told()[0];
        assert_eq!((told.name.as_str(), told.description.as_str()), ("find", "Finds."));
        assert_eq!(told.parameters["properties"]["query"]["description"], "in English");
        assert_eq!((set.find("find"), set.find("search_web")), (Some(0), None));
        set.reset();
        assert_eq!(set.find("search_web"), Some(0));
    }

    #[test]
    fn words_that_do_not_fit_change_nothing() {
        let mut set = set();
        let before = set.words().to_vec();
        let own = &before[0];
        for (wrong, why) in [
            (ToolWords { tool: "other".into(), ..own.clone() }, "no tool `other`"),
            (ToolWords { name: "two words".into(), ..own.clone() }, "cannot be the name"),
            (ToolWords { name: FINISH.into(), ..own.clone() }, "two tools"),
            (ToolWords { arguments: [("k".into(), String::new())].into(), ..own.clone() }, "no argument `k`"),
        ] {
            let error = set.set_words(&[wrong]).unwrap_err();
            assert!(error.contains(why), "{error}");
            assert_eq!(set.words(), before);
        }
    }

    #[test]
    fn names_are_known_as_models_write_them() {
        let set = set();
        for name in ["search_web", "Search_Web", "searchWeb", "functions.search_web", "search_web()"] {
            assert_eq!(set.find(name), Some(0), "{name}");
        }
        assert_eq!((set.find("search"), set.find("")), (None, None));
    }

    #[test]
    fn the_list_says_what_each_takes() {
        let list = set().list();
        assert!(list.starts_with("- `search_web`: Search.\n  Only once.\n  arguments:\n"), "{list}");
        assert!(list.contains("what to look for") && list.ends_with("- `finish`\n  no arguments"), "{list}");
    }
}
