//! A struct of forty fields.
#![deny(warnings, missing_docs, unreachable_pub)]

use dspy::prelude::*;

/// Forty fields.
#[signature]
pub struct Forty {
    /// field 0
    #[input]
    pub f0: String,
    /// field 1
    #[input]
    pub f1: i64,
    /// field 2
    #[input]
    pub f2: f64,
    /// field 3
    #[input]
    pub f3: bool,
    /// field 4
    #[input]
    pub f4: Vec<String>,
    /// field 5
    #[input]
    pub f5: Option<String>,
    /// field 6
    #[input]
    pub f6: (String, u8),
    /// field 7
    #[input]
    pub f7: std::collections::BTreeMap<String, f32>,
    /// field 8
    #[input]
    pub f8: String,
    /// field 9
    #[input]
    pub f9: i64,
    /// field 10
    #[input]
    pub f10: f64,
    /// field 11
    #[input]
    pub f11: bool,
    /// field 12
    #[input]
    pub f12: Vec<String>,
    /// field 13
    #[input]
    pub f13: Option<String>,
    /// field 14
    #[input]
    pub f14: (String, u8),
    /// field 15
    #[input]
    pub f15: std::collections::BTreeMap<String, f32>,
    /// field 16
    #[input]
    pub f16: String,
    /// field 17
    #[input]
    pub f17: i64,
    /// field 18
    #[input]
    pub f18: f64,
    /// field 19
    #[input]
    pub f19: bool,
    /// field 20
    #[output]
    pub f20: Vec<String>,
    /// field 21
    #[output]
    pub f21: Option<String>,
    /// field 22
    #[output]
    pub f22: (String, u8),
    /// field 23
    #[output]
    pub f23: std::collections::BTreeMap<String, f32>,
    /// field 24
    #[output]
    pub f24: String,
    /// field 25
    #[output]
    pub f25: i64,
    /// field 26
    #[output]
    pub f26: f64,
    /// field 27
    #[output]
    pub f27: bool,
    /// field 28
    #[output]
    pub f28: Vec<String>,
    /// field 29
    #[output]
    pub f29: Option<String>,
    /// field 30
    #[output]
    pub f30: (String, u8),
    /// field 31
    #[output]
    pub f31: std::collections::BTreeMap<String, f32>,
    /// field 32
    #[output]
    pub f32: String,
    /// field 33
    #[output]
    pub f33: i64,
    /// field 34
    #[output]
    pub f34: f64,
    /// field 35
    #[output]
    pub f35: bool,
    /// field 36
    #[output]
    pub f36: Vec<String>,
    /// field 37
    #[output]
    pub f37: Option<String>,
    /// field 38
    #[output]
    pub f38: (String, u8),
    /// field 39
    #[output]
    pub f39: std::collections::BTreeMap<String, f32>,
}

pub(crate) fn main() {
    let _ = Predict::<Forty>::new();
}
