//! One broker: versions agreed by ApiVersions (KIP-511), requests in flight, answers in order.

use super::ask::Ask;
use super::error::ClientError;
use super::options::{Endpoint, Options};
use super::sasl;
use crate::base::{ErrorCode, Instant};
use crate::protocol::messages::api_versions_response::ApiVersionsResponse;
use crate::protocol::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader};
use crate::protocol::{ApiKey, Decoder, Encoder, Message, Part, Str};
use crate::ring::clock;
use crate::ring::plain::{Socket, wait, wait_for_sockets};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// The largest answer taken: a fetch of `fetch.max.bytes` with one large batch fits many times.
const ANSWER_MAX: usize = 512 << 20;
const READ_BYTES: usize = 64 << 10;

/// A connection to one broker.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    endpoint: Endpoint,
    client_id: Str,
    /// Lowest and highest version of each API key the broker serves.
    versions: HashMap<i16, (i16, i16)>,
    /// What the broker said of itself.
    said: ApiVersionsResponse,
    next_id: i32,
    received: BytesMut,
    pending: VecDeque<Pending>,
    ends_with_signals: bool,
}

/// A request that waits for its answer.
#[derive(Debug)]
struct Pending {
    id: i32,
    key: i16,
    version: i16,
}

/// An answer that has arrived.
#[derive(Debug)]
pub struct Answer {
    decoder: Decoder,
    key: i16,
    version: i16,
}

impl Answer {
    /// Reads it as the answer of that request.
    ///
    /// # Errors
    /// Another request's, or malformed.
    pub fn read<Q: Ask>(mut self, request: &Q) -> Result<Q::Answer, ClientError> {
        if self.key != Q::KEY {
            return Err(ClientError::Malformed(format!("an answer of key {} for {}", self.key, Q::NAME)));
        }
        let answer = Q::Answer::decode(&mut self.decoder, self.version)?;
        Ok(request.raised(answer, self.version))
    }
}

impl Connection {
    /// Connects, asks which versions there are, authenticates.
    ///
    /// # Errors
    /// As said of the network, or a broker that speaks nothing we know.
    pub fn open(endpoint: &Endpoint, options: &Options, until: Instant) -> Result<Self, ClientError> {
        let within = until.since(clock::mono()).min(Duration::from_secs(10));
        let socket = Socket::connect(&endpoint.host, endpoint.port, within)
            .map_err(|e| ClientError::Network(format!("no connection to {endpoint}: {e}")))?;
        let mut connection = Self {
            socket,
            endpoint: endpoint.clone(),
            client_id: options.client_id.as_str().into(),
            versions: HashMap::new(),
            said: ApiVersionsResponse::default(),
            next_id: 0,
            received: BytesMut::new(),
            pending: VecDeque::new(),
            ends_with_signals: false,
        };
        connection.agree(until)?;
        if let Some(credentials) = &options.sasl {
            sasl::authenticate(&mut connection, credentials, until)?;
        }
        Ok(connection)
    }

    /// ApiVersions in our newest version; a broker that does not know it names its own.
    fn agree(&mut self, until: Instant) -> Result<(), ClientError> {
        let request = ApiVersionsRequest {
            client_software_name: "corelog-tools".into(),
            client_software_version: env!("CARGO_PKG_VERSION").into(),
        };
        self.send_as(&request, *ApiVersionsRequest::VERSIONS.end(), until)?;
        let mut answer = self.wait_for_answer(until)?;
        // A refusal has the form of version 0.
        let refused = {
            let mut peek = answer.decoder.clone();
            peek.i16()? == ErrorCode::UnsupportedVersion.code()
        };
        let mut said = match refused {
            true => ApiVersionsResponse::decode(&mut answer.decoder, 0)?,
            false => ApiVersionsResponse::decode(&mut answer.decoder, answer.version)?,
        };
        if refused {
            let own = said.api_keys.iter().find(|api| api.api_key == ApiVersionsRequest::KEY);
            let version = own.map_or(0, |api| api.max_version).min(*ApiVersionsRequest::VERSIONS.end());
            self.send_as(&request, version, until)?;
            said = self.wait_for_answer(until)?.read(&request)?;
        }
        ClientError::check(said.error_code, None)?;
        self.versions = said.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        self.said = said;
        Ok(())
    }

    /// Where it goes to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// What the broker said of its versions and features.
    pub fn api_versions(&self) -> &ApiVersionsResponse {
        &self.said
    }

    /// The socket, to wait for with others.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The newest version of a request both sides know.
    ///
    /// # Errors
    /// There is none.
    pub fn version<Q: Ask>(&self) -> Result<i16, ClientError> {
        let name = constant(ApiKey::from_i16(Q::KEY).map_or(Q::NAME, ApiKey::name));
        let (low, high) = *self
            .versions
            .get(&Q::KEY)
            .ok_or_else(|| ClientError::Unsupported(format!("The node does not support {name}")))?;
        let version = high.min(*Q::VERSIONS.end()).min(Q::UPTO);
        if version < low.max(*Q::VERSIONS.start()) {
            return Err(ClientError::Unsupported(format!(
                "The node does not support {name} with version in range [{},{}]. The supported range is [{low},{high}].",
                Q::VERSIONS.start(),
                Q::UPTO.min(*Q::VERSIONS.end())
            )));
        }
        Ok(version)
    }

    /// Sends a request; its answer is to be received later, in the order of sending.
    ///
    /// # Errors
    /// No common version, or of the network.
    pub fn send<Q: Ask>(&mut self, request: &Q, until: Instant) -> Result<(), ClientError> {
        let version = self.version::<Q>()?;
        self.send_as(request, version, until)
    }

