//! Addresses that only mean something inside: this machine, its links, and a cloud's metadata service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where some clouds answer machines about themselves by IPv6; by IPv4 it is a link-local address.
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

/// Whether the address is of this machine or of a link of it, or of none that one connects to, in whichever way it is
/// wrapped.
pub(super) fn is_inside(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(it) => is_inside_v4(it),
        IpAddr::V6(it) => {
            it.is_loopback()
                || it.is_unspecified()
                || it.is_multicast()
                || it.is_unicast_link_local()
                || it == METADATA
                || wrapped(it).is_some_and(is_inside_v4)
        }
    }
}

fn is_inside_v4(it: Ipv4Addr) -> bool {
    // All of 0.0.0.0/8 is this machine for Linux.
    it.octets()[0] == 0 || it.is_loopback() || it.is_link_local() || it.is_multicast() || it.is_broadcast()
}

/// The IPv4 address that a gateway would make of an IPv6 one: NAT64 (RFC 6052), 6to4 (RFC 3056), and the old compatible
/// form.
fn wrapped(it: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match it.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}
