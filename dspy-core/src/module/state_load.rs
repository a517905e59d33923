//! Taking up a saved state: first it is checked against the whole program, then everything is changed at once.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    nearest::NearestDemos,
    predictor::Predictor,
    state::{
        AUGMENTED, CURE, FORMAT, METADATA, NEAREST, OWN_RECORD, ROOT, TOOLS, converted, placeholder, role,
    },
};
use crate::{
    Error, Result, StateError,
    adapter::{Demo, given},
    lm::LM,
    signature::{Field, REASONING, SignatureSpec, default_prefix},
    tool::ToolWords,
    value::TypeInfo,
};

/// What is to become of one predictor.
pub(super) struct Change {
    instructions: String,
    /// Label and description of each field.
    words: Vec<(String, String)>,
    demos: Vec<Demo>,
    nearest: Option<NearestDemos>,
    /// Words of tools, which were tried.
    tools: Vec<ToolWords>,
    lm: Option<LM>,
}

impl Change {
    pub(super) fn apply(self, predictor: &mut Predictor) {
        predictor.edit_spec(|spec| {
            spec.instructions = self.instructions;
            for (field, (prefix, desc)) in spec.fields.iter_mut().zip(self.words) {
                (field.prefix, field.desc) = (prefix, desc);
            }
        });
        if let Err(error) = predictor.set_tools(&self.tools) {
            tracing::error!("the words of the tools were refused after they had been accepted: {error}");
        }
        predictor.set_demos(self.demos);
        predictor.set_nearest_demos(self.nearest);
        // A file without a model says nothing about it: the program keeps the one it has.
        if self.lm.is_some() {
            predictor.set_lm(self.lm);
        }
    }
}

/// What is to become of each predictor, in order.
pub(super) fn plan(predictors: &[(String, &Predictor)], state: &Value) -> Result<Vec<Change>> {
    let state = object(state, || StateError::new("the state must be a JSON object keyed by predictor path"))?;
    let metadata = match state.get(METADATA) {
        None | Some(Value::Null) => None,
        Some(other) => Some(object(other, || StateError::new("`metadata` must be an object"))?),
    };
    let record = own_record(metadata)?;
    if state.len() == 1 && state.contains_key("dependency_versions") {
        let message = format!(
            "this is the `metadata.json` of a folder into which DSPy pickled a whole program, which cannot run here; \
             {CURE}"
        );
        return Err(StateError::new(message).into());
    }
    let inline = predictors.len() == 1 && predictors[0].0 == ROOT;
    if !inline {
        check_paths(predictors, state)?;
    }
    let mut changes = Vec::with_capacity(predictors.len());
    for (path, predictor) in predictors {
        let at = |error: StateError| error.at(path);
        let at_any = |error| match error {
            Error::State(state) => at(*state).into(),
            other => other,
        };
        let own = if inline { Some(state) } else { state.get(path).and_then(Value::as_object) };
        let own = own.ok_or_else(|| at(StateError::new("the predictor's state must be an object")))?;
        if inline && !own.contains_key("signature") && !own.contains_key("extended_signature") {
            let found: Vec<_> = own.keys().filter(|k| *k != METADATA).map(|k| format!("`{k}`")).collect();
            let message = match found.is_empty() {
                true => "the file holds no predictor".to_owned(),
                false => format!(
                    "the program is one predictor, but the file holds a program of the predictors {}",
                    found.join(", ")
                ),
            };
            return Err(at(StateError::new(message)).into());
        }
        let own_record = record.and_then(|r| r.get("predictors")?.get(path)?.as_object());
        changes.push(change(predictor, own, own_record).map_err(at_any)?);
    }
    Ok(changes)
}

fn own_record(metadata: Option<&Map<String, Value>>) -> Result<Option<&Map<String, Value>>, StateError> {
    let Some(record) = metadata.and_then(|m| m.get(OWN_RECORD)) else { return Ok(None) };
    let record = object(record, || StateError::new("`metadata.dspy_rs` must be an object"))?;
    match record.get("format").and_then(Value::as_u64) {
        Some(FORMAT) => Ok(Some(record)),
        Some(newer) if newer > FORMAT => Err(StateError::new(format!(
            "the file has format {newer}, which a newer version of the library wrote; this one reads format {FORMAT}"
        ))),
        _ => Err(StateError::new("`metadata.dspy_rs.format` must be 1")),
    }
}

