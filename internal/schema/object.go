package schema

import (
	"maps"
	"regexp"
	"slices"

	"github.com/strait-sts/strait/internal/catalog"
)

// nul is U+0000 in JSON, behind an even number of backslashes: PostgreSQL does
// not keep it.
var nul = regexp.MustCompile(`(^|[^\\])(\\\\)*\\u0000`)

// head holds what is the same for all kinds: what the object is called.
func (r *report) head(o catalog.Object) {
	if o.APIVersion != catalog.APIVersion {
		r.add("/apiVersion", catalog.CodeValue, "%s is not known; write %s", quoted(o.APIVersion), catalog.APIVersion)
	}
	r.kind(o.Kind)
	r.text("/metadata/name", o.Metadata.Name, aName)
	r.notes("/metadata/labels", o.Metadata.Labels)
	r.notes("/metadata/annotations", o.Metadata.Annotations)
}

func (r *report) kind(kind catalog.Kind) {
	var known []string
	for _, k := range catalog.Kinds() {
		known = append(known, string(k))
	}
	switch {
	case kind == catalog.KindExchangeTest:
		r.add("/kind", catalog.CodeValue, "an ExchangeTest is not kept; run it with strait test")
	case slices.Contains(unbuiltKinds, kind):
		r.add("/kind", catalog.CodeNotImplemented, "%s is not implemented yet, so it is refused rather than ignored", kind)
	default:
		r.word("/kind", string(kind), known...)
	}
}

// notes holds labels and annotations within bounds.
func (r *report) notes(pointer string, notes map[string]string) {
	if len(notes) > 64 {
		r.add(pointer, catalog.CodeTooLarge, "has %d members, at most 64 are kept", len(notes))
	}
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		value := notes[name]
		if name == "" || len(name) > 128 || !printable(name) || len(value) > 1000 || !printable(value) {
			r.add(below(pointer, name), catalog.CodeValue, "must have a name of at most 128 bytes and one line of at most 1000")
		}
	}
}

// object holds the rules of an object by itself, its spec complete.
func (r *report) object(o catalog.Object) {
	r.governance(o)
	switch spec := o.Spec.(type) {
	case *catalog.TrustedIssuer:
		r.trustedIssuer(spec)
	case *catalog.Target:
		r.target(spec)
	case *catalog.Client:
		r.client(spec)
	case *catalog.ExchangePolicy:
		r.policy(spec, o.Governance)
	case *catalog.Guardrail:
		r.guardrail(spec, o.Governance)
	}
	if body := o.Canonical(); body == nil || nul.Match(body) {
		r.add("", catalog.CodeValue, "holds U+0000 or raw JSON that cannot be kept")
	}
}

// governed says which fields of governance a kind must have beside owner.
var governed = map[catalog.Kind]struct{ justification, reviewBy bool }{
	catalog.KindTrustedIssuer:  {justification: true, reviewBy: true},
	catalog.KindExchangePolicy: {justification: true, reviewBy: true},
	catalog.KindGuardrail:      {justification: true},
}

func (r *report) governance(o catalog.Object) {
	g, needs := o.Governance, governed[o.Kind]
	r.text("/governance/owner", g.Owner, aLine)
	if needs.justification || g.Justification != "" {
		r.text("/governance/justification", g.Justification, aLine)
	}
	if g.Ticket != "" {
		r.text("/governance/ticket", g.Ticket, aLine)
	}
	if needs.reviewBy && g.ReviewBy == nil {
		r.add("/governance/reviewBy", catalog.CodeRequired, "is required: a date such as 2027-03-01")
	}
}
