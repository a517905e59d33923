//! Which token comes next.

use dspy_random::Rng;

use crate::error::Error;

/// How likely a token of an answer was.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenLogprob {
    /// The token's text.
    pub token: String,
    /// The natural logarithm of its probability, before the temperature.
    pub logprob: f64,
    /// The likeliest tokens in its place with theirs, as many as were asked for.
    pub top: Vec<(String, f64)>,
}

/// How answers are generated. What is `None` is as the model's `generation_config.json` has it, or else greedy and
/// without limits.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// How many answers are drawn, at least one.
    pub n: usize,
    /// The randomness; 0 is greedy.
    pub temperature: Option<f64>,
    /// The smallest set of tokens whose probability reaches this is drawn from.
    pub top_p: Option<f64>,
    /// How many of the likeliest tokens are drawn from; 0 is all.
    pub top_k: Option<usize>,
    /// The longest answer, in tokens: the rest of the context unless set.
    pub max_tokens: Option<usize>,
    /// Texts at which an answer ends. They are not part of it.
    pub stop: Vec<String>,
    /// The seed. Without one, it is derived from the prompt and `rollout`.
    pub seed: Option<u64>,
    /// Which draw of several this is.
    pub rollout: u64,
    /// Whether the probability of each token is given, and of how many others in its place.
    pub logprobs: Option<usize>,
}

impl Default for GenerateOptions {
    /// One answer, with the model's own settings.
    fn default() -> Self {
        Self {
            n: 1,
            temperature: None,
            top_p: None,
            top_k: None,
            max_tokens: None,
            stop: Vec::new(),
            seed: None,
            rollout: 0,
            logprobs: None,
        }
    }
}

/// How tokens are drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sampling {
    /// 0 is greedy.
    temperature: f64,
    top_p: f64,
    /// How many of the likeliest are drawn from; 0 is all.
    top_k: usize,
}

/// The model's own defaults, as `generation_config.json` has them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Defaults {
    pub(crate) temperature: f64,
    pub(crate) top_p: f64,
    pub(crate) top_k: usize,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { temperature: 0.0, top_p: 1.0, top_k: 0 }
    }
}

impl Sampling {
    /// What the options of a request ask for.
    pub(crate) fn new(options: &GenerateOptions, defaults: Defaults) -> Result<Self, Error> {
        let temperature = options.temperature.unwrap_or(defaults.temperature);
        if !(temperature.is_finite() && temperature >= 0.0) {
            return Err(Error::Request(format!("the temperature is {temperature}, but must be 0 or more")));
        }
        let top_p = options.top_p.unwrap_or(defaults.top_p);
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(Error::Request(format!("top_p is {top_p}, but must be above 0 and at most 1")));
        }
        Ok(Self { temperature, top_p, top_k: options.top_k.unwrap_or(defaults.top_k) })
    }

    /// Draws a token.
    pub(crate) fn draw(&self, logits: &[f32], rng: &mut Rng) -> u32 {
        if self.temperature == 0.0 || self.top_k == 1 {
            return best(logits);
        }
        let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let temperature = self.temperature as f32;
        let weight = |logit: f32| f64::from(((logit - top) / temperature).exp());
        // What is this unlikely is never drawn, and need not be sorted.
        let mut likely: Vec<(u32, f64)> = logits
            .iter()
            .enumerate()
            .map(|(token, logit)| (token as u32, weight(*logit)))
            .filter(|(_, weight)| *weight > 1e-9)
            .collect();
        if self.top_k > 0 || self.top_p < 1.0 {
            // Of equals the lower token first, so that the order is certain.
            likely.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            if self.top_k > 0 {
                likely.truncate(self.top_k);
            }
            let enough = likely.iter().map(|(_, w)| w).sum::<f64>() * self.top_p;
            let mut sum = 0.0;
            let needed = likely.iter().position(|(_, w)| {
                sum += w;
                sum >= enough
            });
            likely.truncate(needed.map_or(likely.len(), |last| last + 1));
        }
        let mut at = rng.unit() * likely.iter().map(|(_, w)| w).sum::<f64>();
        for (token, weight) in &likely {
            at -= weight;
            if at < 0.0 {
                return *token;
            }
        }
        likely.last().map_or_else(|| best(logits), |(token, _)| *token)
    }
}

/// The likeliest token; of equals the lowest.
fn best(logits: &[f32]) -> u32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (token, logit) in logits.iter().enumerate() {
        if *logit > best.1 {
            best = (token, *logit);
        }
    }
    best.0 as u32
}

/// How likely a token was, and which were the likeliest.
pub(crate) fn logprob(logits: &[f32], token: u32, top: usize, shown: impl Fn(u32) -> String) -> TokenLogprob {
    let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let total: f64 = logits.iter().map(|logit| (f64::from(*logit) - highest).exp()).sum();
    let of = |token: usize| f64::from(logits[token]) - highest - total.ln();
    let mut likely: Vec<usize> = (0..logits.len()).collect();
    let by = |a: &usize, b: &usize| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b));
    if top > 0 && top < likely.len() {
        likely.select_nth_unstable_by(top - 1, by);
    }
    likely.truncate(top);
    likely.sort_by(by);
    let top = likely.into_iter().map(|token| (shown(token as u32), of(token))).collect();
    TokenLogprob { token: shown(token), logprob: of(token as usize), top }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(options: &GenerateOptions, logits: &[f32]) -> Vec<usize> {
        let (sampling, mut rng) = (Sampling::new(options, Defaults::default()).unwrap(), Rng::new(1));
        let mut counts = vec![0; logits.len()];
        for _ in 0..2000 {
            counts[sampling.draw(logits, &mut rng) as usize] += 1;
        }
        counts
    }

    fn hot() -> GenerateOptions {
        GenerateOptions { temperature: Some(1.0), ..GenerateOptions::default() }
    }

    #[test]
    fn zero_is_greedy() {
        assert_eq!(counts(&GenerateOptions::default(), &[1.0, 3.0, 3.0, 2.0]), [0, 2000, 0, 0]);
    }

    #[test]
    fn draws_follow_the_weights() {
        let logits = [0.0, 2f32.ln(), 4f32.ln()];
        let drawn = counts(&hot(), &logits);
        for (count, share) in drawn.iter().zip([1.0, 2.0, 4.0]) {
            let expected = 2000.0 * share / 7.0;
            assert!((*count as f64 - expected).abs() < 100.0, "{drawn:?}");
        }
        // 4/7 alone is less than 0.7, together with 2/7 it is more.
        assert_eq!(counts(&GenerateOptions { top_p: Some(0.7), ..hot() }, &logits)[0], 0);
        assert_eq!(counts(&GenerateOptions { top_k: Some(1), ..hot() }, &logits), [0, 0, 2000]);
    }

    #[test]
    fn mistakes_are_named() {
        let error =
            |options: GenerateOptions| Sampling::new(&options, Defaults::default()).unwrap_err().to_string();
        assert!(error(GenerateOptions { top_p: Some(0.0), ..hot() }).contains("top_p is 0"));
        assert!(error(GenerateOptions { temperature: Some(-1.0), ..hot() }).contains("temperature is -1"));
    }

    #[test]
    fn logprobs_are_of_the_whole_vocabulary() {
        let found = logprob(&[0.0, 2f32.ln(), 0.0], 0, 2, |t| t.to_string());
        assert!((found.logprob - 0.25f64.ln()).abs() < 1e-6);
        assert_eq!(found.top[0].0, "1");
        assert!((found.top[0].1 - 0.5f64.ln()).abs() < 1e-6);
        assert_eq!(found.top.len(), 2);
    }
}
