package app

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/revocation"
	"github.com/strait-sts/strait/internal/schema"
	"github.com/strait-sts/strait/internal/ststest"
)

// revokeRounds is for make revoketest.
var revokeRounds = flag.Int("revoke-rounds", 200, "rounds of TestNoChildEscapesARevocation")

// replicas are two Straits on one database, with a policy for the identity
// provider's tokens and one for our own.
type replicas struct {
	t        testing.TB
	issuer   *ststest.Issuer
	secret   string
	database ststest.Database
	apps     [2]*App
	tokens   [2]http.Handler
}

func newReplicas(t testing.TB) *replicas {
	t.Helper()
	r := &replicas{t: t, issuer: ststest.NewIssuer(t, "ES256"), secret: benchSecret(), database: ststest.Migrated(t)}
	r.apps[0] = idleOn(t, r.database.AppURL, r.issuer, "ES256", "ES256", r.secret)
	o, faults := schema.DecodeJSON(fmt.Appendf(nil, `{"kind":"ExchangePolicy","metadata":{"name":"next"},"governance":{"owner":"o","justification":"j","reviewBy":%q},
		"spec":{"flow":"downscope","clients":["gw"],"subject":{"issuers":["self"],"tokenTypes":["access_token"]},"targets":["orders"],
		"scopes":{"allow":["orders:read"]},"issue":{"lifetime":"5m"}}}`, time.Now().AddDate(0, 1, 0).Format(time.DateOnly)))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if _, err := (writes{r.apps[0].catalog, r.apps[0]}).Apply(t.Context(), catalog.ApplyRequest{Objects: []catalog.Object{o}, By: "test"}); err != nil {
		t.Fatal(err)
	}
	cfg := r.apps[0].cfg
	cfg.PublicAddr, cfg.AdminAddr, cfg.IssuerSet = "127.0.0.1:0", "127.0.0.1:0", true
	r.apps[1] = run(t, cfg)
	for i, a := range r.apps {
		r.tokens[i] = endpoint(t, a, a.recorder)
	}
	return r
}

// foreign is a token of the identity provider.
func (r *replicas) foreign(sub, jti string) string {
	now := time.Now()
	return r.issuer.Issue(now, map[string]any{
		"iss": "https://idp.example", "aud": "https://gw.example", "sub": sub, "jti": jti, "scope": "orders:read",
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
	})
}