/// Every predictor is in the file, and nothing else.
fn check_paths(predictors: &[(String, &Predictor)], state: &Map<String, Value>) -> Result<(), StateError> {
    let saved: Vec<&str> = state.keys().map(String::as_str).filter(|k| *k != METADATA).collect();
    let own: Vec<&str> = predictors.iter().map(|(path, _)| path.as_str()).collect();
    if state.contains_key("signature") && !own.contains(&"signature") {
        return Err(StateError::new(format!(
            "the file holds one predictor, but the program has {}",
            if own.is_empty() { "none".into() } else { listed(&own) }
        )));
    }
    if let Some(missing) = own.iter().find(|path| !saved.contains(path)) {
        let unclaimed: Vec<&str> = saved.iter().copied().filter(|k| !own.contains(k)).collect();
        return Err(StateError::new(format!(
            "the program has it, but the file does not{}",
            suggestion(missing, &unclaimed, "the file has")
        ))
        .at(*missing));
    }
    if let Some(unknown) = saved.iter().find(|path| !own.contains(path)) {
        return Err(StateError::new(format!(
            "the file has it, but the program does not{}",
            suggestion(unknown, &own, "the program has")
        ))
        .at(*unknown));
    }
    Ok(())
}

fn change(
    predictor: &Predictor,
    state: &Map<String, Value>,
    own_record: Option<&Map<String, Value>>,
) -> Result<Change> {
    let record = own_record.and_then(|record| record.get("fields")?.as_array());
    if state.contains_key("extended_signature") {
        let message = "the file has the shape of DSPy before 2.5 (`extended_signature`); save it again with a newer DSPy";
        return Err(StateError::new(message).into());
    }
    if state.contains_key("module_src") {
        let message = "the file holds Python source (a `Flex` module), which cannot run here";
        return Err(StateError::new(message).into());
    }
    let spec = predictor.spec();
    if let Some(record) = record {
        check_record(spec, record)?;
    }
    let signature = state.get("signature").and_then(Value::as_object);
    let signature = signature.ok_or_else(|| StateError::new("`signature` must be an object"))?;
    let instructions = signature.get("instructions").and_then(Value::as_str);
    let instructions =
        instructions.ok_or_else(|| StateError::new("`signature.instructions` must be text"))?;
    let (instructions, tools) = told(predictor, instructions, own_record)?;
    let words = words(spec, signature, record.is_some())?;
    let nearest = own_record
        .and_then(|record| record.get(NEAREST))
        .map(|saved| nearest(predictor, saved))
        .transpose()?;
    let demos = demos(spec, state, "demos", record.is_some())?;
    let lm = match state.get("lm") {
        None | Some(Value::Null) => None,
        Some(saved) => saved_lm(predictor, saved)?,
    };
    Ok(Change { instructions, words, demos, nearest, tools, lm })
}

/// The fields that our own record names are those of the program.
/// The instructions without the list of the tools, and the words of the tools.
fn told(
    predictor: &Predictor,
    instructions: &str,
    own_record: Option<&Map<String, Value>>,
) -> Result<(String, Vec<ToolWords>), StateError> {
    let tools = match own_record.and_then(|record| record.get(TOOLS)) {
        None => Vec::new(),
        Some(saved) => {
            let wrong = |e| StateError::new(format!("`{TOOLS}` must be a list of tools in words: {e}"));
            Vec::<ToolWords>::deserialize(saved).map_err(wrong)?
        }
    };
    let mut tried = predictor.clone();
    tried.set_tools(&tools)?;
    // A list that another program wrote, as DSPy does, stays part of the instructions.
    let own = instructions.strip_suffix(tried.told().as_str());
    Ok((own.unwrap_or(instructions).to_owned(), tools))
}

