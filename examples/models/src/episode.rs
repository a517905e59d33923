//! A few rows of one task, and how the library writes them.

use dspy::{
    adapter::Demo,
    lm::{Message, Role},
    prelude::*,
};

/// Rows of one task under one signature: the last one is asked, those before it are demonstrations.
#[derive(Debug, Clone)]
pub struct Episode {
    /// The name of the task.
    pub task: &'static str,
    /// Its signature, with the instruction.
    pub signature: DynSignature,
    /// Complete rows.
    pub rows: Vec<Record>,
}

/// What ends each turn of the assistant.
pub const END: &str = "<|end|>";

impl Episode {
    /// The messages that the library sends when the last row is asked and the others are demonstrations, and at
    /// their end the answer as the library would show it in a demonstration.
    ///
    /// # Errors
    /// When a row does not fit the signature.
    pub fn messages(&self) -> Result<Vec<Message>> {
        let Some(last) = self.rows.last() else { return Err(Error::other("an episode without rows")) };
        let mut predict = Predict::dynamic(self.signature.clone());
        let demos = self.rows.iter().map(Demo::from_row).collect::<Result<Vec<_>>>()?;
        predict.predictor_mut().set_demos(demos);
        let mut messages = predict.render(self.inputs(last))?.0;
        // The last row is asked and not shown: its question goes, its answer moves to the end.
        let shown = 2 * self.rows.len();
        if messages.len() != shown + 2 {
            return Err(Error::other(format!("{} messages for {} rows", messages.len(), self.rows.len())));
        }
        let answer = messages.remove(shown);
        messages.remove(shown - 1);
        messages.push(answer);
        Ok(messages)
    }

    /// The inputs of a row.
    pub fn inputs(&self, row: &Record) -> Record {
        let inputs = self.signature.spec().inputs();
        inputs.filter_map(|f| Some((f.name.clone(), row.value(&f.name)?.clone()))).collect()
    }

    /// The text that the model is trained on: the messages, each after the mark of its role.
    ///
    /// # Errors
    /// As [`messages`](Self::messages).
    pub fn text(&self) -> Result<String> {
        Ok(text(&self.messages()?))
    }
}

/// Messages in the model's template: `<|role|>` before each, `<|end|>` after each answer.
pub fn text(messages: &[Message]) -> String {
    let mut out = String::new();
    for message in messages {
        out.push_str("<|");
        out.push_str(message.role.as_str());
        out.push_str("|>");
        out.push_str(message.content.text());
        if message.role == Role::Assistant {
            out.push_str(END);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn episode() -> Episode {
        let signature = DynSignature::parse("word -> desk: Literal['north', 'south']").unwrap();
        let row = |word: &str, desk: &str| Record::from([("word", word), ("desk", desk)]);
        Episode {
            task: "sort",
            signature: signature.with_instructions("Sort the word."),
            rows: vec![row("otter", "north"), row("hammer", "south"), row("wolf", "north")],
        }
    }

    #[test]
    fn the_text_is_what_the_library_sends() {
        let episode = episode();
        let program = Predict::dynamic(episode.signature.clone()).demos(episode.rows[..2].to_vec());
        let sent = program.render(Record::from([("word", "wolf")])).unwrap();
        let written = episode.messages().unwrap();
        assert_eq!(written[..written.len() - 1], sent[..]);
        assert_eq!(written[5].content, sent[5].content);
        assert!(episode.text().unwrap().ends_with("[[ ## desk ## ]]\nnorth\n\n[[ ## completed ## ]]<|end|>"));
    }

    #[test]
    fn reasoning_is_written_as_a_chain_of_thought_asks_for_it() {
        let plain = DynSignature::parse("word -> answer").unwrap().with_instructions("Think.");
        let with = DynSignature::parse("word -> reasoning, answer").unwrap().with_instructions("Think.");
        let input = Record::from([("word", "wolf")]);
        let a = ChainOfThought::dynamic(plain).render(input.clone()).unwrap();
        let b = Predict::dynamic(with).render(input).unwrap();
        assert_eq!(a, b);
    }
}
