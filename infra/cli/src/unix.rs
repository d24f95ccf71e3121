//! HTTP over a Unix socket, which the HTTP client does not have by itself.

use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// Connects to a socket, whatever address is named.
#[derive(Debug)]
pub struct ToSocket(pub PathBuf);

impl Connector for ToSocket {
    type Out = OverSocket;

    fn connect(&self, to: &ConnectionDetails, _: Option<()>) -> Result<Option<OverSocket>, Error> {
        let buffers = LazyBuffers::new(to.config.input_buffer_size(), to.config.output_buffer_size());
        Ok(Some(OverSocket { stream: UnixStream::connect(&self.0)?, buffers }))
    }
}

/// A connection to a socket.
#[derive(Debug)]
pub struct OverSocket {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl Transport for OverSocket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        self.stream.set_write_timeout(timeout.not_zero().map(|time| *time))?;
        self.stream.write_all(&self.buffers.output()[..amount]).map_err(|error| failed(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        self.stream.set_read_timeout(timeout.not_zero().map(|time| *time))?;
        let read =
            self.stream.read(self.buffers.input_append_buf()).map_err(|error| failed(error, timeout))?;
        self.buffers.input_appended(read);
        Ok(read > 0)
    }

    /// Each request has a connection of its own: on one machine that costs nothing.
    fn is_open(&mut self) -> bool {
        false
    }
}

/// What a system calls an operation that would block is a time that has passed.
fn failed(error: std::io::Error, timeout: NextTimeout) -> Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(timeout.reason),
        _ => error.into(),
    }
}
