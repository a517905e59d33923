//! The pages of `README.md` and `docs/`, so that their code is compiled and run with the tests.

macro_rules! pages {
    ($($name:ident = $file:literal;)*) => {$(
        #[doc = include_str!($file)]
        mod $name {}
    )*};
}

pages! {
    readme = "../README.md";
    introduction = "../docs/src/introduction.md";
    quickstart = "../docs/src/quickstart.md";
    signatures = "../docs/src/signatures.md";
    modules = "../docs/src/modules.md";
    field_types = "../docs/src/field-types.md";
    adapters = "../docs/src/adapters.md";
    parser = "../docs/src/parser.md";
    parser_report = "../docs/src/parser-report.md";
    type_hints = "../docs/src/type-hints.md";
    models = "../docs/src/models.md";
    streaming = "../docs/src/streaming.md";
    settings = "../docs/src/settings.md";
    evaluation = "../docs/src/evaluation.md";
    optimizers = "../docs/src/optimizers.md";
    mipro = "../docs/src/mipro.md";
    finetuning = "../docs/src/finetuning.md";
    saved_programs = "../docs/src/saved-programs.md";
    design = "../docs/src/design.md";
    performance = "../docs/src/performance.md";
}

/// Its code needs the feature.
#[cfg(feature = "local")]
mod with_local {
    pages! {
        local = "../docs/src/local.md";
    }
}
