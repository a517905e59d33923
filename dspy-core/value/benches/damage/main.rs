//! How well damaged answers are read: 27 kinds of damage, done to random values of nine types.
//!
//! Each value is written as JSON, with prose and a fence around it mostly, damaged in one way, and in a second pass in
//! two, and read. What is read is right if it is the original value. The tables tell how many answers of each kind were
//! read right, refused, and read as another value. Where the damage takes away what nobody can know, the value that is
//! left is marked if the reader says that the end is missing; such kinds are listed apart.
//!
//! `cargo bench -p dspy-core --bench damage` prints the tables; `DAMAGE_SHOW=<kind>` also shows the first wrong answers
//! of a kind, or of each for `all`, and `DAMAGE_SHOW=<kind>:<type>` those of one type. With a `+` behind the kind these
//! are answers with a second damage, and with `DAMAGE_REFUSED=1` refused ones.
#![allow(clippy::expect_used, clippy::print_stdout)]

mod answer;
mod around;
mod case;
mod kinds;
mod marks;
mod names;
mod quotes;
mod random;
mod types;
mod yaml;

use dspy_value::CoercionKind;
use std::{collections::BTreeMap, ops::AddAssign};

use answer::Answer;
use case::Case;
use kinds::{KINDS, Kind};
use random::Random;
use types::{TYPES, Type};

/// How many values of each type.
const VALUES: usize = 40;

/// How many answers of a kind `DAMAGE_SHOW` shows.
const SHOWN: usize = 8;

/// What came of some answers.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    cases: usize,
    right: usize,
    refused: usize,
    /// Another value, with a note that its end is missing.
    marked: usize,
    /// Another value.
    wrong: usize,
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.cases += other.cases;
        self.right += other.right;
        self.refused += other.refused;
        self.marked += other.marked;
        self.wrong += other.wrong;
    }
}

/// Counts by kind and type, of one damage and of two.
#[derive(Debug, Default)]
struct Counts {
    one: [[Count; TYPES.len()]; KINDS.len()],
    two: [[Count; TYPES.len()]; KINDS.len()],
    clean: Count,
}

fn main() {
    // Without `--bench`, as under `cargo test`, a look at a few is enough.
    let values = if std::env::args().any(|arg| arg == "--bench") { VALUES } else { 2 };
    let mut show = Show::from_env();
    let mut counts = Counts::default();
    for (t, ty) in TYPES.iter().enumerate() {
        for number in 0..values {
            let mut random = Random::of(ty.name, number);
            let (value, draft) = ((ty.sample)(&mut random), (ty.sample)(&mut random));
            let case = Case { ty, value: &value, draft: &draft };
            let answer = Answer::new(ty, &value, &mut random);
            counts.clean += judge(&case, &answer.text(), &["clean"], &mut show);
            for (k, kind) in KINDS.iter().enumerate() {
                let mut random = Random::of(kind.name, number * TYPES.len() + t);
                let mut one = answer.clone();
                if !(kind.damage)(&mut one, &mut random, &case) {
                    continue;
                }
                counts.one[k][t] += judge(&case, &one.text(), &[kind.name], &mut show);
                if let Some((two, other)) = damaged_twice(&answer, k, &mut random, &case) {
                    counts.two[k][t] += judge(&case, &two.text(), &[kind.name, other.name], &mut show);
                }
            }
        }
    }
    print(&counts);
}

/// The answer with the damage of kind `k` and, in the order of the kinds, another one.
fn damaged_twice(
    answer: &Answer,
    k: usize,
    random: &mut Random,
    case: &Case<'_>,
) -> Option<(Answer, &'static Kind)> {
    let kind = &KINDS[k];
    for _ in 0..20 {
        let other = random.below(KINDS.len());
        // Where the second damage takes away the value, or leaves another one whole, the first makes no difference.
        let hides = kind.sure && (!KINDS[other].sure || KINDS[other].name == "draft-first");
        if !kind.goes_with(&KINDS[other]) || hides {
            continue;
        }
        let (first, second) = (&KINDS[k.min(other)], &KINDS[k.max(other)]);
        let mut two = answer.clone();
        if (first.damage)(&mut two, random, case) && (second.damage)(&mut two, random, case) {
            return Some((two, &KINDS[other]));
        }
    }
    None
}

