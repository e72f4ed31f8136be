package catalog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/schema"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func digest(secret string) (string, error) {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:]), nil
}

func open(store catalog.Store) *catalog.Catalog {
	return catalog.New(catalog.Options{
		Store:    store,
		Decode:   schema.DecodeJSON,
		Checkers: []catalog.Checker{schema.Check(schema.Identity{Issuer: "https://sts.example.com"})},
		Digest:   digest,
		Matches: func(stored, secret string) bool {
			sum, _ := digest(secret)
			return sum == stored
		},
		Clock: func() time.Time { return noon },
	})
}

// object reads a manifest that must be sound.
func object(t *testing.T, format string, args ...any) catalog.Object {
	t.Helper()
	o, faults := schema.DecodeJSON(fmt.Appendf(nil, format, args...))
	if len(faults) > 0 {
		t.Fatalf("the test's own manifest: %v", faults)
	}
	return o
}

func target(t *testing.T, name string, scopes ...string) catalog.Object {
	t.Helper()
	return object(t, `{"kind": "Target", "metadata": {"name": %q}, "governance": {"owner": "orders@example.com"},
		"spec": {"audience": "https://%s.internal", "scopes": ["%s"]}}`, name, name, strings.Join(scopes, `","`))
}

func client(t *testing.T, name, secret string) catalog.Object {
	t.Helper()
	o := object(t, `{"kind": "Client", "metadata": {"name": %q}, "governance": {"owner": "platform@example.com"},
		"spec": {"authentication": [{"method": "client_secret"}], "grants": ["client_credentials"]}}`, name)
	o.Spec.(*catalog.Client).Authentication[0].Secret = exchange.Secret(secret)
	return o
}

func policy(t *testing.T, name, client, target string) catalog.Object {
	t.Helper()
	return object(t, `{"kind": "ExchangePolicy", "metadata": {"name": %q},
		"governance": {"owner": "orders@example.com", "justification": "Nightly export", "reviewBy": "2027-03-01"},
		"spec": {"flow": "client", "clients": [%q], "targets": [%q], "scopes": {"allow": ["orders:read"]}, "issue": {"lifetime": "5m"}}}`,
		name, client, target)
}

// shop is a small whole: a target, a client with a secret, a policy.
func shop(t *testing.T) []catalog.Object {
	t.Helper()
	return []catalog.Object{
		target(t, "orders-api", "orders:read"),
		client(t, "exporter", secretOf("first")),
		policy(t, "nightly", "exporter", "orders-api"),
	}
}

// secretOf makes a secret of enough characters.
func secretOf(seed string) string {
	sum, _ := digest(seed)
	return sum
}

func apply(t *testing.T, c *catalog.Catalog, r catalog.ApplyRequest) catalog.ApplyResult {
	t.Helper()
	result, err := c.Apply(t.Context(), r)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	return result
}

func outcomes(r catalog.ApplyResult) string {
	var words []string
	for _, result := range r.Results {
		words = append(words, result.Name+" "+result.Result)
	}
	return strings.Join(words, ", ")
}

// refused is the faults of an error, as "Kind/name pointer code".
func refused(t *testing.T, err error) []string {
	t.Helper()
	var invalid *catalog.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("got %v, want *catalog.Invalid", err)
	}
	var faults []string
	for _, f := range invalid.Errors {
		faults = append(faults, fmt.Sprintf("%s/%s %s %s", f.Kind, f.Name, f.Pointer, f.Code))
	}
	return faults
}

func TestApplyTwiceIsUnchanged(t *testing.T) {
	store := &memory{}
	c := open(store)
	first := apply(t, c, catalog.ApplyRequest{Objects: shop(t)})
	if got := outcomes(first); got != "orders-api created, exporter created, nightly created" || first.Revision != 1 {
		t.Errorf("first: %s at %d", got, first.Revision)
	}
	second := apply(t, c, catalog.ApplyRequest{Objects: shop(t)})
	if got := outcomes(second); got != "orders-api unchanged, exporter unchanged, nightly unchanged" || second.Revision != 1 {
		t.Errorf("second: %s at %d", got, second.Revision)
	}
	if store.commits != 1 {
		t.Errorf("%d commits, want 1", store.commits)
	}
}

func TestApplyIsIdempotentWhateverTheOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := open(&memory{})
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z0-9-]{0,8}`), 1, 6, rapid.ID[string]).Draw(rt, "names")
		var objects []catalog.Object
		for _, name := range names {
			objects = append(objects, target(t, name, "s:"+name))
		}
		apply(t, c, catalog.ApplyRequest{Objects: objects})
		again := apply(t, c, catalog.ApplyRequest{Objects: rapid.Permutation(objects).Draw(rt, "again")})
		for _, r := range again.Results {
			if r.Result != catalog.Unchanged || again.Revision != 1 {
				rt.Fatalf("%v at %d", r, again.Revision)
			}
		}
	})
}

func TestApplyIsAllOrNothing(t *testing.T) {
	store := &memory{}
	c := open(store)
	_, err := c.Apply(t.Context(), catalog.ApplyRequest{Objects: []catalog.Object{
		target(t, "orders-api", "orders:read"), policy(t, "nightly", "nobody", "orders-api"),
	}})
	if got := refused(t, err); !slices.Equal(got, []string{"ExchangePolicy/nightly /spec/clients/0 reference"}) {
		t.Errorf("refused with %q", got)
	}
	if len(store.rows) != 0 || len(c.Current().Objects) != 0 {
		t.Error("a part of a refused write is there")
	}
}

func TestApplyReportsEveryFaultOfEveryObject(t *testing.T) {
	c := open(&memory{})
	bad := target(t, "orders-api", "orders:read")
	bad.Spec.(*catalog.Target).Token.Algorithm = "HS256"
	bad.Governance.Owner = ""
	twice := target(t, "orders-api", "orders:read")
	_, err := c.Apply(t.Context(), catalog.ApplyRequest{Objects: []catalog.Object{bad, twice, client(t, "exporter", "short")}})
	want := []string{
		"Target/orders-api /governance/owner required",
		"Target/orders-api /spec/token/algorithm value",
		"Target/orders-api /metadata/name duplicate",
		"Client/exporter /spec/authentication/0/secret value",
	}
	if got := refused(t, err); !slices.Equal(got, want) {
		t.Errorf("refused with %q, want %q", got, want)
	}
}

func TestChangedObjectTakesTheNewRevisionAlone(t *testing.T) {
	c := open(&memory{})
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)})
	result := apply(t, c, catalog.ApplyRequest{Objects: []catalog.Object{target(t, "orders-api", "orders:read", "orders:write")}})
	s := c.Current()
	if outcomes(result) != "orders-api configured" || s.Revision != 2 {
		t.Errorf("%s at %d", outcomes(result), s.Revision)
	}
	if s.Target("orders-api").Revision != 2 || s.Client("exporter").Revision != 1 {
		t.Errorf("revisions %d and %d", s.Target("orders-api").Revision, s.Client("exporter").Revision)
	}
	loaded, err := c.Load(t.Context())
	if err != nil || loaded.Target("orders-api").ETag() != s.Target("orders-api").ETag() {
		t.Errorf("what was written and what is loaded differ (%v)", err)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	store := &memory{}
	c := open(store)
	result := apply(t, c, catalog.ApplyRequest{Objects: shop(t), DryRun: true})
	if got := outcomes(result); got != "orders-api created, exporter created, nightly created" || result.Revision != 0 {
		t.Errorf("%s at %d", got, result.Revision)
	}
	if store.commits != 0 || len(c.Current().Objects) != 0 {
		t.Error("a dry run wrote")
	}
}

func TestIfRevisionGuardsTheWholeCatalogue(t *testing.T) {
	c := open(&memory{})
	zero, seven := int64(0), int64(7)
	if _, err := c.Apply(t.Context(), catalog.ApplyRequest{Objects: shop(t), IfRevision: &seven}); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("at 7 of 0: %v, want ErrConflict", err)
	}
	apply(t, c, catalog.ApplyRequest{Objects: shop(t), IfRevision: &zero})
}

// another replica writes its own target just before the commit.
func interfere(t *testing.T, times int) func(*memory) {
	row := catalog.Row{Kind: catalog.KindTarget, Name: "stock-api", Body: target(t, "stock-api", "s").Canonical()}
	return func(m *memory) {
		if times > 0 {
			times--
			m.revision++
			m.put(row)
		}
	}
}

func TestWriteStartsAnewWhenAnotherCameBetween(t *testing.T) {
	store := &memory{before: interfere(t, 2)}
	c := open(store)
	if result := apply(t, c, catalog.ApplyRequest{Objects: shop(t)}); result.Revision != 3 {
		t.Errorf("at %d, want 3", result.Revision)
	}
	if c.Current().Target("stock-api") == nil || c.Current().Target("orders-api") == nil {
		t.Error("one of the two writes is lost")
	}
}

func TestWriteGivesUpAfterSomeAttempts(t *testing.T) {
	c := open(&memory{before: interfere(t, 1000)})
	if _, err := c.Apply(t.Context(), catalog.ApplyRequest{Objects: shop(t)}); !errors.Is(err, catalog.ErrMoved) {
		t.Errorf("%v, want ErrMoved", err)
	}
}

func TestIfRevisionIsNotRetriedOverAnotherWrite(t *testing.T) {
	c := open(&memory{before: interfere(t, 1)})
	zero := int64(0)
	if _, err := c.Apply(t.Context(), catalog.ApplyRequest{Objects: shop(t), IfRevision: &zero}); !errors.Is(err, catalog.ErrConflict) {
		t.Errorf("%v, want ErrConflict", err)
	}
}

func TestPruneDeletesWithinItsSetAlone(t *testing.T) {
	c := open(&memory{})
	apply(t, c, catalog.ApplyRequest{Objects: shop(t), Set: "shop"})
	apply(t, c, catalog.ApplyRequest{Objects: []catalog.Object{target(t, "stock-api", "s")}, Set: "stock"})
	apply(t, c, catalog.ApplyRequest{Objects: []catalog.Object{target(t, "free-api", "s")}})
	kept := []catalog.Object{target(t, "orders-api", "orders:read")}
	result := apply(t, c, catalog.ApplyRequest{Objects: kept, Set: "shop", Prune: true})
	if got := outcomes(result); got != "orders-api unchanged, exporter deleted, nightly deleted" {
		t.Error(got)
	}
	if s := c.Current(); s.Target("stock-api") == nil || s.Target("free-api") == nil || s.Policy("nightly") != nil {
		t.Error("prune left or took the wrong objects")
	}
}

func TestPruneNeedsASet(t *testing.T) {
	for _, set := range []string{"", "Not a name"} {
		_, err := open(&memory{}).Apply(t.Context(), catalog.ApplyRequest{Objects: shop(t), Set: set, Prune: true})
		if got := refused(t, err); !slices.Equal(got, []string{"/ /set value"}) {
			t.Errorf("set %q: %q", set, got)
		}
	}
}

func TestPruneRefusesWhatIsStillNamed(t *testing.T) {
	c := open(&memory{})
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)[:2], Set: "shop"})
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)[2:]})
	_, err := c.Apply(t.Context(), catalog.ApplyRequest{Objects: shop(t)[:1], Set: "shop", Prune: true})
	if got := refused(t, err); !slices.Equal(got, []string{"ExchangePolicy/nightly /spec/clients/0 reference"}) {
		t.Errorf("refused with %q", got)
	}
}

func TestAWriteWithoutASetLeavesTheMark(t *testing.T) {
	c := open(&memory{})
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)[:1], Set: "shop"})
	apply(t, c, catalog.ApplyRequest{Objects: []catalog.Object{target(t, "orders-api", "orders:write")}})
	if set := c.Current().Target("orders-api").Set; set != "shop" {
		t.Errorf("set %q", set)
	}
	if got := outcomes(apply(t, c, catalog.ApplyRequest{Objects: []catalog.Object{target(t, "orders-api", "orders:write")}, Set: "other"})); got != "orders-api configured" {
		t.Errorf("a new mark: %s", got)
	}
}

func TestSecretsAreKeptAsDigestsAlone(t *testing.T) {
	store := &memory{}
	c := open(store)
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)})
	row := store.rows[catalog.Ref{Kind: catalog.KindClient, Name: "exporter"}]
	want, _ := digest(secretOf("first"))
	if !slices.Equal(row.Digests, []string{want}) || !slices.Equal(c.Current().Client("exporter").Digests, row.Digests) {
		t.Errorf("digests %q", row.Digests)
	}
	everything := fmt.Sprintf("%s %+v %s", row.Body, store.changes, c.Current().Client("exporter").Canonical())
	if strings.Contains(everything, secretOf("first")) || strings.Contains(everything, want) || strings.Contains(everything, `"secret"`) {
		t.Error("a secret or its digest stands in a body or a change record")
	}
}

func TestSecretThatIsLeftOutIsKept(t *testing.T) {
	c := open(&memory{})
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)})
	before := c.Current().Client("exporter").Digests
	changed := client(t, "exporter", "")
	changed.Spec.(*catalog.Client).IgnoreScopes = []string{"openid"}
	if got := outcomes(apply(t, c, catalog.ApplyRequest{Objects: []catalog.Object{changed}})); got != "exporter configured" {
		t.Error(got)
	}
	if !slices.Equal(c.Current().Client("exporter").Digests, before) {
		t.Error("the secret is lost")
	}
}

func TestNewSecretReplacesTheOldOne(t *testing.T) {
	c := open(&memory{})
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)})
	tag := c.Current().Client("exporter").ETag()
	result := apply(t, c, catalog.ApplyRequest{Objects: []catalog.Object{client(t, "exporter", secretOf("second"))}})
	want, _ := digest(secretOf("second"))
	e := c.Current().Client("exporter")
	if outcomes(result) != "exporter configured" || !slices.Equal(e.Digests, []string{want}) || e.ETag() == tag {
		t.Errorf("%s, digests %q", outcomes(result), e.Digests)
	}
}

func TestClientWithoutSecretIsRefused(t *testing.T) {
	fromFile := client(t, "exporter", "")
	fromFile.Spec.(*catalog.Client).Authentication[0].SecretFrom = &catalog.SecretFrom{Env: "EXPORTER_SECRET"}
	cases := map[string]struct {
		o    catalog.Object
		want string
	}{
		"none":            {client(t, "exporter", ""), "secret required"},
		"31 characters":   {client(t, "exporter", strings.Repeat("x", 31)), "secret value"},
		"1001 characters": {client(t, "exporter", strings.Repeat("x", 1001)), "secret value"},
		"a line's end":    {client(t, "exporter", secretOf("x")+"\n"), "secret value"},
		"unresolved":      {fromFile, "secretFrom value"},
	}
	for name, test := range cases {
		_, _, err := open(&memory{}).Put(t.Context(), test.o, catalog.Write{})
		if got := refused(t, err); !slices.Equal(got, []string{"Client/exporter /spec/authentication/0/" + test.want}) {
			t.Errorf("%s: %q", name, got)
		}
		if strings.Contains(err.Error(), "xxx") {
			t.Errorf("%s: the error holds the secret", name)
		}
	}
	if _, result, err := open(&memory{}).Put(t.Context(), client(t, "exporter", strings.Repeat("é", 32)), catalog.Write{}); err != nil || result != catalog.Created {
		t.Errorf("32 characters: %s, %v", result, err)
	}
}

func TestDatesAreAtMost400DaysAhead(t *testing.T) {
	for days, ok := range map[int]bool{400: true, 401: false, -3: true} {
		when := noon.AddDate(0, 0, days)
		o := target(t, "orders-api", "s")
		o.Governance.ReviewBy, o.Governance.ExpiresAt = &catalog.Date{Time: when.Truncate(24 * time.Hour)}, &when
		_, _, err := open(&memory{}).Put(t.Context(), o, catalog.Write{})
		if (err == nil) != ok {
			t.Errorf("%d days: %v", days, err)
		}
		if !ok && !slices.Contains(refused(t, err), "Target/orders-api /governance/expiresAt value") {
			t.Errorf("%d days: %v", days, err)
		}
	}
}

func TestPutFollowsItsPrecondition(t *testing.T) {
	c := open(&memory{})
	first, second := target(t, "orders-api", "a"), target(t, "orders-api", "b")
	if _, _, err := c.Put(t.Context(), first, catalog.Write{IfMatch: "*"}); !errors.Is(err, catalog.ErrPreconditionFailed) {
		t.Errorf("* for an object that is not there: %v", err)
	}
	entry, result, err := c.Put(t.Context(), first, catalog.Write{})
	if err != nil || result != catalog.Created || entry.Revision != 1 {
		t.Fatalf("create: %v, %v", result, err)
	}
	if _, _, err := c.Put(t.Context(), second, catalog.Write{}); !errors.Is(err, catalog.ErrPreconditionRequired) {
		t.Errorf("no precondition: %v", err)
	}
	for _, wrong := range []string{`"x"`, "W/" + entry.ETag(), strings.Trim(entry.ETag(), `"`)} {
		if _, _, err := c.Put(t.Context(), second, catalog.Write{IfMatch: wrong}); !errors.Is(err, catalog.ErrPreconditionFailed) {
			t.Errorf("%s: %v", wrong, err)
		}
	}
	changed, result, err := c.Put(t.Context(), second, catalog.Write{IfMatch: `"x", ` + entry.ETag()})
	if err != nil || result != catalog.Configured || changed.ETag() == entry.ETag() {
		t.Errorf("change: %v, %v", result, err)
	}
	if same, result, err := c.Put(t.Context(), second, catalog.Write{IfMatch: "*"}); err != nil || result != catalog.Unchanged || same.ETag() != changed.ETag() {
		t.Errorf("the same again: %v, %v", result, err)
	}
}

