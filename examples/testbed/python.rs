//! Random numbers as Python draws them.

const N: usize = 624;
const M: usize = 397;

/// The generator of Python's `random.Random(seed)`: the Mersenne Twister (Matsumoto and Nishimura 1998), seeded by
/// `init_by_array` with the 32-bit words of the seed.
pub struct Random {
    state: [u32; N],
    at: usize,
}

impl Random {
    pub fn new(seed: u64) -> Self {
        let (low, high) = (seed as u32, (seed >> 32) as u32);
        let key = if high == 0 { vec![low] } else { vec![low, high] };
        let mut state = [0_u32; N];
        state[0] = 19_650_218;
        for i in 1..N {
            state[i] = mixed(&state, i, 1_812_433_253).wrapping_add(i as u32);
        }
        let mut i = 1;
        let mut step = |state: &mut [u32; N], next: &dyn Fn(u32, usize) -> u32, factor: u32| {
            state[i] = next(state[i] ^ mixed(state, i, factor), i);
            i += 1;
            if i == N {
                state[0] = state[N - 1];
                i = 1;
            }
        };
        for k in 0..N.max(key.len()) {
            let j = k % key.len();
            step(&mut state, &|x, _| x.wrapping_add(key[j]).wrapping_add(j as u32), 1_664_525);
        }
        for _ in 1..N {
            step(&mut state, &|x, i| x.wrapping_sub(i as u32), 1_566_083_941);
        }
        state[0] = 0x8000_0000;
        Self { state, at: N }
    }

    /// The next 32 random bits.
    fn next_u32(&mut self) -> u32 {
        if self.at == N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A number below `n`, which is not 0.
    fn below(&mut self, n: u32) -> u32 {
        let surplus = n.leading_zeros();
        loop {
            let r = self.next_u32() >> surplus;
            if r < n {
                return r;
            }
        }
    }

    /// `shuffle` of Python.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u32 + 1) as usize);
        }
    }
}

fn mixed(state: &[u32; N], i: usize, factor: u32) -> u32 {
    (state[i - 1] ^ (state[i - 1] >> 30)).wrapping_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffled(seed: u64, n: usize) -> Vec<usize> {
        let mut items: Vec<usize> = (0..n).collect();
        Random::new(seed).shuffle(&mut items);
        items
    }

    // What CPython 3.11 gives.
    #[test]
    fn numbers_and_orders_are_those_of_python() {
        let mut random = Random::new(12345);
        let first: Vec<u32> = (0..3).map(|_| random.next_u32()).collect();
        assert_eq!(first, [1_789_368_711, 3_146_859_322, 43_676_229]);
        assert_eq!(shuffled(0, 10), [7, 8, 1, 5, 3, 4, 2, 0, 9, 6]);
        assert_eq!(shuffled(1, 10), [6, 8, 9, 7, 5, 3, 0, 4, 1, 2]);
        assert_eq!(shuffled(4, 10), [8, 2, 0, 7, 6, 9, 5, 1, 4, 3]);
        assert_eq!(shuffled((1 << 40) + 7, 10), [0, 5, 2, 3, 6, 1, 8, 4, 7, 9]);
        let long = shuffled(3, 200);
        assert_eq!(long[..8], [158, 62, 14, 69, 47, 137, 110, 6]);
        assert_eq!(long[196..], [33, 139, 151, 60]);
    }
}
