//! A syslog receiver, by RFC 5424 messages over TLS (RFC 5425).
//!
//! Syslog has no acknowledgement. Each delivery takes a connection of its own:
//! it is confirmed when the receiver, told that no more comes, ends its side in
//! good order, for it does so only after it has read everything. One that ended
//! before has read nothing for sure: its system says so by a reset.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::{Fate, Fault, Sink, all_confirmed};
use crate::{Event, Format, format::syslog::frame};

/// For a connection to be made.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// For the receiver to take a piece, and to end its side.
const ANSWER_TIME: Duration = Duration::from_secs(15);
/// For a whole delivery: one that takes a byte now and then is too slow.
const DELIVERY_TIME: Duration = Duration::from_secs(60);
/// Bytes of a piece.
const PIECE_BYTES: usize = 16 << 10;
/// LIMIT: bytes that a receiver may say; syslog lets it say nothing.
const SAID_BYTES_MAX: usize = 64 << 10;
/// For how long it is waited whether the receiver ends before it was told to,
/// and for a reset after its end: some ways there and back, and at least and at
/// most so long.
const SETTLE_TRIPS: u32 = 3;
const SETTLE_TIME_MIN: Duration = Duration::from_millis(50);
const SETTLE_TIME_MAX: Duration = Duration::from_secs(2);

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
        let begun = Instant::now();
        let socket = self.connect()?;
        let settle = (begun.elapsed() * SETTLE_TRIPS).clamp(SETTLE_TIME_MIN, SETTLE_TIME_MAX);
        let until = begun + DELIVERY_TIME;
        socket.set_read_timeout(Some(ANSWER_TIME))?;
        socket.set_write_timeout(Some(ANSWER_TIME))?;
        let session = ClientConnection::new(Arc::clone(&self.tls), self.name.clone())
            .map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, socket);
        for piece in bytes.chunks(PIECE_BYTES) {
            stream.write_all(piece)?;
            in_time(until)?;
        }
        stream.flush()?;
        std::thread::sleep(settle);
        still_open(&mut stream)?;
        stream.conn.send_close_notify();
        while stream.conn.wants_write() {
            stream.conn.write_tls(&mut stream.sock)?;
            in_time(until)?;
        }
        stream.sock.shutdown(std::net::Shutdown::Write)?;
        await_end(&mut stream, until)?;
        // Its end may have been on its way before ours was there; then its
        // system answers what it did not read by a reset.
        std::thread::sleep(settle);
        match stream.sock.take_error()? {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }
}

fn in_time(until: Instant) -> io::Result<()> {
    if Instant::now() < until {
        Ok(())
    } else {
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// That the receiver has not ended its side before it was told that no more
/// comes: whoever does that may have read nothing.
fn still_open(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> io::Result<()> {
    stream.sock.set_nonblocking(true)?;
    let mut said: usize = 0;
    let open = loop {
        match stream.conn.read_tls(&mut stream.sock) {
            Ok(0) => break Err(io::ErrorKind::ConnectionAborted.into()),
            Ok(count) => said = said.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
        let state = stream.conn.process_new_packets();
        let state = state.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if state.peer_has_closed() {
            break Err(io::ErrorKind::ConnectionAborted.into());
        }
        if said > SAID_BYTES_MAX {
            break Err(io::ErrorKind::InvalidInput.into());
        }
    };
    stream.sock.set_nonblocking(false)?;
    open
}

/// Reads until the receiver's end. A connection that breaks is an error; one
/// that ends without TLS's own word has ended all the same (rsyslog gives none):
/// nothing that the receiver says counts, only that it read to our end.
fn await_end(
    stream: &mut StreamOwned<ClientConnection, TcpStream>,
    until: Instant,
) -> io::Result<()> {
    let mut nothing = [0; 512];
    let mut said: usize = 0;
    while said <= SAID_BYTES_MAX {
        in_time(until)?;
        match stream.read(&mut nothing) {
            Ok(0) => return Ok(()),
            Ok(count) => said = said.saturating_add(count),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::InvalidInput.into())
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
                io::ErrorKind::InvalidInput => "the receiver speaks, and is no syslog".to_owned(),
                io::ErrorKind::ConnectionAborted => {
                    "the receiver ended the connection before everything was sent".to_owned()
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
