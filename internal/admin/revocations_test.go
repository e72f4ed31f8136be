package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/revocation"
)

// orders is a keeper of revocations in memory.
type orders struct {
	given  []revocation.Order // newest first
	broken error
}

func (o *orders) Revoke(_ context.Context, order exchange.Revocation) (exchange.RevocationResult, error) {
	if o.broken != nil {
		return exchange.RevocationResult{}, o.broken
	}
	selector, err := revocation.SelectorOf(order)
	if err != nil {
		return exchange.RevocationResult{}, err
	}
	o.given = slices.Insert(o.given, 0, revocation.Order{Revocation: order, Selector: selector, Revision: int64(len(o.given) + 1), Tokens: 3})
	return exchange.RevocationResult{Revision: int64(len(o.given)), Tokens: 3}, nil
}

func (o *orders) Revocations(_ context.Context, before exchange.ID, limit int) (page []revocation.Order, err error) {
	for _, order := range o.given {
		if (before == "" || order.ID < before) && len(page) < limit {
			page = append(page, order)
		}
	}
	return page, o.broken
}

func revokes(t *testing.T) (*bench, *orders) {
	t.Helper()
	kept := &orders{}
	return newBenchWith(t, func(o *Options) { o.Revocations, o.Clock = kept, func() time.Time { return noon } }), kept
}

const anID = "0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a55"

