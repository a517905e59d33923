//! The structure of the crates: no circles of files, and no import against the order of the modules in `lib.rs`.

mod check;
mod read;

use std::path::Path;

use check::{circles, upward};
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

/// Circles that are known and not resolved yet, each as the files of which it consists.
const KNOWN: &[&[&str]] = &[
    &["module/mod.rs", "module/prediction.rs", "predict/mod.rs", "predict/stream.rs"],
    &["predict/ask.rs", "predict/drive.rs"],
];

fn read(folder: &str) -> Crate {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    Crate::read(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    let (mut wrong, mut met) = (Vec::new(), vec![false; KNOWN.len()]);
    for (folder, _) in CRATES {
        for circle in circles(&read(folder).imports) {
            match KNOWN.iter().position(|known| circle.files.iter().all(|file| known.contains(&&**file))) {
                Some(known) => met[known] = true,
                None => wrong.push(format!("{folder}: {circle}")),
            }
        }
    }
    assert!(wrong.is_empty(), "files that import each other:\n{}", wrong.join("\n"));
    let resolved: Vec<_> = KNOWN.iter().zip(met).filter(|(_, met)| !met).map(|(known, _)| known).collect();
    assert!(resolved.is_empty(), "these circles are gone; take them off the list `KNOWN`: {resolved:?}");
}

#[test]
fn modules_import_only_those_above_them() {
    let mut wrong = Vec::new();
    for (folder, _) in CRATES.iter().filter(|(_, ordered)| *ordered) {
        let found = read(folder);
        wrong
            .extend(upward(&found.modules, &found.imports).into_iter().map(|why| format!("{folder}: {why}")));
    }
    assert!(wrong.is_empty(), "imports against the order of lib.rs:\n{}", wrong.join("\n"));
}
