//! Action flags, protocol flags and their names.

/// Highest protocol version known here.
pub const VERSION: u32 = 6;

/// What a milter may ask to be allowed to do (`SMFIF_*`).
pub mod action {
    /// Add headers.
    pub const ADDHDRS: u32 = 0x01;
    /// Replace the body.
    pub const CHGBODY: u32 = 0x02;
    /// Add recipients.
    pub const ADDRCPT: u32 = 0x04;
    /// Delete recipients.
    pub const DELRCPT: u32 = 0x08;
    /// Change or delete headers.
    pub const CHGHDRS: u32 = 0x10;
    /// Quarantine the message.
    pub const QUARANTINE: u32 = 0x20;
    /// Change the envelope sender.
    pub const CHGFROM: u32 = 0x40;
    /// Add recipients with ESMTP arguments.
    pub const ADDRCPT_PAR: u32 = 0x80;
    /// Choose the macros it receives.
    pub const SETSYMLIST: u32 = 0x100;
    /// All of them: what an MTA of today offers.
    pub const ALL: u32 = 0x1ff;

    /// Names by bit.
    pub const NAMES: &[(u32, &str)] = &[
        (ADDHDRS, "ADDHDRS"),
        (CHGBODY, "CHGBODY"),
        (ADDRCPT, "ADDRCPT"),
        (DELRCPT, "DELRCPT"),
        (CHGHDRS, "CHGHDRS"),
        (QUARANTINE, "QUARANTINE"),
        (CHGFROM, "CHGFROM"),
        (ADDRCPT_PAR, "ADDRCPT_PAR"),
        (SETSYMLIST, "SETSYMLIST"),
    ];
}

/// What a milter may ask the MTA to leave out or to do differently (`SMFIP_*`).
pub mod protocol {
    /// Do not send connection information.
    pub const NOCONNECT: u32 = 0x01;
    /// Do not send HELO.
    pub const NOHELO: u32 = 0x02;
    /// Do not send MAIL.
    pub const NOMAIL: u32 = 0x04;
    /// Do not send RCPT.
    pub const NORCPT: u32 = 0x08;
    /// Do not send the body.
    pub const NOBODY: u32 = 0x10;
    /// Do not send headers.
    pub const NOHDRS: u32 = 0x20;
    /// Do not send the end of headers.
    pub const NOEOH: u32 = 0x40;
    /// No reply to headers.
    pub const NR_HDR: u32 = 0x80;
    /// Do not send unknown SMTP commands.
    pub const NOUNKNOWN: u32 = 0x100;
    /// Do not send DATA.
    pub const NODATA: u32 = 0x200;
    /// The MTA understands SKIP.
    pub const SKIP: u32 = 0x400;
    /// Send rejected recipients too.
    pub const RCPT_REJ: u32 = 0x800;
    /// No reply to connection information.
    pub const NR_CONN: u32 = 0x1000;
    /// No reply to HELO.
    pub const NR_HELO: u32 = 0x2000;
    /// No reply to MAIL.
    pub const NR_MAIL: u32 = 0x4000;
    /// No reply to RCPT.
    pub const NR_RCPT: u32 = 0x8000;
    /// No reply to DATA.
    pub const NR_DATA: u32 = 0x1_0000;
    /// No reply to unknown SMTP commands.
    pub const NR_UNKN: u32 = 0x2_0000;
    /// No reply to the end of headers.
    pub const NR_EOH: u32 = 0x4_0000;
    /// No reply to body parts.
    pub const NR_BODY: u32 = 0x8_0000;
    /// Header values keep the blank after the colon.
    pub const HDR_LEADSPC: u32 = 0x10_0000;
    /// Packets may carry 262143 bytes.
    pub const MDS_256K: u32 = 0x1000_0000;
    /// Packets may carry 1048575 bytes.
    pub const MDS_1M: u32 = 0x2000_0000;
    /// All steps and options of version 6.
    pub const ALL: u32 = 0x1f_ffff;

    /// Names by bit.
    pub const NAMES: &[(u32, &str)] = &[
        (NOCONNECT, "NOCONNECT"),
        (NOHELO, "NOHELO"),
        (NOMAIL, "NOMAIL"),
        (NORCPT, "NORCPT"),
        (NOBODY, "NOBODY"),
        (NOHDRS, "NOHDRS"),
        (NOEOH, "NOEOH"),
        (NR_HDR, "NR_HDR"),
        (NOUNKNOWN, "NOUNKNOWN"),
        (NODATA, "NODATA"),
        (SKIP, "SKIP"),
        (RCPT_REJ, "RCPT_REJ"),
        (NR_CONN, "NR_CONN"),
        (NR_HELO, "NR_HELO"),
        (NR_MAIL, "NR_MAIL"),
        (NR_RCPT, "NR_RCPT"),
        (NR_DATA, "NR_DATA"),
        (NR_UNKN, "NR_UNKN"),
        (NR_EOH, "NR_EOH"),
        (NR_BODY, "NR_BODY"),
        (HDR_LEADSPC, "HDR_LEADSPC"),
        (MDS_256K, "MDS_256K"),
        (MDS_1M, "MDS_1M"),
    ];
}

/// Names the bits that are set, unnamed ones in hexadecimal; `none` for zero.
#[must_use]
pub fn describe(bits: u32, names: &[(u32, &str)]) -> String {
    let mut rest = bits;
    let mut words = Vec::new();
    for (bit, name) in names {
        if bits & bit != 0 {
            words.push((*name).to_owned());
            rest &= !bit;
        }
    }
    if rest != 0 {
        words.push(format!("{rest:#x}"));
    }
    if words.is_empty() {
        return "none".to_owned();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_has_one_name() {
        for (names, all) in [
            (action::NAMES, action::ALL),
            (protocol::NAMES, protocol::ALL | protocol::MDS_256K | protocol::MDS_1M),
        ] {
            let sum: u64 = names.iter().map(|(bit, _)| u64::from(*bit)).sum();
            assert_eq!(sum, u64::from(all));
        }
    }

    #[test]
    fn bits_are_named_in_order_and_strangers_shown() {
        assert_eq!(describe(0x11, action::NAMES), "ADDHDRS CHGHDRS");
        assert_eq!(describe(0x401, action::NAMES), "ADDHDRS 0x400");
        assert_eq!(describe(0, action::NAMES), "none");
    }
}
