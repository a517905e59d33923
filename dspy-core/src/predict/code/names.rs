//! Names that code cannot use.

use crate::{
    Error,
    signature::SignatureSpec,
    tool::{Tool, is_code_name},
};

/// Why no call could succeed: names that code cannot use, or that mean two things.
pub(super) fn flaw(spec: &SignatureSpec, tools: &[Tool], added: &[&str], reserved: &[&str]) -> Option<Error> {
    if let Some(field) = spec.fields.iter().find(|field| added.contains(&field.name.as_str())) {
        return Some(Error::other(format!(
            "`{}` has a field `{}`, which is the name of one that the module adds; give the field another name",
            spec.name, field.name
        )));
    }
    let inputs = spec.inputs().map(|field| field.name.as_str());
    let own = inputs.map(|name| ("input", name, "give the field another name with `name = \"...\"`"));
    let functions = tools.iter().map(|tool| ("tool", tool.name(), "give it another with `Tool::named`"));
    let mut seen: Vec<&str> = Vec::new();
    for (what, name, cure) in own.chain(functions) {
        let message = match name {
            name if !is_code_name(name) => {
                format!("code cannot use `{name}`, the name of the {what}, as a name")
            }
            name if reserved.contains(&name) => {
                format!("the {what} `{name}` has the name of a function of the module")
            }
            name if seen.contains(&name) => format!("two inputs or tools are called `{name}`"),
            name => {
                seen.push(name);
                continue;
            }
        };
        return Some(Error::other(format!("{message}; {cure}")));
    }
    None
}
