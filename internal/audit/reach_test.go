package audit

import (
	"strings"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// A token that a trusted issuer has stuffed is no way to a record by which no
// revocation finds what was issued for it: however much has to be shortened, what
// finds a token stays.
func TestAShortenedRecordIsStillReachedByRevocations(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("n", 250)
	stuffed := make([]string, 16)
	for i := range stuffed {
		stuffed[i] = strings.Repeat("\x01", 128)
	}
	rec := &exchange.Record{
		ID: someID, Time: time.Unix(1_790_000_000, 0).UTC(), Decision: exchange.OutcomeIssued, Client: "edge", Grant: exchange.GrantTokenExchange,
		Policy: "staff-orders", PolicyRevision: 7, ConfigRevision: 7, Flow: exchange.FlowDelegation, Targets: []string{"orders-api"},
		Asked:    &exchange.Asked{Audience: []string{"orders-api"}},
		Subject:  &exchange.RecordParty{Issuer: "okta-prod", Subject: "okta:" + name, Original: name, JTI: name, Audience: stuffed},
		Actor:    &exchange.RecordParty{Issuer: exchange.SelfIssuer, Subject: name, JTI: name},
		Lifetime: exchange.RecordLife{Issued: 300}, JTI: someID, Key: "kid", Parent: someID, ActorParent: someID, Txn: someID,
		Narrowed: &exchange.Narrowed{Audience: stuffed}, RemoteAddr: "192.0.2.1", RequestID: "r", TraceID: "t",
	}
	d, err := newEncoder().draft(rec)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(d.canonical), `"truncated":true`) {
		t.Fatal("the record was not shortened")
	}
	if want := copiesOf(rec); !d.copies.same(&want) {
		t.Errorf("the copies are\n%+v, want\n%+v", d.copies, want)
	}
}
