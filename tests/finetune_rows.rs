//! The rows of a fine-tuning: what is sent, and answers that can be read, for fields of many types.
#![allow(clippy::unwrap_used, clippy::panic)]

mod lab;

use dspy::{adapter::XmlAdapter, prelude::*};
use lab::{Lab, sent, tuner};

/// What a thing costs.
#[value]
#[derive(PartialEq)]
struct Price {
    amount: f64,
    currency: Option<String>,
}

/// How it is.
#[value]
#[derive(PartialEq)]
enum Mood {
    Fine,
    #[serde(rename = "not fine")]
    NotFine,
}

/// Fields of many types.
#[signature]
#[derive(PartialEq)]
struct Rich {
    #[input]
    names: Vec<String>,
    #[input]
    price: Price,
    #[input]
    note: Option<String>,
    #[input]
    picture: dspy::value::Image,
    #[input]
    history: dspy::value::History,
    #[output]
    mood: Mood,
    #[output]
    prices: Vec<Price>,
    #[output]
    said: Option<String>,
    #[output]
    code: dspy::value::Code<dspy::value::lang::Rust>,
}

fn rich(n: usize) -> Rich {
    let turn = serde_json::json!({ "names": [format!("earlier {n}")], "mood": "Fine" });
    let mut history = dspy::value::History::new();
    history.push(&turn).unwrap();
    Rich {
        names: vec![format!("a \"{n}\""), "b\nc".into()],
        price: Price { amount: n as f64 / 4.0, currency: None },
        note: n.is_multiple_of(2).then(|| "yes".into()),
        picture: dspy::value::Image::from_url("https://a.b/c.png").unwrap(),
        history,
        mood: if n.is_multiple_of(3) { Mood::Fine } else { Mood::NotFine },
        prices: vec![Price { amount: 0.1, currency: Some("EUR".into()) }],
        said: (n % 2 == 1).then(|| "no".into()),
        code: format!("f({n})").into(),
    }
}

#[tokio::test]
async fn rows_are_what_is_sent_and_their_answers_can_be_read_in_every_format() {
    let train: Vec<Rich> = (0..12).map(rich).collect();
    let any = |_: &Rich, _: &RichOutput| true;
    let programs = [
        Predict::<Rich>::new(),
        Predict::<Rich>::new().adapter(JsonAdapter::default()),
        Predict::<Rich>::new().adapter(XmlAdapter::default()),
    ];
    for program in programs {
        let lab = Lab::start(|_| String::new()).await;
        let base = lab.lm("base");
        let optimizer = BootstrapFinetune::new(tuner()).progress(false).from_labels(true).base(base.clone());
        optimizer.compile(program.clone(), &train, any).await.unwrap();
        let rows = lab.rows(0);
        for row in &train {
            let rendered =
                dspy::with(|c| c.lm(base.clone()), async { program.render(row.clone()) }).await.unwrap();
            let asked = sent(&rendered);
            let learnt = rows.iter().find(|learnt| sent(learnt.prompt()) == asked).unwrap();
            let answer = learnt.answer().to_owned();
            let model = Lab::start(move |_| answer.clone()).await;
            let lm = model.lm("any");
            let output = dspy::with(|c| c.lm(lm), program.call(row.clone())).await.unwrap();
            let expected = RichOutput::from(row.clone());
            assert_eq!(
                serde_json::to_value(output.output()).unwrap(),
                serde_json::to_value(&expected).unwrap()
            );
            assert_eq!(model.count("POST chat/completions"), 1);
        }
    }
}
