//! Constraints of a schema, checked on values that were read.
//!
//! Reading already proves that a value has its type, so this looks only at what a type cannot say: ranges, lengths,
//! patterns, formats, uniqueness.

#[cfg(feature = "constraints")]
mod rules;

use std::fmt;

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
pub struct Validator {
    #[cfg(feature = "constraints")]
    rules: rules::Rules,
}

impl Validator {
    /// The constraints of a schema; `None` when it has none, so that most types cost nothing.
    ///
    /// A constraint that cannot be compiled, such as a broken pattern, is reported by every [`check`](Self::check).
    #[cfg(feature = "constraints")]
    pub fn new(schema: &Schema) -> Option<Self> {
        let schema = schema.as_value();
        has_constraints(schema, &|_| true).then(|| Self { rules: rules::Rules::new(schema) })
    }

    /// The constraints of a schema; `None` when it has none.
    ///
    /// Without the feature `constraints` they cannot be checked. Those that the type's own reading does not ensure
    /// are then reported as broken by every [`check`](Self::check), so that none is passed over in silence.
    #[cfg(not(feature = "constraints"))]
    pub fn new(schema: &Schema) -> Option<Self> {
        // A date or a set is what it says by its type.
        has_constraints(schema.as_value(), &|key| !matches!(key, "format" | "uniqueItems")).then_some(Self {})
    }

    /// Why the constraints cannot be checked on any value, if they cannot.
    #[cfg(feature = "constraints")]
    pub fn fault(&self) -> Option<String> {
        self.rules.fault()
    }

    /// That the constraints cannot be checked on any value.
    #[cfg(not(feature = "constraints"))]
    pub fn fault(&self) -> Option<String> {
        Some("has constraints, which need the feature `constraints` of the crate `dspy`".to_owned())
    }

    /// What a value breaks; nothing when it is in order. Constraints that cannot be checked count as broken.
    pub fn check(&self, value: &Value) -> Vec<Violation> {
        match self.fault() {
            Some(message) => vec![Violation { path: String::new(), message }],
            None => self.broken_by(value),
        }
    }

    #[cfg(feature = "constraints")]
    fn broken_by(&self, value: &Value) -> Vec<Violation> {
        self.rules.check(value)
    }

    #[cfg(not(feature = "constraints"))]
    fn broken_by(&self, _: &Value) -> Vec<Violation> {
        Vec::new()
    }
}

/// Whether there is a constraint beyond types anywhere in a schema, of those keywords that count.
fn has_constraints(node: &Value, counts: &dyn Fn(&str) -> bool) -> bool {
    let Value::Object(object) = node else { return false };
    let within = |part: &Value| has_constraints(part, counts);
    object.iter().any(|(key, value)| match key.as_str() {
        key if !counts(key) => false,
        "minimum" | "maximum" => !is_natural_bound(node, key),
        "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" | "minLength" | "maxLength" | "pattern"
        | "minProperties" | "maxProperties" | "uniqueItems" | "contains" | "not" | "propertyNames" => true,
        "minItems" | "maxItems" => !object.contains_key("prefixItems"),
        "format" => value.as_str().is_some_and(is_checked_format),
        "properties" | "patternProperties" | "$defs" | "definitions" => {
            value.as_object().is_some_and(|parts| parts.values().any(within))
        }
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
            value.as_array().is_some_and(|parts| parts.iter().any(within))
        }
        "items" | "additionalProperties" => within(value),
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

#[cfg(all(test, feature = "constraints"))]
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
