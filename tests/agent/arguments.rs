//! Arguments of calls, read from what models write: whatever is given is read as what it is, or refused.

use std::collections::BTreeMap;

use dspy::{ToolErrorKind, prelude::*};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::object;

/// Keep a value.
#[value]
#[derive(PartialEq)]
struct Order {
    /// of the article
    name: String,
    count: u32,
    express: bool,
    tags: Vec<String>,
    weights: BTreeMap<String, i64>,
    note: Option<String>,
}

/// Place an order.
#[tool]
async fn order(
    name: String,
    count: u32,
    express: bool,
    tags: Vec<String>,
    weights: BTreeMap<String, i64>,
    note: Option<String>,
) -> Order {
    Order { name, count, express, tags, weights, note }
}

fn as_data() -> Tool {
    let schema = Tool::from_fn(order).spec().parameters.clone();
    Tool::new("order", "Place an order.", schema, |arguments| async move { Ok::<_, Error>(arguments) })
}

fn typed() -> Tool {
    Tool::typed("order", "Place an order.", |placed: Order| async move { Ok::<_, Error>(placed) })
}

fn call(tool: &Tool, arguments: Map<String, Value>) -> Result<Value, dspy::ToolError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(tool.call(arguments))
}

fn orders() -> impl Strategy<Value = Order> {
    let text = "[ -~äöü€\n]{0,12}";
    let (tags, weights) =
        (prop::collection::vec(text, 0..4), prop::collection::btree_map("[a-z]{1,6}", any::<i64>(), 0..4));
    (text, any::<u32>(), any::<bool>(), tags, weights, prop::option::of(text)).prop_map(
        |(name, count, express, tags, weights, note)| Order { name, count, express, tags, weights, note },
    )
}

/// Any JSON, in which texts are likely to look like something else.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~äöü€\n]{0,16}".prop_map(Value::from),
        "[\\[{\"'][0-9a-z,:\"' ]{0,12}[\\]}\"']?".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_value_serialises_to_is_read_as_that_value(given in orders()) {
        let written = serde_json::to_value(&given).unwrap();
        for tool in [Tool::from_fn(order), as_data(), typed()] {
            let mut read = call(&tool, object(written.clone())).unwrap();
            // A tool that is data is not given what is null.
            if let (Value::Object(read), None) = (&mut read, &given.note) {
                read.entry("note").or_insert(Value::Null);
            }
            prop_assert_eq!(serde_json::from_value::<Order>(read).unwrap(), serde_json::from_value::<Order>(written.clone()).unwrap());
        }
    }

    #[test]
    fn parts_that_are_written_as_text_are_read_all_the_same(given in orders()) {
        let mut written = object(serde_json::to_value(&given).unwrap());
        for name in ["count", "express", "tags", "weights"] {
            let text = written[name].to_string();
            written.insert(name.into(), text.into());
        }
        for tool in [Tool::from_fn(order), as_data()] {
            let mut read = object(call(&tool, written.clone()).unwrap());
            read.entry("note").or_insert(Value::Null);
            prop_assert_eq!(&serde_json::from_value::<Order>(Value::Object(read)).unwrap(), &given);
        }
    }

    #[test]
    fn nothing_is_made_of_what_is_none(
        arguments in prop::collection::btree_map("name|count|express|tags|weights|note|other", any_json(), 0..7)
    ) {
        let arguments: Map<String, Value> = arguments.into_iter().collect();
        for tool in [Tool::from_fn(order), as_data(), typed()] {
            match call(&tool, arguments.clone()) {
                // A text stays the text it was, and what is read is an order.
                Ok(read) => {
                    if let Some(Value::String(name)) = arguments.get("name") {
                        prop_assert_eq!(&read["name"], name);
                    }
                    let mut read = object(read);
                    read.entry("note").or_insert(json!(null));
                    prop_assert!(serde_json::from_value::<Order>(Value::Object(read)).is_ok());
                }
                Err(error) => {
                    prop_assert_eq!(error.kind, ToolErrorKind::Arguments);
                    prop_assert!(error.message.contains("`order` was not called"), "{}", error);
                }
            }
        }
    }
}
