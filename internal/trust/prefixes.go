package trust

import (
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// prefixes says whose people a mapped subject speaks of. It is made once a
// snapshot; a look-up costs one map access a length, however many entries there
// are.
type prefixes struct {
	owners  map[string][]owner // by prefix
	lengths []int              // of the prefixes, ascending
}

// owner is an entry as the owner of its prefix.
type owner struct {
	entry  string
	prefix string
	shared bool
}

// newPrefixes takes the prefixes of all entries whose subjects can end up in a
// token, disabled ones too: their people are still theirs.
func newPrefixes(entries []*catalog.Of[catalog.TrustedIssuer]) *prefixes {
	p := &prefixes{owners: map[string][]owner{}}
	for _, e := range entries {
		o := ownerOf(e)
		if o.prefix == "" || !slices.ContainsFunc(e.Spec.AcceptAs, isParty) {
			continue
		}
		p.owners[o.prefix] = append(p.owners[o.prefix], o)
		if !slices.Contains(p.lengths, len(o.prefix)) {
			p.lengths = append(p.lengths, len(o.prefix))
		}
	}
	slices.Sort(p.lengths)
	return p
}

func ownerOf(e *catalog.Of[catalog.TrustedIssuer]) owner {
	o := owner{entry: e.Metadata.Name, shared: e.Spec.ClaimMappings.Subject.Shared}
	if prefix := e.Spec.ClaimMappings.Subject.Prefix; prefix != nil {
		o.prefix = *prefix
	}
	return o
}

// isParty: who is accepted so can be the subject or an actor of a token.
func isParty(acceptAs string) bool {
	return acceptAs == string(exchange.RoleSubject) || acceptAs == string(exchange.RoleActor)
}

// foreignTo is the prefix with which the subject speaks of people that are not
// those of the entry: our clients, or another entry's. Entries that share, and
// of whose prefixes one begins the other, have the same people.
func (p *prefixes) foreignTo(mine owner, subject string) (prefix string, foreign bool) {
	if strings.HasPrefix(subject, exchange.ClientSubjectPrefix) {
		return exchange.ClientSubjectPrefix, true
	}
	for _, length := range p.lengths {
		if length > len(subject) {
			break
		}
		for _, theirs := range p.owners[subject[:length]] {
			if theirs.entry != mine.entry && !mine.shares(theirs) {
				return theirs.prefix, true
			}
		}
	}
	return "", false
}

// shares: both say so, and their prefixes, none empty, begin one another.
func (o owner) shares(other owner) bool {
	return o.shared && other.shared && o.prefix != "" &&
		(strings.HasPrefix(o.prefix, other.prefix) || strings.HasPrefix(other.prefix, o.prefix))
}
