//! From text to a signature.

use std::ops::Range;

use crate::{
    Constant, Field, GrammarError, Named, RESERVED, Signature, Type, TypeKind,
    cursor::{Cursor, Result},
    types::{Known, known, other_case},
};

/// How deep types may nest.
const DEPTH: usize = 32;
const FIELD: &str = "a field is `name` or `name: type`, as in `question, context: list[str] -> answer: str`";

/// Reads a signature.
///
/// # Errors
/// [`GrammarError`] names the place and what to write there.
pub fn parse(source: &str) -> Result<Signature> {
    let mut parser = Parser { cursor: Cursor::new(source), depth: 0 };
    let inputs = parser.side()?;
    if !parser.cursor.eat("->") {
        if parser.cursor.peek().is_none() {
            let cure = "write `inputs -> outputs`, as in `question -> answer`";
            return Err(parser.cursor.expected("`->`", cure));
        }
        return Err(parser.cursor.expected("`,` or `->`", FIELD));
    }
    if parser.cursor.peek().is_none() {
        return Err(parser.cursor.expected("a field", "name at least one output behind `->`"));
    }
    let outputs = parser.side()?;
    if parser.cursor.starts_with("->") {
        let start = parser.cursor.start();
        return Err(parser.cursor.error(
            start..start + 2,
            "there is a second `->`",
            "a signature is one step; write a module for several",
        ));
    }
    if parser.cursor.peek().is_some() {
        return Err(parser.cursor.expected("`,` or the end", FIELD));
    }
    let signature = Signature { inputs, outputs };
    names(source, &signature)?;
    Ok(signature)
}