func TestDeleteFollowsItsPrecondition(t *testing.T) {
	c := open(&memory{})
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)})
	orders, nightly := catalog.Ref{Kind: catalog.KindTarget, Name: "orders-api"}, catalog.Ref{Kind: catalog.KindExchangePolicy, Name: "nightly"}
	for _, test := range []struct {
		ref  catalog.Ref
		tag  string
		want error
	}{
		{catalog.Ref{Kind: catalog.KindTarget, Name: "other"}, "*", catalog.ErrNotFound},
		{nightly, "", catalog.ErrPreconditionRequired},
		{nightly, `"x"`, catalog.ErrPreconditionFailed},
	} {
		if err := c.Delete(t.Context(), test.ref, catalog.Write{IfMatch: test.tag}); !errors.Is(err, test.want) {
			t.Errorf("%s with %q: %v, want %v", test.ref, test.tag, err, test.want)
		}
	}
	if got := refused(t, c.Delete(t.Context(), orders, catalog.Write{IfMatch: "*"})); !slices.Contains(got, "ExchangePolicy/nightly /spec/targets/0 reference") {
		t.Errorf("a target that is named: %q", got)
	}
	for _, ref := range []catalog.Ref{nightly, orders} {
		if err := c.Delete(t.Context(), ref, catalog.Write{IfMatch: c.Current().Objects[ref].ETag()}); err != nil {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestEveryChangeLeavesItsRecord(t *testing.T) {
	store := &memory{}
	c := open(store)
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)[:1], By: "alice", Reason: "SEC-9", RequestID: "r-1"})
	before := c.Current().Target("orders-api").Canonical()
	changed := target(t, "orders-api", "orders:write")
	if _, _, err := c.Put(t.Context(), changed, catalog.Write{IfMatch: "*", By: "bob"}); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context(), changed.Ref(), catalog.Write{IfMatch: "*", By: "carol"}); err != nil {
		t.Fatal(err)
	}
	if len(store.changes) != 3 {
		t.Fatalf("%d records", len(store.changes))
	}
	created, configured, deleted := store.changes[0], store.changes[1], store.changes[2]
	if created.By != "alice" || created.Reason != "SEC-9" || created.RequestID != "r-1" || !created.Time.Equal(noon) || created.Before != nil {
		t.Errorf("created: %+v", created)
	}
	if configured.Action != catalog.Configured || !bytes.Equal(configured.Before, before) || !bytes.Equal(configured.After, changed.Canonical()) {
		t.Errorf("configured: %+v", configured)
	}
	if deleted.Action != catalog.Deleted || deleted.By != "carol" || deleted.After != nil || !bytes.Equal(deleted.Before, changed.Canonical()) {
		t.Errorf("deleted: %+v", deleted)
	}
}

