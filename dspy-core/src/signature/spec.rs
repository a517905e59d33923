//! A signature as data.

use schemars::Schema;
use serde_json::Value;

use super::dedented;
use crate::value::{Kind, TypeInfo};

/// Whether a field is an input or an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldRole {
    /// Passed by the caller.
    Input,
    /// Written by the model.
    Output,
}

/// One field of a signature.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Field {
    /// The name, in prompts and in data.
    pub name: String,
    /// Input or output.
    pub role: FieldRole,
    /// The description; empty when there is none.
    pub desc: String,
    /// The label of older prompt styles, kept because state files carry it and optimizers may change it.
    pub prefix: String,
    /// The type.
    pub ty: TypeInfo,
    /// The default of a missing output.
    pub default: Option<Value>,
    /// What sort of type it has.
    kind: Kind,
    /// Whether its type allows it to be missing.
    optional: bool,
    /// The schema, where the field demands more than its type: bounds, lengths, patterns.
    schema: Option<Schema>,
}

impl Field {
    /// A field without description, with the default label.
    pub fn new(name: impl Into<String>, role: FieldRole, ty: TypeInfo) -> Self {
        let name = name.into();
        let prefix = default_prefix(&name);
        let (kind, optional) = (ty.kind(), ty.is_optional());
        Self { name, role, desc: String::new(), prefix, ty, default: None, kind, optional, schema: None }
    }

    /// An input field.
    pub fn input(name: impl Into<String>, ty: TypeInfo) -> Self {
        Self::new(name, FieldRole::Input, ty)
    }

    /// An output field.
    pub fn output(name: impl Into<String>, ty: TypeInfo) -> Self {
        Self::new(name, FieldRole::Output, ty)
    }

    /// What sort of type it has.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether it may be missing, because its type says so: as an `Option` does.
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// Its JSON Schema: that of the type, with what the field itself demands.
    pub fn schema(&self) -> Schema {
        self.schema.clone().unwrap_or_else(|| self.ty.schema())
    }

    /// Sets the description.
    #[must_use]
    pub fn desc(mut self, desc: impl Into<String>) -> Self {
        self.desc = desc.into();
        self
    }

    /// Sets the label.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Sets the default of a missing output.
    #[must_use]
    pub fn default_value(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self
    }
}

/// Whether values of a schema have documents in them.
fn holds_documents(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => Kind::is_document(schema) || members.values().any(holds_documents),
        Value::Array(items) => items.iter().any(holds_documents),
        _ => false,
    }
}

/// A signature as data: the instruction and the fields. Predictors own one each, so that an optimizer can change
/// the words of one step without touching another.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignatureSpec {
    /// The signature's name.
    pub name: String,
    /// The instructions to the model.
    pub instructions: String,
    /// Inputs, then outputs.
    pub fields: Vec<Field>,
}

impl SignatureSpec {
    /// A signature of these fields; inputs are moved before outputs. The instructions lose the indentation that their
    /// lines share; empty ones become a sentence that names the fields.
    pub fn new(name: impl Into<String>, instructions: impl Into<String>, fields: Vec<Field>) -> Self {
        let mut fields = fields;
        fields.sort_by_key(|f| f.role == FieldRole::Output);
        let instructions = dedented(&instructions.into());
        let mut spec = Self { name: name.into(), instructions, fields };
        if spec.instructions.is_empty() {
            spec.instructions = spec.default_instructions();
        }
        spec
    }

    /// The instructions of a signature without any.
    pub fn default_instructions(&self) -> String {
        let names = |role| {
            let names: Vec<_> =
                self.fields.iter().filter(|f| f.role == role).map(|f| format!("`{}`", f.name)).collect();
            names.join(", ")
        };
        match (names(FieldRole::Input), names(FieldRole::Output)) {
            (inputs, outputs) if inputs.is_empty() => format!("Produce the fields {outputs}."),
            (inputs, outputs) => format!("Given the fields {inputs}, produce the fields {outputs}."),
        }
    }

