//! The distribution functions that intervals and tests need.

use std::f64::consts::{PI, TAU};

/// The logarithm of the gamma function for positive `x` (Lanczos 1964, "A Precision Approximation of the Gamma
/// Function", with g = 7 and nine terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return (PI / (PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let sum: f64 = TERMS.iter().zip(1..).map(|(term, i)| term / (x + f64::from(i))).sum();
    let t = x + 7.5;
    0.5 * TAU.ln() + (x + 0.5) * t.ln() - t + (0.999_999_999_999_809_9 + sum).ln()
}

/// The regularised incomplete beta function, by its continued fraction (Press et al. 2007, "Numerical Recipes", 6.4,
/// evaluated by the method of Lentz).
pub(super) fn beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges quickly on one side of the mean only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(b, a, 1.0 - x);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    front * fraction(a, b, x)
}

fn fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    /// It takes about the square root of the larger parameter.
    const STEPS: u32 = 100_000;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut product = d;
    for m in 1..=STEPS {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut factor = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            factor = c * d;
            product *= factor;
        }
        if (factor - 1.0).abs() < 1e-15 {
            break;
        }
    }
    product
}

/// How likely a standard normal variable is below `x` (Marsaglia 2004, "Evaluating the Normal Distribution").
fn normal_cdf(x: f64) -> f64 {
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut i) = (x, x, 1.0);
    loop {
        i += 2.0;
        term *= x * x / i;
        let next = sum + term;
        if next == sum {
            break;
        }
        sum = next;
    }
    0.5 + sum * (-0.5 * x * x).exp() / TAU.sqrt()
}

/// How likely a variable of Student's t distribution is at least this far from 0, in either direction.
pub(super) fn t_two_sided(t: f64, freedom: f64) -> f64 {
    if t.is_infinite() { 0.0 } else { beta(freedom / 2.0, 0.5, freedom / (freedom + t * t)) }
}

/// How likely a fair coin shows heads at least `heads` times in `tosses`.
pub(super) fn fair_coin_tail(heads: usize, tosses: usize) -> f64 {
    match heads {
        0 => 1.0,
        _ if heads > tosses => 0.0,
        _ => beta(heads as f64, (tosses - heads + 1) as f64, 0.5),
    }
}

/// Within how many standard deviations a normal variable stays with this probability.
pub(super) fn normal_quantile(level: f64) -> f64 {
    solve(|z| 1.0 - 2.0 * normal_cdf(-z), level)
}

/// Within how many standard errors a variable of Student's t distribution stays with this probability.
pub(super) fn t_quantile(level: f64, freedom: f64) -> f64 {
    solve(|t| 1.0 - t_two_sided(t, freedom), level)
}

/// Where an increasing function of a positive number reaches `goal`, by bisection.
fn solve(f: impl Fn(f64) -> f64, goal: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while f(high) < goal && high < 1e12 {
        (low, high) = (high, 2.0 * high);
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if f(middle) < goal {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-9 * b.abs().max(1e-3), "{a} is not {b}");
    }

    #[test]
    fn functions_have_their_known_values() {
        near(ln_gamma(1.0), 0.0);
        near(ln_gamma(0.5), PI.sqrt().ln());
        near(ln_gamma(11.0), 3_628_800_f64.ln());
        near(beta(2.0, 3.0, 0.4), 0.5248);
        near(beta(0.5, 0.5, 0.5), 0.5);
        // 1.959963984540054 and 2.575829303548901 of every table.
        near(normal_quantile(0.95), 1.959_963_984_540_054);
        near(normal_quantile(0.99), 2.575_829_303_548_901);
        // Student's t with one degree of freedom is the Cauchy distribution, with two it has a closed form.
        near(t_quantile(0.95, 1.0), (0.475 * PI).tan());
        near(t_quantile(0.95, 2.0), 0.95 * (2.0 / (1.0 - 0.95_f64.powi(2))).sqrt());
        near(t_two_sided(1.0, 1.0), 0.5);
        assert!((t_quantile(0.95, 1e7) - normal_quantile(0.95)).abs() < 1e-6);
    }

    #[test]
    fn tails_of_a_coin_are_sums() {
        for tosses in [1_usize, 2, 5, 13, 40] {
            let mut ways = vec![1.0_f64];
            for _ in 0..tosses {
                ways = (0..=ways.len())
                    .map(|i| ways.get(i).unwrap_or(&0.0) + if i > 0 { ways[i - 1] } else { 0.0 })
                    .collect();
            }
            for heads in 0..=tosses {
                let tail: f64 = ways[heads..].iter().sum::<f64>() / 2_f64.powi(tosses as i32);
                near(fair_coin_tail(heads, tosses), tail);
            }
        }
        assert_eq!(fair_coin_tail(4, 3), 0.0);
        assert!((fair_coin_tail(50_000, 100_000) - 0.5).abs() < 0.002);
    }
}
