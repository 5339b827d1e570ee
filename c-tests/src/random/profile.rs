//! Registrations and negotiations; all sessions of a process share one (entry D1).

/// How the filter registers and what is negotiated.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The `filter` line.
    pub filter: &'static str,
    /// Protocol flags that xxfi_negotiate asks for; without it they follow from the callbacks.
    pub negotiate: Option<u32>,
    /// Protocol flags the MTA offers.
    pub offer: u32,
    /// The session's protocol flags in the end, emulated ones included.
    pub flags: u32,
}

const fn plain(filter: &'static str, offer: u32, flags: u32) -> Profile {
    Profile { filter, negotiate: None, offer, flags }
}

const fn asks(filter: &'static str, offer: u32, flags: u32) -> Profile {
    Profile { filter, negotiate: Some(flags), offer, flags }
}

/// What MTAs of today offer.
const ALL: u32 = 0x001f_ffff;

/// What random sessions are drawn for.
pub const PROFILES: [Profile; 24] = [
    plain("all -negotiate", ALL, 0),
    plain("all -negotiate", 0x7f, 0),
    plain("all -negotiate tcp", ALL, 0),
    plain("all -negotiate -data -unknown", ALL, 0x300),
    plain("all -negotiate -data", ALL, 0x200),
    plain("all -negotiate -unknown", ALL, 0x100),
    plain("all -negotiate -eoh", ALL, 0x40),
    plain("all -negotiate -header -body", ALL, 0x30),
    plain("all -negotiate -connect -helo", ALL, 0x3),
    plain("all -negotiate -envfrom", ALL, 0x4),
    plain("all -negotiate -abort", ALL, 0),
    plain("all -negotiate version=2", ALL, 0x300),
    plain("all -negotiate version=3", ALL, 0x200),
    plain("all -negotiate flags=0x0", ALL, 0),
    plain("none +connect +envrcpt +eom +abort +close", ALL, 0x376),
    plain("none +close", ALL, 0x37f),
    asks("all", ALL, 0x400),
    asks("all", ALL, 0x000f_f480),
    asks("all", ALL, 0x0000_0480),
    asks("all", 0x7f, 0x000f_f080),
    asks("all", ALL, 0x0009_8000),
    asks("all", ALL, 0x0010_0c00),
    asks("all", ALL, 0x0000_007b),
    asks("all", ALL, 0x0000_037f),
];

impl Profile {
    /// Whether SMFIS_SKIP from xxfi_body was agreed.
    pub fn skips(&self) -> bool {
        self.flags & 0x400 != 0
    }

    /// The lines of a session that all of the profile's have.
    pub fn head(&self) -> String {
        let mut text = format!("filter {}\n", self.filter);
        if let Some(flags) = self.negotiate {
            text.push_str(&format!("on negotiate: pf1 {flags:#x}; return continue\n"));
        }
        text
    }

    /// The negotiation packet as a command.
    pub fn negotiation(&self) -> String {
        format!("O 6 1ff {:x}", self.offer)
    }
}