func TestMalformedRowAffectsOnlyItself(t *testing.T) {
	store := &memory{}
	c := open(store)
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)})
	for name, body := range map[string]string{
		"no-json": "{", "other-name": string(target(t, "elsewhere", "s").Canonical()),
		"no-audience": `{"kind":"Target","metadata":{"name":"no-audience"},"governance":{"owner":"x"},"spec":{}}`,
		"same":        strings.ReplaceAll(string(target(t, "same", "s").Canonical()), "same.internal", "orders-api.internal"),
	} {
		store.put(catalog.Row{Kind: catalog.KindTarget, Name: name, Revision: 2, Body: []byte(body)})
	}
	store.revision = 2
	s, err := c.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Targets()) != 1 || s.Policy("nightly") == nil {
		t.Errorf("%d targets are left", len(s.Targets()))
	}
	left := map[string]bool{}
	for _, p := range s.Problems {
		left[p.Name] = true
	}
	for _, name := range []string{"no-json", "other-name", "no-audience", "same"} {
		if !left[name] {
			t.Errorf("%s is left out and not reported", name)
		}
	}
	apply(t, c, catalog.ApplyRequest{Objects: []catalog.Object{target(t, "stock-api", "s")}})
	collides := target(t, "same", "s")
	collides.Spec.(*catalog.Target).Audience = "https://orders-api.internal"
	if _, _, err := c.Put(t.Context(), collides, catalog.Write{IfMatch: "*"}); !slices.Equal(refused(t, err), []string{"Target/same /spec/audience duplicate"}) {
		t.Errorf("a known fault, written again: %v", err)
	}
	if got := outcomes(apply(t, c, catalog.ApplyRequest{Objects: []catalog.Object{target(t, "no-json", "s")}})); got != "no-json configured" {
		t.Errorf("mending a malformed row: %s", got)
	}
	if err := c.Delete(t.Context(), catalog.Ref{Kind: catalog.KindTarget, Name: "same"}, catalog.Write{IfMatch: "*"}); err != nil {
		t.Errorf("deleting a malformed row: %v", err)
	}
}

