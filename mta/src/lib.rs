//! The MTA side of the milter protocol.
