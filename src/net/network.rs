//! IP addresses and networks, as a setting lists them.

use std::net::IpAddr;

/// A network: an address, and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

/// The address as a number with its highest bit first, and how many bits it may have.
fn number(address: IpAddr) -> (u128, u32) {
    match address.to_canonical() {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

impl Network {
    /// Reads `address` or `address/bits`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Network> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().ok()?;
        let (_, most) = number(address);
        let bits =
            bits.map_or(Some(most), |bits| bits.parse().ok().filter(|bits| *bits <= most))?;
        Some(Network { address, bits })
    }

    /// Reads several, separated by commas.
    #[must_use]
    pub fn parse_list(text: &str) -> Option<Vec<Network>> {
        text.split(',').map(|one| Network::parse(one.trim())).collect()
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((own, most), (other, other_most)) = (number(self.address), number(address));
        let differs = own ^ other;
        most == other_most && (self.bits == 0 || differs >> (128 - self.bits) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        let holds = |network: &str, address: &str| {
            let network = Network::parse(network).unwrap();
            network.contains(address.parse().unwrap())
        };
        assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.6"));
        assert!(holds("192.0.2.0/24", "192.0.2.255") && !holds("192.0.2.0/24", "192.0.3.0"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::"));
        assert!(holds("0.0.0.0/0", "10.0.0.1") && !holds("0.0.0.0/0", "::1"));
        assert!(holds("192.0.2.7", "::ffff:192.0.2.7"));
        for bad in ["", "x", "192.0.2.7/33", "192.0.2.7/", "::1/129", "192.0.2.0/-1"] {
            assert_eq!(Network::parse(bad), None, "{bad}");
        }
        assert_eq!(Network::parse_list("192.0.2.1, ::1").map(|list| list.len()), Some(2));
        assert_eq!(Network::parse_list("192.0.2.1,"), None);
    }
}
