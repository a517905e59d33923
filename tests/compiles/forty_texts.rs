//! Forty fields are as good as four.
#![deny(warnings, missing_docs, unreachable_pub)]

/// Forty fields, written as a text.
#[dspy::signature(
    "i0, i1, i2, i3, i4, i5, i6, i7, i8, i9, i10, i11, i12, i13, i14, i15, i16, i17, i18, i19
     -> o0, o1: int, o2: float, o3: bool, o4: list[str], o5: dict[str, int], o6: Optional[str], o7: tuple[str, int],
        o8: Literal['a', 'b'], o9: set[int], o10, o11, o12, o13, o14, o15, o16, o17, o18, o19"
)]
pub struct Forty;

pub(crate) fn main() {
    let _ = dspy::ChainOfThought::<Forty>::new();
}