fn judge(case: &Case<'_>, text: &str, kinds: &[&str], show: &mut Show) -> Count {
    let read = (case.ty.read)(text);
    let mut count = Count { cases: 1, ..Count::default() };
    match &read {
        Err(_) => count.refused = 1,
        Ok(read) if read.value == *case.value => count.right = 1,
        Ok(read)
            if read.bent.iter().any(|kind| matches!(kind, CoercionKind::CutOff | CoercionKind::CutText)) =>
        {
            count.marked = 1;
        }
        Ok(_) => count.wrong = 1,
    }
    let sure = KINDS.iter().all(|kind| kind.sure || !kinds.contains(&kind.name));
    if sure {
        // Here the mark is no excuse.
        count.wrong += std::mem::take(&mut count.marked);
    }
    if show.wants(case.ty, kinds, &count) {
        println!("--- {} of {}\n{text}\n--- expected\n{}", kinds.join(" + "), case.ty.name, case.value);
        match read {
            Ok(read) => println!("--- got\n{}\n--- bent: {:?}\n", read.value, read.bent),
            Err(error) => println!("--- refused\n{error}\n"),
        }
    }
    count
}

/// What `DAMAGE_SHOW` asks for.
#[derive(Debug)]
struct Show {
    kind: String,
    ty: Option<String>,
    /// Those with a second damage.
    two: bool,
    refused: bool,
    shown: BTreeMap<String, usize>,
}

impl Show {
    fn from_env() -> Self {
        let asked = std::env::var("DAMAGE_SHOW").unwrap_or_default();
        let (kind, ty) = asked.split_once(':').map_or((asked.as_str(), None), |(k, t)| (k, Some(t)));
        let (kind, two) = kind.strip_suffix('+').map_or((kind, false), |kind| (kind, true));
        let refused = std::env::var("DAMAGE_REFUSED").is_ok_and(|value| value == "1");
        Self { kind: kind.to_owned(), ty: ty.map(str::to_owned), two, refused, shown: BTreeMap::new() }
    }

    fn wants(&mut self, ty: &Type, kinds: &[&str], count: &Count) -> bool {
        let is_bad = if self.refused { count.refused > 0 } else { count.wrong > 0 };
        let is_kind = (self.kind == "all" || kinds[0] == self.kind) && self.two == (kinds.len() > 1);
        if !is_bad || !is_kind || self.ty.as_ref().is_some_and(|name| name != ty.name) {
            return false;
        }
        let shown = self.shown.entry(kinds[0].to_owned()).or_default();
        *shown += 1;
        *shown <= SHOWN
    }
}

fn print(counts: &Counts) {
    for sure in [true, false] {
        let marked = if sure { "" } else { "  marked" };
        println!("{}", if sure { "By kind" } else { "\nUndecidable kinds" });
        println!(
            "{:20}{:>28}{marked}{:>28}{marked}\n{:20}{}",
            "",
            "one damage",
            "and a second one",
            "",
            heading(sure).repeat(2)
        );
        let (mut one_sum, mut two_sum) = (Count::default(), Count::default());
        for (k, kind) in KINDS.iter().enumerate().filter(|(_, kind)| kind.sure == sure) {
            let (one, two) = (sum(counts.one[k]), sum(counts.two[k]));
            println!("{:20}{}{}", kind.name, cells(one, sure), cells(two, sure));
            one_sum += one;
            two_sum += two;
        }
        println!("{:20}{}{}", "all", cells(one_sum, sure), cells(two_sum, sure));
    }
    println!("\nBy type, without the undecidable kinds\n{:20}{}", "", heading(true).repeat(2));
    for (t, ty) in TYPES.iter().enumerate() {
        let of = |all: &[[Count; TYPES.len()]]| {
            let rows = all.iter().zip(&KINDS).filter(|(_, kind)| kind.sure);
            sum(rows.map(|(row, _)| row[t]))
        };
        println!("{:20}{}{}", ty.name, cells(of(&counts.one), true), cells(of(&counts.two), true));
    }
    println!("{:20}{}", "undamaged", cells(counts.clean, true));
}

fn sum(counts: impl IntoIterator<Item = Count>) -> Count {
    counts.into_iter().fold(Count::default(), |mut sum, count| {
        sum += count;
        sum
    })
}

fn heading(sure: bool) -> String {
    let marked = if sure { String::new() } else { format!("{:>8}", "marked") };
    format!("{:>10}{:>8}{:>9}{marked}{:>7}", "cases", "right", "refused", "wrong")
}

fn cells(count: Count, sure: bool) -> String {
    let marked = if sure { String::new() } else { format!("{:>8}", count.marked) };
    format!("{:>10}{:>8}{:>9}{marked}{:>7}", count.cases, count.right, count.refused, count.wrong)
}
