//! A model that is reached by a protocol.

use std::{collections::BTreeMap, time::Instant};

use super::{
    endpoint::{Address, Endpoint, Site},
    interface::Wire,
    sse::unmarked,
};
use crate::{
    LmError, LmErrorKind,
    lm::{
        BoxFuture, Capabilities, DeltaSink, LanguageModel, Request, Response, private::is_secret_header,
        time::whole_millis,
    },
};

/// A model behind an endpoint.
pub(crate) struct Served {
    endpoint: Endpoint,
    capabilities: Capabilities,
    wire: Box<dyn Wire>,
    /// What else than the model and the place decides an answer: the protocol, and headers that are no secrets.
    variant: String,
}

impl Served {
    pub(super) fn new(
        address: Address,
        site: Site,
        capabilities: Capabilities,
        wire: Box<dyn Wire>,
    ) -> Result<Self, LmError> {
        let mut variant = wire.name().to_owned();
        let open: BTreeMap<String, &str> = address
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.as_str()))
            .filter(|(name, _)| !is_secret_header(name))
            .collect();
        for (name, value) in open {
            variant.push_str(&format!("\n{name}: {value}"));
        }
        Ok(Self { endpoint: Endpoint::new(address, site)?, capabilities, wire, variant })
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The model that is called `name` on the wire, made from this one, at the same place.
    pub(crate) fn renamed(&self, id: String, name: &str) -> Self {
        Self {
            endpoint: self.endpoint.for_model(id),
            capabilities: self.capabilities,
            wire: self.wire.renamed(name),
            variant: self.variant.clone(),
        }
    }

    /// What is set by the client and cannot be an extra parameter.
    pub(crate) fn own_parameters(&self) -> &'static [&'static str] {
        self.wire.own_parameters()
    }

    fn body(&self, request: &Request, stream: bool) -> Result<Vec<u8>, LmError> {
        self.check(request)
            .and_then(|()| self.wire.body(request, stream))
            .map_err(|message| LmError::new(LmErrorKind::InvalidRequest, self.endpoint.id(), message))
    }

    /// Refuses what the model or its protocol cannot do, before anything is sent.
    fn check(&self, request: &Request) -> Result<(), String> {
        let extra = &request.options.extra;
        if !extra.is_empty() {
            for taken in self.wire.own_parameters() {
                if extra.contains_key(*taken) {
                    return Err(format!("`{taken}` cannot be an extra parameter: the client sets it itself"));
                }
            }
        }
        if request.options.logprobs.is_some() && !self.capabilities.logprobs {
            return Err("the model gives no log probabilities; take `logprobs` out of the options".into());
        }
        for message in request.prompt.messages() {
            for (_, part) in message.content.parts() {
                let able = match part.kind {
                    "image" => self.capabilities.images,
                    "audio" => self.capabilities.audio,
                    "file" => self.capabilities.files,
                    _ => true,
                };
                if !able {
                    return Err(format!(
                        "the model takes no {} input; if it does, say so with `LMBuilder::capabilities`",
                        part.kind
                    ));
                }
                if let Some(why) = self.wire.refuses(part) {
                    return Err(why.into());
                }
            }
        }
        Ok(())
    }

    /// Reads the events of `reply` to their end.
    async fn read(
        &self,
        endpoint: &Endpoint,
        mut reply: reqwest::Response,
        sink: &mut DeltaSink<'_>,
    ) -> Result<Response, LmError> {
        let whole = reply
            .headers()
            .get(reqwest::header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/json"));
        if whole {
            // A server that does not stream answers as usual.
            let response = self.wire.response(endpoint, unmarked(&endpoint.read_all(reply).await?))?;
            crate::lm::model::replay(&response, sink);
            return Ok(response);
        }
        let mut events = self.wire.frames();
        let mut answer = self.wire.pieces();
        while let Some(bytes) = endpoint.next(&mut reply).await? {
            events.feed(&bytes, |data| answer.take(endpoint, data, sink))?;
            if answer.done() {
                break;
            }
        }
        if !answer.done() {
            events.finish(|data| answer.take(endpoint, data, sink))?;
        }
        answer.finish(endpoint)
    }
}

impl LanguageModel for Served {
    fn id(&self) -> &str {
        self.endpoint.id()
    }

    fn endpoint(&self) -> &str {
        self.endpoint.api_base()
    }

    fn variant(&self) -> &str {
        &self.variant
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn several(&self) -> bool {
        self.wire.several()
    }

    fn request_body(&self, request: &Request) -> Result<Vec<u8>, LmError> {
        self.body(request, false)
    }

    fn generate<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move {
            let began = Instant::now();
            let endpoint = self.endpoint.with_headers(&request.options.headers)?;
            let (answer, head) = endpoint.ask(self.body(request, false)?).await?;
            let mut response = self.wire.response(&endpoint, unmarked(&answer))?;
            head.tell(&mut response);
            response.latency = whole_millis(began.elapsed());
            Ok(response)
        })
    }

    fn stream<'a>(
        &'a self,
        request: &'a Request,
        sink: &'a mut DeltaSink<'_>,
    ) -> BoxFuture<'a, Result<Response, LmError>> {
        Box::pin(async move {
            let began = Instant::now();
            let endpoint = self.endpoint.with_headers(&request.options.headers)?;
            let reply = endpoint.open(self.body(request, true)?).await?;
            let head = endpoint.head(&reply);
            let mut response = self.read(&endpoint, reply, sink).await?;
            head.tell(&mut response);
            response.latency = whole_millis(began.elapsed());
            Ok(response)
        })
    }
}
