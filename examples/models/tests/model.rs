//! The weights in `tiny/` do what the card says.
#![cfg(feature = "local")]

use dspy::prelude::*;
use dspy_tiny::fixed::NOTES;

#[tokio::test]
async fn demonstrations_tell_the_model_the_rule() -> Result<()> {
    let lm = LM::new(concat!("local/", env!("CARGO_MANIFEST_DIR"), "/tiny"))?;
    let (train, dev) = NOTES.rows(1, 90, 60);
    let right = async |demos: &[Record]| -> Result<usize> {
        let adapter = ChatAdapter::new().without_fallback();
        let program =
            Predict::dynamic(NOTES.signature()?).lm(lm.clone()).adapter(adapter).demos(demos.to_vec());
        let mut right = 0;
        for row in &dev {
            let found = program.call(Record::from([(NOTES.input, row[NOTES.input].clone())])).await?;
            right += usize::from(found[NOTES.output] == row[NOTES.output]);
        }
        Ok(right)
    };
    let (without, with) = (right(&[]).await?, right(&train[..12]).await?);
    assert!(without <= 35 && with >= 50, "{without} and {with} of 60");
    Ok(())
}