func TestLostTargetLeavesThePolicyOfTheOthers(t *testing.T) {
	store := &memory{}
	c := open(store)
	apply(t, c, catalog.ApplyRequest{Objects: shop(t)})
	delete(store.rows, catalog.Ref{Kind: catalog.KindTarget, Name: "orders-api"})
	s, err := c.Load(t.Context())
	if err != nil || s.Policy("nightly") == nil || len(s.Problems) == 0 {
		t.Fatalf("policy %v, problems %v, error %v", s.Policy("nightly"), s.Problems, err)
	}
	apply(t, c, catalog.ApplyRequest{Objects: []catalog.Object{target(t, "stock-api", "s")}})
}

// An expression that was stored and does not compile any more stays, and is
// reported: who evaluates it denies. Without the object another might decide.
func TestExpressionThatNoLongerCompilesStays(t *testing.T) {
	store := &memory{}
	apply(t, open(store), catalog.ApplyRequest{Objects: shop(t)})
	c := open(store)
	c.Checkers = append(c.Checkers, func(s *catalog.Snapshot) (faults []catalog.FieldError) {
		for _, p := range s.Policies() {
			faults = append(faults, p.Fault("/spec/subject/conditions/0/expression", catalog.CodeExpression, "does not compile"))
		}
		return faults
	})
	s, err := c.Load(t.Context())
	if err != nil || s.Policy("nightly") == nil || len(s.Problems) != 1 {
		t.Errorf("policy %v, problems %v, error %v", s.Policy("nightly"), s.Problems, err)
	}
}