// exchange asks a replica; the token is "" where it refuses.
func (r *replicas) exchange(replica int, token string, kind exchange.TokenType) (issued string, reason exchange.Reason) {
	body := url.Values{
		"grant_type": {string(exchange.GrantTokenExchange)}, "subject_token": {token}, "subject_token_type": {string(kind)},
		"audience": {"orders"}, "scope": {"orders:read"},
	}.Encode()
	answer := httptest.NewRecorder()
	r.tokens[replica].ServeHTTP(answer, request(body, r.secret))
	var got struct {
		AccessToken string          `json:"access_token"`
		Reason      exchange.Reason `json:"reason"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &got); err != nil {
		r.t.Errorf("%d %s", answer.Code, answer.Body)
	}
	return got.AccessToken, got.Reason
}

// id is the decision that issued one of our tokens.
func (r *replicas) id(token string) exchange.ID {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	var claims struct {
		JTI exchange.ID `json:"jti"`
	}
	if err == nil {
		err = json.Unmarshal(payload, &claims)
	}
	if err != nil {
		r.t.Error(err)
	}
	return claims.JTI
}

// TestNoChildEscapesARevocation has two replicas exchange down a tree while one
// of them revokes its root, by each selector: once the order is answered, no
// exchange of what it reaches succeeds on either; and in the end every issued
// record that an order reaches, by the records alone, is among the revoked.
func TestNoChildEscapesARevocation(t *testing.T) {
	t.Parallel()
	r := newReplicas(t)
	escaped, overtaken := 0, 0
	for round := range *revokeRounds {
		late, lost := r.round(round)
		escaped, overtaken = escaped+late, overtaken+lost
	}
	orders, reached := r.judge()
	if escaped > 0 {
		t.Errorf("%d exchanges succeeded after the order was answered", escaped)
	}
	t.Logf("%d rounds: %d orders reach %d tokens; %d exchanges were refused on their way", *revokeRounds, orders, reached, overtaken)
	if overtaken == 0 {
		t.Error("no revocation met an exchange under way: the test proves nothing")
	}
}

// round grows a tree and revokes it meanwhile. late counts exchanges that
// succeeded though the order was answered before they began, lost those that were
// refused.
func (r *replicas) round(round int) (late, lost int) {
	sub, jti := fmt.Sprint("s", round), fmt.Sprint("j", round)
	foreign := r.foreign(sub, jti)
	root, reason := r.exchange(round%2, foreign, exchange.TypeJWT)
	if root == "" {
		r.t.Fatalf("round %d: the root was refused: %s", round, reason)
	}
	order, all := exchange.Revocation{By: "race", Cascade: true}, true // all: the foreign token is meant too
	switch kind := round % 3; {
	case round%100 == 3: // now and then: these reach the trees of all rounds
		order.Client, all = "gw", false
	case round%100 == 4:
		order.Policy, all = "p", false // the root's, so that the rest is reached as its descendants
	case kind == 0:
		order.Exchange, all = r.id(root), false
	case kind == 1:
		order.Subject = &exchange.RevokedSubject{Issuer: "idp", Subject: "idp:" + sub}
	default:
		order.Token = &exchange.RevokedToken{Issuer: "idp", JTI: jti}
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	begin := make(chan struct{})
	for walker := range 4 {
		group.Go(func() {
			<-begin
			token := root
			for range 3 {
				next, reason := r.exchange(walker%2, token, exchange.TypeAccessToken)
				if next == "" {
					if reason != "subject_revoked" {
						r.t.Errorf("round %d: refused with %s", round, reason)
					}
					mu.Lock()
					lost++
					mu.Unlock()
					return
				}
				token = next
			}
		})
	}
	group.Go(func() {
		<-begin
		time.Sleep(rand.N(4 * time.Millisecond))
		if _, err := r.apps[round%2].revocations.Revoke(r.t.Context(), order); err != nil {
			r.t.Error(err)
			return
		}
		for replica := range 2 { // first where it was given, then on the other, which has perhaps not heard of it
			if next, _ := r.exchange((round+replica)%2, root, exchange.TypeAccessToken); next != "" {
				late++
			}
			if next, _ := r.exchange((round+replica)%2, foreign, exchange.TypeJWT); next != "" && all {
				late++
			}
		}
	})
	close(begin)
	group.Wait()
	return late, lost
}

// issued is a record as the judge reads it.
type issued struct {
	ID, Parent, Client, Policy, Subject, SubjectJTI string
	Time, Expires                                   time.Time
}

// judge reads what is in the database and holds each order to it: what it
// matches, and all below, is revoked or was over when the order came.
func (r *replicas) judge() (orders, reached int) {
	conn, err := pgx.Connect(r.t.Context(), r.database.AppURL)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close(r.t.Context()) }()
	rows, _ := conn.Query(r.t.Context(), `
		SELECT id::text, coalesce(parent, ''), client, policy, subject, coalesce(subject_jti, ''), time, expires FROM records WHERE jti IS NOT NULL`)
	records, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[issued])
	if err != nil {
		r.t.Fatal(err)
	}
	rows, _ = conn.Query(r.t.Context(), `SELECT id::text FROM revoked`)
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.t.Fatal(err)
	}
	revoked, children, matched := map[string]bool{}, map[string][]*issued{}, map[revocation.Selector][]*issued{}
	for _, id := range list {
		revoked[id] = true
	}
	for _, rec := range records {
		children[rec.Parent] = append(children[rec.Parent], rec)
		for _, s := range []revocation.Selector{
			{Kind: revocation.KindExchange, Value: rec.ID}, {Kind: revocation.KindSubject, Issuer: "idp", Value: rec.Subject},
			{Kind: revocation.KindToken, Issuer: "idp", Value: rec.SubjectJTI}, {Kind: revocation.KindClient, Value: rec.Client},
			{Kind: revocation.KindPolicy, Value: rec.Policy},
		} {
			matched[s] = append(matched[s], rec)
		}
	}
	seen := map[string]bool{}
	var check func(order revocation.Order, rec *issued)
	check = func(order revocation.Order, rec *issued) {
		if !revoked[rec.ID] && rec.Expires.After(order.Time) {
			r.t.Errorf("%s is reached by %+v, and not revoked", rec.ID, order.Selector)
		}
		if seen[rec.ID] {
			return
		}
		seen[rec.ID] = true
		for _, child := range children[rec.ID] {
			check(order, child)
		}
	}
	given, err := r.apps[0].db.Revocations(r.t.Context(), "", 1_000_000)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, order := range given {
		for _, rec := range matched[order.Selector] {
			if whole := order.Selector.Kind == revocation.KindClient || order.Selector.Kind == revocation.KindPolicy; !whole || !rec.Time.After(order.Before) {
				check(order, rec)
			}
		}
	}
	return len(given), len(seen)
}