/// Whether every field has a name of its own.
fn names(source: &str, signature: &Signature) -> Result<()> {
    let fields: Vec<&Field> = signature.inputs.iter().chain(&signature.outputs).collect();
    for (i, field) in fields.iter().enumerate() {
        let name = &field.name;
        let error =
            |problem: String, cure: String| Err(GrammarError::new(source, field.span.clone(), problem, cure));
        if name.eq_ignore_ascii_case(RESERVED) {
            let problem = format!("`{name}` marks the end of an answer, so no field can have this name");
            return error(problem, "choose another one, such as `done`".into());
        }
        if name.chars().all(|c| c == '_') {
            return error(format!("`{name}` is no name"), "a name has a letter or a digit".into());
        }
        if let Some(other) = fields.iter().take(i).position(|f| f.name == *name) {
            let sides = (other < signature.inputs.len()) != (i < signature.inputs.len());
            let cure = match sides {
                true => format!("name the output otherwise, such as `new_{name}`"),
                false => "every field needs a name of its own".into(),
            };
            return error(format!("there is another field named `{name}`"), cure);
        }
    }
    Ok(())
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn side(&mut self) -> Result<Vec<Field>> {
        let mut fields = Vec::new();
        while self.cursor.peek().is_some() && !self.cursor.starts_with("->") {
            fields.push(self.field()?);
            if !self.cursor.eat(",") {
                break;
            }
        }
        Ok(fields)
    }

    fn field(&mut self) -> Result<Field> {
        let Some((name, span)) = self.cursor.name() else {
            return Err(self.cursor.expected("the name of a field", FIELD));
        };
        let name = name.to_owned();
        if self.cursor.starts_with("::") {
            return Err(self.cursor.expected("`:` or `,`", FIELD));
        }
        let ty = match self.cursor.eat(":") {
            true => self.ty()?,
            false => Type { kind: TypeKind::Str, span: span.clone() },
        };
        let default = match self.cursor.eat("=") {
            true => Some(self.default(&name, &ty)?),
            false => None,
        };
        Ok(Field { name, span, ty, default })
    }

    fn default(&mut self, name: &str, ty: &Type) -> Result<Constant> {
        let start = self.cursor.start();
        let mut default = self.constant()?;
        if let (Constant::Int(n), TypeKind::Float(_)) = (&default, &ty.kind) {
            default = Constant::Float(*n as f64);
        }
        if fits(&default, &ty.kind) {
            return Ok(default);
        }
        let cure = match &default {
            Constant::None => format!("write `{name}: Optional[{ty}] = None`"),
            Constant::Int(_) => format!("write `{name}: int = {default}`"),
            Constant::Float(_) => format!("write `{name}: float = {default}`"),
            Constant::Bool(_) => format!("write `{name}: bool = {default}`"),
            Constant::Str(_) => format!("write `{name}: str = {default}`"),
        };
        Err(self.cursor.error(start..self.cursor.at, format!("`{default}` is no value of `{ty}`"), cure))
    }

    /// A type that is a value.
    fn ty(&mut self) -> Result<Type> {
        let start = self.cursor.start();
        match self.union()? {
            Some(ty) => Ok(ty),
            None => Err(self.cursor.error(
                start..self.cursor.at,
                "`None` alone says nothing",
                "write `Optional[str]` for a text that may be missing",
            )),
        }
    }

    /// Types with `|` between them; nothing for `None`.
    fn union(&mut self) -> Result<Option<Type>> {
        if self.depth == DEPTH {
            let span = self.cursor.next_span();
            let problem = format!("types nest deeper than {DEPTH} levels");
            return Err(self.cursor.error(span, problem, "name the inner type and use its name"));
        }
        self.depth += 1;
        let start = self.cursor.start();
        let first = self.one()?;
        let mut parts = vec![first];
        while self.cursor.eat("|") {
            parts.push(self.one()?);
        }
        self.depth -= 1;
        Ok(one_of(parts, start..self.cursor.at))
    }

    fn one(&mut self) -> Result<Option<Type>> {
        const TYPE: &str = "a type";
        let cure = "such as `str`, `int`, `float`, `bool`, `list[str]` or `Literal['a', 'b']`";
        let start = self.cursor.start();
        match self.cursor.peek() {
            Some('(') => return self.parentheses().map(Some),
            Some('[') => {
                return Err(self
                    .cursor
                    .expected(TYPE, "a list is `list[str]`, a choice `Literal['a', 'b']`"));
            }
            Some('\'' | '"') => {
                let constant = self.constant()?;
                let cure = format!("a choice of constants is `Literal[{constant}]`");
                return Err(self.cursor.error(
                    start..self.cursor.at,
                    format!("expected {TYPE}, found a text"),
                    cure,
                ));
            }
            Some('&') => {
                return Err(self.cursor.expected(TYPE, "a field owns its value: `str` is text already"));
            }
            _ => {}
        }
        let Some(path) = self.path()? else { return Err(self.cursor.expected(TYPE, cure)) };
        let span = start..self.cursor.at;
        let ty = match known(&path) {
            Some(Known::None) => return Ok(None),
            Some(Known::Refused(cure)) => {
                return Err(self.cursor.error(
                    span,
                    format!("no field can be of type `{}`", path.join(".")),
                    cure,
                ));
            }
            Some(Known::Plain(kind)) => {
                if let Some('[' | '<') = self.cursor.peek() {
                    let bracket = self.cursor.next_span();
                    let problem = format!("`{}` takes no parameters", path.join("."));
                    let cure = "a list of them is `list[...]`";
                    return Err(self.cursor.error(bracket, problem, cure));
                }
                kind
            }
            Some(Known::Literal) => self.literal(span.start)?,
            Some(Known::Code) => self.code()?,
            Some(Known::Tuple) => self.tuple(&span)?,
            Some(Known::List) => TypeKind::List(Box::new(self.single("list", &span)?)),
            Some(Known::Set) => TypeKind::Set(Box::new(self.single("set", &span)?)),
            Some(Known::Dict) => self.dict(&span)?,
            Some(known @ (Known::Optional | Known::Union | Known::Transparent)) => {
                return self.wrapped(&known, &path.join("."), &span);
            }
            None => {
                if let Some(name) = other_case(&path) {
                    let problem = format!("there is no type `{}`", path.join("."));
                    return Err(self.cursor.error(span, problem, format!("write `{name}`")));
                }
                let path = path.into_iter().map(str::to_owned).collect();
                let args = match self.opening() {
                    Some(close) => self.types(close)?,
                    None => Vec::new(),
                };
                TypeKind::Named(Named { path, args })
            }
        };
        Ok(Some(Type { kind: ty, span: start..self.cursor.at }))
    }

    fn path(&mut self) -> Result<Option<Vec<&'a str>>> {
        let Some((name, _)) = self.cursor.name() else { return Ok(None) };
        let mut path = vec![name];
        loop {
            let dot = self.cursor.starts_with(".") && !self.cursor.starts_with("..");
            if !(dot && self.cursor.eat(".") || self.cursor.eat("::")) {
                return Ok(Some(path));
            }
            match self.cursor.name() {
                Some((name, _)) => path.push(name),
                None => return Err(self.cursor.expected("a name", "a path is `module.Type`")),
            }
        }
    }

    /// The bracket that closes the one that stands here; goes past the one that stands here.
    fn opening(&mut self) -> Option<&'static str> {
        match () {
            () if self.cursor.eat("[") => Some("]"),
            () if self.cursor.eat("<") => Some(">"),
            () => None,
        }
    }

    /// What stands between brackets; the opening one is behind.
    fn items<T>(
        &mut self,
        close: &str,
        what: &str,
        mut item: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        loop {
            if self.cursor.eat(close) {
                if items.is_empty() {
                    let span = self.cursor.at - close.len()..self.cursor.at;
                    let problem = format!("expected {what}, found `{close}`");
                    return Err(self.cursor.error(span, problem, "the brackets are empty"));
                }
                return Ok(items);
            }
            items.push(item(self)?);
            if !self.cursor.eat(",") && !self.cursor.starts_with(close) {
                return Err(self.cursor.expected(&format!("`,` or `{close}`"), "a bracket is left open"));
            }
        }
    }

    fn types(&mut self, close: &str) -> Result<Vec<Type>> {
        self.items(close, "a type", Self::ty)
    }

    /// The only parameter; any value where none is given.
    fn single(&mut self, name: &str, span: &Range<usize>) -> Result<Type> {
        let Some(close) = self.opening() else { return Ok(any(span)) };
        let mut types = self.types(close)?;
        let whole = span.start..self.cursor.at;
        match (types.pop(), types.is_empty()) {
            (Some(ty), true) => Ok(ty),
            _ => {
                let problem = format!("`{name}` takes one type");
                Err(self.cursor.error(whole, problem, format!("write `{name}[tuple[...]]` for several")))
            }
        }
    }

    fn dict(&mut self, span: &Range<usize>) -> Result<TypeKind> {
        let text = Type { kind: TypeKind::Str, span: span.clone() };
        let Some(close) = self.opening() else {
            return Ok(TypeKind::Dict(Box::new(text), Box::new(any(span))));
        };
        let types = self.types(close)?;
        let Ok([key, value]) = <[Type; 2]>::try_from(types) else {
            let cure = "write `dict[str, ...]`, with the type of the keys and that of the values";
            return Err(self.cursor.error(span.start..self.cursor.at, "`dict` takes two types", cure));
        };
        use TypeKind::{Bool, Int, Literal, Named, Str};
        if !matches!(key.kind, Str | Int(_) | Bool | Literal(_) | Named(_)) {
            let problem = format!("`{key}` cannot be the type of keys");
            return Err(self.cursor.error(key.span, problem, "keys are texts or whole numbers"));
        }
        Ok(TypeKind::Dict(Box::new(key), Box::new(value)))
    }

    fn tuple(&mut self, span: &Range<usize>) -> Result<TypeKind> {
        let Some(close) = self.opening() else { return Ok(TypeKind::List(Box::new(any(span)))) };
        let types = self.items(close, "a type", |p| match p.cursor.eat("...") {
            true => Ok(None),
            false => p.ty().map(Some),
        })?;
        let whole = span.start..self.cursor.at;
        let open = types.iter().filter(|t| t.is_none()).count();
        let mut types: Vec<Option<Type>> = types;
        if open == 1 && types.len() == 2 && types.last().is_some_and(Option::is_none) {
            types.truncate(1);
            if let Some(Some(ty)) = types.pop() {
                return Ok(TypeKind::List(Box::new(ty)));
            }
        }
        if open > 0 {
            let cure = "`tuple[str, ...]` is the only form with dots; it is the same as `list[str]`";
            return Err(self.cursor.error(whole, "misplaced `...`", cure));
        }
        Ok(TypeKind::Tuple(types.into_iter().flatten().collect()))
    }

    /// A tuple in Rust's spelling, or a type in parentheses.
    fn parentheses(&mut self) -> Result<Type> {
        let start = self.cursor.start();
        self.cursor.eat("(");
        let mut comma = false;
        let mut types = self.items(")", "a type", |p| {
            let ty = p.ty()?;
            comma = p.cursor.starts_with(",");
            Ok(ty)
        })?;
        if types.len() == 1
            && !comma
            && let Some(ty) = types.pop()
        {
            return Ok(ty);
        }
        Ok(Type { kind: TypeKind::Tuple(types), span: start..self.cursor.at })
    }

    /// `Optional[T]`, `Union[...]`, `Box<T>`.
    fn wrapped(&mut self, known: &Known, name: &str, span: &Range<usize>) -> Result<Option<Type>> {
        let Some(close) = self.opening() else {
            return Err(self.cursor.expected("`[`", format!("say of what: `{name}[str]`")));
        };
        let mut types = self.items(close, "a type", Self::union)?;
        let whole = span.start..self.cursor.at;
        if types.len() != 1 && *known != Known::Union {
            let problem = format!("`{name}` takes one type");
            return Err(self.cursor.error(whole, problem, "one of several types is `Union[...]`"));
        }
        if *known == Known::Optional {
            types.push(None);
        }
        Ok(one_of(types, whole))
    }

    fn literal(&mut self, start: usize) -> Result<TypeKind> {
        let Some(close) = self.opening() else {
            return Err(self.cursor.expected("`[`", "name the choices: `Literal['a', 'b']`"));
        };
        let constants = self.items(close, "a constant", |p| {
            let start = p.cursor.start();
            let constant = p.constant()?;
            if let Constant::Float(n) = constant {
                let problem = format!("the choice `{n:?}` is a fraction");
                let cure = "choices are texts, whole numbers and truth values";
                return Err(p.cursor.error(start..p.cursor.at, problem, cure));
            }
            Ok(constant)
        })?;
        let mut unique: Vec<Constant> = Vec::new();
        for constant in constants {
            if !unique.contains(&constant) {
                unique.push(constant);
            }
        }
        if unique == [Constant::None] {
            let span = start..self.cursor.at;
            return Err(self.cursor.error(span, "`None` alone is no choice", "name at least one constant"));
        }
        let optional = unique.contains(&Constant::None);
        unique.retain(|c| *c != Constant::None);
        let kind = TypeKind::Literal(unique);
        let span = start..self.cursor.at;
        Ok(if optional { TypeKind::Optional(Box::new(Type { kind, span })) } else { kind })
    }

    fn code(&mut self) -> Result<TypeKind> {
        let cure = "name the language: `Code['python']`";
        let Some(close) = self.opening() else { return Err(self.cursor.expected("`[`", cure)) };
        let start = self.cursor.start();
        let language = match self.cursor.peek() {
            Some('\'' | '"') => match self.constant()? {
                Constant::Str(text) => text,
                other => other.to_string(),
            },
            _ => match self.cursor.name() {
                Some((name, _)) => name.to_owned(),
                None => return Err(self.cursor.expected("a language", cure)),
            },
        };
        let fine = |c: char| c.is_ascii_alphanumeric() || "_+#.-".contains(c);
        if language.is_empty() || !language.chars().all(fine) {
            let span = start..self.cursor.at;
            return Err(self.cursor.error(span, "this is the name of no language", cure));
        }
        if !self.cursor.eat(close) {
            return Err(self.cursor.expected(&format!("`{close}`"), cure));
        }
        Ok(TypeKind::Code(language.to_ascii_lowercase()))
    }

    fn constant(&mut self) -> Result<Constant> {
        crate::constant::constant(&mut self.cursor)
    }
}

