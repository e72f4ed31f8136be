package oauth

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

// originOf is where the request came from, for its record. RemoteAddr and
// X-Request-Id are those that the server in front of this handler has settled:
// it believes a forwarded address only of a trusted proxy, and replaces a
// request id that is not well-formed.
func originOf(r *http.Request) exchange.Origin {
	return exchange.Origin{
		RemoteAddr: host(r.RemoteAddr),
		RequestID:  r.Header.Get("X-Request-Id"),
		TraceID:    traceID(r.Header.Values("Traceparent")),
	}
}

// host is an address without its port.
func host(remote string) string {
	if pair, err := netip.ParseAddrPort(remote); err == nil {
		return pair.Addr().Unmap().String()
	}
	return remote
}

// traceID is the trace-id of a W3C Trace Context §3.2 header; "" where there
// is not exactly one well-formed header.
func traceID(headers []string) string {
	if len(headers) != 1 {
		return ""
	}
	parts := strings.Split(headers[0], "-")
	if len(parts) < 4 || len(parts[0]) != 2 || len(parts[1]) != 32 || len(parts[2]) != 16 || len(parts[3]) != 2 {
		return ""
	}
	if parts[0] == "00" && len(parts) != 4 || parts[0] == "ff" || strings.Trim(parts[1], "0") == "" || strings.Trim(parts[2], "0") == "" {
		return ""
	}
	for _, part := range parts[:4] {
		if strings.Trim(part, "0123456789abcdef") != "" {
			return ""
		}
	}
	return parts[1]
}
