//! A small generator of random numbers, words and texts: the same ones in every run.

/// The splitmix64 generator.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator for one purpose: equal names and numbers give equal values.
    pub(crate) fn of(name: &str, number: usize) -> Self {
        let mut random = Self(number as u64);
        for byte in name.bytes() {
            random.0 = random.next() ^ u64::from(byte);
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of `items`.
    pub(crate) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }

    /// One of `items`, all of them, or some: at least one, in their order.
    pub(crate) fn some(&mut self, items: &[usize]) -> Vec<usize> {
        let one = self.below(items.len());
        match self.below(3) {
            0 => items.to_vec(),
            1 => vec![items[one]],
            _ => (0..items.len()).filter(|i| *i == one || self.once_in(2)).map(|i| items[i]).collect(),
        }
    }

    /// Values made by `make`, `least` to `most` of them.
    pub(crate) fn several<T>(
        &mut self,
        least: usize,
        most: usize,
        mut make: impl FnMut(&mut Self) -> T,
    ) -> Vec<T> {
        let count = least + self.below(most - least + 1);
        (0..count).map(|_| make(self)).collect()
    }

    /// A value made by `make`, or nothing.
    pub(crate) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (!self.once_in(3)).then(|| make(self))
    }

    /// A whole number of any size that a double can hold.
    pub(crate) fn whole(&mut self) -> i64 {
        let limit = self.pick(&[10, 100, 10_000, 5_000_000, 1 << 52]);
        let number = self.below(limit) as i64;
        if self.once_in(5) { -number } else { number }
    }

    /// A number of any size, some with an exponent.
    pub(crate) fn decimal(&mut self) -> f64 {
        match self.below(8) {
            0 => self.whole() as f64,
            1 => self.whole() as f64 * 1e-9,
            2 => (1 + self.below(99)) as f64 * 1e20,
            3 => -(self.below(100_000) as f64) / 100.0,
            _ => self.below(1_000_000) as f64 / 100.0,
        }
    }

    /// A short name.
    pub(crate) fn name(&mut self) -> String {
        let name = self.pick(&[
            "green tea",
            "Ada Lovelace",
            "O'Brien",
            "Zoë",
            "pen",
            "SKU-0017",
            "Köln",
            "left_pad",
            "v1.2.3",
            "Smith, John",
            "東京",
            "R&D",
        ]);
        name.to_owned()
    }

    /// Text as people write it, with much that looks like syntax. It always has a word in it.
    pub(crate) fn text(&mut self) -> String {
        let mut parts = self.several(0, 4, |random| random.pick(&PIECES));
        let at = self.below(parts.len() + 1);
        parts.insert(at, self.pick(&WORDS));
        let between = if self.once_in(6) { "\n" } else { " " };
        parts.join(between)
    }
}

const WORDS: [&str; 10] = [
    "delivered",
    "the back door",
    "It works as described",
    "we will see",
    "Grüße aus München",
    "not sure about it",
    "für später",
    "please call again",
    "überarbeitet",
    "a second look",
];

const PIECES: [&str; 40] = [
    "don't",
    "the users' own",
    "he said \"no\"",
    "a 6\" pipe",
    "\"quoted\" first",
    "“curly” quotes",
    "red, green and blue",
    "first, second,",
    "one; two",
    "see: the notes",
    "{draft}",
    "{\"a\": 1}",
    "[x]",
    "[1, 2]",
    "(maybe)",
    "line one\nline two",
    "- a point\n- another",
    "C:\\temp\\new",
    "// no comment",
    "# heading",
    "/* inside */",
    "https://example.org/a?b=1&c=2",
    "<b>bold</b>",
    "50% off",
    "$1,200.50",
    "x = y",
    "a => b",
    "true or false",
    "None of it",
    "null",
    "日本語、テスト",
    "全角：，",
    "🙂",
    "naïve café",
    "tab\there",
    "`code`",
    "```sh\nls\n```",
    "ok...",
    "1 + 1 = 2",
    "\\d+\\.\\d*",
];
