package replay_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/app"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/keyring/keyringtest"
	"github.com/strait-sts/strait/internal/mint"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/rehearsal/replay"
	"github.com/strait-sts/strait/internal/schema"
	"github.com/strait-sts/strait/internal/ststest"
)

const ours = "https://sts.example.com"

// now is the instant of every exchange here.
var now = time.Date(2026, 12, 2, 3, 4, 5, 0, time.UTC)

// manifests are one issuer, one client, two targets and one policy, each part of
// which a test may replace.
func manifests(jwks json.RawMessage, replace ...string) string {
	text := strings.NewReplacer("JWKS", string(jwks)).Replace(`
{"kind":"TrustedIssuer","metadata":{"name":"idp"},"governance":{"owner":"o","justification":"j","reviewBy":"2027-01-01"},
 "spec":{"issuer":"https://idp.example","keys":{"jwks":JWKS},"audiences":["https://gw.example"],"algorithms":["ES256"],"acceptAs":["subject","actor"],
 "claimMappings":{"subject":{"claim":"sub","prefix":"idp:"}}}}
{"kind":"Target","metadata":{"name":"orders"},"governance":{"owner":"o"},"spec":{"audience":"https://orders.example","scopes":["read","write"]}}
{"kind":"Target","metadata":{"name":"billing"},"governance":{"owner":"o"},"spec":{"audience":"https://billing.example","scopes":["read"]}}
{"kind":"Client","metadata":{"name":"edge"},"governance":{"owner":"o"},
 "spec":{"authentication":[{"method":"client_secret","secret":"0123456789012345678901234567890123456789"}],"grants":["token-exchange","client_credentials"]}}
{"kind":"ExchangePolicy","metadata":{"name":"staff"},"governance":{"owner":"o","justification":"j","reviewBy":"2027-01-01"},
 "spec":{"flow":"delegation","clients":["edge"],"subject":{"issuers":["idp"],"tokenTypes":["jwt"],"conditions":[{"expression":"subject.claims.dept == 'shop'"}]},
 "actor":{"from":"any","issuers":["idp"],"conditions":[{"expression":"actor.claims.?kind.orValue('agent') == 'agent'"}]},
 "targets":["orders"],"scopes":{"allow":["read"],"default":["read"],"prove":"same"},"issue":{"lifetime":"5m"}}}
{"kind":"ExchangePolicy","metadata":{"name":"own"},"governance":{"owner":"o","justification":"j","reviewBy":"2027-01-01"},
 "spec":{"flow":"client","clients":["edge"],"targets":["billing"],"scopes":{"allow":["read"],"default":["read"]},"issue":{"lifetime":"5m"}}}`)
	return strings.NewReplacer(replace...).Replace(text)
}

func stage(tb testing.TB, text string) *rehearsal.Stage {
	tb.Helper()
	var objects []catalog.Object
	decoder := json.NewDecoder(strings.NewReader(text))
	for decoder.More() {
		var one json.RawMessage
		if err := decoder.Decode(&one); err != nil {
			tb.Fatal(err)
		}
		o, faults := schema.DecodeJSON(append([]byte(`{"apiVersion":"strait/v1",`), bytes.TrimSpace(one)[1:]...))
		if len(faults) > 0 {
			tb.Fatal(faults)
		}
		objects = append(objects, o)
	}
	s, faults := app.Offline(objects, ours, 30*time.Second, func() time.Time { return now })
	if len(faults) > 0 {
		tb.Fatal(faults)
	}
	return &s
}

// house makes records as /token does.
type house struct {
	idp     *ststest.Issuer
	stage   *rehearsal.Stage
	service exchange.Service
	last    []byte
	made    int
}

func newHouse(tb testing.TB) *house {
	h := &house{idp: ststest.NewIssuer(tb)}
	h.stage = stage(tb, manifests(h.idp.JWKS()))
	h.service = exchange.Service{Minter: mint.New(mint.Options{Keys: keyringtest.Ring(tb), Issuer: ours}), Recorder: h, Issuer: ours, KeepClaims: true}
	return h
}

// Record keeps a record as the log does.
func (h *house) Record(_ context.Context, rec *exchange.Record) (err error) {
	h.last, err = json.Marshal(rec)
	return err
}

func (h *house) token(claims map[string]any) exchange.Presented {
	all := map[string]any{"iss": "https://idp.example", "sub": "alice", "aud": "https://gw.example", "scope": "read write", "dept": "shop"}
	for name, value := range claims {
		all[name] = value
	}
	return exchange.Presented{Token: exchange.Secret(h.idp.Issue(now, all)), Type: exchange.TypeJWT}
}

