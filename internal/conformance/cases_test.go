package conformance_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/ststest"
)

// caseAreas are the areas of testdata/security-cases.json that are asked of the
// whole program here.
var caseAreas = list("http_form", "client_auth", "output", "claims", "jose_header", "trust", "policy", "availability",
	"introspection", "replay", "actor")

// waiting are the cases that need what is not built yet, by the feature.
var waiting = map[string][]string{
	"client assertions":    list("CAU-030", "CAU-033", "CAU-036", "CAU-037", "CAU-038"),
	"secret rotation":      list("CAU-011"),
	"signing key rotation": list("AVL-009"),
	"fault injection":      list("AVL-006", "AVL-017"),
	"load":                 list("AVL-016"),
}

// elsewhere are cases that another test holds, since they take long or need a
// listener of their own.
var elsewhere = map[string]string{
	"HTF-054": "internal/oauth, TestSecurityCases/HTF-054: 15 s of a slow body",
	"HTF-055": "internal/oauth, TestSecurityCases/HTF-055: 5000 connections",
	"HTF-056": "internal/server, TestHTF056_RapidReset: HTTP/2",
	"HTF-077": "internal/server, TestHTF077_OldTLSIsRefused",
	"OUT-008": "internal/keyring, TestOUT008_NoNonceComesTwice; a million with -args -signatures 1000000",
	"AVL-002": "TestConformance/OA-23",
	"CAU-046": "TestConformance/OA-06",
	"POL-075": "docs/divergences.md: one instant decides an exchange",
	"POL-004": "docs/divergences.md: a policy is in force when it is written",
}

// special is a case that asks for more than the status of one bent request.
type special func(*testing.T, *caseHouse, ststest.Case)

// specialOf is that of a case; nil where one bent request is all.
func specialOf(id string) special {
	for _, table := range specialTables() {
		if found := table[id]; found != nil {
			return found
		}
	}
	return nil
}

// specialTables are all of them.
func specialTables() []map[string]special {
	return []map[string]special{specials, aboutRules, aboutOpaque, aboutReplay, aboutConditions, aboutActors, aboutRevocation}
}

// request is a baseline request in the making.
type request struct {
	ask
	host string
	id   string // its X-Request-Id
}

func (h *caseHouse) baseline(t *testing.T, subjectToken string) *request {
	t.Helper()
	return &request{id: "case-" + aSecret()[:26], ask: ask{
		method: http.MethodPost, path: "/token",
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {basic("svc-gateway", h.secrets["svc-gateway"])}},
		form: url.Values{
			"grant_type": {exchangeURN}, "subject_token": {subjectToken}, "subject_token_type": {accessType},
			"audience": {"https://api.test/orders"}, "scope": {"orders:read"},
		},
	}}
}

