//! Whole models: what is loaded, computed, answered and trained.

mod answers;
mod fixture;
mod loading;
mod training;

use candle_core::Device;
use serde_json::{Value, json};

use crate::{
    GenerateOptions, Generated, Message, Model,
    attention::Attend,
    decoder::{Decoder, Math},
    open::{Opened, open},
    paged::{Pool, Sequence, Step},
};

/// A model in a folder that lives as long as it is needed.
fn model(class: &str, more: &Value) -> (tempfile::TempDir, Model) {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(dir.path(), class, more);
    let model = Model::open(dir.path()).unwrap();
    (dir, model)
}

fn llama() -> (tempfile::TempDir, Model) {
    model("LlamaForCausalLM", &json!({}))
}

fn prompt(text: &str) -> [Message<'_>; 2] {
    [Message::system("Say something."), Message::user(text)]
}

async fn answer(model: &Model, text: &str, options: GenerateOptions) -> Generated {
    model.generate(&prompt(text), &options).await.unwrap()
}

fn short() -> GenerateOptions {
    GenerateOptions { max_tokens: Some(24), ..GenerateOptions::default() }
}

fn decoder(class: &str, more: &Value) -> Decoder {
    let dir = tempfile::tempdir().unwrap();
    fixture::write(dir.path(), class, more);
    let Ok(Opened { decoder, .. }) = open(dir.path(), &Device::Cpu, None) else { panic!("not opened") };
    decoder
}

/// The logits of new tokens of some sequences, through the cache.
fn paged(decoder: &Decoder, sequences: Vec<(&mut Sequence, usize)>) -> Vec<Vec<f32>> {
    let mut step = Step::new(decoder, sequences);
    let tokens = step.tokens();
    let attend: &mut dyn Attend = &mut step;
    let hidden = decoder.hidden(&tokens, attend, Math::Fast).unwrap();
    decoder.logits(&hidden, Math::Fast).unwrap().to_vec2().unwrap()
}

fn assert_close(ours: &[Vec<f32>], theirs: &[Vec<f32>]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        for (a, b) in ours.iter().zip(theirs) {
            assert!((a - b).abs() < 1e-3, "{a} is not {b}");
        }
    }
}

#[test]
fn tokens_in_pieces_and_in_company_give_what_they_give_alone() {
    let cases = [
        ("LlamaForCausalLM", json!({})),
        ("LlamaForCausalLM", json!({"num_key_value_heads": 4, "tie_word_embeddings": false})),
        ("MistralForCausalLM", json!({"sliding_window": 9})),
        ("Qwen2ForCausalLM", json!({})),
        ("Qwen3ForCausalLM", json!({"head_dim": 16})),
    ];
    for (class, more) in cases {
        let plain = decoder(class, &more);
        let merged = plain.clone().merged().unwrap();
        let a: Vec<u32> = (0..70).map(|i| (i * 37 + 11) % 256).collect();
        let b: Vec<u32> = (0..40).map(|i| (i * 53 + 7) % 256).collect();
        let expected = [&a, &b].map(|t| plain.logits_of(t).unwrap().to_vec2::<f32>().unwrap());
        let (mut sa, mut sb) = (Sequence::default(), Sequence::default());
        // 33 tokens of the first alone; then the rest of it together with the second; then one token of it.
        sa.extend(&a[..33], &merged.config);
        let mut found = paged(&merged, vec![(&mut sa, 33)]);
        sa.extend(&a[33..], &merged.config);
        sb.extend(&b[..39], &merged.config);
        let both = paged(&merged, vec![(&mut sa, 37), (&mut sb, 39)]);
        found.extend_from_slice(&both[..37]);
        assert_close(&found, &expected[0]);
        assert_close(&both[37..], &expected[1][..39]);
        sb.extend(&b[39..], &merged.config);
        assert_close(&paged(&merged, vec![(&mut sb, 1)]), &expected[1][39..]);
    }
}

#[test]
fn sequences_that_begin_alike_share_what_is_known() {
    let decoder = decoder("LlamaForCausalLM", &json!({})).merged().unwrap();
    let tokens: Vec<u32> = (0..50).map(|i| (i * 31) % 256).collect();
    let expected = decoder.logits_of(&tokens).unwrap().to_vec2::<f32>().unwrap();
    let mut pool = Pool::new(&decoder.config, 1 << 20);
    let mut first = pool.begin(&tokens);
    assert_eq!(first.len(), 0);
    first.extend(&tokens, &decoder.config);
    paged(&decoder, vec![(&mut first, 50)]);
    pool.share(&mut first);
    drop(first);
    // Three full blocks of sixteen are known.
    let mut second = pool.begin(&tokens);
    assert_eq!(second.len(), 48);
    second.extend(&tokens[48..], &decoder.config);
    assert_close(&paged(&decoder, vec![(&mut second, 2)]), &expected[48..]);
    // Another token in the second block: only the first block is of use.
    let mut other = tokens.clone();
    other[20] = 99;
    assert_eq!(pool.begin(&other).len(), 16);
    // The last token is always computed.
    assert_eq!(pool.begin(&tokens[..48]).len(), 32);
}

#[test]
fn what_is_kept_is_bounded() {
    let decoder = decoder("LlamaForCausalLM", &json!({}));
    // A block is 2 layers × 2 heads × 16 tokens × 8 numbers × 2 × 4 bytes.
    let mut pool = Pool::new(&decoder.config, 10 * 4096);
    for i in 0..100 {
        let mut sequence = Sequence::default();
        sequence.extend(&[i; 32], &decoder.config);
        pool.share(&mut sequence);
        assert!(pool.len() <= 20, "{}", pool.len());
    }
    // What came last is still there.
    assert_eq!(pool.begin(&[99; 40]).len(), 32);
    assert_eq!(pool.begin(&[0; 40]).len(), 0);
}