// record has a request decided and gives its record.
func (h *house) record(tb testing.TB, req exchange.Request) *rehearsal.Recorded {
	tb.Helper()
	h.made++
	req.ID = exchange.ID(fmt.Sprintf("0198c1d2-7a30-7c11-8f00-%012d", h.made))
	req.Time, req.World, req.Client = now, h.stage.World, h.stage.World.Clients["edge"]
	if req.Grant == "" {
		req.Grant = exchange.GrantTokenExchange
	}
	_, _ = h.service.Exchange(tb.Context(), &req) // a refusal has its record too
	rec, err := rehearsal.ReadRecord(h.last)
	if err != nil {
		tb.Fatal(err)
	}
	return rec
}

// usual is a day of requests: of alice, of alice by an agent, of the client
// itself, and refused ones.
func (h *house) usual(tb testing.TB) []*rehearsal.Recorded {
	alice := h.token(nil)
	agent := h.token(map[string]any{"sub": "agent", "scope": "", "dept": "bots"})
	orders := []string{"orders"}
	return []*rehearsal.Recorded{
		h.record(tb, exchange.Request{Subject: alice, Audiences: orders, Scope: "read"}),
		h.record(tb, exchange.Request{Subject: alice, Audiences: []string{"https://orders.example"}}),
		h.record(tb, exchange.Request{Subject: alice}),
		h.record(tb, exchange.Request{Subject: alice, Actor: agent, Audiences: orders}),
		h.record(tb, exchange.Request{Grant: exchange.GrantClientCredentials, Audiences: []string{"billing"}}),
		h.record(tb, exchange.Request{Subject: alice, Audiences: orders, Scope: "write"}),
		h.record(tb, exchange.Request{Subject: h.token(map[string]any{"dept": "sales"}), Audiences: orders}),
		h.record(tb, exchange.Request{Subject: h.token(map[string]any{"aud": "https://else.example"}), Audiences: orders}),
		h.record(tb, exchange.Request{Subject: alice, Audiences: []string{"billing"}}),
		h.record(tb, exchange.Request{Subject: alice, Audiences: []string{"nowhere"}}),
		h.record(tb, exchange.Request{Subject: alice, Scope: "two  spaces"}),
	}
}

func each(records ...*rehearsal.Recorded) replay.Records {
	return func(yield func(*rehearsal.Recorded, error) bool) {
		for _, rec := range records {
			if !yield(rec, nil) {
				return
			}
		}
	}
}

