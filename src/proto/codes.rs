//! Command and response letters, option flags, verdicts, limits and versions.

/// Highest protocol version this library speaks.
pub const VERSION_MAX: u32 = 6;
/// Lowest protocol version an MTA may offer.
pub const VERSION_MIN: u32 = 2;

/// Bytes. Default for the largest payload of a packet, in both directions (`smfi_setmaxdatasize`).
pub const DEFAULT_MAX_DATA_SIZE: usize = 65_535;
/// Bytes. Payload of one body chunk sent by `smfi_replacebody`, whatever the limit above says.
pub const BODY_CHUNK_SIZE: usize = 65_535;
/// Bytes. Payload limits an MTA may offer by `SMFIP_MDS_256K` and `SMFIP_MDS_1M`.
pub const MDS_256K_SIZE: usize = 262_143;
/// Bytes. See [`MDS_256K_SIZE`].
pub const MDS_1M_SIZE: usize = 1_048_575;

/// Actions a filter may request (`SMFIF_*`).
pub mod action {
    /// Add and insert headers.
    pub const ADDHDRS: u32 = 0x1;
    /// Replace the body.
    pub const CHGBODY: u32 = 0x2;
    /// Add recipients.
    pub const ADDRCPT: u32 = 0x4;
    /// Delete recipients.
    pub const DELRCPT: u32 = 0x8;
    /// Change and delete headers.
    pub const CHGHDRS: u32 = 0x10;
    /// Quarantine the message.
    pub const QUARANTINE: u32 = 0x20;
    /// Change the envelope sender.
    pub const CHGFROM: u32 = 0x40;
    /// Add recipients with ESMTP arguments.
    pub const ADDRCPT_PAR: u32 = 0x80;
    /// Send lists of wanted macros.
    pub const SETSYMLIST: u32 = 0x100;
    /// What an MTA that offers 0 is taken to support: the actions of protocol version 1.
    pub const V1: u32 = 0x0f;
}

/// Protocol flags (`SMFIP_*`).
pub mod step {
    /// Do not send connection information.
    pub const NOCONNECT: u32 = 0x1;
    /// Do not send HELO.
    pub const NOHELO: u32 = 0x2;
    /// Do not send MAIL.
    pub const NOMAIL: u32 = 0x4;
    /// Do not send RCPT.
    pub const NORCPT: u32 = 0x8;
    /// Do not send the body.
    pub const NOBODY: u32 = 0x10;
    /// Do not send headers.
    pub const NOHDRS: u32 = 0x20;
    /// Do not send the end of headers.
    pub const NOEOH: u32 = 0x40;
    /// No reply for headers.
    pub const NR_HDR: u32 = 0x80;
    /// Do not send unknown commands.
    pub const NOUNKNOWN: u32 = 0x100;
    /// Do not send DATA.
    pub const NODATA: u32 = 0x200;
    /// The MTA understands the reply SKIP.
    pub const SKIP: u32 = 0x400;
    /// The MTA also sends rejected recipients.
    pub const RCPT_REJ: u32 = 0x800;
    /// No reply for connect.
    pub const NR_CONN: u32 = 0x1000;
    /// No reply for HELO.
    pub const NR_HELO: u32 = 0x2000;
    /// No reply for MAIL.
    pub const NR_MAIL: u32 = 0x4000;
    /// No reply for RCPT.
    pub const NR_RCPT: u32 = 0x8000;
    /// No reply for DATA.
    pub const NR_DATA: u32 = 0x1_0000;
    /// No reply for unknown commands.
    pub const NR_UNKN: u32 = 0x2_0000;
    /// No reply for the end of headers.
    pub const NR_EOH: u32 = 0x4_0000;
    /// No reply for body chunks.
    pub const NR_BODY: u32 = 0x8_0000;
    /// Header values keep the blank after the colon.
    pub const HDR_LEADSPC: u32 = 0x10_0000;
    /// Payloads of up to 256 KiB.
    pub const MDS_256K: u32 = 0x1000_0000;
    /// Payloads of up to 1 MiB.
    pub const MDS_1M: u32 = 0x2000_0000;
    /// Bits that never reach a filter nor the answer as they are.
    pub const INTERNAL: u32 = 0x7000_0000;
    /// All flags "no reply": the library can keep these promises itself.
    pub const NR_ALL: u32 =
        NR_HDR | NR_CONN | NR_HELO | NR_MAIL | NR_RCPT | NR_DATA | NR_UNKN | NR_EOH | NR_BODY;
    /// What an MTA that offers 0 is taken to support: the flags of protocol version 1.
    pub const V1: u32 = 0x3f;
}

/// What a callback may return (`SMFIS_*`).
pub mod status {
    /// Go on with the next stage.
    pub const CONTINUE: i32 = 0;
    /// Reject the connection, recipient, command or message.
    pub const REJECT: i32 = 1;
    /// Accept the message and drop it silently.
    pub const DISCARD: i32 = 2;
    /// Accept without further filtering.
    pub const ACCEPT: i32 = 3;
    /// Refuse for now.
    pub const TEMPFAIL: i32 = 4;
    /// Send no reply, as promised at negotiation.
    pub const NOREPLY: i32 = 7;
    /// Skip the rest of the body.
    pub const SKIP: i32 = 8;
    /// From `xxfi_negotiate` only: everything the MTA offers.
    pub const ALL_OPTS: i32 = 10;
}

/// Library version as in `SMFI_VERSION`: 1.0.1.
pub const LIBRARY_VERSION: u32 = 0x0100_0001;
/// From this `xxfi_version` on, larger data sizes are negotiated.
pub const LIBRARY_VERSION_MDS: u32 = 0x0100_0002;
/// Macro stages: connect, HELO, MAIL, RCPT, DATA, end of message, end of headers.
pub const MACRO_STAGES: usize = 7;