fn check_record(spec: &SignatureSpec, record: &[Value]) -> Result<(), StateError> {
    let entry = |i: usize, key: &str| record[i].get(key).and_then(Value::as_str).unwrap_or_default();
    let saved: Vec<&str> = (0..record.len()).map(|i| entry(i, "name")).collect();
    for (i, field) in spec.fields.iter().enumerate() {
        let at = |message: String| Err(StateError::new(message).field(&field.name));
        match saved.get(i) {
            Some(name) if *name == field.name => {}
            _ if !saved.contains(&field.name.as_str()) => {
                let unclaimed: Vec<&str> =
                    saved.iter().copied().filter(|n| spec.field(n).is_none()).collect();
                return at(format!(
                    "the program has it, but the file does not{}",
                    suggestion(&field.name, &unclaimed, "the file has")
                ));
            }
            found => {
                let found = found.copied().unwrap_or("nothing");
                return at(format!(
                    "the file has `{found}` in this place; the fields were put into another order"
                ));
            }
        }
        for (key, here) in [("role", role(field.role).to_owned()), ("type", field.ty.name().to_string())] {
            let there = entry(i, key);
            if there != here {
                return at(format!("its {key} is `{here}` in the program, but `{there}` in the file"));
            }
        }
    }
    match saved.get(spec.fields.len()) {
        None => Ok(()),
        Some(extra) => Err(StateError::new("the file has it, but the program does not").field(*extra)),
    }
}

/// The labels and descriptions of the fields, which files hold by position.
fn words(
    spec: &SignatureSpec,
    signature: &Map<String, Value>,
    names_checked: bool,
) -> Result<Vec<(String, String)>, StateError> {
    let saved = signature.get("fields").and_then(Value::as_array);
    let saved = saved.ok_or_else(|| StateError::new("`signature.fields` must be a list"))?;
    if saved.len() != spec.fields.len() {
        let own: Vec<&str> = spec.fields.iter().map(|f| f.name.as_str()).collect();
        return Err(StateError::new(format!(
            "the file has {} fields, but the program has {}: {}",
            saved.len(),
            own.len(),
            listed(&own)
        )));
    }
    let mut words = Vec::with_capacity(saved.len());
    for (field, saved) in spec.fields.iter().zip(saved) {
        let text = |key: &str| {
            saved.get(key).and_then(Value::as_str).ok_or_else(|| {
                StateError::new(format!("`signature.fields[].{key}` must be text")).field(&field.name)
            })
        };
        let (prefix, desc) = (text("prefix")?, text("description")?);
        if !names_checked {
            check_position(spec, field, prefix, desc)?;
        }
        // DSPy's comparison of attempts describes what it adds by a placeholder of several words.
        let says_nothing = desc == placeholder(&field.name) || (!names_checked && is_placeholder(desc));
        let desc = if says_nothing { "" } else { desc };
        words.push((prefix.to_owned(), desc.to_owned()));
    }
    Ok(words)
}

/// Whether a description is `${...}` and names nothing but words.
fn is_placeholder(desc: &str) -> bool {
    let words = desc.strip_prefix("${").and_then(|desc| desc.strip_suffix('}'));
    words.is_some_and(|words| words.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ' '))
}

/// Looks for signs that a file without names was made for other fields: a description or a label that DSPy makes
/// from a name, and that name is not the field's.
fn check_position(spec: &SignatureSpec, field: &Field, prefix: &str, desc: &str) -> Result<(), StateError> {
    let wrong = |other: &str, sign: &str| {
        let what = match spec.field(other) {
            Some(_) => "the fields were put into another order",
            None => "the field was renamed",
        };
        let message = format!("the file has `{other}` in this place (its {sign} says so); {what}");
        Err(StateError::new(message).field(&field.name))
    };
    if let Some(name) = desc.strip_prefix("${").and_then(|d| d.strip_suffix('}')) {
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if plain && name != field.name {
            return wrong(name, "description");
        }
    }
    if prefix != field.prefix && prefix != default_prefix(&field.name) {
        let other = |f: &&Field| f.name != field.name && default_prefix(&f.name) == prefix;
        if let Some(other) = spec.fields.iter().find(other) {
            return wrong(&other.name, "label");
        }
    }
    Ok(())
}