func run(t *testing.T, s *rehearsal.Stage, records replay.Records) *replay.Report {
	t.Helper()
	report, err := replay.Run(t.Context(), s, records)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// words are the groups of a report in a line each.
func words(r *replay.Report) []string {
	var all []string
	for _, g := range r.Groups {
		all = append(all, fmt.Sprintf("%s %d %s %s %s: %s", g.Change, g.Count, g.Client, g.Policy, strings.Join(g.Targets, "+"), g.Why))
	}
	slices.Sort(all)
	return all
}

// What same manifests leave unknown of the usual records, and why.
var ever = []string{
	"unknown 1 edge  : the record does not keep targets that were not registered",
	"unknown 1 edge  orders: the record keeps nothing of the subject token: it was not believed, or not looked at",
}

func TestTheSameManifestsChangeNothing(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	report := run(t, h.stage, each(h.usual(t)...))
	if got := words(report); !slices.Equal(got, ever) || report.Changes() {
		t.Errorf("groups %q, want %q", got, ever)
	}
	if report.Records != 11 || report.Same != 8 || report.Unknown != 2 || report.Skipped != 1 || !report.Since.Equal(now) || !report.Until.Equal(now) {
		t.Errorf("%+v", report)
	}
}

func TestWhatAProposalChangesIsTold(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	records := h.usual(t)
	for name, c := range map[string]struct {
		replace []string
		want    []string // beside what is ever unknown
	}{
		"a narrower condition": {[]string{"'shop'", "'shop' && 'write' in subject.scopes && actor.sub == ''"}, []string{
			"denied 1 edge staff orders: condition_failed",
		}},
		"another condition, on a claim that is kept": {[]string{"dept == 'shop'", "dept in ['shop', 'sales']"}, []string{
			"allowed 1 edge staff orders: condition_failed",
		}},
		"a condition on a claim that is not kept": {[]string{"dept == 'shop'", "email == 'x'"}, []string{
			"unknown 1 edge  orders: the record does not keep claim email of the subject token", "unknown 5 edge staff orders: the record does not keep claim email of the subject token",
		}},
		"a condition on all claims": {[]string{"subject.claims.dept == 'shop'", "size(subject.claims) > 1"}, []string{
			"unknown 1 edge  orders: the record does not keep every claim of the subject token", "unknown 5 edge staff orders: the record does not keep every claim of the subject token",
		}},
		"a condition on the actor's claims": {[]string{"kind.orValue('agent')", "other.orValue('agent')"}, []string{
			"unknown 1 edge staff orders: the record does not keep claim other of the actor token",
		}},
		"one more scope": {[]string{`"allow":["read"],"default":["read"],"prove"`, `"allow":["read","write"],"default":["read","write"],"prove"`}, []string{
			"allowed 1 edge staff orders: scope_not_allowed", "otherwise 3 edge staff orders: scopes",
		}},
		"a shorter life": {[]string{`"prove":"same"},"issue":{"lifetime":"5m"`, `"prove":"same"},"issue":{"lifetime":"2m"`}, []string{
			"otherwise 4 edge staff orders: lifetime",
		}},
		"another name": {[]string{`"metadata":{"name":"own"}`, `"metadata":{"name":"mine"}`}, []string{
			"otherwise 1 edge mine billing: policy",
		}},
		"the client is gone": {[]string{`"metadata":{"name":"edge"}`, `"metadata":{"name":"edge2"}`, `["edge"]`, `["edge2"]`}, []string{
			"denied 1 edge own billing: client_authentication_failed", "denied 4 edge staff orders: client_authentication_failed",
		}},
		"no grant": {[]string{`,"client_credentials"]`, `]`, `"flow":"client","clients":["edge"]`, `"flow":"client","mode":"disabled","clients":["edge"]`}, []string{
			"denied 1 edge own billing: grant_not_allowed",
		}},
		"another audience of the issuer": {[]string{`"audiences":["https://gw.example"]`, `"audiences":["https://new.example"]`}, []string{
			"denied 4 edge staff orders: subject_audience_mismatch",
		}},
		"a rule that the log cannot tell": {[]string{`"claimMappings"`, `"claimValidationRules":[{"expression":"claims.tenant == 'acme'","message":"m"}],"claimMappings"`}, []string{
			"unknown 1 edge  orders: the record does not keep claim tenant of the subject token", "unknown 5 edge staff orders: the record does not keep claim tenant of the subject token",
		}},
		"scopes elsewhere": {[]string{`"claimMappings"`, `"scopeClaim":"scp","claimMappings"`}, []string{
			"unknown 1 edge  orders: the record does not keep scope claim scp of the subject token", "unknown 5 edge staff orders: the record does not keep scope claim scp of the subject token",
		}},
		"a policy where there was none": {[]string{`"targets":["orders"]`, `"targets":["orders","billing"]`}, []string{
			"denied 1 edge staff orders: target_ambiguous",
			"unknown 1 edge  billing: the record keeps nothing of the subject token: it was not believed, or not looked at",
		}},
	} {
		report := run(t, stage(t, manifests(h.idp.JWKS(), c.replace...)), each(records...))
		var got []string
		for _, line := range words(report) {
			if !slices.Contains(ever, line) {
				got = append(got, line)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, c.want)
		}
		if report.Same+report.Denied+report.Allowed+report.Otherwise+report.Unknown+report.Skipped != report.Records {
			t.Errorf("%s: %+v does not add up", name, report)
		}
	}
}

// TestAReplayIsBounded: examples and groups are, whatever the log holds; and the
// first error ends it.
func TestAReplayIsBounded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	rec := h.usual(t)[0]
	s := stage(t, manifests(h.idp.JWKS(), "'shop'", "'sales'"))
	many := func(yield func(*rehearsal.Recorded, error) bool) {
		for i := range 1500 {
			other := *rec
			other.Client = fmt.Sprint("c", i%1200)
			if !yield(&other, nil) {
				return
			}
		}
	}
	report := run(t, s, many)
	if len(report.Groups) != 1000 || report.Ungrouped != 200 || report.Denied != 1500 || report.Groups[0].Count != 2 {
		t.Errorf("%d groups, %d ungrouped, %d denied, the first has %d", len(report.Groups), report.Ungrouped, report.Denied, report.Groups[0].Count)
	}
	report = run(t, s, each(rec, rec, rec, rec, rec))
	if len(report.Groups) != 1 || len(report.Groups[0].Examples) != 3 {
		t.Errorf("%+v", report.Groups)
	}
	broken := func(yield func(*rehearsal.Recorded, error) bool) { yield(nil, context.DeadlineExceeded) }
	if _, err := replay.Run(t.Context(), s, broken); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestTheReportReads(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	report := run(t, stage(t, manifests(h.idp.JWKS(), "'shop'", "'sales'")), each(h.usual(t)...))
	var text strings.Builder
	if err := report.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"newly denied          4  client edge, policy staff, for orders: condition_failed\n",
		"                         0198c1d2-7a30-7c11-8f00-000000000001\n",
		"newly allowed         1  client edge, policy staff, for orders: condition_failed\n",
		"11 records from 2026-12-02T03:04:05Z to 2026-12-02T03:04:05Z: 4 newly denied, 1 newly allowed, 0 issued otherwise, 2 unknown, 3 the same, 1 that no rule decided\n",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the report\n%s\nhas no line %q", text.String(), want)
		}
	}
}
