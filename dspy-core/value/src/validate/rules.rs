//! Constraints through the `jsonschema` crate.

use jsonschema::{
    ValidationError,
    error::ValidationErrorKind as Rule,
    paths::{Location, LocationSegment},
};
use serde_json::Value;

use super::Violation;

/// A compiled schema, or why it cannot be compiled.
#[derive(Debug)]
pub(super) struct Rules(Result<jsonschema::Validator, String>);

impl Rules {
    pub(super) fn new(schema: &Value) -> Self {
        let compiled = jsonschema::options().should_validate_formats(true).build(schema);
        Self(compiled.map_err(|e| e.to_string()))
    }

    /// Why nothing can be checked, if so.
    pub(super) fn fault(&self) -> Option<String> {
        let error = self.0.as_ref().err()?;
        Some(format!("cannot be checked, because its schema is wrong: {error}"))
    }

    pub(super) fn check(&self, value: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        if let Ok(validator) = &self.0
            && !validator.is_valid(value)
        {
            for error in validator.iter_errors(value) {
                collect(&error, &mut found);
            }
        }
        found
    }
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
    let shown = || crate::shorten(&value.to_string(), 60).into_owned();
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
