package fetch

import (
	"net/netip"
	"slices"
)

// Policy says which networks outbound requests may reach. The zero Policy is
// the public internet, by https.
type Policy struct {
	AllowCIDRs []netip.Prefix // networks that are open though they are not public
	AllowHTTP  bool           // plain http, to addresses inside AllowCIDRs only
}

// allowed says whether the policy itself opens the address.
func (p Policy) allowed(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(p.AllowCIDRs, func(open netip.Prefix) bool { return open.Contains(addr) })
}

// permits says whether a connection to the address may be made; plain is one
// without TLS.
func (p Policy) permits(addr netip.Addr, plain bool) bool {
	if p.allowed(addr) {
		return !plain || p.AllowHTTP
	}
	return !plain && public(addr)
}

// public says whether an address belongs to the public internet. Where it
// carries an IPv4 address, that one decides.
func public(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.Is4() {
		return !inside(addr, closed4())
	}
	if nat64 := netip.MustParsePrefix("64:ff9b::/96"); nat64.Contains(addr) { // RFC 6052 §2.1
		bytes := addr.As16()
		return public(netip.AddrFrom4([4]byte(bytes[12:])))
	}
	global := netip.MustParsePrefix("2000::/3") // RFC 4291 §2.4: the only unicast space in use
	return global.Contains(addr) && !inside(addr, closed6())
}

// inside says whether one of the networks has the address.
func inside(addr netip.Addr, networks []string) bool {
	return slices.ContainsFunc(networks, func(cidr string) bool {
		return netip.MustParsePrefix(cidr).Contains(addr)
	})
}

// closed4 are the IPv4 networks that are not public (RFC 6890 §2.2.2 and the
// IANA registry that keeps it), and one that a cloud keeps for itself.
func closed4() []string {
	return []string{
		"0.0.0.0/8",        // this network
		"10.0.0.0/8",       // private (RFC 1918 §3)
		"100.64.0.0/10",    // carrier-grade NAT (RFC 6598 §7)
		"127.0.0.0/8",      // loopback
		"168.63.129.16/32", // the host agent of Azure
		"169.254.0.0/16",   // link-local; metadata services
		"172.16.0.0/12",    // private
		"192.0.0.0/24",     // protocol assignments; metadata of Oracle
		"192.0.2.0/24",     // documentation (RFC 5737 §3)
		"192.88.99.0/24",   // 6to4 relays
		"192.168.0.0/16",   // private
		"198.18.0.0/15",    // benchmarks
		"198.51.100.0/24",  // documentation
		"203.0.113.0/24",   // documentation
		"224.0.0.0/4",      // multicast
		"240.0.0.0/4",      // reserved; broadcast
	}
}

// closed6 are the networks within 2000::/3 that are not public. Loopback, ULA,
// link-local, multicast and the local NAT64 prefix 64:ff9b:1::/48 (RFC 8215 §5)
// lie outside of it.
func closed6() []string {
	return []string{
		"2001::/23",     // protocol assignments: Teredo, benchmarks, ORCHID
		"2001:db8::/32", // documentation (RFC 3849 §2)
		"2002::/16",     // 6to4: carries an IPv4 address of anybody's choice
		"3fff::/20",     // documentation (RFC 9637 §2)
	}
}