type broken struct{ catalog.Store }

var errDown = errors.New("the database is down")

func (broken) Load(context.Context) (int64, []catalog.Row, error) { return 0, nil, errDown }

func TestStoreThatIsDownChangesNothing(t *testing.T) {
	c := open(broken{})
	if _, err := c.Load(t.Context()); !errors.Is(err, errDown) {
		t.Errorf("Load: %v", err)
	}
	if _, err := c.Apply(t.Context(), catalog.ApplyRequest{Objects: shop(t)}); !errors.Is(err, errDown) {
		t.Errorf("Apply: %v", err)
	}
	if c.Current().Revision != 0 {
		t.Error("the current snapshot moved")
	}
}

func TestCheckersOfOthersAreAsked(t *testing.T) {
	c := open(&memory{})
	c.Checkers = append(c.Checkers, func(s *catalog.Snapshot) (faults []catalog.FieldError) {
		for _, target := range s.Targets() {
			faults = append(faults, target.Fault("/spec/audience", catalog.CodeExpression, "does not compile"))
		}
		return faults
	})
	_, err := c.Apply(t.Context(), catalog.ApplyRequest{Objects: shop(t)})
	if got := refused(t, err); !slices.Equal(got, []string{"Target/orders-api /spec/audience expression"}) {
		t.Errorf("refused with %q", got)
	}
}

