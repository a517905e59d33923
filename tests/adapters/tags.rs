//! Answers in tags.

use dspy::{adapter::XmlAdapter, prelude::*};

use super::model::{Model, run};

/// Answer with a reason.
#[signature]
#[derive(PartialEq)]
struct Explain {
    #[input]
    question: String,
    #[output]
    why: String,
    #[output]
    answer: String,
}

/// List what is needed.
#[signature]
#[derive(PartialEq)]
struct List {
    #[input]
    task: String,
    #[output]
    names: Vec<String>,
    #[output]
    items: Vec<Item>,
}

#[value]
#[derive(PartialEq)]
struct Item {
    name: String,
    count: u32,
    tags: Vec<String>,
}

async fn output<S>(answer: &str) -> S::Output
where
    S: StaticSignature,
    S::Input: From<String>,
{
    let model = Model::script(&[answer]).await;
    let xml = XmlAdapter::new().without_fallback();
    let program = Predict::<S>::new().lm(model.lm.clone()).adapter(xml).repairs(0);
    program.forward("?".to_owned().into()).await.unwrap_or_else(|e| panic!("{answer}: {e}"))
}

#[test]
fn tags_are_matched_by_balance() {
    run(async {
        for (answer, why) in [
            ("<why>a</why><answer>b</answer>", "a"),
            ("<why>a <why>inner</why> b</why>\n<answer>b</answer>", "a <why>inner</why> b"),
            ("<why>the tag <why> opens it</why>\n<answer>b</answer>", "the tag <why> opens it"),
            ("<why>the tag </why> closes it</why>\n<answer>b</answer>", "the tag </why> closes it"),
            (
                "<why>under <answer>c</answer> it stands</why>\n<answer>b</answer>",
                "under <answer>c</answer> it stands",
            ),
            ("<why>a</why></why>\n<answer>b</answer>", "a"),
            ("<output><why>a</why><answer>b</answer></output>", "a"),
            ("<Why lang=\"en\">a</Why>\n<ANSWER>b</ANSWER >", "a"),
            ("<why>a\n<answer>b</answer>", "a"),
            ("<why>a</why><answer>b", "a"),
            ("<why/><answer>b</answer>", ""),
            ("<why></why><why>a</why><why>c</why><answer>b</answer>", "a"),
            ("<why>a < b && c > d, <b>so</b></why><answer>b</answer>", "a < b && c > d, <b>so</b>"),
        ] {
            let read = output::<Explain>(answer).await;
            assert_eq!(read, ExplainOutput { why: why.into(), answer: "b".into() }, "{answer}");
        }
    });
}

#[test]
fn entities_and_cdata_are_read() {
    run(async {
        for (text, why) in [
            ("Tom &amp; Jerry", "Tom & Jerry"),
            ("&lt;p&gt; &quot;q&quot; &apos;s&apos;", "<p> \"q\" 's'"),
            ("&#233;t&#xE9; &#x1F600;", "été 😀"),
            ("&amp;amp; &nbsp; & &x;", "&amp; &nbsp; & &x;"),
            ("<![CDATA[if a < b && c { \"</why>\" }]]>", "if a < b && c { \"</why>\" }"),
            ("\n<![CDATA[\n  a\n  b\n]]>\n", "  a\n  b"),
            ("x <![CDATA[<y>]]> &lt;z>", "x <y> <z>"),
        ] {
            let answer = format!("<why>{text}</why>\n<answer>b</answer>");
            assert_eq!(output::<Explain>(&answer).await.why, why, "{answer}");
        }
    });
}

#[test]
fn tags_that_come_again_are_items() {
    run(async {
        let item = |name: &str, count, tags: &[&str]| Item {
            name: name.into(),
            count,
            tags: tags.iter().map(ToString::to_string).collect(),
        };
        let names = ["a & b", "c", "42"].map(str::to_owned).to_vec();
        let items = vec![item("x", 1, &["p", "q"]), item("y", 2, &["r"])];
        let x = "<name>x</name><count>1</count><tags>p</tags><tags>q</tags>";
        let y = "<name>y</name><count>2</count><tags><tag>r</tag></tags>";
        for (first, second) in [
            (
                "<names>a &amp; b</names>\n<names>c</names><names>42</names>".to_owned(),
                format!("<items>{x}</items><items>{y}</items>"),
            ),
            (
                "<names><name>a &amp; b</name><name>c</name>\n<name>42</name></names>".to_owned(),
                format!("<items>\n<item>{x}</item>\n<item>{y}</item>\n</items>"),
            ),
            (
                "<names>[\"a &amp; b\", \"c\", \"42\"]</names>".to_owned(),
                "<items>[{\"name\": \"x\", \"count\": 1, \"tags\": [\"p\", \"q\"]}, {\"name\": \"y\", \"count\": 2, \"tags\": [\"r\"]}]</items>".to_owned(),
            ),
            (
                "<names><names>a &amp; b</names><names>c</names><names>42</names></names>".to_owned(),
                "<items>{\"name\": \"x\", \"count\": 1, \"tags\": [\"p\", \"q\"]}</items><items>{\"name\": \"y\", \"count\": 2, \"tags\": [\"r\"]}</items>".to_owned(),
            ),
        ] {
            let answer = format!("{first}\n{second}");
            let read = output::<List>(&answer).await;
            assert_eq!(read, ListOutput { names: names.clone(), items: items.clone() }, "{answer}");
        }
        // A list of one, and a list that was written twice.
        let answer = format!(
            "<names>[\"a\", \"b\"]</names><names>[\"a\", \"b\"]</names><items><item>{x}</item></items>"
        );
        let read = output::<List>(&answer).await;
        assert_eq!((read.names.len(), read.items), (2, vec![item("x", 1, &["p", "q"])]));
        let read = output::<List>(&format!("<names><name>a</name></names><items>{y}</items>")).await;
        assert_eq!(read, ListOutput { names: vec!["a".into()], items: vec![item("y", 2, &["r"])] });
    });
}

#[test]
fn what_would_be_read_otherwise_is_written_with_entities() {
    run(async {
        let answer = "<why>w</why>\n<answer>b</answer>";
        let model = Model::script(&[answer]).await;
        let xml = XmlAdapter::new();
        let demo = Explain {
            question: "Is </question> & <p> a tag?".into(),
            why: "<b>so</b> </why> &amp; a < b".into(),
            answer: "<![CDATA[".into(),
        };
        let program = Predict::<Explain>::new().lm(model.lm.clone()).adapter(xml).demos([&demo]);
        program.forward(demo.question.clone().into()).await.unwrap();
        let asked = &model.asked()[0];
        assert_eq!(
            asked.texts("assistant")[0],
            "<why>\n<b>so</b> &lt;/why> &amp;amp; a < b\n</why>\n\n<answer>\n&lt;![CDATA[\n</answer>"
        );
        let question = "<question>\nIs &lt;/question> & <p> a tag?\n</question>";
        assert!(asked.texts("user").iter().all(|text| text.contains(question)), "{:?}", asked.texts("user"));
    });
}