/// The demonstrations that are chosen for each call. A predictor that has the embedding model already keeps it.
fn nearest(predictor: &Predictor, saved: &Value) -> Result<NearestDemos, StateError> {
    let saved = object(saved, || StateError::new(format!("`{NEAREST}` must be an object")))?;
    let k = saved.get("k").and_then(Value::as_u64).and_then(|k| usize::try_from(k).ok());
    let k = k.ok_or_else(|| StateError::new(format!("`{NEAREST}.k` must be a number of demonstrations")))?;
    let spec = predictor.spec();
    let found = NearestDemos::new(spec, k, demos(spec, saved, "pool", true)?);
    let id = match saved.get("embedder") {
        None => return Ok(found),
        Some(Value::String(id)) => id.as_str(),
        Some(_) => return Err(StateError::new(format!("`{NEAREST}.embedder` must be the name of a model"))),
    };
    let own = predictor.nearest_demos().and_then(NearestDemos::embedder);
    Ok(match own.filter(|own| own.id() == id) {
        Some(own) => found.by_meaning(own.clone()),
        None => found.by_model(id),
    })
}

/// The demonstrations under a key.
fn demos(
    spec: &SignatureSpec,
    state: &Map<String, Value>,
    key: &str,
    types_checked: bool,
) -> Result<Vec<Demo>, StateError> {
    let saved = match state.get(key) {
        Some(Value::Array(demos)) => demos,
        _ => return Err(StateError::new(format!("`{key}` must be a list"))),
    };
    let mut demos = Vec::with_capacity(saved.len());
    for (i, saved) in saved.iter().enumerate() {
        let saved = object(saved, || StateError::new(format!("{key}[{i}] must be an object")))?;
        let mut fields = converted(spec, saved, TypeInfo::from_saved);
        // The reasoning's name in DSPy's comparison of attempts, and in its chains of thought before 2.5.
        if spec.field(RATIONALE).is_none()
            && spec.field(REASONING).is_some()
            && !fields.contains_key(REASONING)
        {
            fields = fields.into_iter().map(|(name, value)| (renamed(name), value)).collect();
        }
        let marked = spec.field(AUGMENTED).is_none().then(|| fields.shift_remove(AUGMENTED)).flatten();
        if types_checked {
            for field in &spec.fields {
                if let Some(misfit) = given(field, &fields).and_then(|value| field.ty.check(value).err()) {
                    return Err(StateError::new(format!("{key}[{i}]: {misfit}")).field(&field.name));
                }
            }
        }
        demos.push(match marked {
            Some(Value::Bool(true)) => Demo::augmented(fields),
            _ => Demo::new(fields),
        });
    }
    Ok(demos)
}

const RATIONALE: &str = "rationale";

fn renamed(name: String) -> String {
    if name == RATIONALE { REASONING.into() } else { name }
}

/// The model that a file holds. One of another class is refused, because what it would do is not known. A predictor
/// that has the same model already keeps it, with the endpoint and the key that the program gave it.
fn saved_lm(predictor: &Predictor, saved: &Value) -> Result<Option<LM>> {
    const KNOWN: &str = "dspy.clients.lm.LM";
    let entries = object(saved, || StateError::new("`lm` must be null or an object"))?;
    match entries.get("_dspy_lm_class").and_then(Value::as_str) {
        None | Some(KNOWN) => {}
        Some(class) => {
            return Err(StateError::new(format!(
                "the file holds a model of the class `{class}`, which is not known here; set `lm` to null in the \
                 file and give the program a model with `set_lm`"
            ))
            .into());
        }
    }
    let model = entries.get("model").and_then(Value::as_str).unwrap_or_default();
    if let Some(own) = predictor.lm().filter(|own| own.id() == model) {
        return Ok(Some(own.clone()));
    }
    Ok(Some(LM::restored(saved)?))
}

fn object(value: &Value, error: impl FnOnce() -> StateError) -> Result<&Map<String, Value>, StateError> {
    value.as_object().ok_or_else(error)
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}

/// The names that could have been meant, nearest first.
fn suggestion(name: &str, candidates: &[&str], who: &str) -> String {
    let mut near: Vec<&str> = candidates.to_vec();
    near.sort_by_key(|c| distance(name, c));
    near.truncate(3);
    if near.is_empty() { String::new() } else { format!("; {who} {}", listed(&near)) }
}

/// The number of letters to insert, delete or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_comes_first() {
        assert_eq!((distance("query", "querry"), distance("", "ab"), distance("ab", "ba")), (1, 2, 2));
        assert_eq!(suggestion("querry", &["answer", "query"], "it has"), "; it has `query`, `answer`");
    }
}
