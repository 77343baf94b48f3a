//! One connection: requests by corelog's codec, replies in order.

use crate::kafka;
use corelog::protocol::{ApiKey, Message};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection to a broker.
pub struct Connection {
    socket: TcpStream,
    /// What the next reply answers.
    asked: std::collections::VecDeque<(ApiKey, i16)>,
}

/// A reply, not read yet.
pub struct Reply {
    key: ApiKey,
    version: i16,
    bytes: Vec<u8>,
}

impl Connection {
    /// Opens one.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { socket, asked: std::collections::VecDeque::new() })
    }

    /// Sends a request.
    pub fn send<M: Message>(&mut self, key: ApiKey, version: i16, request: &M) -> io::Result<()> {
        self.socket.write_all(&kafka::frame(key, version, request)?)?;
        self.asked.push_back((key, version));
        Ok(())
    }

    /// Waits for the reply to the oldest request without one.
    pub fn receive(&mut self) -> io::Result<Reply> {
        let (key, version) = self.asked.pop_front().ok_or_else(|| io::Error::other("nothing was asked"))?;
        let mut size = [0; 4];
        self.socket.read_exact(&mut size)?;
        let mut bytes = vec![0; u32::from_be_bytes(size) as usize];
        self.socket.read_exact(&mut bytes)?;
        Ok(Reply { key, version, bytes })
    }
}

impl Reply {
    /// Reads it.
    pub fn parse<M: Message>(self) -> io::Result<M> {
        kafka::parse(self.key, self.version, &self.bytes)
    }
}
