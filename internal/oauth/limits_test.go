package oauth_test

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/limit"
	"github.com/strait-sts/strait/internal/oauth"
)

// limited is a door with limits, a clock that the test moves, and callers whose
// address a proxy says.
func limited(t *testing.T, o limit.Options) (d *door, forward func(time.Duration)) {
	t.Helper()
	var passed atomic.Int64
	start := time.Now()
	d = newDoor(t, func(options *oauth.Options) {
		options.Limits = limit.New(o)
		options.Clock = func() time.Time { return start.Add(time.Duration(passed.Load())) }
	}, proxied)
	return d, func(by time.Duration) { passed.Add(int64(by)) }
}

// attempt is the baseline request with a client's credentials, from an address.
func attempt(client, secret, from string) *request {
	r := baseline()
	r.header.Set("Authorization", basic(client, secret))
	r.header.Set("X-Forwarded-For", from)
	return r
}

// mustWait fails the test unless the answer is a 429 that says for how long.
func mustWait(t *testing.T, a *answer, atMost int) {
	t.Helper()
	a.must(t, http.StatusTooManyRequests, exchange.TemporarilyUnavailable)
	if a.text("reason") != string(exchange.RateLimited) || a.header.Get("WWW-Authenticate") != "" {
		t.Errorf("answered %s, %v", a.raw, a.header)
	}
	if seconds, err := strconv.Atoi(a.header.Get("Retry-After")); err != nil || seconds < 1 || seconds > atMost {
		t.Errorf("Retry-After %q, want 1 to %d", a.header.Get("Retry-After"), atMost)
	}
}

// TestGuessedSecretsAreSlowedDown is OA-06 and CAU-046: 100 wrong secrets from
// one address end in 429, for the right one too while it lasts; the client
// elsewhere, and other clients there, never notice.
func TestGuessedSecretsAreSlowedDown(t *testing.T) {
	t.Parallel()
	d, forward := limited(t, limit.Options{Failures: 10})
	refused := map[int]int{}
	for range 100 {
		refused[d.send(attempt("svc-gateway", "wrong", "192.0.2.1")).status]++
	}
	if refused[http.StatusUnauthorized] != 10 || refused[http.StatusTooManyRequests] != 90 {
		t.Errorf("100 wrong secrets: %v", refused)
	}
	mustWait(t, d.send(attempt("svc-gateway", rightSecret, "192.0.2.1")), 6)
	d.send(attempt("svc-gateway", rightSecret, "192.0.2.2")).mustIssue(t)
	if a := d.send(attempt("svc-other", otherSecret, "192.0.2.1")); a.status != http.StatusBadRequest || a.text("reason") != "no_policy" {
		t.Errorf("another client from the same address: %d %s", a.status, a.raw)
	}
	forward(6 * time.Second)
	d.send(attempt("svc-gateway", rightSecret, "192.0.2.1")).mustIssue(t)
	if d.counter.of("client") != 10 || d.counter.of("rate") != 91 {
		t.Errorf("counted %d failures and %d that had to wait", d.counter.of("client"), d.counter.of("rate"))
	}
}

// TestLimitsDoNotTellWhichClientsExist: the same guesses get the same answers
// for a client that is there, one that is disabled and one that is not.
func TestLimitsDoNotTellWhichClientsExist(t *testing.T) {
	t.Parallel()
	d, _ := limited(t, limit.Options{Failures: 3})
	var first []int
	for i, client := range []string{"svc-gateway", "svc-disabled", "nobody"} {
		var answers []int
		for range 5 {
			answers = append(answers, d.send(attempt(client, "wrong", "192.0.2.1")).status)
		}
		if i == 0 {
			first = answers
		}
		for j := range answers {
			if answers[j] != first[j] {
				t.Errorf("%s: %v, and svc-gateway: %v", client, answers, first)
				break
			}
		}
	}
}

func TestRightSecretsAreNeverFailures(t *testing.T) {
	t.Parallel()
	d, _ := limited(t, limit.Options{Failures: 2})
	for range 20 {
		d.send(attempt("svc-gateway", rightSecret, "192.0.2.1")).mustIssue(t)
	}
}

// TestRequestsOfAClientAreLimited: what is too many is a decision, counted
// always and recorded as far as the sampler lets it; others go on.
func TestRequestsOfAClientAreLimited(t *testing.T) {
	t.Parallel()
	d, forward := limited(t, limit.Options{Requests: 5})
	d.counter.permit(2)
	for range 5 {
		d.send(baseline()).mustIssue(t)
	}
	records := d.parts.count()
	for i := range 3 {
		a := d.send(baseline())
		mustWait(t, a, 1)
		if recorded := a.header.Get("X-Strait-Decision") != ""; recorded != (i < 2) {
			t.Errorf("refusal %d: recorded %v", i+1, recorded)
		}
	}
	if rec := d.parts.last(); d.parts.count() != records+2 || rec.Client != "svc-gateway" || rec.Reason != exchange.RateLimited || rec.Decision != exchange.OutcomeDenied {
		t.Errorf("%d records, the last %+v", d.parts.count()-records, rec)
	}
	if d.counter.of("denied rate_limited") != 3 || d.counter.of("rate") != 0 {
		t.Errorf("counted %d", d.counter.of("denied rate_limited"))
	}
	if a := d.send(attempt("svc-other", otherSecret, "192.0.2.1")); a.status != http.StatusBadRequest {
		t.Errorf("another client: %d %s", a.status, a.raw)
	}
	forward(time.Second)
	d.send(baseline()).mustIssue(t)
}

// TestAFloodFromOneAddressIsStoppedBeforeItsFormIsRead: it costs nobody else
// anything.
func TestAFloodFromOneAddressIsStoppedBeforeItsFormIsRead(t *testing.T) {
	t.Parallel()
	d, _ := limited(t, limit.Options{Requests: 2})
	flood := func() *answer {
		r := attempt("", "", "192.0.2.9")
		r.header.Del("Authorization")
		r.body = "not a form"
		return d.send(r)
	}
	statuses := map[int]int{}
	for range 30 {
		statuses[flood().status]++
	}
	if statuses[http.StatusTooManyRequests] != 10 {
		t.Errorf("30 requests from an address that may make 20: %v", statuses)
	}
	d.send(attempt("svc-gateway", rightSecret, "192.0.2.1")).mustIssue(t)
}