    fn send_as<Q: Ask>(&mut self, request: &Q, version: i16, until: Instant) -> Result<(), ClientError> {
        self.write(request, version, until)?;
        self.pending.push_back(Pending { id: self.next_id, key: Q::KEY, version });
        Ok(())
    }

    /// Sends a request that is not answered: a produce request with `acks=0`.
    ///
    /// # Errors
    /// As of [`Self::send`].
    pub fn send_unanswered<Q: Ask>(&mut self, request: &Q, until: Instant) -> Result<(), ClientError> {
        let version = self.version::<Q>()?;
        self.write(request, version, until)
    }

    fn write<Q: Ask>(&mut self, request: &Q, version: i16, until: Instant) -> Result<(), ClientError> {
        let fitted = request.fitted(version);
        let request = fitted.as_ref().unwrap_or(request);
        self.next_id = self.next_id.wrapping_add(1) & i32::MAX;
        let header = RequestHeader {
            request_api_key: Q::KEY,
            request_api_version: version,
            correlation_id: self.next_id,
            client_id: Some(self.client_id.clone()),
        };
        let header_version = if version >= Q::FLEXIBLE { 2 } else { 1 };
        let size = header.size(header_version)? + request.size(version)?;
        let mut encoder = Encoder::with_capacity(size);
        header.encode(&mut encoder, header_version)?;
        request.encode(&mut encoder, version)?;
        let mut frame = BytesMut::with_capacity(4 + size);
        let length = u32::try_from(size).map_err(|_| ClientError::Config("a request above 4 GiB".into()))?;
        frame.extend_from_slice(&length.to_be_bytes());
        for part in encoder.finish() {
            match part {
                Part::Bytes(bytes) => frame.extend_from_slice(&bytes),
                Part::Gap(_) => return Err(ClientError::Config("a request with a gap".into())),
            }
        }
        self.socket.write_all(&frame, until).map_err(|e| self.broken(&e))
    }

    /// Waits for the answer of the oldest request in flight.
    ///
    /// # Errors
    /// Of the network; `Network` also when it did not come until then.
    pub fn wait_for_answer(&mut self, until: Instant) -> Result<Answer, ClientError> {
        loop {
            if let Some(answer) = self.receive()? {
                return Ok(answer);
            }
            if clock::mono() >= until {
                return Err(ClientError::Network(format!("{} did not answer in time", self.endpoint)));
            }
            let socket = std::iter::once(&self.socket);
            match self.ends_with_signals {
                false => wait_for_sockets(socket, until).map_err(|e| self.broken(&e))?,
                true if wait(socket, None, until).map_err(|e| self.broken(&e))?.stop => {
                    return Err(ClientError::Interrupted);
                }
                true => {}
            }
        }
    }

    /// Whether a signal ends waiting for an answer: right where the broker may take minutes, wrong for goodbyes.
    pub fn end_with_signals(&mut self, ends: bool) {
        self.ends_with_signals = ends;
    }

    /// The answer of the oldest request in flight, if it has arrived.
    ///
    /// # Errors
    /// Of the network.
    pub fn receive(&mut self) -> Result<Option<Answer>, ClientError> {
        loop {
            if let Some(frame) = self.frame()? {
                return self.answer(frame).map(Some);
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    /// How many requests wait for their answers.
    pub fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// As of sending and receiving.
    pub fn ask<Q: Ask>(&mut self, request: &Q, until: Instant) -> Result<Q::Answer, ClientError> {
        self.send(request, until)?;
        self.wait_for_answer(until)?.read(request)
    }

    /// Takes a whole frame out of what was received.
    fn frame(&mut self) -> Result<Option<Bytes>, ClientError> {
        let Some(length) = self.received.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > ANSWER_MAX {
            return Err(ClientError::Malformed(format!(
                "{} sends no Kafka protocol: an answer of {length} bytes (is it a TLS listener?)",
                self.endpoint
            )));
        }
        if self.received.len() < 4 + length {
            return Ok(None);
        }
        self.received.advance(4);
        Ok(Some(self.received.split_to(length).freeze()))
    }

    /// Reads what has arrived; false when nothing has.
    fn fill(&mut self) -> Result<bool, ClientError> {
        let filled = self.received.len();
        self.received.resize(filled + READ_BYTES, 0);
        let read = self.socket.read(self.received.get_mut(filled..).unwrap_or_default());
        let read = read.map_err(|e| self.broken(&e));
        self.received.truncate(filled + read.as_ref().ok().copied().flatten().unwrap_or(0));
        match read? {
            None => Ok(false),
            Some(0) => Err(ClientError::Network(format!("{} closed the connection", self.endpoint))),
            Some(_) => Ok(true),
        }
    }

    fn answer(&mut self, frame: Bytes) -> Result<Answer, ClientError> {
        let Some(Pending { id, key, version }) = self.pending.pop_front() else {
            return Err(ClientError::Malformed(format!("{} answers what was not asked", self.endpoint)));
        };
        let mut decoder = Decoder::new(frame);
        let header_version = ApiKey::from_i16(key).map_or(0, |key| key.response_header_version(version));
        let header = ResponseHeader::decode(&mut decoder, header_version)?;
        if header.correlation_id != id {
            return Err(ClientError::Malformed(format!("{} answers in the wrong order", self.endpoint)));
        }
        Ok(Answer { decoder, key, version })
    }

    fn broken(&self, error: &std::io::Error) -> ClientError {
        ClientError::Network(format!("the connection to {} broke: {error}", self.endpoint))
    }
}

/// `OFFSET_DELETE`: an API as Kafka's errors name it.
fn constant(name: &str) -> String {
    let mut out = String::new();
    for (at, c) in name.char_indices() {
        if at > 0 && c.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}
