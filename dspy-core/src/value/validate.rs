//! Constraints of a schema, checked on values that were read.
//!
//! Reading already proves that a value has its type, so this looks only at what a type cannot say: ranges, lengths,
//! patterns, formats, uniqueness.

use std::fmt;

use jsonschema::{
    ValidationError,
    error::ValidationErrorKind as Rule,
    paths::{Location, LocationSegment},
};
use schemars::Schema;
use serde_json::Value;

use super::hint::is_natural_bound;

/// A broken constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// Where in the value, such as `items[2].price`; empty for the value itself.
    pub path: String,
    /// What is asked for and what was found.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}` ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// The constraints of a schema, compiled once for a signature.
#[derive(Debug)]
pub struct Validator(Result<jsonschema::Validator, String>);

impl Validator {
    /// The constraints of a schema; `None` when it has none, so that most types cost nothing.
    ///
    /// A constraint that cannot be compiled, such as a broken pattern, is reported by every [`check`](Self::check).
    pub fn new(schema: &Schema) -> Option<Self> {
        let schema = schema.as_value();
        if !has_constraints(schema) {
            return None;
        }
        let compiled = jsonschema::options().should_validate_formats(true).build(schema);
        Some(Self(compiled.map_err(|e| e.to_string())))
    }

    /// What a value breaks; nothing when it is in order.
    pub fn check(&self, value: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        match &self.0 {
            Err(error) => {
                let message = format!("cannot be checked, because its schema is wrong: {error}");
                found.push(Violation { path: String::new(), message });
            }
            Ok(validator) if validator.is_valid(value) => {}
            Ok(validator) => {
                for error in validator.iter_errors(value) {
                    collect(&error, &mut found);
                }
            }
        }
        found
    }
}

/// Whether there is a constraint beyond types anywhere in a schema.
fn has_constraints(node: &Value) -> bool {
    let Value::Object(object) = node else { return false };
    object.iter().any(|(key, value)| match key.as_str() {
        "minimum" | "maximum" => !is_natural_bound(node, key),
        "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "minLength" | "maxLength" | "pattern"
        | "minProperties" | "maxProperties" | "uniqueItems" | "contains" | "not" | "propertyNames" => true,
        "minItems" | "maxItems" => !object.contains_key("prefixItems"),
        "format" => value.as_str().is_some_and(is_checked_format),
        "properties" | "patternProperties" | "$defs" | "definitions" => {
            value.as_object().is_some_and(|parts| parts.values().any(has_constraints))
        }
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
            value.as_array().is_some_and(|parts| parts.iter().any(has_constraints))
        }
        "items" | "additionalProperties" => has_constraints(value),
        _ => false,
    })
}

/// Formats of texts that are more than a comment.
fn is_checked_format(format: &str) -> bool {
    matches!(
        format,
        "email"
            | "uri"
            | "uri-reference"
            | "iri"
            | "hostname"
            | "ipv4"
            | "ipv6"
            | "uuid"
            | "regex"
            | "date"
            | "time"
            | "date-time"
            | "duration"
            | "json-pointer"
    )
}

/// Takes over a broken constraint. What only says that the value has another shape is left out: the reader found the
/// shape right, perhaps under names that only reading knows.
fn collect(error: &ValidationError<'_>, found: &mut Vec<Violation>) {
    if let Rule::AnyOf { context } | Rule::OneOfNotValid { context } = error.kind() {
        // The branch that the value is meant for is the one of which only constraints are broken.
        let fits =
            |branch: &&Vec<ValidationError<'_>>| branch.iter().all(|e| message(e).is_some() || is_choice(e));
        if let Some(branch) = context.iter().find(fits) {
            branch.iter().for_each(|e| collect(e, found));
        }
        return;
    }
    if let Some(message) = message(error) {
        let violation = Violation { path: path(error.instance_path()), message };
        if !found.contains(&violation) {
            found.push(violation);
        }
    }
}

fn is_choice(error: &ValidationError<'_>) -> bool {
    matches!(error.kind(), Rule::AnyOf { .. } | Rule::OneOfNotValid { .. })
}

/// The place in the manner of Rust: `items[2].price`.
fn path(location: &Location) -> String {
    let mut path = String::new();
    for segment in location.segments() {
        match segment {
            LocationSegment::Index(i) => path.push_str(&format!("[{i}]")),
            LocationSegment::Property(name) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&name);
            }
        }
    }
    path
}