    /// The input fields.
    pub fn inputs(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|f| f.role == FieldRole::Input)
    }

    /// The output fields.
    pub fn outputs(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|f| f.role == FieldRole::Output)
    }

    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The position of the field of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.name == name)
    }

    /// The position of the output that holds the model's reasoning.
    pub fn reasoning_output(&self) -> Option<usize> {
        self.position_of(FieldRole::Output, |f| f.kind == Kind::Reasoning || f.name == "reasoning")
    }

    /// The position of the output that holds the places of documents that the answer rests on.
    pub(crate) fn citations_output(&self) -> Option<usize> {
        self.position_of(FieldRole::Output, |f| f.kind == Kind::Citations)
    }

    /// The same where there are documents to cite.
    pub(crate) fn cited_output(&self) -> Option<usize> {
        let at = self.citations_output()?;
        let mut inputs = self.fields.iter().filter(|f| f.role == FieldRole::Input);
        inputs.any(|f| holds_documents(f.schema().as_value())).then_some(at)
    }

    /// The position of the input that holds the tools, and of the output that holds the calls to them.
    pub fn tool_fields(&self) -> Option<(usize, usize)> {
        let tools = self.position_of(FieldRole::Input, |f| f.kind == Kind::Tools)?;
        let calls = self.position_of(FieldRole::Output, |f| f.kind == Kind::ToolCalls)?;
        Some((tools, calls))
    }

    fn position_of(&self, role: FieldRole, which: impl Fn(&Field) -> bool) -> Option<usize> {
        self.fields.iter().position(|f| f.role == role && which(f))
    }

    /// Takes over what the fields demand beyond their types from the schema of a struct that has them as its
    /// properties: bounds, lengths and patterns given by `#[schemars(...)]` on a field.
    #[must_use]
    pub fn constrained_by(mut self, record: &Schema) -> Self {
        let property = |name: &str| record.as_value().get("properties")?.get(name)?.as_object();
        for field in &mut self.fields {
            let Some(property) = property(&field.name) else { continue };
            let own = field.ty.schema();
            let mut schema = own.clone();
            for (key, value) in property {
                // What the property says in other words (a reference, a title) is in the type's schema already.
                if CONSTRAINTS.contains(&key.as_str()) {
                    schema.insert(key.clone(), value.clone());
                }
            }
            if schema != own {
                field.schema = Some(schema);
            }
        }
        self
    }

    /// Adds an output before the others, unless there is one of that name.
    #[must_use]
    pub fn with_leading_output(mut self, field: Field) -> Self {
        if self.field(&field.name).is_none() {
            let at =
                self.fields.iter().position(|f| f.role == FieldRole::Output).unwrap_or(self.fields.len());
            self.fields.insert(at, field);
        }
        self
    }
}

/// The keywords by which a field can demand more than its type.
const CONSTRAINTS: [&str; 14] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minItems",
    "maxItems",
    "uniqueItems",
    "contains",
    "items",
];

/// The default label of a field: `birthYear2` and `birth_year_2` give `Birth Year 2:`.
pub fn default_prefix(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = vec![String::new()];
    for (i, &c) in chars.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| chars[i]);
        let after = chars.get(i + 1);
        let boundary = before.is_some_and(|b| {
            b.is_numeric() != c.is_numeric()
                || b.is_lowercase() && c.is_uppercase()
                || b.is_uppercase() && c.is_uppercase() && after.is_some_and(|a| a.is_lowercase())
        });
        if c == '_' || boundary {
            words.push(String::new());
        }
        if c != '_'
            && let Some(word) = words.last_mut()
        {
            word.push(c);
        }
    }
    let title = |word: &String| {
        let mut chars = word.chars();
        // An acronym stays as it is.
        if word.len() > 1 && word.chars().all(char::is_uppercase) {
            return word.clone();
        }
        chars.next().map(|c| c.to_uppercase().chain(chars).collect()).unwrap_or_default()
    };
    let words: Vec<String> = words.iter().filter(|w| !w.is_empty()).map(title).collect();
    format!("{}:", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_split_words_and_numbers() {
        for (name, prefix) in [
            ("question", "Question:"),
            ("someAttributeName42IsCool", "Some Attribute Name 42 Is Cool:"),
            ("isHTTPSSecure123", "Is HTTPS Secure 123:"),
            ("birth_year", "Birth Year:"),
            ("_hidden", "Hidden:"),
        ] {
            assert_eq!(default_prefix(name), prefix);
        }
    }
}
