package server

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// requestIDKey is the context key of the request id.
type requestIDKey struct{}

// RequestID is the id of the request that ctx belongs to: the caller's
// X-Request-Id where it is well-formed, else one of ours.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// maxRequestID is how much of a stranger's id is kept.
const maxRequestID = 128

// requestID takes over the one well-formed id, or makes one.
func requestID(given []string) string {
	if len(given) != 1 || given[0] == "" || len(given[0]) > maxRequestID || strings.ContainsFunc(given[0], unsafe) {
		return rand.Text()
	}
	return given[0]
}

// unsafe is what a request id may not hold, so that it can stand in a header,
// a log line and a record as it is.
func unsafe(c rune) bool {
	letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	return !letter && !strings.ContainsRune("-_.:/+=@", c)
}

// callerAddress is the peer, or, where the peer is a trusted proxy, the
// rightmost address in X-Forwarded-For that is none of ours: what stands left
// of it, anybody can write. An entry that is no address ends the search.
func callerAddress(r *http.Request, proxies []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !trusted(peer.Addr(), proxies) {
		return r.RemoteAddr
	}
	caller := peer.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil || addr.Zone() != "" {
			break
		}
		caller = addr.Unmap()
		if !trusted(caller, proxies) {
			break
		}
	}
	return caller.String()
}

func trusted(addr netip.Addr, proxies []netip.Prefix) bool {
	return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(addr.Unmap()) })
}
