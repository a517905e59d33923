//! The structure of the crates: no circles of files, and no import against the order of the modules in `lib.rs`.

#![allow(clippy::panic)]

mod check;
mod read;

use std::{collections::BTreeSet, path::Path};

use check::{circles, module_of, upward};
use read::Crate;

/// The crates, and whether their `lib.rs` promises that a module uses only those above it.
const CRATES: &[(&str, bool)] = &[
    ("src", false),
    ("dspy-core/src", true),
    ("dspy-core/grammar/src", false),
    ("dspy-core/local/src", true),
    ("dspy-core/random/src", false),
    ("dspy-core/value/src", false),
    ("dspy-macros/src", false),
];

/// Circles of files that are known and not resolved yet. To be emptied.
const KNOWN_CIRCLES: &[&[&str]] = &[&[
    "optimize/compile.rs",
    "optimize/compiled.rs",
    "optimize/engine/events.rs",
    "optimize/engine/exclude.rs",
    "optimize/engine/mod.rs",
    "optimize/engine/options.rs",
    "optimize/engine/report/mod.rs",
    "optimize/engine/scores.rs",
    "optimize/mod.rs",
]];

/// Modules of `dspy-core` that import from one below them, and the one. To be emptied.
const KNOWN_UPWARD: &[(&str, &str)] = &[];

fn read(folder: &str) -> Crate {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    Crate::read(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    let (mut wrong, mut met) = (Vec::new(), vec![false; KNOWN_CIRCLES.len()]);
    for (folder, _) in CRATES {
        for circle in circles(&read(folder).imports) {
            match KNOWN_CIRCLES
                .iter()
                .position(|known| circle.files.iter().all(|file| known.contains(&&**file)))
            {
                Some(known) => met[known] = true,
                None => wrong.push(format!("{folder}: {circle}")),
            }
        }
    }
    assert!(wrong.is_empty(), "files that import each other:\n{}", wrong.join("\n"));
    let resolved: Vec<_> =
        KNOWN_CIRCLES.iter().zip(met).filter(|(_, met)| !met).map(|(known, _)| known).collect();
    assert!(
        resolved.is_empty(),
        "these circles are gone; take them off the list `KNOWN_CIRCLES`: {resolved:?}"
    );
}

#[test]
fn modules_import_only_those_above_them() {
    let (mut wrong, mut met) = (Vec::new(), BTreeSet::new());
    for (folder, _) in CRATES.iter().filter(|(_, ordered)| *ordered) {
        let found = read(folder);
        for import in upward(&found.modules, &found.imports) {
            let modules = (module_of(&import.from), module_of(&import.to));
            match KNOWN_UPWARD.contains(&modules) {
                true => _ = met.insert((modules.0.to_owned(), modules.1.to_owned())),
                false => wrong.push(format!("{folder}: {} -> {} ({})", import.from, import.to, import.item)),
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the order of lib.rs:\n{}", wrong.join("\n"));
    assert_eq!(met.len(), KNOWN_UPWARD.len(), "some of `KNOWN_UPWARD` are gone; take them off: only {met:?}");
}