func TestRevokeNamesOneThing(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]exchange.Revocation{
		`{"token":{"issuer":"okta","jti":"j 1"}}`:                    {Token: &exchange.RevokedToken{Issuer: "okta", JTI: "j 1"}, Cascade: true},
		`{"exchange":"` + anID + `","cascade":false}`:                {Exchange: anID},
		`{"subject":{"issuer":"self","sub":"client:edge"}}`:          {Subject: &exchange.RevokedSubject{Issuer: "self", Subject: "client:edge"}, Cascade: true},
		`{"client":"edge"}`:                                          {Client: "edge", Cascade: true},
		`{"policy":"p","before":"2026-11-24T11:00:00Z"}`:             {Policy: "p", Before: noon.Add(-time.Hour), Cascade: true},
		`{"issuer":"gone-long-ago","before":"2026-11-24T12:00:00Z"}`: {Issuer: "gone-long-ago", Cascade: true},
		`{"key":"kid_1-"}`:                                           {Key: "kid_1-", Cascade: true},
	} {
		b, kept := revokes(t)
		a := b.call("POST", "/admin/v1/revocations", body, headerLine{"X-Change-Reason", "a leak"}).want(t, 200)
		want.Time, want.By, want.Reason, want.RequestID = noon, "bootstrap", "a leak", "req-1"
		if want.Before.IsZero() {
			want.Before = noon
		}
		got := kept.given[0].Revocation
		if a.json["id"] != string(got.ID) || a.json["revision"] != 1.0 || a.json["tokens"] != 3.0 {
			t.Errorf("%s: %s", body, a.body)
		}
		got.ID = ""
		if fmt.Sprintf("%+v %+v %+v", got, got.Token, got.Subject) == fmt.Sprintf("%+v %+v %+v", want, want.Token, want.Subject) {
			continue
		}
		if got.Token == nil && got.Subject == nil || got.Token != nil && *got.Token != *want.Token || got.Subject != nil && *got.Subject != *want.Subject {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
}

func TestRevokeRefusesWhatNamesNothingForSure(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{}`:                          "required ",
		`{"cascade":true}`:            "required ",
		`{"client":"a","policy":"b"}`: "conflict /policy",
		`{"token":{"issuer":"okta","jti":"1"},"key":"k"}`: "conflict /key",
		`{"client":""}`:     "value /client",
		`{"client":"Edge"}`: "value /client",
		`{"exchange":"42"}`: "value /exchange",
		`{"exchange":"0198c1d2-7a10-4c3e-9f00-2b1f6f1d3a55"}`: "value /exchange",
		`{"token":{"issuer":"okta"}}`:                         "required /token/jti",
		`{"token":{"jti":"x"}}`:                               "value /token/issuer",
		`{"subject":{"issuer":"okta","sub":""}}`:              "required /subject/sub",
		`{"subject":{"issuer":"okta","sub":"a\u0000b"}}`:      "value /subject/sub",
		`{"key":"` + strings.Repeat("k", 1025) + `"}`:         "value /key",
		`{"client":"edge","before":"2026-11-24T12:00:01Z"}`:   "value /before",
		`{"client":"edge","before":"0001-01-01T00:00:00Z"}`:   "value /before",
		`{"client":"edge","before":"noon"}`:                   "type /before",
		`{"client":["edge"]}`:                                 "type /client",
		`{"clients":"edge"}`:                                  "unknown_field /clients",
		`{"Client":"edge"}`:                                   "unknown_field /Client",
	} {
		b, kept := revokes(t)
		if a := b.call("POST", "/admin/v1/revocations", body).want(t, 422); !slices.Contains(a.faults(), want) {
			t.Errorf("%s: %v, want %s", body, a.faults(), want)
		}
		if len(kept.given) != 0 {
			t.Errorf("%s: something was revoked", body)
		}
	}
	b, _ := revokes(t)
	b.call("POST", "/admin/v1/revocations", `{"client":"edge"`).want(t, 400)
	b.call("POST", "/admin/v1/revocations?dryRun=true", `{"client":"edge"}`).want(t, 400)
	b.token = "wrong"
	b.call("POST", "/admin/v1/revocations", `{"client":"edge"}`).want(t, 401)
}

// What could not be stored is never a success (fosite's CVE-2020-15223).
func TestRevocationThatIsNotKeptIsNoSuccess(t *testing.T) {
	t.Parallel()
	b, kept := revokes(t)
	kept.broken = errors.New("connection to db-1 refused")
	a := b.call("POST", "/admin/v1/revocations", `{"client":"edge"}`).want(t, 503)
	if strings.Contains(a.body, "db-1") || a.header.Get("Retry-After") == "" {
		t.Errorf("%s", a.body)
	}
	b.call("GET", "/admin/v1/revocations", "").want(t, 503)
}

func TestRevocationsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	b, kept := revokes(t)
	if a := b.call("GET", "/admin/v1/revocations", "").want(t, 200); a.body != "{\"items\":[]}\n" {
		t.Errorf("none: %s", a.body)
	}
	for i, body := range []string{
		`{"token":{"issuer":"okta","jti":"1"}}`, `{"subject":{"issuer":"okta","sub":"okta:alice"}}`, `{"exchange":"` + anID + `"}`, `{"client":"edge"}`,
		`{"policy":"p"}`, `{"issuer":"okta"}`, `{"key":"k"}`,
	} {
		b.call("POST", "/admin/v1/revocations", body).want(t, 200)
		kept.given[0].ID = exchange.ID(fmt.Sprintf("0198c1d2-7a10-7c3e-9f00-2b1f6f1d3a%02d", i)) // noon is one instant: the order of ids is ours
	}
	var seen []string
	for path := "/admin/v1/revocations?limit=3"; path != ""; {
		a := b.call("GET", path, "").want(t, 200)
		for _, item := range a.json["items"].([]any) {
			for _, member := range []string{"token", "exchange", "subject", "client", "policy", "issuer", "key"} {
				if _, has := item.(map[string]any)[member]; has {
					seen = append(seen, member)
				}
			}
		}
		next, _ := a.json["nextPageToken"].(string)
		path = ""
		if next != "" {
			path = "/admin/v1/revocations?limit=3&pageToken=" + next
		}
	}
	if want := []string{"key", "issuer", "policy", "client", "exchange", "subject", "token"}; !slices.Equal(seen, want) {
		t.Errorf("%v, want %v", seen, want)
	}
	b.call("GET", "/admin/v1/revocations?pageToken=xyz", "").want(t, 400)
	b.call("GET", "/admin/v1/revocations?client=edge", "").want(t, 400)
}
