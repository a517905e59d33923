//! The learnable part of a program.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{NearestDemos, agent::Agent, protocol::Protocol};
use crate::{
    Error, Result, StateError,
    adapter::{Adapter, Demo},
    context::{PredictorId, Recorded, Settings},
    lm::{Capabilities, LM, Message, Options, Prefix, ResponseFormat, embed::Embedder},
    signature::{FieldRole, SignatureSpec, Violation},
    tool::{ToolSet, ToolWords},
    value::{Kind, Validator},
};

/// The parameters of one step, which optimizers change and state files hold: the instruction and the descriptions
/// in its specification, its demonstrations, and its model.
pub struct Predictor {
    id: PredictorId,
    /// The signature's name, for steps.
    name: Arc<str>,
    spec: Arc<SignatureSpec>,
    original: Arc<SignatureSpec>,
    demos: Arc<Vec<Demo>>,
    nearest: Option<NearestDemos>,
    /// The tools that it may have called.
    agent: Option<Box<Agent>>,
    /// What the module that it belongs to tells the model of its work, after the instructions.
    protocol: Option<Box<Protocol>>,
    lm: Option<LM>,
    options: Options,
    adapter: Option<Arc<dyn Adapter>>,
    repairs: Option<u32>,
    /// Why the demonstrations that it was given cannot be shown.
    unusable: Option<Error>,
    /// Why no answer could ever be accepted, which is told before one is paid for.
    flaw: Option<Error>,
    /// What is rendered once, for each adapter and model that has been used.
    frames: Mutex<Vec<Arc<Frame>>>,
    /// What outputs must fulfil beyond their types, by field.
    validators: Arc<[(String, Validator)]>,
}

/// What does not change from call to call.
pub(crate) struct Frame {
    adapter: Arc<dyn Adapter>,
    capabilities: Capabilities,
    /// The system message and the demonstrations.
    pub(crate) prefix: Arc<Prefix>,
    /// What follows the inputs.
    pub(crate) reminder: String,
    /// What the provider forces on the answer.
    pub(crate) response_format: ResponseFormat,
    /// Whether tools are handed to the provider and calls come back from it, apart from the prompt.
    pub(crate) native_tools: bool,
}

impl Predictor {
    pub(crate) fn new(spec: Arc<SignatureSpec>) -> Self {
        let validators: Arc<[(String, Validator)]> =
            spec.outputs().filter_map(|f| Some((f.name.clone(), Validator::new(&f.schema())?))).collect();
        Self {
            id: PredictorId::fresh(),
            name: spec.name.as_str().into(),
            original: spec.clone(),
            demos: Arc::default(),
            nearest: None,
            agent: None,
            protocol: None,
            lm: None,
            options: Options::default(),
            adapter: None,
            repairs: None,
            unusable: None,
            flaw: validators.iter().find_map(|(field, validator)| {
                validator.fault().map(|fault| Error::Constraint {
                    signature: spec.name.clone(),
                    field: field.clone(),
                    message: format!("`{field}`: {fault}"),
                })
            }),
            frames: Mutex::default(),
            validators,
            spec,
        }
    }

    /// Makes every call fail before anything is sent.
    pub(crate) fn refuse(&mut self, flaw: Error) {
        self.flaw = Some(flaw);
    }

    /// Its identifier: unique in the process, new for every clone.
    pub fn id(&self) -> PredictorId {
        self.id
    }

