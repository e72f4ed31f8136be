package oauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/oauth"
)

// reasons is the closed list as docs/reasons.md prints it, subject_ and actor_
// both.
func reasons(t *testing.T) []exchange.Reason {
	t.Helper()
	page, err := os.ReadFile("../../docs/reasons.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []exchange.Reason
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		all = append(all, exchange.Reason(row[1]))
		if fault, ofSubject := strings.CutPrefix(row[1], "subject_"); ofSubject {
			all = append(all, exchange.Reason("actor_"+fault))
		}
	}
	if len(all) < 40 {
		t.Fatalf("docs/reasons.md has only %d reasons", len(all))
	}
	return all
}

// TestEveryReasonHasItsStatusAndText: the whole error table, by a verifier
// that answers each reason in turn. OA-20 holds the characters of every text.
func TestEveryReasonHasItsStatusAndText(t *testing.T) {
	t.Parallel()
	d := open(t)
	texts := map[string]exchange.Reason{}
	allowed := regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`) // RFC 6749 §5.2
	for _, reason := range reasons(t) {
		refusal := exchange.Refuse(reason, "secret detail")
		d.parts.set(func(p *parts) { p.fails = refusal })
		a := d.send(baseline())
		a.must(t, statusOf(refusal), refusal.Code)
		text := a.text("error_description")
		if !allowed.MatchString(text) || strings.Contains(a.raw, "secret detail") {
			t.Errorf("%s: description %q", reason, text)
		}
		if other, taken := texts[text]; taken {
			t.Errorf("%s and %s have one text: %q", reason, other, text)
		}
		texts[text] = reason
		if refusal.Code != exchange.InvalidClient && a.text("reason") != string(reason) {
			t.Errorf("%s: reason %q", reason, a.text("reason"))
		}
		if (a.header.Get("Retry-After") != "") != (a.status == 503 || a.status == 429) {
			t.Errorf("%s: Retry-After %q with %d", reason, a.header.Get("Retry-After"), a.status)
		}
		if id := a.header.Get("X-Strait-Decision"); id == "" || id != a.text("decision_id") || id != string(d.parts.last().ID) {
			t.Errorf("%s: decision %q %q", reason, id, a.text("decision_id"))
		}
	}
}

// statusOf is the contract's column, written once more.
func statusOf(e *exchange.Error) int {
	switch {
	case e.Code == exchange.InvalidClient:
		return 401
	case e.Reason == exchange.RateLimited:
		return 429
	case e.Code == exchange.TemporarilyUnavailable:
		return 503
	}
	return 400
}

// TestDescriptionIsConstant: nothing of the caller's comes back, whatever was
// sent (OA-20).
func TestDescriptionIsConstant(t *testing.T) {
	t.Parallel()
	d := open(t)
	evil := "\"><alert>\\\u00e9zyx"
	for _, name := range []string{"grant_type", "audience", "resource", "scope", "subject_token_type", "requested_token_type", "client_id", "actor_token_type", evil} {
		a := d.send(with(url.Values{name: {evil, evil}}))
		b := d.send(with(url.Values{name: {evil}}))
		for _, raw := range []string{a.raw, b.raw} {
			if strings.Contains(raw, "alert") || strings.Contains(raw, "zyx") {
				t.Errorf("%s: %s", name, raw)
			}
		}
	}
}

func TestErrorDetailNoneLeavesTheReasonOut(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(o *oauth.Options) { o.ErrorDetail = false }, nil)
	notHeld := d.send(with(url.Values{"scope": {"orders:admin"}}))
	notHeld.must(t, 400, exchange.InvalidScope)
	malformed := d.send(with(url.Values{"scope": {"a  b"}}))
	malformed.must(t, 400, exchange.InvalidScope)
	if notHeld.text("reason") != "" || notHeld.text("error_description") != malformed.text("error_description") {
		t.Errorf("%s\n%s", notHeld.raw, malformed.raw)
	}
	if d.parts.last().Reason != exchange.ScopeMalformed {
		t.Error("the record lost its reason too")
	}
}

// TestNoRecordNoToken: the recorder down is a 503 without decision id, for an
// exchange that would be issued and for one that would be denied (OA-23).
func TestNoRecordNoToken(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.parts.set(func(p *parts) { p.deaf = errDown })
	for _, r := range []*request{baseline(), with(url.Values{"scope": {"orders:admin"}}), with(url.Values{"grant_type": {"foo"}})} {
		a := d.send(r)
		a.must(t, 503, exchange.TemporarilyUnavailable)
		if a.text("reason") != "audit_unavailable" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s %v", a.raw, a.header)
		}
		if a.text("decision_id") != "" || a.header.Get("X-Strait-Decision") != "" {
			t.Errorf("a decision id without a record: %s", a.raw)
		}
	}
	d.parts.set(func(p *parts) { p.deaf = nil })
	d.send(baseline()).mustIssue(t)
}

// TestStrangersAreAnsweredWithoutRecord: a refusal of a stranger needs no
// record, and is counted always.
func TestStrangersAreAnsweredWithoutRecord(t *testing.T) {
	t.Parallel()
	d := open(t)
	wrong := baseline()
	wrong.header.Set("Authorization", basic("svc-gateway", "x"))
	a := d.send(wrong)
	rec := d.parts.last()
	if a.text("decision_id") != string(rec.ID) || rec.Reason != exchange.ClientAuthenticationFailed || rec.Client != "" || rec.ConfigRevision != 7 {
		t.Errorf("%s\n%+v", a.raw, rec)
	}
	d.counter.permit(0)
	sampled := d.send(wrong)
	sampled.must(t, 401, exchange.InvalidClient)
	d.counter.permit(100)
	d.parts.set(func(p *parts) { p.deaf = errDown })
	down := d.send(wrong)
	down.must(t, 401, exchange.InvalidClient)
	for _, a := range []*answer{sampled, down} {
		if a.text("decision_id") != "" || a.header.Get("X-Strait-Decision") != "" {
			t.Errorf("a decision id without a record: %s", a.raw)
		}
	}
	d.send(with(url.Values{"grant_type": nil})).must(t, 400, exchange.InvalidRequest)
	if clients, forms := d.counter.of("client"), d.counter.of("form"); clients != 3 || forms != 1 || d.parts.count() != 1 {
		t.Errorf("counted %d and %d, recorded %d", clients, forms, d.parts.count())
	}
}

// TestSamplerAndMetricsMayBeLeftOut: then all is recorded and nothing counted.
func TestSamplerAndMetricsMayBeLeftOut(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(o *oauth.Options) { o.Sampler, o.Metrics = nil, nil }, nil)
	d.send(baseline()).mustIssue(t)
	d.send(with(url.Values{"grant_type": nil})).must(t, 400, exchange.InvalidRequest)
	if d.parts.count() != 2 {
		t.Errorf("%d records", d.parts.count())
	}
}

func TestMetricsCountDecisions(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.send(baseline())
	d.send(with(url.Values{"scope": {"orders:admin"}}))
	d.parts.set(func(p *parts) { p.fails = exchange.Unavailable(exchange.IssuerKeysUnavailable, errDown) })
	d.send(baseline())
	for key, want := range map[string]int{"issued": 1, "denied scope_not_allowed": 1, "error issuer_keys_unavailable": 1} {
		if got := d.counter.of(key); got != want {
			t.Errorf("%s: %d", key, got)
		}
	}
	if n := d.counter.of("form") + d.counter.of("client"); n != 0 {
		t.Errorf("rejected: %d", n)
	}
}

// TestPanicIsOurFault: never a 500, never a word of what was thrown.
func TestPanicIsOurFault(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, thrown := range []any{"ST_A was here", errors.New("ST_A was here"), fmt.Stringer(exchange.Secret("ST_A"))} {
		d.parts.set(func(p *parts) { p.panics = thrown })
		a := d.send(baseline())
		a.must(t, 503, exchange.TemporarilyUnavailable)
		if a.text("decision_id") != "" || a.text("reason") != "" {
			t.Error(a.raw)
		}
	}
	if strings.Contains(d.log.String(), "was here") || !strings.Contains(d.log.String(), "request panicked") {
		t.Errorf("log: %s", d.log.String())
	}
	d.parts.set(func(p *parts) { p.panics = http.ErrAbortHandler })
	if _, err := d.try(baseline()); err == nil {
		t.Error("an aborted request was answered")
	}
	d.parts.set(func(p *parts) { p.panics = nil })
	d.send(baseline()).mustIssue(t)
}

// TestNotLoadedYet: before the first configuration nothing can be decided.
func TestNotLoadedYet(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(o *oauth.Options) { o.World = func() *exchange.World { return nil } }, nil)
	a := d.send(baseline())
	a.must(t, 503, exchange.TemporarilyUnavailable)
	if a.text("reason") != "database_unavailable" || d.parts.count() != 0 {
		t.Error(a.raw)
	}
}

// TestNoRandomnessNoDecision: without an id there can be no record.
func TestNoRandomnessNoDecision(t *testing.T) {
	t.Parallel()
	d := newDoor(t, func(o *oauth.Options) { o.Rand = strings.NewReader("") }, nil)
	d.send(baseline()).must(t, 503, exchange.TemporarilyUnavailable)
}

// TestNoSecretInTheLog: not in one line, whatever happens.
func TestNoSecretInTheLog(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.send(baseline()).mustIssue(t)
	d.send(with(url.Values{"subject_token": {"eyJhbGciOiJub25lIn0.e30."}}))
	d.send(with(url.Values{"client_secret": {rightSecret}}))
	d.parts.set(func(p *parts) { p.fails = errors.New("unforeseen") })
	d.send(baseline()).must(t, 503, exchange.TemporarilyUnavailable)
	d.log.await(t, `"route":"/token","status":503`)
	for _, secret := range []string{rightSecret, "ST_A", "eyJ", issuedToken, strings.TrimPrefix(basic("svc-gateway", rightSecret), "Basic ")} {
		if strings.Contains(d.log.String(), secret) {
			t.Errorf("%q is in the log:\n%s", secret, d.log.String())
		}
	}
}
