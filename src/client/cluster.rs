//! All brokers of a cluster: who is there, who leads, who coordinates, and trying again.

use super::ask::Ask;
use super::connection::Connection;
use super::error::ClientError;
use super::options::{Endpoint, Options};
use crate::base::{ErrorCode, Instant};
use crate::protocol::messages::metadata_request::MetadataRequestTopic;
use crate::protocol::messages::{FindCoordinatorRequest, MetadataRequest, MetadataResponse};
use crate::ring::clock;
use crate::ring::plain::{pause, stopped};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What a coordinator coordinates (`FindCoordinatorRequest.CoordinatorType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Coordinates {
    /// Groups.
    Group = 0,
    /// Transactions.
    Transaction = 1,
}

/// Which broker to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum At {
    /// Any that answers.
    Any,
    /// The active controller, or a broker that passes the request on to it.
    Controller,
    /// The one with this id.
    Broker(i32),
}

/// The connections to a cluster, opened as they are needed.
#[derive(Debug)]
pub struct Cluster {
    options: Options,
    brokers: BTreeMap<i32, Endpoint>,
    controller: Option<i32>,
    connections: HashMap<i32, Connection>,
    /// To a bootstrap server, whose id is not known.
    first: Option<Connection>,
    /// The end of the call under way.
    until: Instant,
    /// What the user was told of failing connections.
    warned: Option<String>,
    /// Inside of [`Self::patiently`].
    patient: bool,
}

impl Cluster {
    /// Nothing is connected yet.
    pub fn new(options: Options) -> Self {
        let until = clock::mono().plus(options.api_timeout);
        let (brokers, connections) = (BTreeMap::new(), HashMap::new());
        Self { options, brokers, controller: None, connections, first: None, until, warned: None, patient: false }
    }

    /// What holds for the connections.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The brokers known, by id.
    pub fn brokers(&self) -> &BTreeMap<i32, Endpoint> {
        &self.brokers
    }

    /// Makes a call, again and again while its error passes by itself, until `default.api.timeout.ms` is over.
    ///
    /// # Errors
    /// One that stays; `Timeout` with the last one's words.
    pub fn call<T>(&mut self, mut attempt: impl FnMut(&mut Self) -> Result<T, ClientError>) -> Result<T, ClientError> {
        self.until = clock::mono().plus(self.options.api_timeout);
        loop {
            match attempt(self) {
                Err(error) if error.is_retriable() => {
                    let next = clock::mono().plus(self.options.retry_backoff);
                    if next >= self.until {
                        let ms = self.options.api_timeout.as_millis();
                        return Err(ClientError::Timeout(format!("Timed out after {ms} ms: {error}")));
                    }
                    if stopped() {
                        return Err(error);
                    }
                    self.warn(&error);
                    self.forget(&error);
                    pause(self.options.retry_backoff);
                }
                done => return done,
            }
        }
    }

    /// The first failing connection is told of: the user waits for something.
    fn warn(&mut self, error: &ClientError) {
        if let ClientError::Network(why) = error {
            if self.warned.is_none() {
                let seconds = self.options.api_timeout.as_secs_f32();
                eprintln!("WARN {why}; trying on for up to {seconds} s");
                self.warned = Some(why.clone());
            }
        }
    }

    /// What an error has shown to be outdated.
    fn forget(&mut self, error: &ClientError) {
        if matches!(error.code(), Some(ErrorCode::NotController)) {
            self.controller = None;
        }
    }

    /// When an answer must have come: the request's time, within the call's.
    pub(super) fn answer_by(&self) -> Instant {
        self.until.min(clock::mono().plus(self.options.request_timeout))
    }

    /// Asks with more time for an answer than usual, or until a signal: for requests that wait for other clients.
    ///
    /// # Errors
    /// Of what is asked.
    pub fn patiently<T>(
        &mut self,
        longer: Duration,
        asked: impl FnOnce(&mut Self) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let usual = (self.until, self.options.request_timeout);
        self.options.request_timeout += longer;
        self.until = clock::mono().plus(self.options.request_timeout);
        self.patient = true;
        let answer = asked(self);
        self.patient = false;
        (self.until, self.options.request_timeout) = usual;
        answer
    }

    /// Asks a broker once.
    ///
    /// # Errors
    /// As of the connection, which is given up when it broke.
    pub fn ask<Q: Ask>(&mut self, at: At, request: &Q) -> Result<Q::Answer, ClientError> {
        let until = self.answer_by();
        let id = match at {
            At::Any => self.any(until)?,
            At::Controller => Some(self.controller(until)?),
            At::Broker(id) => Some(id),
        };
        let patient = self.patient;
        let connection = self.connection(id, until)?;
        connection.end_with_signals(patient);
        let asked = connection.ask(request, until);
        // What is interrupted leaves an answer behind that nobody waits for.
        if matches!(asked, Err(ClientError::Network(_) | ClientError::Malformed(_) | ClientError::Interrupted)) {
            self.close(id);
        }
        asked
    }

    /// Makes a call of one request: see [`Self::call`]. Only for answers that hold their errors inside.
    ///
    /// # Errors
    /// As of `call`.
    pub fn ask_until_answered<Q: Ask>(&mut self, at: At, request: &Q) -> Result<Q::Answer, ClientError> {
        self.call(|cluster| cluster.ask(at, request))
    }

    /// A broker that is connected, or the bootstrap connection (`None`).
    fn any(&mut self, until: Instant) -> Result<Option<i32>, ClientError> {
        if self.first.is_some() {
            return Ok(None);
        }
        if let Some(id) = self.connections.keys().next() {
            return Ok(Some(*id));
        }
        let mut failed = ClientError::Config("no bootstrap server is given".into());
        let known = self.brokers.values().chain(&self.options.bootstrap);
        for endpoint in known {
            match Connection::open(endpoint, &self.options, until) {
                Ok(connection) => {
                    self.first = Some(connection);
                    return Ok(None);
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn controller(&mut self, until: Instant) -> Result<i32, ClientError> {
        if self.controller.is_none() {
            let id = self.any(until)?;
            let none = MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() };
            let answer = self.connection(id, until)?.ask(&none, until)?;
            self.learn(&answer);
        }
        let unknown = || ClientError::Network("the cluster has no controller for now".into());
        self.controller.ok_or_else(unknown)
    }

    /// The open connection to a broker; `None` is the bootstrap server.
    ///
    /// # Errors
    /// Of opening it; `Network` for a broker that is not known (any more).
    pub fn connection(&mut self, id: Option<i32>, until: Instant) -> Result<&mut Connection, ClientError> {
        let Some(id) = id else {
            return self.first.as_mut().ok_or_else(|| ClientError::Network("no bootstrap connection".into()));
        };
        if !self.connections.contains_key(&id) {
            let unknown = || ClientError::Network(format!("broker {id} is not in the cluster for now"));
            let endpoint = self.brokers.get(&id).ok_or_else(unknown)?.clone();
            let opened = match self.first.take() {
                // The bootstrap server has a name now.
                Some(first) if *first.endpoint() == endpoint => first,
                other => {
                    self.first = other;
                    Connection::open(&endpoint, &self.options, until)?
                }
            };
            self.connections.insert(id, opened);
        }
        self.connections.get_mut(&id).ok_or_else(|| ClientError::Network(format!("no connection to broker {id}")))
    }

    /// The open connections to brokers, by id.
    pub fn connections(&mut self) -> &mut HashMap<i32, Connection> {
        &mut self.connections
    }

    /// Gives a connection up.
    pub fn close(&mut self, id: Option<i32>) {
        match id {
            Some(id) => drop(self.connections.remove(&id)),
            None => self.first = None,
        }
    }

    /// Metadata of some topics, or of all; nothing is created by asking.
    ///
    /// # Errors
    /// Of the request itself; those of single topics stand in the answer.
    pub fn metadata(&mut self, topics: Option<&[&str]>) -> Result<MetadataResponse, ClientError> {
        self.metadata_or_create(topics, false)
    }

    /// As [`Self::metadata`]; topics that are not there may be created where the broker's `auto.create.topics.enable`
    /// says so.
    ///
    /// # Errors
    /// As of `metadata`.
    pub fn metadata_or_create(
        &mut self,
        topics: Option<&[&str]>,
        may_create: bool,
    ) -> Result<MetadataResponse, ClientError> {
        let topic = |name: &&str| MetadataRequestTopic { name: Some((*name).into()), ..Default::default() };
        let request = MetadataRequest {
            topics: topics.map(|names| names.iter().map(topic).collect()),
            allow_auto_topic_creation: may_create,
            ..MetadataRequest::default()
        };
        let answer = self.ask(At::Any, &request)?;
        ClientError::check(answer.error_code, None)?;
        self.learn(&answer);
        Ok(answer)
    }

    /// Keeps what an answer says of the brokers.
    fn learn(&mut self, answer: &MetadataResponse) {
        self.controller = (answer.controller_id >= 0).then_some(answer.controller_id);
        self.brokers.clear();
        for broker in &answer.brokers {
            self.learn_broker(broker.node_id, &broker.host, broker.port);
        }
        let brokers = &self.brokers;
        self.connections.retain(|id, connection| brokers.get(id).is_none_or(|at| at == connection.endpoint()));
    }

    fn learn_broker(&mut self, id: i32, host: &str, port: i32) {
        if let Ok(port) = u16::try_from(port) {
            self.brokers.insert(id, Endpoint { host: host.to_owned(), port });
        }
    }

    /// The id of a key's coordinator, whose endpoint is known afterwards.
    ///
    /// # Errors
    /// Also while there is none yet.
    pub fn coordinator(&mut self, coordinates: Coordinates, key: &str) -> Result<i32, ClientError> {
        let request = FindCoordinatorRequest {
            key_type: coordinates as i8,
            coordinator_keys: vec![key.into()],
            ..FindCoordinatorRequest::default()
        };
        let answer = self.ask(At::Any, &request)?;
        let none = || ClientError::Malformed("FindCoordinator was answered without a coordinator".into());
        let found = answer.coordinators.first().ok_or_else(none)?;
        ClientError::check(found.error_code, found.error_message.as_deref())?;
        self.learn_broker(found.node_id, &found.host, found.port);
        Ok(found.node_id)
    }

    /// Makes a call of one request to a key's coordinator; `settle` says which error of the answer counts, and the
    /// coordinator is looked for anew when it passes.
    ///
    /// # Errors
    /// As of [`Self::call`].
    pub fn ask_coordinator<Q: Ask>(
        &mut self,
        coordinates: Coordinates,
        key: &str,
        request: &Q,
        settle: impl Fn(&Q::Answer) -> Result<(), ClientError>,
    ) -> Result<Q::Answer, ClientError> {
        self.call(|cluster| {
            let id = cluster.coordinator(coordinates, key)?;
            let answer = cluster.ask(At::Broker(id), request)?;
            settle(&answer).map(|()| answer)
        })
    }
}
