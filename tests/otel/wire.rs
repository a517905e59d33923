//! What an OTLP request says: just enough of protobuf to read it.

use std::collections::BTreeMap;

/// A field of a message: its number and its value.
enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut n = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        n |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return n;
        }
    }
    unreachable!()
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let mut take = |n: usize| {
            let (taken, rest) = bytes.split_at(n);
            bytes = rest;
            taken
        };
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => Field::Number(u64::from_le_bytes(take(8).try_into().unwrap())),
            5 => Field::Number(u64::from(u32::from_le_bytes(take(4).try_into().unwrap()))),
            2 => {
                let length = varint(&mut bytes) as usize;
                let (taken, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(taken)
            }
            kind => panic!("a field of kind {kind}"),
        };
        found.push((tag >> 3, field));
    }
    found
}

/// The messages in the field of this number.
fn messages(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let all = fields(bytes).into_iter().filter(|(n, _)| *n == number);
    all.filter_map(|(_, field)| if let Field::Bytes(bytes) = field { Some(bytes) } else { None }).collect()
}

fn text(bytes: &[u8], number: u64) -> String {
    messages(bytes, number).first().map_or(String::new(), |b| String::from_utf8(b.to_vec()).unwrap())
}

fn number(bytes: &[u8], wanted: u64) -> u64 {
    let all = fields(bytes).into_iter().filter(|(n, _)| *n == wanted);
    all.filter_map(|(_, f)| if let Field::Number(n) = f { Some(n) } else { None }).next().unwrap_or(0)
}

/// A value with its type, as text.
fn value(bytes: &[u8]) -> String {
    match fields(bytes).into_iter().next() {
        Some((1, Field::Bytes(text))) => String::from_utf8(text.to_vec()).unwrap(),
        Some((2, Field::Number(n))) => format!("bool {}", n == 1),
        Some((3, Field::Number(n))) => format!("int {}", n as i64),
        Some((4, Field::Number(n))) => format!("double {}", f64::from_bits(n)),
        Some((5, Field::Bytes(list))) => {
            format!("{:?}", messages(list, 1).into_iter().map(value).collect::<Vec<_>>())
        }
        _ => "other".into(),
    }
}

fn attributes(bytes: &[u8], number: u64) -> BTreeMap<String, String> {
    let pairs = messages(bytes, number);
    pairs.into_iter().map(|pair| (text(pair, 1), value(messages(pair, 2)[0]))).collect()
}

/// A span.
#[derive(Debug, Clone)]
pub struct Span {
    pub resource: BTreeMap<String, String>,
    pub trace: Vec<u8>,
    pub id: Vec<u8>,
    pub parent: Vec<u8>,
    pub name: String,
    /// 1: internal, 3: client.
    pub kind: u64,
    pub begin: u64,
    pub end: u64,
    pub attributes: BTreeMap<String, String>,
    pub events: Vec<(String, BTreeMap<String, String>)>,
    /// 0: unset, 2: error.
    pub status: u64,
}

/// The spans of an `ExportTraceServiceRequest`.
pub fn spans(body: &[u8]) -> Vec<Span> {
    let mut found = Vec::new();
    for resource_spans in messages(body, 1) {
        let resource = attributes(messages(resource_spans, 1)[0], 1);
        for span in messages(resource_spans, 2).into_iter().flat_map(|scope| messages(scope, 2)) {
            let bytes = |n| messages(span, n).first().map_or(Vec::new(), |b| b.to_vec());
            found.push(Span {
                resource: resource.clone(),
                trace: bytes(1),
                id: bytes(2),
                parent: bytes(4),
                name: text(span, 5),
                kind: number(span, 6),
                begin: number(span, 7),
                end: number(span, 8),
                attributes: attributes(span, 9),
                events: messages(span, 11).iter().map(|e| (text(e, 2), attributes(e, 3))).collect(),
                status: messages(span, 15).first().map_or(0, |status| number(status, 3)),
            });
        }
    }
    found
}