/// What the constraint asks for and what was found; `None` when the rule is about the shape of the value.
fn message(error: &ValidationError<'_>) -> Option<String> {
    let value = error.instance().as_ref();
    let characters = || value.as_str().map_or(0, |text| text.chars().count());
    let items = || value.as_array().map_or(0, Vec::len);
    let entries = || value.as_object().map_or(0, serde_json::Map::len);
    let shown = || crate::error::shorten(&value.to_string(), 60).into_owned();
    let plural = |n: u64, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    Some(match error.kind() {
        Rule::Minimum { limit } => format!("must be at least {limit}, but is {value}"),
        Rule::Maximum { limit } => format!("must be at most {limit}, but is {value}"),
        Rule::ExclusiveMinimum { limit } => format!("must be greater than {limit}, but is {value}"),
        Rule::ExclusiveMaximum { limit } => format!("must be less than {limit}, but is {value}"),
        Rule::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}, but is {value}"),
        Rule::MinLength { limit } => {
            format!(
                "must have at least {}, but has {}",
                plural(*limit, "character", "characters"),
                characters()
            )
        }
        Rule::MaxLength { limit } => {
            format!(
                "must have at most {}, but has {}",
                plural(*limit, "character", "characters"),
                characters()
            )
        }
        Rule::MinItems { limit } => {
            format!("must have at least {}, but has {}", plural(*limit, "item", "items"), items())
        }
        Rule::MaxItems { limit } => {
            format!("must have at most {}, but has {}", plural(*limit, "item", "items"), items())
        }
        Rule::MinProperties { limit } => {
            format!("must have at least {}, but has {}", plural(*limit, "entry", "entries"), entries())
        }
        Rule::MaxProperties { limit } => {
            format!("must have at most {}, but has {}", plural(*limit, "entry", "entries"), entries())
        }
        Rule::Pattern { pattern } => format!("must match /{pattern}/, but is {}", shown()),
        Rule::Format { format } => format!("must be a valid {format}, but is {}", shown()),
        Rule::UniqueItems => "must not hold the same item twice".to_owned(),
        Rule::Contains => "lacks an item that it must hold".to_owned(),
        Rule::Not { .. } => format!("must not be {}", shown()),
        Rule::PropertyNames { error } => format!("has a name that is not allowed: {}", message(error)?),
        Rule::BacktrackLimitExceeded { .. } | Rule::RegexEngineFailure { .. } => {
            "could not be checked: its pattern takes too long".to_owned()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};
    use serde_json::json;

    use super::*;

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Order {
        #[schemars(length(min = 1, max = 2))]
        items: Vec<Item>,
        #[schemars(email)]
        email: Option<String>,
        payment: Option<Payment>,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Item {
        #[schemars(range(min = 0.5))]
        price: f64,
        #[schemars(regex(pattern = "^[A-Z]+$"))]
        code: String,
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    #[serde(tag = "type")]
    enum Payment {
        Cash,
        Card {
            #[schemars(length(equal = 4))]
            digits: String,
        },
    }

    #[derive(JsonSchema)]
    #[allow(dead_code)]
    struct Free {
        a: u8,
        b: Option<(i32, String)>,
        c: Vec<f32>,
        d: std::collections::BTreeMap<u32, bool>,
    }

    #[test]
    fn types_alone_cost_nothing() {
        assert!(Validator::new(&schema_for!(Free)).is_none());
        assert!(Validator::new(&schema_for!(String)).is_none());
        assert!(Validator::new(&schema_for!(Order)).is_some());
    }

    #[test]
    fn violations_name_their_place() {
        let validator = Validator::new(&schema_for!(Order)).unwrap();
        let good =
            json!({"items": [{"price": 1, "code": "A"}], "email": "a@b.org", "payment": {"type": "Cash"}});
        assert_eq!(validator.check(&good), []);
        let bad = json!({
            "items": [{"price": 1, "code": "A"}, {"price": 0, "code": "A"}, {"price": 1, "code": "b"}],
            "email": "nobody",
            "payment": {"type": "Card", "digits": "123"},
        });
        let mut found: Vec<_> = validator.check(&bad).iter().map(Violation::to_string).collect();
        found.sort();
        assert_eq!(
            found,
            [
                "`email` must be a valid email, but is \"nobody\"",
                "`items[1].price` must be at least 0.5, but is 0",
                "`items[2].code` must match /^[A-Z]+$/, but is \"b\"",
                "`items` must have at most 2 items, but has 3",
                "`payment.digits` must have at least 4 characters, but has 3",
            ]
        );
    }

    #[test]
    fn shapes_are_left_to_the_reader() {
        let validator = Validator::new(&schema_for!(Order)).unwrap();
        assert_eq!(validator.check(&json!({"products": "none"})), []);
        assert_eq!(validator.check(&json!({"items": [{}], "payment": {"kind": 1}})), []);
    }

    #[test]
    fn a_broken_pattern_is_reported() {
        let schema: Schema = json!({"type": "string", "pattern": "("}).try_into().unwrap();
        let found = Validator::new(&schema).unwrap().check(&json!("x"));
        assert!(found[0].message.contains("schema is wrong"), "{found:?}");
    }
}
