//! The one filter that every outbound URL and address passes, against server-side request forgery.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use axum::http::Uri;
use ipnet::IpNet;

/// Which private addresses the operator allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AllowPrivate {
    /// None.
    #[default]
    No,
    /// All.
    All,
    /// These.
    Networks(Vec<IpNet>),
}

impl FromStr for AllowPrivate {
    type Err = String;

    /// `true`, `false`, or networks such as `10.0.0.0/8,127.0.0.1/32`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "true" => Ok(Self::All),
            "" | "false" => Ok(Self::No),
            list => list.split(',').map(network).collect::<Result<_, _>>().map(Self::Networks),
        }
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    let single = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse().or_else(|_| single()).map_err(|_| format!("{text:?} is not a network such as 10.0.0.0/8"))
}

/// Decides which addresses may be connected to.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    allow: AllowPrivate,
}

impl Filter {
    /// Public addresses, and what the operator allows beyond them.
    #[must_use]
    pub const fn new(allow: AllowPrivate) -> Self {
        Self { allow }
    }

    /// Whether an address may be connected to.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        let address = embedded(address);
        match &self.allow {
            AllowPrivate::All => true,
            AllowPrivate::No => is_public(address),
            AllowPrivate::Networks(networks) => {
                is_public(address) || networks.iter().any(|network| network.contains(&address))
            }
        }
    }

    /// Whether a URL may be configured: scheme, host and, where the host is an address, the address.
    ///
    /// Names are checked when they are resolved, because what they resolve to can change.
    ///
    /// # Errors
    /// One sentence that says what is wrong.
    pub fn check_url(&self, url: &str) -> Result<(), String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url:?} is not a URL: {error}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(format!("{url:?} must start with http:// or https://"));
        }
        if uri.query().is_some() || url.contains('#') {
            return Err(format!("{url:?} must have no query and no fragment"));
        }
        let authority = uri.authority().ok_or_else(|| format!("{url:?} has no host"))?;
        if authority.as_str().contains('@') {
            return Err("a URL must not carry a user name or password".to_owned());
        }
        // `Uri` takes any digits for a port and only has no number to tell then.
        let port = authority.as_str().rsplit_once(':').map(|(_, port)| port);
        if port.is_some_and(|port| !port.ends_with(']')) && authority.port_u16().is_none_or(|port| port == 0)
        {
            return Err(format!("the port of {url:?} must be 1 to 65535"));
        }
        // A trailing dot is the root of names: with it an address is resolved as the address all the same.
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        if host.is_empty() {
            return Err(format!("{url:?} has no host"));
        }
        match host.parse::<IpAddr>() {
            Ok(address) if !self.allows(address) => Err(format!(
                "{address} is a private or special address; the operator can allow it by --allow-private-networks"
            )),
            // Digits and dots that are no address are read as one by some resolvers (`0x7f.1`, `127.1`).
            Err(_)
                if host
                    .split('.')
                    .next_back()
                    .is_some_and(|last| last.starts_with(|c: char| c.is_ascii_digit())) =>
            {
                Err(format!("{host:?} is neither a host name nor an address"))
            }
            _ => Ok(()),
        }
    }
}

/// The IPv4 address inside an IPv6 one (mapped, NAT64, 6to4), because that is where the packet ends up.
fn embedded(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let words = v6.segments();
    let from = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match words {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => from(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => from(high, low),
        [0x2002, high, low, ..] => from(high, low),
        _ => address,
    }
}

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

/// By the IANA special-purpose registry (RFC 6890 and its updates).
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127 | 240.., _, _)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=239, _, _)
    );
    !special
}

/// Global unicast (2000::/3) without documentation, benchmarking, ORCHID and Teredo.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let words = address.segments();
    let global = words[0] & 0xe000 == 0x2000;
    let special = matches!(words, [0x2001, 0..=0x01ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..]);
    global && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_special_addresses_are_refused_in_every_disguise() {
        let filter = Filter::default();
        for text in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!filter.allows(text.parse().unwrap()), "{text}");
        }
        for text in ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(filter.allows(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn ports_and_trailing_dots_are_no_disguise() {
        let filter = Filter::default();
        for url in
            ["http://h:99999", "http://h:0", "http://127.0.0.1.", "http://127.0.0.1.:80/v1", "http://127.1."]
        {
            assert!(filter.check_url(url).is_err(), "{url}");
        }
        for url in
            ["http://h", "https://h.:443/v1", "http://[2606:4700::1111]", "http://[2606:4700::1111]:8080"]
        {
            assert_eq!(filter.check_url(url), Ok(()), "{url}");
        }
    }

    #[test]
    fn the_operator_allows_networks() {
        let filter = Filter::new("10.0.0.0/8, 127.0.0.1".parse().unwrap());
        assert!(filter.allows("10.9.9.9".parse().unwrap()) && filter.allows("127.0.0.1".parse().unwrap()));
        assert!(
            !filter.allows("127.0.0.2".parse().unwrap()) && !filter.allows("192.168.0.1".parse().unwrap())
        );
        assert!("10.0.0.0/99".parse::<AllowPrivate>().is_err());
    }

    #[test]
    fn urls_are_checked_before_they_are_stored() {
        let filter = Filter::default();
        for url in [
            "",
            "openai.com",
            "ftp://example.com",
            "file:///etc/passwd",
            "http://",
            "https://user:pw@example.com",
            "http://169.254.169.254/latest",
            "http://[::1]:80/",
            "http://0x7f.1/",
            "http://127.1/",
            "http://2130706433/",
            "https://example.com/?a=b",
            "https://example.com/#x",
        ] {
            assert!(filter.check_url(url).is_err(), "{url}");
        }
        for url in ["https://api.openai.com/v1", "http://gpu-7.example:8000/v1"] {
            assert!(filter.check_url(url).is_ok(), "{url}");
        }
    }
}
