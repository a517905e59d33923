//! How a model is told what it should heed beyond its input.
//!
//! What stands before the request (the system message and the demonstrations) stays as it is, so that providers that keep
//! the beginning of prompts need not read it again.

use serde_json::Value;

use crate::{
    adapter::Adapter,
    context::Correction,
    lm::Message,
    signature::{Field, SignatureSpec, guard_since},
    value::{Content, TypeInfo},
};

/// Writes advice as a further field, after the inputs.
pub(super) fn advise(layout: &dyn Adapter, spec: &SignatureSpec, hint: &str, content: &mut Content) {
    let mut name = String::from("hint");
    while spec.field(&name).is_some() {
        name.push('_');
    }
    let field = Field::input(name, TypeInfo::of::<String>());
    let layout_of = |out: &mut Content| {
        layout.open(out, &field);
        let start = out.mark();
        out.push_str(hint.trim());
        guard_since(&layout, &field, out, start);
        layout.close(out, &field);
    };
    layout_of(content);
    content.push_str(&format!(
        "\n\n`{}` comes from an earlier attempt at this very task that was not good enough. Follow it.",
        field.name
    ));
}

/// The answers that were not accepted, each with what is demanded of it.
pub(super) fn corrected(
    layout: &dyn Adapter,
    shown: &SignatureSpec,
    corrections: &[Correction],
    reminder: &str,
) -> Vec<Message> {
    let mut messages = Vec::new();
    for Correction { output, message } in corrections {
        if let Value::Object(output) = output {
            messages.extend(layout.turns(shown, std::slice::from_ref(output)));
        }
        messages.push(Message::user(format!(
            "This answer is not accepted, because it does not meet this demand:\n{}\n\nGive a new answer that meets it, \
             and all else that was asked for.\n\n{reminder}",
            message.trim()
        )));
    }
    messages
}
