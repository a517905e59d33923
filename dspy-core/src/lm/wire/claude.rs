//! What is peculiar to Anthropic's models, wherever they are served.

use crate::lm::{FinishReason, ReasoningEffort, Request, ResponseFormat};

/// The fewest tokens of thinking that can be asked for.
const LEAST: u64 = 1024;

/// The tokens for thinking, where it is asked for by a number. They are part of the longest answer.
pub(super) fn budget(effort: ReasoningEffort, max_tokens: Option<u64>) -> Result<u64, String> {
    let wanted = match effort {
        ReasoningEffort::None | ReasoningEffort::Minimal => LEAST,
        ReasoningEffort::Low => 2048,
        ReasoningEffort::Medium => 4096,
        ReasoningEffort::High => 8192,
        ReasoningEffort::XHigh => 16_384,
        ReasoningEffort::Max => 32_768,
    };
    let Some(max_tokens) = max_tokens else { return Ok(wanted) };
    let budget = wanted.min(max_tokens.saturating_sub(1));
    if budget < LEAST {
        return Err(format!(
            "a model that reasons needs max_tokens above {LEAST}, and they are {max_tokens}; raise max_tokens or leave out \
             reasoning_effort"
        ));
    }
    Ok(budget)
}

/// Whether documents are cited: not in answers whose form is enforced.
pub(super) fn cites(request: &Request) -> bool {
    !matches!(request.format, ResponseFormat::JsonSchema { .. })
}

/// Why an answer ends. `calls`: whether it calls tools, which not every server says.
pub(super) fn finish(reason: Option<&str>, calls: bool) -> FinishReason {
    match reason {
        Some("max_tokens" | "model_context_window_exceeded") => FinishReason::Length,
        Some("tool_use") => FinishReason::ToolCalls,
        Some("refusal") => FinishReason::Refusal,
        Some("guardrail_intervened" | "content_filtered") => FinishReason::ContentFilter,
        None | Some("end_turn" | "stop_sequence") if calls => FinishReason::ToolCalls,
        None | Some("end_turn" | "stop_sequence") => FinishReason::Stop,
        Some(other) => FinishReason::Other(other.to_owned()),
    }
}