/// Any JSON value.
fn any(span: &Range<usize>) -> Type {
    Type { kind: TypeKind::Any, span: span.clone() }
}

/// One of these types, in its simplest form; nothing when all are `None`.
fn one_of(parts: Vec<Option<Type>>, span: Range<usize>) -> Option<Type> {
    fn add(part: Option<Type>, types: &mut Vec<Type>, optional: &mut bool) {
        match part.map(|ty| (ty.kind, ty.span)) {
            None => *optional = true,
            Some((TypeKind::Optional(inner), _)) => {
                *optional = true;
                add(Some(*inner), types, optional);
            }
            Some((TypeKind::Union(inner), _)) => {
                inner.into_iter().for_each(|ty| add(Some(ty), types, optional));
            }
            Some((kind, span)) => {
                let ty = Type { kind, span };
                if !types.contains(&ty) {
                    types.push(ty);
                }
            }
        }
    }
    let (mut types, mut optional) = (Vec::new(), false);
    for part in parts {
        add(part, &mut types, &mut optional);
    }
    let ty = match types.len() {
        0 => return None,
        1 => types.pop()?,
        _ => Type { kind: TypeKind::Union(types), span: span.clone() },
    };
    Some(match optional {
        true => Type { kind: TypeKind::Optional(Box::new(ty)), span },
        false => ty,
    })
}

