package schema

import (
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// together is the check of what no object can know alone: names that lead
// somewhere, values that only one may claim, words that are ours.
type together struct {
	*catalog.Snapshot
	own    Identity
	faults []catalog.FieldError
}

// Check makes the checker for all that no object can know alone. Where two
// objects collide, the fault is the newer one's.
func Check(own Identity) catalog.Checker {
	return func(s *catalog.Snapshot) []catalog.FieldError {
		t := &together{Snapshot: s, own: own}
		return t.check()
	}
}

// claim is a value that only one object may hold, and where it stands.
type claim struct {
	by      catalog.Ref
	pointer string
}

// check finds every fault between the objects of the snapshot, in a fixed order.
func (t *together) check() []catalog.FieldError {
	t.trustList()
	t.identities()
	t.targetNames()
	t.clientNames()
	t.policies()
	t.guardrails()
	t.opaqueRoutes()
	return t.faults
}

func (t *together) add(at claim, code, message string) {
	t.faults = append(t.faults, catalog.FieldError{Kind: at.by.Kind, Name: at.by.Name, Pointer: at.pointer, Code: code, Message: message})
}

// only holds that no two objects claim one value.
func (t *together) only(held map[string]claim, value string, mine claim) {
	other, taken := held[value]
	switch {
	case !taken:
		held[value] = mine
	case other.by == mine.by: // two fields of one object may agree
	case t.newer(other.by, mine.by):
		t.add(other, catalog.CodeDuplicate, quoted(value)+" is "+mine.pointer+" of "+mine.by.String()+" already")
	default:
		t.add(mine, catalog.CodeDuplicate, quoted(value)+" is "+other.pointer+" of "+other.by.String()+" already")
	}
}

// newer says whether a was written after b.
func (t *together) newer(a, b catalog.Ref) bool {
	return t.Objects[a].Revision > t.Objects[b].Revision
}

// trustList: one entry an issuer, none of them ours, keys where we may fetch.
func (t *together) trustList() {
	held := map[string]claim{}
	for _, i := range t.Issuers() {
		at := claim{i.Ref(), "/spec/issuer"}
		t.only(held, i.Spec.Issuer, at)
		if i.Metadata.Name == exchange.SelfIssuer {
			t.add(claim{i.Ref(), "/metadata/name"}, catalog.CodeConflict, "self is reserved for tokens that Strait itself issued")
		}
		if sameURL(i.Spec.Issuer, t.own.Issuer) {
			t.add(at, catalog.CodeConflict, "is our own issuer; policies name its tokens with issuers: [self]")
		}
	}
}

// identities holds that no two issuers can map different people to one sub
// unknowingly: prefixes that coincide, or of which one, not empty, begins the
// other, must both be shared.
func (t *together) identities() {
	by := map[string][]*catalog.Of[catalog.TrustedIssuer]{}
	people := slices.DeleteFunc(slices.Clone(t.Issuers()), func(i *catalog.Of[catalog.TrustedIssuer]) bool {
		return !slices.Contains(i.Spec.AcceptAs, "subject") && !slices.Contains(i.Spec.AcceptAs, "actor")
	})
	for _, i := range people {
		prefix := *i.Spec.ClaimMappings.Subject.Prefix
		for _, other := range by[prefix] {
			t.samePeople(i, other)
		}
		by[prefix] = append(by[prefix], i)
	}
	for _, i := range people {
		prefix := *i.Spec.ClaimMappings.Subject.Prefix
		for n := 1; n < len(prefix); n++ {
			for _, other := range by[prefix[:n]] {
				t.samePeople(i, other)
			}
		}
	}
}

func (t *together) samePeople(a, b *catalog.Of[catalog.TrustedIssuer]) {
	if t.newer(b.Ref(), a.Ref()) {
		a, b = b, a
	}
	if a.Spec.ClaimMappings.Subject.Shared {
		a, b = b, a
	}
	if !a.Spec.ClaimMappings.Subject.Shared {
		t.add(claim{a.Ref(), "/spec/claimMappings/subject/prefix"}, catalog.CodeConflict,
			"begins like that of "+b.Ref().String()+": both would name the same people; choose another prefix, or write shared: true at both")
	}
}

// targetNames: what a request can call a target leads to one target, and never
// to us (RFC 8707 §2).
func (t *together) targetNames() {
	held := map[string]claim{}
	for _, target := range t.Targets() {
		t.only(held, target.Spec.Audience, claim{target.Ref(), "/spec/audience"})
	}
	for _, target := range t.Targets() {
		if target.Spec.Audience != target.Metadata.Name {
			t.only(held, target.Metadata.Name, claim{target.Ref(), "/metadata/name"})
		}
		for i, resource := range target.Spec.Resources {
			t.only(held, resource, claim{target.Ref(), below("/spec/resources", i)})
		}
	}
	for _, target := range t.Targets() {
		t.notOurs(target)
	}
}

func (t *together) notOurs(target *catalog.Of[catalog.Target]) {
	values := append([]string{target.Spec.Audience}, target.Spec.Resources...)
	for i, value := range values {
		if !t.own.owns(value) {
			continue
		}
		at := "/spec/audience"
		if i > 0 {
			at = below("/spec/resources", i-1)
		}
		t.add(claim{target.Ref(), at}, catalog.CodeConflict, "is an address of Strait itself, and a token for it would open Strait")
	}
}

func (t *together) clientNames() {
	held, targets := map[string]claim{}, names(t.Targets())
	for _, c := range t.Clients() {
		t.only(held, c.Spec.ClientID, claim{c.Ref(), "/spec/clientId"})
		t.known(claim{c.Ref(), "/spec/serves"}, c.Spec.Serves, targets)
	}
}

// known holds that each word of a list is one of the names.
func (t *together) known(at claim, words, names []string) {
	for i, word := range words {
		t.refer(claim{at.by, below(at.pointer, i)}, word, names)
	}
}

// refer holds that the word is one of the names, which are sorted.
func (t *together) refer(at claim, word string, names []string) {
	if _, found := slices.BinarySearch(names, word); !found {
		t.add(at, catalog.CodeReference, "nothing is called "+quoted(word)+hint(word, names))
	}
}

// names is what objects of a kind are called.
func names[T any](objects []*catalog.Of[T]) []string {
	all := make([]string, len(objects))
	for i, o := range objects {
		all[i] = o.Metadata.Name
	}
	return all
}

// Identity is what Strait calls itself: what no manifest may claim.
type Identity struct {
	Issuer        string
	AdminAudience string
}

// ownPaths is what an issuer serves below itself.
var ownPaths = []string{
	"", "/token", "/introspect", "/revoke", "/admin", "/admin/v1", "/.well-known/jwks.json",
	"/.well-known/oauth-authorization-server", "/.well-known/openid-configuration",
}

// owns says whether the value is our issuer, an endpoint or the audience of
// administrators.
func (id Identity) owns(value string) bool {
	return sameURL(value, id.AdminAudience) || id.Issuer != "" && slices.ContainsFunc(ownPaths, func(path string) bool {
		return sameURL(value, strings.TrimSuffix(id.Issuer, "/")+path)
	})
}

// sameURL is generous, since what it finds is refused: case and a last slash
// make no difference.
func sameURL(a, b string) bool {
	return b != "" && strings.EqualFold(strings.TrimSuffix(a, "/"), strings.TrimSuffix(b, "/"))
}
