//! Chat templates: how a conversation becomes one text.

use minijinja::{Environment, Error, ErrorKind, Value, context, syntax::SyntaxConfig};

use crate::message::Message;

/// A chat template in the dialect of `transformers`.
#[derive(Debug)]
pub(crate) struct Template {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

const NAME: &str = "chat";

impl Template {
    pub(crate) fn new(source: &str, bos: String, eos: String) -> Result<Self, Error> {
        let mut environment = Environment::new();
        environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        // Templates that would write today's date find no clock, and take the date that they have for this case: the
        // same conversation is the same prompt on every day.
        environment.add_template_owned(NAME, without_marks(source))?;
        Ok(Self { environment, bos, eos })
    }

    /// The text of a conversation. With `open`, it ends where the assistant's answer begins.
    pub(crate) fn render<'a>(
        &self,
        messages: impl Iterator<Item = Message<'a>>,
        open: bool,
    ) -> Result<String, Error> {
        let messages: Vec<Value> =
            messages.map(|Message { role, content }| context! { role, content }).collect();
        self.environment.get_template(NAME)?.render(context! {
            messages,
            add_generation_prompt => open,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        })
    }
}

/// The template without `{% generation %}`, which marks for trainers what an assistant says and writes nothing.
fn without_marks(source: &str) -> String {
    let mut kept = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at);
        kept.push_str(before);
        let Some(end) = tag.find("%}") else { break };
        let (tag, behind) = tag.split_at(end + 2);
        let inner = &tag[2..tag.len() - 2];
        let word = inner.trim_start_matches(['-', '+']).trim_end_matches(['-', '+']).trim();
        match word {
            "generation" | "endgeneration" => {
                // As a test that always holds, so that the white space around it is treated as before.
                let tagged = if word == "generation" { "if true" } else { "endif" };
                kept.push_str(&tag.replace(word, tagged));
            }
            _ => kept.push_str(tag),
        }
        rest = behind;
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, messages: &[Message<'_>]) -> Result<String, Error> {
        let template = Template::new(source, "<s>".into(), "</s>".into())?;
        template.render(messages.iter().copied(), true)
    }

    #[test]
    fn a_template_is_rendered_as_python_would() {
        let source = "{{ bos_token }}{% for m in messages %}\n\
                      {% if m['role'] == 'user' %}\n[{{ m.content.strip() }}]\n{% endif %}\n\
                      {% endfor %}{% if add_generation_prompt %}>{% endif %}";
        let text = render(source, &[Message::system("x"), Message::user(" hello ")]).unwrap();
        assert_eq!(text, "<s>[hello]\n>");
    }

    #[test]
    fn marks_for_trainers_write_nothing() {
        let source =
            "{% for m in messages %}{%- generation -%} {{ m.content }} {%- endgeneration %}{% endfor %}";
        assert_eq!(render(source, &[Message::assistant("a")]).unwrap(), "a");
    }

    #[test]
    fn a_template_may_refuse() {
        let error = render("{{ raise_exception('no system message') }}", &[]).unwrap_err();
        assert!(error.to_string().contains("no system message"), "{error}");
    }
}
