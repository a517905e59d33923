use dspy::prelude::*;

async fn forward() -> Result<bool> {
    let classify = predict!("sentence, topic -> sentiment: bool");
    let p = classify.call("a").await?;
    Ok(p.sentimnt)
}

fn main() {
    let _ = forward;
}
