//! Fills in a type sketch of a prompt: the demonstration model's rule for values that are not plain text.
//!
//! A choice becomes the alternative that the input mentions, else the first; a number the next number of the input; a
//! text the next clause of the input; a list one element; what may be left out is `null`. Nothing else is known.

use serde_json::{Map, Value};

/// A value for the sketch with which `text` begins; what follows it is ignored.
pub(super) fn fill(text: &str, inputs: &str) -> Value {
    let mut parser = Parser { rest: text };
    let mut named = Vec::new();
    while let Some(rest) = parser.rest.trim_start().strip_prefix("type ") {
        parser.rest = rest;
        let name = parser.word();
        parser.eat("=");
        named.push((name, parser.ty()));
    }
    let ty = parser.ty();
    let mut clauses =
        inputs.split(['\n', '.', ',', ';', ':', '?', '!']).map(str::trim).filter(|c| !c.is_empty());
    let mut numbers = inputs
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .filter_map(|n| n.trim_matches('.').parse::<f64>().ok());
    let mut filler = Filler {
        lower: inputs.to_lowercase(),
        named: &named,
        clause: &mut || clauses.next(),
        number: &mut || numbers.next(),
    };
    filler.value(&ty, 0)
}

enum Ty {
    Choice(Vec<String>),
    Number { whole: bool },
    Boolean,
    Text,
    Nothing,
    List(Box<Ty>),
    Tuple(Vec<Ty>),
    Object(Vec<(String, bool, Ty)>),
    Union(Vec<Ty>),
    Named(String),
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    /// Passes over spaces and comments, then over `sign` if it comes next.
    fn eat(&mut self, sign: &str) -> bool {
        loop {
            self.rest = self.rest.trim_start();
            match self.rest.strip_prefix("//") {
                Some(comment) => self.rest = comment.split_once('\n').map_or("", |(_, rest)| rest),
                None => break,
            }
        }
        self.rest.strip_prefix(sign).map(|rest| self.rest = rest).is_some()
    }

    fn word(&mut self) -> String {
        self.eat("");
        let quoted = self.rest.strip_prefix('"').and_then(|r| r.split_once('"'));
        let (word, rest) = quoted.unwrap_or_else(|| {
            let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
            self.rest.split_at(end)
        });
        self.rest = rest;
        word.to_owned()
    }

    fn ty(&mut self) -> Ty {
        self.eat("|");
        let mut parts = vec![self.part()];
        while self.eat("|") {
            parts.push(self.part());
        }
        let choices: Vec<String> = parts.iter().filter_map(only_choice).collect();
        match parts.len() {
            1 => parts.remove(0),
            n if n == choices.len() => Ty::Choice(choices),
            _ => Ty::Union(parts),
        }
    }

    fn part(&mut self) -> Ty {
        let mut ty = if self.eat("{") {
            let mut fields = Vec::new();
            while !self.rest.is_empty() && !self.eat("}") {
                let (name, optional) = (self.word(), self.eat("?"));
                if !self.eat(":") {
                    // Keys of a map, which nobody demands.
                    self.rest = self.rest.split_once(':').map_or("", |(_, rest)| rest);
                    self.ty();
                } else {
                    fields.push((name, optional, self.ty()));
                }
                self.eat(",");
            }
            Ty::Object(fields)
        } else if self.eat("[") {
            let mut items = Vec::new();
            while !self.rest.is_empty() && !self.eat("]") {
                items.push(self.ty());
                self.eat(",");
            }
            Ty::Tuple(items)
        } else if self.eat("(") {
            let ty = self.ty();
            self.eat(")");
            ty
        } else if self.rest.starts_with('"') {
            Ty::Choice(vec![self.word()])
        } else {
            match self.word().as_str() {
                "int" => Ty::Number { whole: true },
                "number" => Ty::Number { whole: false },
                "boolean" => Ty::Boolean,
                "null" => Ty::Nothing,
                "string" | "text" | "any" | "" => Ty::Text,
                name => Ty::Named(name.to_owned()),
            }
        };
        while self.eat("[]") {
            ty = Ty::List(Box::new(ty));
        }
        ty
    }
}

fn only_choice(ty: &Ty) -> Option<String> {
    match ty {
        Ty::Choice(choices) => choices.first().cloned(),
        _ => None,
    }
}

struct Filler<'a> {
    lower: String,
    named: &'a [(String, Ty)],
    clause: &'a mut dyn FnMut() -> Option<&'a str>,
    number: &'a mut dyn FnMut() -> Option<f64>,
}

impl Filler<'_> {
    fn value(&mut self, ty: &Ty, depth: usize) -> Value {
        match ty {
            Ty::Choice(choices) => {
                let mentioned = choices.iter().find(|c| self.lower.contains(&c.to_lowercase()));
                mentioned.or(choices.first()).cloned().into()
            }
            Ty::Number { whole: true } => ((self.number)().unwrap_or(1.0) as i64).into(),
            Ty::Number { whole: false } => (self.number)().unwrap_or(1.0).into(),
            Ty::Boolean => true.into(),
            Ty::Text => (self.clause)().unwrap_or("unknown").into(),
            Ty::Nothing => Value::Null,
            Ty::List(item) => match depth {
                0..4 => vec![self.value(item, depth + 1)].into(),
                _ => Value::Array(Vec::new()),
            },
            Ty::Tuple(items) => items.iter().map(|item| self.value(item, depth + 1)).collect(),
            Ty::Object(fields) => {
                let demanded = fields.iter().filter(|(_, optional, _)| !optional);
                Value::Object(
                    demanded
                        .map(|(name, _, ty)| (name.clone(), self.value(ty, depth + 1)))
                        .collect::<Map<_, _>>(),
                )
            }
            Ty::Union(parts) if parts.iter().any(|p| matches!(p, Ty::Nothing)) => Value::Null,
            Ty::Union(parts) => self.value(&parts[0], depth),
            Ty::Named(name) => match self.named.iter().find(|(known, _)| known == name) {
                Some((_, ty)) if depth < 8 => self.value(ty, depth + 1),
                _ => Value::Null,
            },
        }
    }
}