func TestSnapshotFindsAndSorts(t *testing.T) {
	c := open(&memory{})
	apply(t, c, catalog.ApplyRequest{Objects: append(shop(t), target(t, "a-api", "s"), target(t, "z-api", "s"))})
	s := c.Current()
	var names []string
	for _, e := range s.Entries() {
		names = append(names, e.Ref().String())
	}
	want := "Target/a-api Target/orders-api Target/z-api Client/exporter ExchangePolicy/nightly"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if s.Target("b-api") != nil || s.Issuer("z-api") != nil || s.Target("z-api").Spec.Audience != "https://z-api.internal" {
		t.Error("the accessors find the wrong objects")
	}
}

func TestExpiryNeedsNoWrite(t *testing.T) {
	o := target(t, "orders-api", "s")
	if o.Expired(noon) {
		t.Error("without expiresAt")
	}
	o.Governance.ExpiresAt = &noon
	if !o.Expired(noon) || o.Expired(noon.Add(-time.Nanosecond)) {
		t.Error("it ends at the very instant")
	}
}

func TestKindsHaveThreeNames(t *testing.T) {
	for _, word := range []string{"exchange-policies", "exchange-policy", "ExchangePolicy", "exchangepolicies"} {
		if kind, ok := catalog.KindNamed(word); !ok || kind != catalog.KindExchangePolicy {
			t.Errorf("%s: %v", word, kind)
		}
	}
	if kind, ok := catalog.KindNamed("policy"); ok {
		t.Errorf("policy is %s", kind)
	}
}

// Replicas that write at once to one store lose no write: each revision is one
// of them, and all replicas come to see the same.
func TestReplicasLoseNoWrite(t *testing.T) {
	store := &memory{}
	replicas := []*catalog.Catalog{open(store), open(store), open(store)}
	var all sync.WaitGroup
	var moved atomic.Int64
	for i := range 24 {
		o := target(t, fmt.Sprintf("api-%d", i), "s")
		all.Go(func() {
			for {
				_, err := replicas[i%3].Apply(t.Context(), catalog.ApplyRequest{Objects: []catalog.Object{o}})
				if !errors.Is(err, catalog.ErrMoved) {
					if err != nil {
						t.Error(err)
					}
					return
				}
				moved.Add(1)
			}
		})
	}
	all.Wait()
	for _, replica := range replicas {
		s, err := replica.Load(t.Context())
		if err != nil || s.Revision != 24 || len(s.Targets()) != 24 {
			t.Errorf("at %d with %d targets, %v", s.Revision, len(s.Targets()), err)
		}
	}
	if len(store.changes) != 24 {
		t.Errorf("%d change records (%d writes began anew)", len(store.changes), moved.Load())
	}
}

// Whatever is written, the store holds only what stands together: loading it
// anew finds no problem.
func TestWhatIsWrittenStandsTogether(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := open(&memory{})
		name := rapid.SampledFrom([]string{"a", "b", "c"})
		for range rapid.IntRange(1, 12).Draw(rt, "steps") {
			var o catalog.Object
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				o = target(t, name.Draw(rt, "target"), rapid.SampledFrom([]string{"orders:read", "orders:write"}).Draw(rt, "scope"))
			case 1:
				o = client(t, name.Draw(rt, "client"), secretOf("x"))
			case 2:
				o = policy(t, name.Draw(rt, "policy"), name.Draw(rt, "of"), name.Draw(rt, "for"))
			case 3:
				ref := catalog.Ref{Kind: rapid.SampledFrom(catalog.Kinds()).Draw(rt, "kind"), Name: name.Draw(rt, "name")}
				_ = c.Delete(t.Context(), ref, catalog.Write{IfMatch: "*"}) // refused or done
				continue
			}
			_, _ = c.Apply(t.Context(), catalog.ApplyRequest{Objects: []catalog.Object{o}}) // refused or done
		}
		before := c.Current()
		s, err := c.Load(t.Context())
		if err != nil || len(s.Problems) > 0 || len(s.Objects) != len(before.Objects) || s.Revision != before.Revision {
			rt.Fatalf("%v, %v: %d objects at %d, were %d at %d", err, s.Problems, len(s.Objects), s.Revision, len(before.Objects), before.Revision)
		}
		for ref, e := range s.Objects {
			if before.Objects[ref].ETag() != e.ETag() {
				rt.Fatalf("%s differs after a load", ref)
			}
		}
	})
}