    /// Records what this copy does as done by the other.
    pub(crate) fn record_as(&mut self, other: &Self) {
        self.id = other.id;
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Its signature, with the words it has now.
    pub fn spec(&self) -> &Arc<SignatureSpec> {
        &self.spec
    }

    /// Changes the words of its signature.
    pub fn edit_spec(&mut self, edit: impl FnOnce(&mut SignatureSpec)) {
        edit(Arc::make_mut(&mut self.spec));
        self.name = self.spec.name.as_str().into();
        self.changed();
    }

    /// The instruction.
    pub fn instructions(&self) -> &str {
        &self.spec.instructions
    }

    /// Replaces the instruction, as it is.
    pub fn set_instructions(&mut self, instructions: impl Into<String>) {
        let instructions = instructions.into();
        self.edit_spec(|spec| spec.instructions = instructions);
    }

    /// The demonstrations.
    pub fn demos(&self) -> &[Demo] {
        &self.demos
    }

    /// Replaces the demonstrations.
    pub fn set_demos(&mut self, demos: Vec<Demo>) {
        self.demos = Arc::new(demos);
        self.unusable = None;
        self.changed();
    }

    /// Replaces the demonstrations. The failure of one becomes that of every call, until others are given.
    pub(crate) fn try_set_demos(&mut self, demos: Result<Vec<Demo>>) {
        let (demos, unusable) = match demos {
            Ok(demos) => (demos, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        self.set_demos(demos);
        self.unusable = unusable;
    }

    /// # Errors
    /// Why no call of it can succeed.
    pub(crate) fn usable(&self) -> Result<()> {
        self.flaw.clone().or_else(|| self.unusable.clone()).map_or(Ok(()), Err)
    }

    /// The demonstrations that are chosen for each call, if there are any.
    pub fn nearest_demos(&self) -> Option<&NearestDemos> {
        self.nearest.as_ref()
    }

    /// Sets demonstrations that are chosen for each call. They are shown after those that every call shows.
    pub fn set_nearest_demos(&mut self, demos: Option<NearestDemos>) {
        self.nearest = demos;
    }

    /// Gives it the embedding model that chooses its demonstrations, if one does: see
    /// [`Program::set_embedder`](super::Program::set_embedder).
    ///
    /// # Errors
    /// [`Error::State`] when they were chosen by another one.
    pub fn set_embedder(&mut self, embedder: &Arc<dyn Embedder>) -> Result<()> {
        Ok(self.nearest.as_mut().map_or(Ok(()), |nearest| nearest.set_embedder(embedder))?)
    }

    /// The words in which the model is told of the tools that this predictor chooses from, or that the code may call which
    /// it writes; empty for one without tools.
    pub fn tools(&self) -> &[ToolWords] {
        self.tool_set().map_or(&[], ToolSet::words)
    }

    pub(crate) fn tool_set(&self) -> Option<&ToolSet> {
        let functions = || self.protocol.as_ref().map(|protocol| protocol.functions());
        self.agent.as_ref().map(|agent| agent.tools()).or_else(functions)
    }

    /// Changes the words in which the model is told of tools; tools that are not among them keep theirs.
    ///
    /// # Errors
    /// [`StateError`] when there is no such tool or argument, or when a name is none that models, or the code that they
    /// write, can call. Nothing is changed then.
    pub fn set_tools(&mut self, words: &[ToolWords]) -> Result<(), StateError> {
        let Some(first) = words.first() else { return Ok(()) };
        let set = match (&mut self.agent, &mut self.protocol) {
            (Some(agent), _) => agent.set_words(words, Arc::make_mut(&mut self.spec)),
            (None, Some(protocol)) if !protocol.functions().words().is_empty() => protocol.set_words(words),
            _ => Err(format!("it has no tools, and so none that is called `{}`", first.tool)),
        };
        set.map_err(|message| StateError::new(message).field("tools"))?;
        self.changed();
        Ok(())
    }

    /// Gives it tools to choose from.
    pub(crate) fn set_agent(&mut self, agent: Option<Agent>) {
        self.agent = agent.map(Box::new);
        self.changed();
    }

    pub(crate) fn agent(&self) -> Option<&Agent> {
        self.agent.as_deref()
    }

    /// Sets what the model is told of the work of the module that it belongs to, after the instructions.
    #[cfg(feature = "sandbox")]
    pub(crate) fn set_protocol(&mut self, protocol: Protocol) {
        self.protocol = Some(Box::new(protocol));
        self.changed();
    }

    /// What a model is told after the instructions, apart from native calls.
    pub(crate) fn told(&self) -> String {
        let mut told = self.protocol.as_ref().map(|protocol| protocol.text().to_owned()).unwrap_or_default();
        if let Some(agent) = &self.agent {
            told.push_str(&agent.protocol());
        }
        told
    }

    /// What its tools are called natively with, if they are.
    pub(crate) fn native_agent(&self, capabilities: Capabilities) -> Option<&Agent> {
        self.agent().filter(|agent| agent.is_native(capabilities))
    }

    /// Its own model, if it has one.
    pub fn lm(&self) -> Option<&LM> {
        self.lm.as_ref()
    }

    /// Replaces its own model.
    pub fn set_lm(&mut self, lm: Option<LM>) {
        self.lm = lm;
    }

    /// Its own sampling options.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Replaces its own sampling options.
    pub fn set_options(&mut self, options: Options) {
        self.options = options;
    }

    /// Replaces its own format.
    pub fn set_adapter(&mut self, adapter: Option<Arc<dyn Adapter>>) {
        self.adapter = adapter;
        self.changed();
    }

    /// Sets how many further requests one call may send to complete an answer that could not be read.
    pub fn set_repairs(&mut self, requests: Option<u32>) {
        self.repairs = requests;
    }

    /// Takes away what was learnt.
    pub fn reset(&mut self) {
        self.spec = self.original.clone();
        self.nearest = None;
        if let Some(agent) = &mut self.agent {
            agent.reset(Arc::make_mut(&mut self.spec));
        }
        if let Some(protocol) = &mut self.protocol {
            protocol.reset();
        }
        self.name = self.spec.name.as_str().into();
        self.set_demos(Vec::new());
    }

    pub(crate) fn lm_or(&self, settings: &Settings) -> Result<LM> {
        self.lm.clone().map_or_else(|| settings.require_lm(), Ok)
    }

    pub(crate) fn adapter_or(&self, settings: &Settings) -> Arc<dyn Adapter> {
        self.adapter.clone().unwrap_or_else(|| settings.adapter.clone())
    }

    pub(crate) fn repairs_or(&self, settings: &Settings) -> u32 {
        self.repairs.unwrap_or(settings.repairs)
    }

    /// What does not change from call to call, rendered once.
    pub(crate) fn frame(&self, adapter: &Arc<dyn Adapter>, capabilities: Capabilities) -> Arc<Frame> {
        /// More formats than this in turns are not remembered.
        const REMEMBERED: usize = 4;
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |f: &&Arc<Frame>| Arc::ptr_eq(&f.adapter, adapter) && f.capabilities == capabilities;
        if let Some(frame) = frames.iter().find(same) {
            return frame.clone();
        }
        let shown = self.shown(capabilities);
        let native = self.native_agent(capabilities).is_some();
        let frame = Arc::new(Frame {
            adapter: adapter.clone(),
            capabilities,
            prefix: Arc::new(Prefix::new(self.messages(&**adapter, capabilities, &shown, &self.demos))),
            reminder: if native { String::new() } else { adapter.reminder(&shown) },
            response_format: match native {
                true => ResponseFormat::Text,
                // Providers do not cite in answers whose form they enforce.
                false if self.native_citations(capabilities).is_some() => {
                    adapter.response_format(&shown, capabilities.json_schema(false))
                }
                false => adapter.response_format(&shown, capabilities),
            },
            native_tools: native || self.native_tools(capabilities).is_some(),
        });
        if frames.len() == REMEMBERED {
            frames.remove(0);
        }
        frames.push(frame.clone());
        frame
    }

    /// What stands before the request: the system message and the demonstrations, those included that are chosen for
    /// this input.
    pub(crate) fn prefix(&self, frame: &Frame, chosen: Option<Vec<Demo>>) -> Arc<Prefix> {
        let Some(chosen) = chosen else { return frame.prefix.clone() };
        let mut demos = Vec::clone(&self.demos);
        demos.extend(chosen.into_iter().filter(|demo| !self.demos.contains(demo)));
        let shown = self.shown(frame.capabilities);
        Arc::new(Prefix::new(self.messages(&*frame.adapter, frame.capabilities, &shown, &demos)))
    }

    /// The system message and the demonstrations.
    fn messages(
        &self,
        adapter: &dyn Adapter,
        capabilities: Capabilities,
        shown: &SignatureSpec,
        demos: &[Demo],
    ) -> Vec<Message> {
        match self.native_agent(capabilities) {
            Some(agent) => agent.native_prefix(adapter, &self.spec, shown, demos),
            None => adapter.prefix(shown, demos),
        }
    }

    /// The fields of tools and of their calls, when the provider takes them apart from the prompt.
    pub(crate) fn native_tools(&self, capabilities: Capabilities) -> Option<(usize, usize)> {
        self.spec.tool_fields().filter(|_| capabilities.tools)
    }

    /// The field of the places of documents that the answer rests on, when the model names them apart from the answer.
    pub(crate) fn native_citations(&self, capabilities: Capabilities) -> Option<usize> {
        // What an agent shows is another signature.
        if capabilities.citations && self.agent.is_none() { self.spec.cited_output() } else { None }
    }

    /// The signature as the prompt shows it: without a conversation's history, which becomes messages, without tools
    /// that the provider takes apart from the prompt, and without what a model gives on its own: its reasoning, and the
    /// places of documents that it cites.
    pub(crate) fn shown(&self, capabilities: Capabilities) -> SignatureSpec {
        let mut spec = (*self.spec).clone();
        if let Some(protocol) = &self.protocol {
            spec.instructions.push_str(protocol.text());
        }
        if let Some(agent) = &self.agent {
            spec = agent.shown(spec, capabilities);
        }
        let tools = self.native_tools(capabilities);
        let cited = self.native_citations(capabilities);
        let mut at = 0..;
        spec.fields.retain(|f| {
            let index = at.next();
            let native = index.is_some() && index == cited
                || tools.is_some_and(|(tools, calls)| [Some(tools), Some(calls)].contains(&index));
            let thought = f.role == FieldRole::Output && *f.kind() == Kind::Reasoning;
            let beside = native || thought && capabilities.reasoning || *f.kind() == Kind::History;
            !beside
        });
        spec
    }

    /// What an output does not fulfil of the bounds, lengths and patterns in its schema.
    pub(crate) fn validate(&self, output: &dyn Recorded) -> Vec<Violation> {
        if self.validators.is_empty() {
            return Vec::new();
        }
        let output = output.to_json();
        let of = |(name, validator): &(String, Validator)| -> Vec<Violation> {
            let Some(value) = output.get(name) else { return Vec::new() };
            let found = validator.check(value).into_iter();
            found.map(|v| Violation::fatal(name.clone(), format!("`{name}`: {v}"))).collect()
        };
        self.validators.iter().flat_map(of).collect()
    }

    fn changed(&mut self) {
        self.frames.get_mut().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn debug(&self, name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut s = f.debug_struct(name);
        s.field("signature", &self.spec.name)
            .field("instructions", &self.spec.instructions)
            .field("demos", &self.demos.len());
        if let Some(lm) = &self.lm {
            s.field("lm", &lm.id());
        }
        s.finish()
    }
}

impl Predictor {
    /// The same predictor once more, for a run that outlives a borrow of it: what that records is recorded as its own.
    pub(crate) fn same(&self) -> Self {
        Self {
            id: self.id,
            name: self.name.clone(),
            spec: self.spec.clone(),
            original: self.original.clone(),
            demos: self.demos.clone(),
            nearest: self.nearest.clone(),
            agent: self.agent.clone(),
            protocol: self.protocol.clone(),
            lm: self.lm.clone(),
            options: self.options.clone(),
            adapter: self.adapter.clone(),
            repairs: self.repairs,
            unusable: self.unusable.clone(),
            flaw: self.flaw.clone(),
            validators: self.validators.clone(),
            frames: Mutex::new(self.frames.lock().unwrap_or_else(PoisonError::into_inner).clone()),
        }
    }
}

impl Clone for Predictor {
    fn clone(&self) -> Self {
        Self { id: PredictorId::fresh(), ..self.same() }
    }
}

impl fmt::Debug for Predictor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.debug("Predictor", f)
    }
}

impl fmt::Display for Predictor {
    /// `Name(question -> answer), 4 demos: "instruction"`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |fields: Vec<&str>| fields.join(", ");
        write!(
            f,
            "{}({} -> {})",
            self.spec.name,
            names(self.spec.inputs().map(|f| f.name.as_str()).collect()),
            names(self.spec.outputs().map(|f| f.name.as_str()).collect())
        )?;
        match self.demos.len() {
            0 => {}
            1 => write!(f, ", 1 demo")?,
            n => write!(f, ", {n} demos")?,
        }
        write!(f, ": {:?}", crate::error::shorten(&self.spec.instructions, 120))
    }
}
