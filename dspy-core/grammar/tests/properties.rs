//! What holds for every text and every signature.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use dspy_grammar::{Constant, Field, Named, Signature, Type, TypeKind, parse};
use proptest::{collection::vec, option, prelude::*};

fn ty(kind: TypeKind) -> Type {
    Type { kind, span: 0..0 }
}

fn constant() -> impl Strategy<Value = Constant> {
    prop_oneof![
        any::<String>().prop_map(Constant::Str),
        any::<i64>().prop_map(Constant::Int),
        any::<bool>().prop_map(Constant::Bool),
    ]
}

/// Types in their simplest form.
fn kind() -> impl Strategy<Value = TypeKind> {
    let leaf = prop_oneof![
        Just(TypeKind::Str),
        Just(TypeKind::Bool),
        Just(TypeKind::Any),
        prop_oneof![Just("i64"), Just("u8"), Just("i128")].prop_map(TypeKind::Int),
        prop_oneof![Just("f64"), Just("f32")].prop_map(TypeKind::Float),
        "[a-z+#]{1,6}".prop_map(TypeKind::Code),
        vec(constant(), 1..4).prop_map(|mut constants| {
            let all = constants.clone();
            let mut at = 0..;
            constants.retain(|c| at.next().is_some_and(|i| !all[..i].contains(c)));
            TypeKind::Literal(constants)
        }),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let item = inner.prop_map(ty).boxed();
        let boxed = item.clone().prop_map(Box::new);
        prop_oneof![
            boxed.clone().prop_map(TypeKind::List),
            boxed.clone().prop_map(TypeKind::Set),
            boxed.clone().prop_map(|v| TypeKind::Dict(Box::new(ty(TypeKind::Str)), v)),
            vec(item.clone(), 1..3).prop_map(TypeKind::Tuple),
            boxed.prop_map(|inner| match inner.kind {
                TypeKind::Optional(_) => inner.kind,
                _ => TypeKind::Optional(inner),
            }),
            (vec("[A-Z][a-z]{2,4}x", 1..3), vec(item, 0..2))
                .prop_map(|(path, args)| TypeKind::Named(Named { path, args })),
        ]
    })
}

fn fields(prefix: &'static str, least: usize) -> impl Strategy<Value = Vec<Field>> {
    vec((kind(), option::of(Just(()))), least..4).prop_map(move |kinds| {
        let mut fields = Vec::new();
        for (i, (kind, default)) in kinds.into_iter().enumerate() {
            let default = match &kind {
                TypeKind::Literal(choices) => default.and(choices.first().cloned()),
                TypeKind::Optional(_) => default.map(|()| Constant::None),
                _ => None,
            };
            fields.push(Field { name: format!("{prefix}{i}"), span: 0..0, ty: ty(kind), default });
        }
        fields
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_understood_or_refused(text in any::<String>()) {
        if let Err(error) = parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some());
            prop_assert!(!error.to_string().is_empty());
        }
    }

    #[test]
    fn text_that_looks_like_a_signature_is_too(text in r#"([a-z]{0,3}|[\[\](){}<>:,.|=&'"\\ \n-]|->|é|list\[|Literal\[|Optional\[|tuple\[|None|-?[0-9]{1,3}|\\x4|\.\.\.){0,24}"#) {
        match parse(&text) {
            Ok(signature) => {
                let shown = signature.to_string();
                prop_assert_eq!(parse(&shown).map_err(|e| e.to_string()), Ok(signature));
            }
            Err(error) => prop_assert!(text.get(error.span.clone()).is_some()),
        }
    }

    #[test]
    fn what_is_written_is_read_again(inputs in fields("in", 0), outputs in fields("out", 1)) {
        let signature = Signature { inputs, outputs };
        let shown = signature.to_string();
        prop_assert_eq!(parse(&shown).map_err(|e| e.to_string()), Ok(signature));
    }
}
