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
    from_python = "../docs/src/from-python.md";
    modules = "../docs/src/modules.md";
    assertions = "../docs/src/assertions.md";
    attempts = "../docs/src/attempts.md";
    retrieval = "../docs/src/retrieval.md";
    tools = "../docs/src/tools.md";
    agents = "../docs/src/agents.md";
    field_types = "../docs/src/field-types.md";
    adapters = "../docs/src/adapters.md";
    parser = "../docs/src/parser.md";
    parser_report = "../docs/src/parser-report.md";
    models = "../docs/src/models.md";
    limits = "../docs/src/limits.md";
    providers = "../docs/src/providers.md";
    streaming = "../docs/src/streaming.md";
    settings = "../docs/src/settings.md";
    observability = "../docs/src/observability.md";
    data = "../docs/src/data.md";
    evaluation = "../docs/src/evaluation.md";
    optimizers = "../docs/src/optimizers.md";
    mipro = "../docs/src/mipro.md";
    testbed = "../docs/src/testbed.md";
    gepa = "../docs/src/gepa.md";
    portfolio = "../docs/src/portfolio.md";
    few_shot = "../docs/src/few-shot.md";
    simba = "../docs/src/simba.md";
    better_together = "../docs/src/better-together.md";
    finetuning = "../docs/src/finetuning.md";
    saved_programs = "../docs/src/saved-programs.md";
    testing = "../docs/src/testing.md";
    serving = "../docs/src/serving.md";
    missing = "../docs/src/missing.md";
    design = "../docs/src/design.md";
    performance = "../docs/src/performance.md";
}

/// Its code needs the feature.
#[cfg(feature = "constraints")]
mod with_constraints {
    pages! {
        signatures = "../docs/src/signatures.md";
        type_hints = "../docs/src/type-hints.md";
    }
}

/// Its code needs the feature.
#[cfg(feature = "sandbox")]
mod with_sandbox {
    pages! {
        sandbox = "../docs/src/sandbox.md";
    }
}

/// Its code needs the feature.
#[cfg(feature = "local")]
mod with_local {
    pages! {
        local = "../docs/src/local.md";
    }
}