func TestETagFollowsContentAndRevision(t *testing.T) {
	e := catalog.Entry{Object: target(t, "orders-api", "s"), Revision: 1}
	tag := e.ETag()
	if len(tag) < 20 || tag[0] != '"' || tag != e.ETag() {
		t.Errorf("%s is no strong tag", tag)
	}
	later, other := e, catalog.Entry{Object: target(t, "orders-api", "t"), Revision: 1}
	later.Revision = 2
	if later.ETag() == tag || other.ETag() == tag {
		t.Error("the tag stays")
	}
}

func TestDurationsAreWrittenAsPeopleDo(t *testing.T) {
	for text, want := range map[string]string{"300s": "5m", "24h": "24h", "90m": "1h30m", "1h0m5s": "1h0m5s", "0s": "0s", "600s": "10m", "36000s": "10h"} {
		var d catalog.Duration
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, _ := d.MarshalText(); string(got) != want {
			t.Errorf("%s is written %s, want %s", text, got, want)
		}
	}
	var d catalog.Duration
	for _, bad := range []string{"5", "5 m", "", "five"} {
		if d.UnmarshalText([]byte(bad)) == nil {
			t.Errorf("%q is read as %v", bad, d)
		}
	}
}

func TestDurationsAndDatesReadBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var d, again catalog.Duration
		d = catalog.Duration(rapid.Int64().Draw(rt, "d"))
		text, _ := d.MarshalText()
		if err := again.UnmarshalText(text); err != nil || again != d {
			rt.Fatalf("%s: %v, %v", text, again, err)
		}
		day := catalog.Date{Time: noon.Truncate(24*time.Hour).AddDate(0, 0, rapid.IntRange(-90000, 90000).Draw(rt, "day"))}
		body, err := json.Marshal(day)
		var back catalog.Date
		if err != nil || len(body) != 12 || json.Unmarshal(body, &back) != nil || !back.Time.Equal(day.Time) {
			rt.Fatalf("%s: %v, %v", body, back, err)
		}
	})
}

func TestErrorsReadLikeACompilers(t *testing.T) {
	at := target(t, "orders-api", "s").Fault("/spec/scopes/0", catalog.CodeValue, "is not %s", "one")
	at.File, at.Line = "x.yaml", 7
	err := &catalog.Invalid{Errors: []catalog.FieldError{at, {Code: catalog.CodeUnreadable, Message: "is not JSON"}}}
	if got, want := err.Error(), "x.yaml:7: Target/orders-api: /spec/scopes/0: is not one\nis not JSON"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestWhatHasEffect(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		mode catalog.Mode
		ends *time.Time
		want bool
	}{
		"enforced":    {catalog.ModeEnforce, nil, true},
		"a shadow":    {catalog.ModeShadow, new(now.Add(1)), true},
		"disabled":    {catalog.ModeDisabled, nil, false},
		"over by now": {catalog.ModeEnforce, &now, false},
	} {
		o := catalog.Object{Governance: catalog.Governance{ExpiresAt: c.ends}}
		if got := o.Alive(c.mode, now); got != c.want {
			t.Errorf("%s: alive = %v", name, got)
		}
	}
}

// What a policy leaves out: nobody acts, and an overdue review only warns.
func TestWhatAPolicyLeavesOut(t *testing.T) {
	t.Parallel()
	var actor *catalog.PolicyActor
	if actor.Who() != catalog.ActorNone || (&catalog.PolicyActor{}).Who() != catalog.ActorNone || (&catalog.PolicyActor{From: "any"}).Who() != catalog.ActorAny {
		t.Error("who acts is not what the policy says, or none")
	}
	for on, want := range map[string]bool{"": false, "warn": false, "suspend": true} {
		if p := (&catalog.ExchangePolicy{Review: &catalog.PolicyReview{OnOverdue: on}}); p.Suspends() != want {
			t.Errorf("onOverdue %q suspends = %v", on, p.Suspends())
		}
	}
	if (&catalog.ExchangePolicy{}).Suspends() {
		t.Error("a policy without review suspends")
	}
}
