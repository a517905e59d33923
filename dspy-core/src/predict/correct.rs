//! Answers that do not meet the constraints of their signature are asked for again.

use super::{drive::Ask, run::Run};
use crate::{Result, context::Correction, signature::Violation};

impl Ask<'_> {
    /// Asks until an output meets the constraints of the signature, or may not be corrected any further.
    pub(super) async fn answer(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.drive(run).await?;
        if !self.unmet.is_empty() {
            // In a box, because it is rare and would make every call larger.
            Box::pin(self.correct(run)).await?;
        }
        self.judge()
    }

    /// Shows the model its answer and what it does not meet, as an assertion of the program does.
    async fn correct(&mut self, run: &mut Run<'_>) -> Result<()> {
        while !self.unmet.is_empty() && run.guidance.corrections.len() < self.settings.max_backtracks {
            let Some(output) = run.sides.recorded_output() else { break };
            let message = demands(&self.unmet);
            self.told_again(format!("asked again for what meets: {message}"));
            run.guidance.corrections.push(Correction { output: output.to_json(), message });
            if let Some(recorder) = self.recorder {
                recorder.backtracked(1);
            }
            self.repairs = run.predictor.repairs_or(self.settings);
            if std::mem::take(&mut self.extracting) {
                self.lm = run.predictor.lm_or(self.settings)?;
                self.adapter = run.predictor.adapter_or(self.settings);
            }
            let unmet = std::mem::take(&mut self.unmet);
            let Err(error) = self.drive(run).await else { continue };
            if unmet.iter().any(|violation| violation.fatal) || !run.sides.replay(&*output) {
                return Err(error);
            }
            // What is only wished for makes no call fail: the answer that there was stands.
            tracing::debug!(signature = self.spec.name, "not corrected: {error}");
            self.unmet = unmet;
            break;
        }
        Ok(())
    }

    /// Decides about what is still not met.
    fn judge(&mut self) -> Result<()> {
        let unmet = std::mem::take(&mut self.unmet);
        let broken = self.broken(&unmet);
        self.log.warnings = unmet.into_iter().filter(|violation| !violation.fatal).collect();
        broken.map_or(Ok(()), Err)
    }
}

/// What is demanded, a line for each field.
fn demands(unmet: &[Violation]) -> String {
    let lines: Vec<String> = unmet
        .iter()
        .map(|Violation { field, message, .. }| match field.as_str() {
            "self" => message.clone(),
            field => format!("`{field}`: {message}"),
        })
        .collect();
    lines.join("\n")
}