/// Whether a constant is a value of a type.
fn fits(constant: &Constant, kind: &TypeKind) -> bool {
    match (kind, constant) {
        (TypeKind::Any | TypeKind::Optional(_), Constant::None) => true,
        (TypeKind::Any, _)
        | (TypeKind::Str | TypeKind::Code(_), Constant::Str(_))
        | (TypeKind::Bool, Constant::Bool(_))
        | (TypeKind::Float(_), Constant::Float(_)) => true,
        (TypeKind::Int(name), Constant::Int(n)) => in_range(name, *n),
        (TypeKind::Optional(inner), constant) => fits(constant, &inner.kind),
        (TypeKind::Union(types), constant) => types.iter().any(|ty| fits(constant, &ty.kind)),
        (TypeKind::Literal(choices), constant) => choices.contains(constant),
        _ => false,
    }
}

fn in_range(name: &str, n: i64) -> bool {
    let unsigned = name.starts_with('u');
    let bits: u32 = name.get(1..).and_then(|b| b.parse().ok()).unwrap_or(64);
    match (unsigned, bits) {
        (true, 64..) => n >= 0,
        (true, bits) => n >= 0 && n < 1 << bits,
        (false, 64..) => true,
        (false, bits) => (-(1 << (bits - 1))..1 << (bits - 1)).contains(&n),
    }
}
