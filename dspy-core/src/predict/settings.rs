//! The settings of modules that hold one `Predict`.

/// The methods that set what the field `predict` holds.
macro_rules! predict_settings {
    () => {
        /// Sets its model.
        #[must_use]
        pub fn lm(mut self, lm: impl Into<$crate::lm::LM>) -> Self {
            self.predict = self.predict.lm(lm);
            self
        }

        /// Sets its sampling options.
        #[must_use]
        pub fn options(mut self, options: $crate::lm::Options) -> Self {
            self.predict = self.predict.options(options);
            self
        }

        /// Sets its instructions.
        #[must_use]
        pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
            self.predict = self.predict.instructions(instructions);
            self
        }

        /// Sets its adapter.
        #[must_use]
        pub fn adapter(mut self, adapter: impl $crate::adapter::Adapter) -> Self {
            self.predict = self.predict.adapter(adapter);
            self
        }

        /// Sets how many further requests one call may send to repair an answer that could not be parsed.
        #[must_use]
        pub fn repairs(mut self, requests: u32) -> Self {
            self.predict = self.predict.repairs(requests);
            self
        }

        /// Its learnable parameters and its settings.
        pub fn predictor(&self) -> &$crate::predict::Predictor {
            self.predict.predictor()
        }

        /// Its learnable parameters and its settings, mutably.
        pub fn predictor_mut(&mut self) -> &mut $crate::predict::Predictor {
            self.predict.predictor_mut()
        }
    };
}

pub(super) use predict_settings;
