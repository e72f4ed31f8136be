package oauth_test

import (
	"testing"
)

// TestOriginIsRecorded: address, request id and trace id of the caller.
func TestOriginIsRecorded(t *testing.T) {
	t.Parallel()
	d := newDoor(t, nil, proxied)
	r := baseline()
	r.header.Set("X-Request-Id", "req-1")
	r.header.Set("X-Forwarded-For", "198.51.100.7, 203.0.113.9, 127.0.0.3")
	r.header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	a := d.send(r)
	a.mustIssue(t)
	rec := d.parts.last()
	if rec.RemoteAddr != "203.0.113.9" || rec.RequestID != "req-1" || rec.TraceID != "0af7651916cd43dd8448eb211c80319c" {
		t.Errorf("%q %q %q", rec.RemoteAddr, rec.RequestID, rec.TraceID)
	}
	if a.header.Get("X-Request-Id") != "req-1" {
		t.Errorf("request id %q", a.header.Get("X-Request-Id"))
	}
}

// TestTraceParentMustBeWellFormed (W3C Trace Context §3.2).
func TestTraceParentMustBeWellFormed(t *testing.T) {
	t.Parallel()
	d := open(t)
	const id = "0af7651916cd43dd8448eb211c80319c"
	for header, want := range map[string]string{
		"00-" + id + "-b7ad6b7169203331-00":       id,
		"01-" + id + "-b7ad6b7169203331-00-later": id,
		"": "",
		"00-" + id + "-b7ad6b7169203331-00-later":                 "",
		"ff-" + id + "-b7ad6b7169203331-00":                       "",
		"00-" + id + "-b7ad6b7169203331":                          "",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": "",
		"00-" + id + "-0000000000000000-01":                       "",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01": "",
		"00-" + id[:31] + "'-b7ad6b7169203331-01":                 "",
		"00-" + id + "-b7ad6b7169203331-0x":                       "",
	} {
		r := baseline()
		r.header.Set("Traceparent", header)
		d.send(r).mustIssue(t)
		if got := d.parts.last().TraceID; got != want {
			t.Errorf("%q gives %q", header, got)
		}
	}
	r := baseline()
	r.header["Traceparent"] = []string{"00-" + id + "-b7ad6b7169203331-00", "00-" + id + "-b7ad6b7169203331-00"}
	d.send(r).mustIssue(t)
	if got := d.parts.last().TraceID; got != "" {
		t.Errorf("two headers give %q", got)
	}
}
