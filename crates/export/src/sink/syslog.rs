//! A syslog receiver, by RFC 5424 messages over TLS (RFC 5425).
//!
//! Syslog has no acknowledgement. Each delivery takes a connection of its own:
//! it is confirmed when the receiver, told that no more comes, ends its side in
//! good order, for it does so only after it has read everything.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::{Fate, Fault, Sink, all_confirmed};
use crate::{Event, Format, format::syslog::frame};

/// For a connection to be made.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// For the receiver to take a piece, and to end its side.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// A receiver.
pub struct SyslogSink {
    /// Host and port.
    address: String,
    name: ServerName<'static>,
    tls: Arc<ClientConfig>,
    /// The host that messages are said to come from.
    host: String,
    format: Format,
}

impl std::fmt::Debug for SyslogSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SyslogSink(..)")
    }
}

impl SyslogSink {
    /// A receiver at this host and port, that proves this name.
    #[must_use]
    pub const fn new(
        address: String,
        name: ServerName<'static>,
        tls: Arc<ClientConfig>,
        host: String,
        format: Format,
    ) -> Self {
        Self {
            address,
            name,
            tls,
            host,
            format,
        }
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in self.address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIME) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let socket = self.connect()?;
        socket.set_read_timeout(Some(ANSWER_TIME))?;
        socket.set_write_timeout(Some(ANSWER_TIME))?;
        let session = ClientConnection::new(Arc::clone(&self.tls), self.name.clone())
            .map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, socket);
        stream.write_all(bytes)?;
        stream.conn.send_close_notify();
        stream.flush()?;
        while stream.conn.wants_write() {
            stream.conn.write_tls(&mut stream.sock)?;
        }
        stream.sock.shutdown(std::net::Shutdown::Write)?;
        await_end(&mut stream)
    }
}

/// Reads until the receiver's end. A connection that breaks is an error; one
/// that ends without TLS's own word has ended all the same: nothing that the
/// receiver says counts, only that it read to our end.
fn await_end(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> io::Result<()> {
    let mut nothing = [0; 512];
    loop {
        match stream.read(&mut nothing) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Sink for SyslogSink {
    fn deliver(&mut self, events: &[Event]) -> Result<Vec<Fate>, Fault> {
        let mut bytes = Vec::new();
        for event in events {
            bytes.extend(frame(event, &self.host, self.format));
        }
        self.send(&bytes).map_err(|error| {
            Fault::Down(match error.kind() {
                io::ErrorKind::InvalidData => {
                    "the receiver's certificate or TLS is not accepted".to_owned()
                }
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                    "the receiver did not take everything in time".to_owned()
                }
                kind => format!("the receiver cannot be reached: {kind}"),
            })
        })?;
        Ok(all_confirmed(events))
    }
}
