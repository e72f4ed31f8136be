package catalogtest

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
)

// Entry is an object with its governance; review is the day of reviewBy, "" for
// none.
func Entry(kind catalog.Kind, name string, spec any, review string) *catalog.Entry {
	e := &catalog.Entry{Object: catalog.Object{
		APIVersion: catalog.APIVersion, Kind: kind, Metadata: catalog.Metadata{Name: name, Annotations: map[string]string{}},
		Governance: catalog.Governance{Owner: name + "@example.com", Justification: "test", Ticket: "SEC-1"}, Spec: spec,
	}}
	if review != "" {
		e.Governance.ReviewBy = Day(review)
	}
	return e
}

// Day reads "2027-03-01", and panics where it is none.
func Day(text string) *catalog.Date {
	var d catalog.Date
	if err := d.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return &d
}

// Issuer is a sound entry of the trust list, changed; change may be nil.
func Issuer(name string, change func(*catalog.TrustedIssuer)) *catalog.Entry {
	spec := &catalog.TrustedIssuer{
		Issuer: "https://" + name + ".example", Keys: catalog.Keys{Discovery: &catalog.Discovery{}},
		Audiences: []string{"https://gateway.example.com"}, Algorithms: []string{"ES256"},
		AcceptAs: []string{"subject", "actor"}, TokenTypes: []string{"jwt"},
		ClaimMappings: catalog.ClaimMappings{Subject: catalog.SubjectMapping{Claim: "sub", Prefix: new(name + ":")}},
		Mode:          catalog.ModeEnforce,
	}
	if change != nil {
		change(spec)
	}
	return Entry(catalog.KindTrustedIssuer, name, spec, "2027-03-01")
}

// Target is a sound target with the scopes.
func Target(name string, scopes ...string) *catalog.Entry {
	return Entry(catalog.KindTarget, name, &catalog.Target{
		Audience: "https://" + name + ".internal", Scopes: scopes, Mode: catalog.ModeEnforce,
		Token: catalog.TargetToken{Algorithm: "ES256", MaxLifetime: catalog.Duration(24 * time.Hour)},
	}, "")
}

// Client is a client with both grants; it serves the targets.
func Client(name string, serves ...string) *catalog.Entry {
	return Entry(catalog.KindClient, name, &catalog.Client{
		ClientID: name, Grants: []string{"token-exchange", "client_credentials"}, Serves: serves, Mode: catalog.ModeEnforce,
	}, "")
}

// Policy lets a client downscope what an issuer gives, for one target, prove
// same; changed, unless change is nil.
func Policy(name, client, issuer, target string, scopes []string, change func(*catalog.ExchangePolicy)) *catalog.Entry {
	spec := &catalog.ExchangePolicy{
		Flow: "downscope", Clients: []string{client},
		Subject: &catalog.PolicySubject{Issuers: []string{issuer}, TokenTypes: []string{"jwt"}},
		Actor:   &catalog.PolicyActor{From: "none"}, Targets: []string{target},
		Scopes: catalog.PolicyScopes{Allow: scopes, Prove: "same"},
		Issue:  catalog.PolicyIssue{TokenType: "access_token", Lifetime: catalog.Duration(5 * time.Minute), MaxActDepth: 4},
		Review: &catalog.PolicyReview{OnOverdue: "warn"}, Mode: catalog.ModeEnforce,
	}
	if change != nil {
		change(spec)
	}
	return Entry(catalog.KindExchangePolicy, name, spec, "2027-03-01")
}

// Rules are conditions in CEL, each with the message "no".
func Rules(sources ...string) []catalog.Rule {
	var rules []catalog.Rule
	for _, source := range sources {
		rules = append(rules, catalog.Rule{Expression: source, Message: "no"})
	}
	return rules
}

// Snapshot is revision 7 of the objects.
func Snapshot(entries ...*catalog.Entry) *catalog.Snapshot { return catalog.NewSnapshot(7, entries...) }

// Crowd is a catalogue of n policies: issuers into services, and services onward.
func Crowd(n int) *catalog.Snapshot {
	const issuers, services = 200, 500
	var entries []*catalog.Entry
	for i := range issuers {
		entries = append(entries, Issuer(fmt.Sprintf("i%d", i), nil))
	}
	scopes := func(i int) []string {
		return []string{fmt.Sprintf("s%d:read", i), fmt.Sprintf("s%d:write", i), "common"}
	}
	for i := range services {
		entries = append(entries, Target(fmt.Sprintf("t%d", i), scopes(i)...), Client(fmt.Sprintf("c%d", i), fmt.Sprintf("t%d", i)))
	}
	for k := range n {
		from, to := k%services, (k*7+k/services+1)%services
		issuer := fmt.Sprintf("i%d", k%issuers)
		entries = append(entries, Policy(fmt.Sprintf("p%05d", k), fmt.Sprintf("c%d", from), issuer, fmt.Sprintf("t%d", to), scopes(to), func(p *catalog.ExchangePolicy) {
			if k%2 == 1 {
				p.Subject.Issuers = []string{"self"}
				p.Flow, p.Actor = "delegation", &catalog.PolicyActor{From: "client"}
				p.Scopes.Prove = "map"
				p.Scopes.Map = map[string][]string{fmt.Sprintf("s%d:write", from): {fmt.Sprintf("s%d:write", to)}, "common": {"common"}}
			}
		}))
	}
	return Snapshot(entries...)
}

// Pick picks evenly. Properties seed the source from a number that rapid draws:
// rapid's own generators prefer small values, with which most catalogues lead
// nowhere.
func Pick[T any](source *rand.Rand, values ...T) T { return values[source.IntN(len(values))] }
