package policy

import (
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
)

// Engine compiles catalogues. It outlives every revision, so that expressions
// which did not change are not compiled again.
type Engine struct {
	issuer      string
	expressions *expr.Compiler
}

// NewEngine makes an Engine. Issuer is our issuer identifier: what a hop says
// in iss where a client acts. Without a compiler no expression can be
// evaluated, which denies.
func NewEngine(issuer string, expressions *expr.Compiler) *Engine {
	return &Engine{issuer: issuer, expressions: expressions}
}

// Compile indexes a snapshot for deciding. Objects that are disabled are left
// out; those that expire are judged with each request's own time.
func (e *Engine) Compile(s *catalog.Snapshot) exchange.Decider {
	d := &decider{
		issuer:    e.issuer,
		audiences: map[string]*target{},
		resources: map[string]*target{},
		issuers:   map[string]window{exchange.SelfIssuer: {}},
		enforced:  map[string]*clientRules{},
		shadows:   map[string]*clientRules{},
	}
	targets := d.addTargets(s)
	for _, i := range s.Issuers() {
		if i.Spec.Mode != catalog.ModeDisabled {
			d.issuers[i.Metadata.Name] = windowOf(i.Governance)
		}
	}
	for _, r := range e.rulesOf(s, targets) {
		d.add(r)
	}
	for _, g := range s.Guardrails() {
		d.guardrails = append(d.guardrails, e.guardrail(g))
	}
	d.guardrails = append(d.guardrails, unreadable(s)...)
	return d
}

// window is the time until which an object has effect; the zero window is
// always open.
type window struct{ end time.Time }

func windowOf(g catalog.Governance) window {
	if g.ExpiresAt == nil {
		return window{}
	}
	return window{*g.ExpiresAt}
}

// open says whether the object has effect: from expiresAt on it has none.
func (w window) open(now time.Time) bool { return w.end.IsZero() || now.Before(w.end) }

// target is a target with its own end.
type target struct {
	exchange.Target
	window
	disabled bool
}

func (t *target) usable(now time.Time) bool { return !t.disabled && t.open(now) }

// addTargets indexes the targets by what requests may call them: audience by
// name or audience value, resource by a listed resource or the audience value,
// byte for byte. A value that RFC 8707 §2 forbids as a resource is not found
// as one.
func (d *decider) addTargets(s *catalog.Snapshot) map[string]*target {
	byName := map[string]*target{}
	for _, entry := range s.Targets() {
		name, spec := entry.Metadata.Name, entry.Spec
		t := &target{
			Target: exchange.Target{
				Name:        name,
				Audience:    spec.Audience,
				Scopes:      spec.Scopes,
				Algorithm:   spec.Token.Algorithm,
				MaxLifetime: time.Duration(spec.Token.MaxLifetime),
			},
			window:   windowOf(entry.Governance),
			disabled: spec.Mode == catalog.ModeDisabled,
		}
		byName[name] = t
		d.audiences[name], d.audiences[spec.Audience] = t, t
		for _, resource := range append([]string{spec.Audience}, spec.Resources...) {
			if validResource(resource) {
				d.resources[resource] = t
			}
		}
	}
	return byName
}
