//! What can go wrong on a connection to a milter.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::spec::ConnSpec;
use crate::wire::FrameError;

/// A failure of the connection itself, below the meaning of packets.
#[derive(Debug)]
pub enum ClientError {
    /// The milter cannot be reached.
    Connect {
        /// Where it was looked for.
        spec: ConnSpec,
        /// Why it failed.
        source: io::Error,
    },
    /// Nothing, or not a whole packet, arrived in time.
    ReadTimeout {
        /// How long the wait was.
        waited: Duration,
        /// Bytes of an incomplete packet that did arrive.
        partial: usize,
    },
    /// The milter did not take what was sent in time.
    WriteTimeout {
        /// How long the wait was.
        waited: Duration,
    },
    /// The milter closed the connection.
    Closed {
        /// Bytes of an incomplete packet that arrived before.
        partial: usize,
    },
    /// A length field no packet can have.
    Frame(FrameError),
    /// Reading or writing failed.
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl ClientError {
    /// Whether the milter has hung up, politely or not.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match self {
            ClientError::Closed { .. } => true,
            ClientError::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
            }
            _ => false,
        }
    }

    /// Whether time ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, ClientError::ReadTimeout { .. } | ClientError::WriteTimeout { .. })
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientError::Connect { spec, source } => {
                write!(f, "cannot connect to {spec}: {source}")
            }
            ClientError::ReadTimeout { waited, partial: 0 } => {
                write!(f, "no reply within {} s", waited.as_secs_f32())
            }
            ClientError::ReadTimeout { waited, partial } => write!(
                f,
                "no whole packet within {} s ({partial} bytes of one arrived)",
                waited.as_secs_f32()
            ),
            ClientError::WriteTimeout { waited } => {
                write!(f, "the milter has read nothing for {} s", waited.as_secs_f32())
            }
            ClientError::Closed { partial: 0 } => f.write_str("the milter closed the connection"),
            ClientError::Closed { partial } => write!(
                f,
                "the milter closed the connection in the middle of a packet ({partial} bytes of it arrived)"
            ),
            ClientError::Frame(error) => write!(f, "the milter sent {error}"),
            ClientError::Io { action, source } => {
                write!(f, "{action} on the milter connection failed: {source}")
            }
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ClientError::Connect { source, .. } | ClientError::Io { source, .. } => Some(source),
            ClientError::Frame(error) => Some(error),
            _ => None,
        }
    }
}

impl From<FrameError> for ClientError {
    fn from(error: FrameError) -> Self {
        ClientError::Frame(error)
    }
}
