//! What the compiler says to programs that are wrong.
//!
//! Programs that must compile stand elsewhere: one of them here would have all dependencies built once more, instead
//! of checked.

#[test]
fn ui() {
    trybuild::TestCases::new().compile_fail("*/fail/*.rs");
}
