//! Types of other crates whose schemas say more than a prompt needs.

use schemars::Schema;

/// Takes from a schema the patterns of types that check them when they are read: `rust_decimal::Decimal` becomes a text
/// or number of the format `decimal`. So the model is not shown a regular expression, and the type does not need the
/// feature `constraints`.
#[cfg(feature = "rust_decimal")]
pub fn without_own_patterns(mut schema: Schema) -> Schema {
    use schemars::{
        JsonSchema, SchemaGenerator,
        transform::{Transform, transform_subschemas},
    };

    struct Decimals(Schema);

    impl Transform for Decimals {
        fn transform(&mut self, schema: &mut Schema) {
            let same = |key: &str| schema.get(key).is_some() && schema.get(key) == self.0.get(key);
            if same("pattern") {
                schema.remove("pattern");
                schema.insert("format".into(), "decimal".into());
            }
            transform_subschemas(self, schema);
        }
    }

    let decimal = rust_decimal::Decimal::json_schema(&mut SchemaGenerator::default());
    Decimals(decimal).transform(&mut schema);
    schema
}

/// As it is: no such type is known.
#[cfg(not(feature = "rust_decimal"))]
pub fn without_own_patterns(schema: Schema) -> Schema {
    schema
}
