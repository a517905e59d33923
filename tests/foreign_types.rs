//! Types of other crates as fields: what the model is told of them, how they are written, and what is read.
#![allow(clippy::unwrap_used)]

mod model;

use dspy::prelude::*;
use model::{Model, run};
use serde_json::json;

/// Read the parcel's record.
#[signature]
struct Parcel {
    #[input]
    sent: chrono::NaiveDate,
    #[input]
    label: String,
    #[output]
    arrived: chrono::NaiveDate,
    #[output]
    scanned: chrono::DateTime<chrono::Utc>,
    #[output]
    due: jiff::civil::Date,
    #[output]
    handed_over: jiff::Timestamp,
    #[output]
    transit: jiff::Span,
    #[output]
    price: rust_decimal::Decimal,
    #[output]
    page: url::Url,
    #[output]
    id: uuid::Uuid,
    #[output]
    returned: Option<chrono::NaiveDate>,
}

fn parcel() -> Parcel {
    Parcel {
        sent: "2024-02-03".parse().unwrap(),
        label: "books".into(),
        arrived: "2024-02-07".parse().unwrap(),
        scanned: "2024-02-07T08:30:00Z".parse().unwrap(),
        due: "2024-02-09".parse().unwrap(),
        handed_over: "2024-02-07T08:31:05Z".parse().unwrap(),
        transit: "P4D".parse().unwrap(),
        price: "1013.70".parse().unwrap(),
        page: "https://example.org/parcels/7".parse().unwrap(),
        id: "67e55044-10b1-426f-9247-bb680e5fe0c8".parse().unwrap(),
        returned: None,
    }
}

fn input() -> ParcelInput {
    ParcelInput::from(parcel())
}

#[test]
fn the_model_is_told_their_form() {
    let messages = Predict::<Parcel>::new().render(input()).unwrap();
    let system = messages[0].content.text();
    for line in [
        "- `sent` (string): date, as 2024-05-31",
        "- `scanned` (string): date-time, as 2024-05-31T14:30:00Z",
        "- `due` (string): date, as 2024-05-31",
        "- `transit` (string): duration, as P1DT2H",
        "- `price` (string | number): decimal",
        "- `page` (string): uri",
        "- `id` (string): uuid",
    ] {
        assert!(system.contains(line), "{line} is not in:\n{system}");
    }
}

#[test]
fn they_are_written_as_themselves() {
    let messages = Predict::<Parcel>::new().demos([parcel()]).render(input()).unwrap();
    assert!(messages[1].content.text().contains("[[ ## sent ## ]]\n2024-02-03\n"));
    let shown = messages[2].content.text();
    for (field, text) in [
        ("arrived", "2024-02-07"),
        ("scanned", "2024-02-07T08:30:00Z"),
        ("due", "2024-02-09"),
        ("handed_over", "2024-02-07T08:31:05Z"),
        ("transit", "P4D"),
        // A text where the schema takes a number, too: the quotes tell it apart.
        ("price", "\"1013.70\""),
        ("page", "https://example.org/parcels/7"),
        ("id", "67e55044-10b1-426f-9247-bb680e5fe0c8"),
        ("returned", "null"),
    ] {
        assert!(shown.contains(&format!("[[ ## {field} ## ]]\n{text}\n")), "{field}: {shown}");
    }
}

#[test]
fn they_are_read_as_leniently_as_any_other() {
    run(async {
        let model = Model::script(&["[[ ## arrived ## ]]\n7 February 2024\n\n\
             [[ ## scanned ## ]]\n`2024-02-07T08:30:00Z`\n\n\
             [[ ## due ## ]]\n**2024-02-09**\n\n\
             [[ ## handed_over ## ]]\n\"2024-02-07T08:31:05Z\"\n\n\
             [[ ## transit ## ]]\nP4D\n\n\
             [[ ## price ## ]]\n$1,013.70\n\n\
             [[ ## page ## ]]\n`https://example.org/parcels/7`\n\n\
             [[ ## id ## ]]\n`67e55044-10b1-426f-9247-bb680e5fe0c8`\n\n\
             [[ ## returned ## ]]\nN/A\n\n[[ ## completed ## ]]"])
        .await;
        let program = Predict::<Parcel>::new().lm(model.lm.clone()).repairs(0);
        let output = program.call(input()).await.unwrap().into_inner();
        let expected = ParcelOutput::from(parcel());
        assert_eq!(serde_json::to_value(output).unwrap(), serde_json::to_value(expected).unwrap());
    });
}

#[test]
fn they_come_back_from_structured_output() {
    run(async {
        let answer = serde_json::to_string(&ParcelOutput::from(parcel())).unwrap();
        let model = Model::script(&[&answer]).await;
        let program = Predict::<Parcel>::new().lm(model.lm.clone()).adapter(JsonAdapter::new()).repairs(0);
        let output = program.call(input()).await.unwrap().into_inner();
        assert_eq!(serde_json::to_string(&output).unwrap(), answer);
        let format = &model.asked()[0].body["response_format"];
        assert_eq!(format["type"], json!("json_schema"), "{format}");
    });
}

#[test]
fn what_is_none_is_an_error_of_the_field() {
    run(async {
        let answer = json!({"arrived": "soon"}).to_string();
        let model = Model::script(&[&answer]).await;
        let program = Predict::<Parcel>::new().lm(model.lm.clone()).adapter(JsonAdapter::new()).repairs(0);
        let error = program.call(input()).await.unwrap_err().to_string();
        assert!(error.contains("field `arrived`"), "{error}");
    });
}
