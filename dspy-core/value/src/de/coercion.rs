//! What may be bent to read a value.

use std::fmt;

/// One tolerance used while reading.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coercion {
    /// Where in the value, such as `items[2].price`; empty for the value itself.
    pub path: String,
    /// What was bent.
    pub kind: CoercionKind,
    /// How far, as [`CoercionKind::cost`].
    pub cost: u32,
}

macro_rules! kinds {
    ($($name:ident $cost:literal $text:literal;)*) => {
        /// What was bent to read a value.
        ///
        /// `Display` says it in words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum CoercionKind {
            $(#[doc = concat!("It has ", $text, ".")] $name,)*
        }

        impl CoercionKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// How far the text is from what should have been written: 1 for a slip, up to 4.
            pub fn cost(self) -> u32 {
                match self {
                    $(Self::$name => $cost,)*
                }
            }

            fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

kinds! {
    Comment 1 "a comment";
    ExtraComma 1 "a comma too many";
    TrailingComma 1 "a trailing comma";
    MissingComma 1 "a missing comma";
    OtherComma 1 "another sign in place of a comma";
    OtherColon 1 "another sign in place of a colon";
    Ellipsis 2 "an ellipsis";
    MissingClose 2 "a closing bracket that is missing";
    ExtraClose 2 "a closing bracket too many";
    MissingOpen 3 "an opening bracket that is missing";
    MissingBrackets 2 "brackets that are missing";
    CutOff 3 "an end that is missing";
    BareKey 1 "a key without quotes";
    LooseKey 1 "a key spelt loosely";
    RepeatedKey 1 "a key that comes twice";
    OtherQuotes 1 "quotes that are not JSON's";
    TripleQuotes 1 "triple quotes";
    PrefixedText 1 "a string of another language";
    LineBreak 1 "a line break inside a string";
    UnescapedQuote 2 "a quote that is not escaped";
    MissingQuote 2 "a quote that is missing";
    CutText 3 "a string that is cut off";
    OddEscape 1 "an escape that JSON has not";
    BareText 1 "text without quotes";
    ForeignLiteral 1 "a literal of another language";
    Constructor 1 "a constructor of another language";
    Tuple 1 "a tuple of another language";
    Set 1 "a set of another language";
    EscapedQuotes 2 "a structure with escaped quotes";
    TextInside 2 "a structure inside a string";
    NeedlessObject 2 "a needless object around the value";
    NeedlessList 2 "a needless list around the value";
    OneInPlaceOfList 2 "one value in place of a list";
    NumberInQuotes 1 "a number in quotes";
    BooleanInQuotes 1 "a boolean in quotes";
    LiteralAsText 1 "a number or boolean in place of text";
    StructureAsText 3 "a structure in place of text";
    Nothing 1 "a word for nothing";
    NothingForList 2 "a word for nothing in place of a list";
    MissingValue 2 "a value that is missing";
    EmptyForNull 1 "an empty object in place of null";
    LooseName 1 "a name spelt loosely";
    TypedName 1 "a name with its type";
    NamedBeside 2 "a variant that is named beside its fields";
    ObjectAroundName 1 "an object around a name";
    LooseNumber 1 "a number spelt loosely";
    Unit 2 "a number with its unit";
    NumberInWords 1 "a number in words";
    WholeFraction 1 "an integer written as a fraction";
    LooseBoolean 1 "a boolean spelt loosely";
    Marks 1 "space or marks around a value";
    OtherNotation 2 "another notation of the value";
    OpenFence 1 "a fence that is not closed";
    Around 2 "text around the value";
    Label 2 "a label before the value";
    Explanation 3 "an explanation beside the value";
    LastLine 3 "a value on the last line";
    Sentence 4 "a value in a sentence";
    Bullets 2 "a list of bullets";
    Table 3 "a table";
    Tags 3 "tags";
    Lines 3 "lines in place of a list";
    Commas 3 "commas in place of a list";
    Spaces 3 "spaces in place of commas";
    Pairs 3 "lines in place of an object";
}

impl fmt::Display for CoercionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A set of kinds.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Kinds(u128);

impl Kinds {
    pub(super) const ALL: Self = Self(u128::MAX);

    pub(super) fn insert(&mut self, kind: CoercionKind) {
        self.0 |= 1 << kind as u8;
    }

    pub(super) fn contains(self, kind: CoercionKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// The first kind that both have.
    pub(super) fn common(self, other: Self) -> Option<CoercionKind> {
        let both = Self(self.0 & other.0);
        if both.0 == 0 { None } else { both.first() }
    }

    // Apart, so that its loop is not unrolled into every reader.
    #[cold]
    fn first(self) -> Option<CoercionKind> {
        CoercionKind::ALL.iter().copied().find(|kind| self.contains(*kind))
    }
}

impl fmt::Debug for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(CoercionKind::ALL.iter().filter(|kind| self.contains(**kind))).finish()
    }
}

/// The kinds that were noted of one value, at most four: the rest would tell nothing new.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Notes([Option<CoercionKind>; 4]);

impl Notes {
    pub(super) fn add(&mut self, kind: CoercionKind) {
        for slot in &mut self.0 {
            match slot {
                Some(known) if *known == kind => return,
                Some(_) => {}
                None => {
                    *slot = Some(kind);
                    return;
                }
            }
        }
    }

    pub(super) fn extend(&mut self, kinds: impl IntoIterator<Item = CoercionKind>) {
        kinds.into_iter().for_each(|kind| self.add(kind));
    }

    pub(super) fn has(&self, kind: CoercionKind) -> bool {
        self.0.contains(&Some(kind))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = CoercionKind> + '_ {
        self.0.iter().map_while(|kind| *kind)
    }
}
