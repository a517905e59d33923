//! Ten types as programs declare them, to measure hints with.
#![allow(dead_code)]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, schema_for};

/// A person named in the text.
#[derive(JsonSchema)]
struct Person {
    /// full name as written
    name: String,
    /// job title or function
    role: Option<String>,
    /// email address
    #[schemars(email)]
    email: Option<String>,
    age: Option<u8>,
}

#[derive(JsonSchema)]
enum Sentiment {
    Positive,
    Neutral,
    Negative,
}

/// What a support ticket is about.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Category {
    /// payments, refunds, invoices
    Billing,
    /// the product does not work as documented
    Bug,
    /// something that does not exist yet
    FeatureRequest,
    /// login, passwords, permissions
    Access,
    Other,
}

#[derive(JsonSchema)]
struct Ticket {
    /// one line, no markup
    #[schemars(length(max = 80))]
    summary: String,
    category: Category,
    /// 1 is most urgent
    #[schemars(range(min = 1, max = 5))]
    priority: u8,
    sentiment: Sentiment,
    /// product areas that are affected
    tags: Vec<String>,
    needs_human: bool,
}

#[derive(JsonSchema)]
struct LineItem {
    description: String,
    #[schemars(range(min = 1))]
    quantity: u32,
    /// before tax
    unit_price: f64,
}

#[derive(JsonSchema)]
struct Address {
    street: String,
    city: String,
    postal_code: String,
    /// two letters, as in ISO 3166
    #[schemars(length(equal = 2))]
    country: String,
}

#[derive(JsonSchema)]
struct Invoice {
    number: String,
    /// as in 2024-01-31
    issued: String,
    seller: Address,
    buyer: Address,
    #[schemars(length(min = 1))]
    items: Vec<LineItem>,
    /// three letters, as in ISO 4217
    currency: String,
    total: f64,
}

/// What to do next.
#[derive(JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
enum Action {
    /// look something up
    Search { query: String, limit: Option<u32> },
    /// open a page of the results
    Open { url: String },
    /// run a calculation
    Compute { expression: String },
    /// give the final answer
    Finish { answer: String, confidence: f32 },
}

#[derive(JsonSchema)]
struct Step {
    /// what is done, in the imperative
    instruction: String,
    minutes: Option<u32>,
    /// steps that this one consists of
    #[serde(default)]
    substeps: Vec<Step>,
}

#[derive(JsonSchema)]
struct Recipe {
    title: String,
    servings: u32,
    /// amount by ingredient
    ingredients: BTreeMap<String, String>,
    steps: Vec<Step>,
}

#[derive(JsonSchema)]
struct Claim {
    /// a single checkable statement
    statement: String,
    supported: bool,
    /// numbers of the passages that support it
    passages: Vec<usize>,
    #[schemars(range(min = 0.0, max = 1.0))]
    confidence: f64,
}

#[derive(JsonSchema)]
enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

#[derive(JsonSchema)]
struct Location {
    file: String,
    line: u32,
    column: Option<u32>,
}

#[derive(JsonSchema)]
struct Finding {
    /// what is wrong
    message: String,
    severity: Severity,
    at: Location,
    /// other places that matter
    related: Vec<Location>,
    fix: Option<String>,
}

#[derive(JsonSchema)]
struct Review {
    findings: Vec<Finding>,
    approve: bool,
}

#[derive(JsonSchema)]
struct Entity {
    text: String,
    kind: EntityKind,
    start: usize,
    end: usize,
}

#[derive(JsonSchema)]
enum EntityKind {
    Person,
    Organization,
    Place,
    Date,
    Money,
}

#[derive(JsonSchema)]
struct Relation {
    subject: Entity,
    predicate: String,
    object: Entity,
}

#[derive(JsonSchema)]
struct Graph {
    entities: Vec<Entity>,
    relations: Vec<Relation>,
}

/// The samples with their names.
pub(super) fn samples() -> Vec<(&'static str, Schema)> {
    vec![
        ("Person", schema_for!(Person)),
        ("Category (enum with descriptions)", schema_for!(Category)),
        ("Vec<Sentiment>", schema_for!(Vec<Sentiment>)),
        ("Ticket", schema_for!(Ticket)),
        ("Invoice (nested, shared type)", schema_for!(Invoice)),
        ("Action (tagged enum)", schema_for!(Action)),
        ("Recipe (recursive, map)", schema_for!(Recipe)),
        ("Vec<Claim>", schema_for!(Vec<Claim>)),
        ("Review", schema_for!(Review)),
        ("Graph", schema_for!(Graph)),
    ]
}
