package fetch

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"slices"
	"testing"
)

// closedAddresses has one of each class, and both ends of the wide ones.
func closedAddresses() []string {
	return []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254",
		"168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1", "192.88.99.1",
		"192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.10", "224.0.0.1", "239.255.255.255",
		"240.0.0.1", "255.255.255.255",
		"::", "::1", "::7f00:1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:0:7f00:1", "fe80::1", "fe80::1%eth0", "febf::1",
		"fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "100::1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254",
		"64:ff9b:1::a00:1", "64:ff9b:1::808:808", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1",
		"2001:db8::1", "2002:a00:1::1", "2002:808:808::1", "3fff::1", "4000::1", "5f00::1",
	}
}

func openAddresses() []string {
	return []string{
		"1.1.1.1", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.1", "126.255.255.255", "128.0.0.1", "168.63.129.15",
		"172.15.255.255", "172.32.0.1", "192.0.1.1", "198.17.255.255", "198.20.0.1", "223.255.255.255", "::ffff:1.1.1.1",
		"64:ff9b::1.1.1.1", "2606:4700:4700::1111", "2001:4860:4860::8888", "2a00::1",
	}
}

func TestOnlyPublicAddressesAreOpen(t *testing.T) {
	for _, text := range closedAddresses() {
		if (Policy{}).permits(netip.MustParseAddr(text), false) {
			t.Errorf("%s is open", text)
		}
	}
	for _, text := range openAddresses() {
		if !(Policy{}).permits(netip.MustParseAddr(text), false) {
			t.Errorf("%s is closed", text)
		}
	}
}

func TestPlainHTTPStaysInsideTheAllowedNetworks(t *testing.T) {
	inside, outside := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("1.1.1.1")
	networks := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	for _, c := range []struct {
		policy Policy
		addr   netip.Addr
		plain  bool
		want   bool
	}{
		{Policy{}, inside, false, false}, {Policy{}, outside, false, true}, {Policy{}, outside, true, false},
		{Policy{AllowHTTP: true}, outside, true, false}, {Policy{AllowHTTP: true}, inside, true, false},
		{Policy{AllowCIDRs: networks}, inside, false, true}, {Policy{AllowCIDRs: networks}, inside, true, false},
		{Policy{networks, true}, inside, true, true}, {Policy{networks, true}, outside, true, false},
		{Policy{networks, true}, netip.MustParseAddr("::ffff:10.1.2.3"), true, true},
		{Policy{networks, true}, netip.MustParseAddr("10.2.0.1"), false, false},
	} {
		if got := c.policy.permits(c.addr, c.plain); got != c.want {
			t.Errorf("%+v %s plain=%v: %v", c.policy, c.addr, c.plain, got)
		}
	}
}

// A name that resolves to a closed address is refused before any connection.
func TestNamesOfClosedAddressesAreNeverDialled(t *testing.T) {
	t.Parallel()
	for _, text := range closedAddresses() {
		if addr := netip.MustParseAddr(text); addr.Zone() == "" {
			refusesToDial(t, text, []string{text})
		}
	}
}

// refusesToDial fetches from a host with these addresses, of which none may be
// reached.
func refusesToDial(t *testing.T, name string, answers []string) {
	t.Helper()
	w := newWorld(Policy{}, answers)
	_, err := w.GetJSON(t.Context(), Request{URL: "https://idp-a.test/jwks"})
	if !errors.Is(err, ErrForbiddenAddress) || len(w.reached()) != 0 {
		t.Errorf("%s: %v, dialled %v", name, err, w.reached())
	}
}

func TestPublicAddressesAreDialled(t *testing.T) {
	w := newWorld(Policy{}, []string{"1.1.1.1"})
	_, err := w.GetJSON(t.Context(), Request{URL: "https://idp-a.test/jwks"})
	if !errors.Is(err, ErrUnreachable) || len(w.reached()) != 1 {
		t.Errorf("%v, dialled %v", err, w.reached())
	}
}

// JWK-024: of two addresses only the public one is dialled, in whichever order.
func TestOnlyThePublicOneOfTwoAddressesIsDialled(t *testing.T) {
	for _, answers := range [][]string{{"1.1.1.1", "10.0.0.1"}, {"10.0.0.1", "1.1.1.1"}, {"::1", "1.1.1.1", "fd00::1"}} {
		w := newWorld(Policy{}, answers)
		_, err := w.GetJSON(t.Context(), Request{URL: "https://idp-a.test/jwks"})
		if want := []netip.Addr{netip.MustParseAddr("1.1.1.1")}; err == nil || !slices.Equal(w.reached(), want) {
			t.Errorf("%v: %v, dialled %v", answers, err, w.reached())
		}
	}
}

// Rebinding: the name is public when first asked for, and loopback after.
func TestReboundNameIsRefused(t *testing.T) {
	w := newWorld(Policy{}, []string{"1.1.1.1"}, []string{"127.0.0.1"})
	for i, want := range []error{ErrUnreachable, ErrForbiddenAddress} {
		if _, err := w.GetJSON(t.Context(), Request{URL: "https://idp-a.test/jwks"}); !errors.Is(err, want) {
			t.Errorf("fetch %d: %v, want %v", i, err, want)
		}
	}
	if len(w.reached()) != 1 {
		t.Errorf("dialled %v", w.reached())
	}
}

// The DNS cases of testdata/security-cases.json, by their ids.
func TestSecurityCasesOfAddresses(t *testing.T) {
	data, err := os.ReadFile("../../testdata/security-cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var catalogue struct {
		Cases []struct {
			ID, Area string
			Mutation struct {
				Ops []struct {
					Behaviour string
					Answers   []string
				}
			}
		}
	}
	if err := json.Unmarshal(data, &catalogue); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range catalogue.Cases {
		if ops := c.Mutation.Ops; c.Area == "jwks_fetch" && len(ops) == 1 && ops[0].Behaviour == "dns" {
			ran++
			t.Run(c.ID, func(t *testing.T) { refusesToDial(t, c.ID, ops[0].Answers) })
		}
	}
	if ran != 8 {
		t.Errorf("ran %d cases: the catalogue has changed", ran)
	}
}