func (h *caseHouse) sendCase(t *testing.T, r *request) *answer {
	t.Helper()
	body := r.body
	if body == "" {
		body = r.form.Encode()
	}
	if r.method == http.MethodTrace { // net/http sends no body with it
		body = ""
	}
	out, err := http.NewRequestWithContext(t.Context(), r.method, h.public+r.path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	out.Header, out.Host = r.header, r.host
	out.Header.Set("X-Request-Id", r.id)
	return h.do(t, out)
}

// control is the unmodified baseline: it proves that a case fails for its own
// reason and breaks nothing.
func (h *caseHouse) control(t *testing.T) *answer {
	t.Helper()
	return h.sendCase(t, h.plain(t)).mustIssue()
}

// plain is the unmodified baseline.
func (h *caseHouse) plain(t *testing.T) *request {
	t.Helper()
	token, _, _ := h.fixture.Tokens(t, nil)
	return h.baseline(t, token)
}

// TestSecurityCases runs the cases of the areas by id against the whole.
func TestSecurityCases(t *testing.T) {
	t.Parallel()
	h, waits := newCaseHouse(t), waitsFor(t)
	actors := newActorHouse(t)
	h.control(t)
	green, elsewhereHeld := 0, 0
	for _, c := range ststest.LoadCases(t, "../../testdata/security-cases.json") {
		switch {
		case !slices.Contains(caseAreas, c.Area):
		case waits[c.ID] != "":
		case elsewhere[c.ID] != "":
			elsewhereHeld++
		default:
			in := h
			if c.Area == "actor" {
				in = actors
			}
			if t.Run(c.ID, func(t *testing.T) { in.run(t, c) }) {
				green++
			}
		}
	}
	t.Logf("%d cases green, %d held by another test, %d waiting; explain agreed on %d requests", green, elsewhereHeld, len(waits), h.agreed+actors.agreed)
	if (green < 280 || h.agreed+actors.agreed < 180) && !t.Failed() {
		t.Errorf("only %d cases ran; the catalogue or a table has changed", green)
	}
}

// waitsFor is the waiting table by case.
func waitsFor(t *testing.T) map[string]string {
	t.Helper()
	known, waits := map[string]bool{}, map[string]string{}
	for _, c := range ststest.LoadCases(t, "../../testdata/security-cases.json") {
		known[c.ID] = slices.Contains(caseAreas, c.Area)
	}
	for feature, ids := range waiting {
		if features[feature] == "" {
			t.Errorf("%q is built, and %v still wait for it", feature, ids)
		}
		for _, id := range ids {
			if !known[id] || waits[id] != "" || elsewhere[id] != "" || specialOf(id) != nil {
				t.Errorf("%s waits, and is no case of these areas or stands in another table too", id)
			}
			waits[id] = feature
		}
	}
	for id := range elsewhere {
		if !known[id] || specialOf(id) != nil {
			t.Errorf("%s is held elsewhere, and is no case or stands in another table too", id)
		}
	}
	for _, table := range specialTables() {
		for id := range table {
			if !known[id] {
				t.Errorf("%s is no case of these areas", id)
			}
		}
	}
	return waits
}

// run is one case. The control after it is the one before the next. Each has a
// minute of its own, so that the newest records are its own and no rate adds up.
func (h *caseHouse) run(t *testing.T, c ststest.Case) {
	h.clock.advance(time.Minute)
	h.fixture.Now = h.clock.Now()
	if asks := specialOf(c.ID); asks != nil {
		asks(t, h, c)
	} else {
		r := h.bend(t, c)
		h.judge(t, c, r, h.sendCase(t, r))
		h.restore(t)
	}
	h.control(t)
	h.searchLog(t)
}

// judge compares the answer and the record with the case, and with what holds
// for every answer of the token endpoint.
func (h *caseHouse) judge(t *testing.T, c ststest.Case, r *request, a *answer) {
	t.Helper()
	if !slices.Contains(options(c.Expected.Status), fmt.Sprint(a.status)) {
		t.Errorf("%s: status %d %s, expected %v", c.Description, a.status, a.raw, c.Expected.Status)
	}
	codes := options(c.Expected.Error)
	if a.status >= 400 && a.raw != "" && len(codes) > 0 && !slices.Contains(codes, a.text("error")) && !slices.Contains(codes, "<nil>") {
		t.Errorf("%s: error %q, expected %v", c.Description, a.text("error"), c.Expected.Error)
	}
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %s", name, a.header.Get(name))
		}
	}
	reached := a.header.Get("Pragma") != "" // an answer of the token endpoint
	if id := a.header.Get("X-Strait-Decision"); a.status < 400 && id != "" {
		h.explainAgrees(t, c, r, h.record(t, id))
	}
	if a.status < 400 || !reached {
		return
	}
	if a.body["access_token"] != nil {
		t.Errorf("a token left: %s", a.raw)
	}
	a.mustNotBeKept()
	decision := "denied"
	if a.status >= 500 {
		decision = "error"
	}
	records := h.recordsOf(t, r.id)
	if len(records) != 1 || records[0]["decision"] != decision {
		t.Fatalf("records: %v", records)
	}
	if want := h.reasons(t, c); len(want) > 0 && !slices.Contains(want, fmt.Sprint(records[0]["reason"])) {
		t.Errorf("%s: recorded as %v, expected %v", c.Description, records[0]["reason"], want)
	}
	h.explainAgrees(t, c, r, records[0])
}

// reasons are ours for a case: by its id over HTTP, by its id, or by the
// catalogue's names.
func (h *caseHouse) reasons(t *testing.T, c ststest.Case) []string {
	t.Helper()
	for _, key := range list(c.ID+" over HTTP", c.ID) {
		if name := h.names[key]; name != "" {
			return list(name)
		}
	}
	var all []string
	for _, reason := range c.Reasons() {
		name := h.names[reason]
		if name == "" {
			t.Fatalf("testdata/reasons.yaml has no %q", reason)
		}
		all = append(all, name)
	}
	return all
}

// compactJWS is what no log may hold.
var compactJWS = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`)

// searchLog looks at what the log has got since the last look.
func (h *caseHouse) searchLog(t *testing.T) {
	t.Helper()
	text := h.log.String()
	fresh := text[h.seen:]
	h.seen = len(text)
	if token := compactJWS.FindString(fresh); token != "" {
		t.Errorf("a token in the log: %.40s…", token)
	}
	for id, secret := range h.secrets {
		if strings.Contains(fresh, secret) {
			t.Errorf("the secret of %s in the log", id)
		}
	}
	for line := range strings.Lines(fresh) {
		if !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is no JSON: %q", line)
		}
	}
}

// restore puts the manifests back that a case has changed.
func (h *caseHouse) restore(t *testing.T) {
	t.Helper()
	if !h.changed {
		return
	}
	h.changed = false
	h.apply(t, h.issuer(t, "A", nil), h.p1(nil))
	if h.added != "" {
		h.remove(t, h.added)
		h.added = ""
	}
}

func (h *house) remove(t *testing.T, policy string) {
	t.Helper()
	if a := h.manage(t, http.MethodDelete, "/exchange-policies/"+policy, nil, "If-Match", "*"); a.status != http.StatusNoContent {
		t.Fatalf("delete: %d %s", a.status, a.raw)
	}
}

// options is an expectation as a list of texts; empty where anything goes.
func options(expected any) []string {
	switch e := expected.(type) {
	case nil:
		return nil
	case []any:
		var all []string
		for _, one := range e {
			all = append(all, fmt.Sprint(one))
		}
		return all
	}
	return list(fmt.Sprint(expected))
}

// within is far less than a hanging issuer is waited for, and far more than an
// exchange takes on a busy machine.
const within = 2 * time.Second
