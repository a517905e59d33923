//! Random numbers that depend on nothing but a seed and what they are for.

/// A small seeded generator: xoshiro256++ (Blackman and Vigna 2019, "Scrambled Linear Pseudorandom Number
/// Generators"), seeded through SplitMix64.
///
/// [`fork`](Self::fork) and [`fork_index`](Self::fork_index) give generators for one purpose each. A fork depends
/// on the seed and the names on the way to it, not on what was drawn before, so the order in which concurrent
/// work ends changes no decision. The numbers of a seed are part of the library's behaviour: they stay the same
/// from version to version.
///
/// ```
/// use dspy_random::Rng;
/// let root = Rng::new(7);
/// let mut a = root.fork("bootstrap").fork_index(3);
/// let mut b = root.fork("bootstrap").fork_index(3);
/// assert_eq!(a.below(1000), b.below(1000));
/// ```
#[derive(Debug, Clone)]
pub struct Rng {
    key: u64,
    state: [u64; 4],
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64.
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// The generator of this seed.
    pub fn new(seed: u64) -> Self {
        let mut x = seed;
        let state = std::array::from_fn(|_| {
            x = x.wrapping_add(GOLDEN);
            mix(x)
        });
        Self { key: seed, state }
    }

    /// A generator for one purpose.
    #[must_use]
    pub fn fork(&self, purpose: &str) -> Self {
        // FNV-1a: stable from version to version, unlike the hashers of the standard library.
        let hash = purpose
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        Self::new(mix(self.key.wrapping_add(GOLDEN) ^ mix(hash)))
    }

    /// A generator for one of many things of the same purpose.
    #[must_use]
    pub fn fork_index(&self, index: u64) -> Self {
        Self::new(mix(self.key ^ mix(index.wrapping_add(1).wrapping_mul(GOLDEN))))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number below `bound`, each equally likely (Lemire 2019, "Fast Random Integer Generation in an
    /// Interval"); 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = bound as u64;
        if bound == 0 {
            return 0;
        }
        // Draws from the incomplete last block are thrown away: they would favour some numbers.
        let reject = bound.wrapping_neg() % bound;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= reject {
                return (product >> 64) as usize;
            }
        }
    }

    /// A number of `range`, each equally likely; its start when it is empty.
    pub fn range(&mut self, range: std::ops::Range<usize>) -> usize {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    /// A number at least 0 and below 1.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of the items.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.below(items.len()))
    }

    /// Puts the items into a random order, each order equally likely.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// `n` different numbers below `len`, in random order; all of them when there are not so many.
    pub fn sample(&mut self, len: usize, n: usize) -> Vec<usize> {
        let n = n.min(len);
        // A partial shuffle that remembers only the places it touched: `len` may be millions.
        let mut moved = std::collections::HashMap::new();
        (0..n)
            .map(|i| {
                let j = self.range(i..len);
                let picked = moved.get(&j).copied().unwrap_or(j);
                let here = moved.get(&i).copied().unwrap_or(i);
                moved.insert(j, here);
                picked
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        // The first outputs of SplitMix64 for seed 0, as published with the algorithm.
        assert_eq!(mix(GOLDEN), 0xe220_a839_7b1d_cdaf);
        let mut rng = Rng::new(0);
        let first: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(first, [0x5317_5d61_490b_23df, 0x61da_6f3d_c380_d507, 0x5c0f_df91_ec9a_7bfc]);
    }

    #[test]
    fn forks_do_not_depend_on_what_was_drawn() {
        let mut a = Rng::new(1);
        let before = a.fork("x").next_u64();
        a.next_u64();
        assert_eq!(a.fork("x").next_u64(), before);
        assert_ne!(a.fork("y").next_u64(), before);
        assert_ne!(a.fork_index(0).next_u64(), a.fork_index(1).next_u64());
        assert_ne!(Rng::new(0).fork_index(0).next_u64(), Rng::new(1).fork_index(0).next_u64());
    }

    #[test]
    fn every_number_is_equally_likely() {
        let mut rng = Rng::new(3);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7)] += 1;
        }
        assert!(counts.iter().all(|c| (9_500..10_500).contains(c)), "{counts:?}");
        assert_eq!((rng.below(0), rng.below(1), rng.range(5..5)), (0, 0, 5));
    }

    #[test]
    fn samples_hold_each_index_once() {
        let mut rng = Rng::new(5);
        for (len, n) in [(0, 3), (1, 1), (10, 10), (10, 4), (1000, 20), (3, 9)] {
            let mut sample = rng.sample(len, n);
            assert_eq!(sample.len(), n.min(len));
            sample.sort_unstable();
            sample.dedup();
            assert_eq!(sample.len(), n.min(len));
            assert!(sample.iter().all(|i| *i < len));
        }
        let mut first = [0_u32; 5];
        for i in 0..50_000 {
            first[Rng::new(9).fork_index(i).sample(5, 2)[1]] += 1;
        }
        assert!(first.iter().all(|c| (9_400..10_600).contains(c)), "{first:?}");
    }
}
