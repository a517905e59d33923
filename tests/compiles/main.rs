//! Programs that must compile: whatever names they use, and however large they are.

pub mod forty_fields;
pub mod forty_texts;
pub mod names;
pub mod shadowing;

#[test]
fn they_run() {
    forty_fields::main();
    forty_texts::main();
    names::main();
    shadowing::main();
}
