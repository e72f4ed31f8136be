package reach_test

import (
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/catalog/catalogtest"
	"github.com/strait-sts/strait/internal/reach"
)

// The model of reach: whole tokens, with several targets and scopes, presented in
// every request that there can be. It shares nothing with the package but the
// catalogue, and knows none of its shortcuts.

// held is a whole token of ours.
type held struct {
	targets, scopes string // sorted, with commas
	client          string
	depth           int
}

func list(joined string) []string {
	if joined == "" {
		return nil
	}
	return strings.Split(joined, ",")
}

func joined(words []string) string {
	words = slices.Clone(words)
	sort.Strings(words)
	return strings.Join(slices.Compact(words), ",")
}

// subsets gives every subset of few words.
func subsets(words []string) [][]string {
	all := [][]string{nil}
	for _, word := range words {
		for _, s := range all {
			all = append(all, append(slices.Clone(s), word))
		}
	}
	return all
}

type model struct {
	*catalog.Snapshot
	now time.Time
}

func (m model) alive(o catalog.Object, mode catalog.Mode) bool {
	return mode != catalog.ModeDisabled && (o.Governance.ExpiresAt == nil || m.now.Before(*o.Governance.ExpiresAt))
}

// admits: client, policy and token fit. subject is nil in a client flow.
func (m model) admits(p *catalog.Of[catalog.ExchangePolicy], clientName, issuer string, subject *held) bool {
	c := m.Client(clientName)
	s := p.Spec
	review := p.Governance.ReviewBy
	switch {
	case s.Mode != catalog.ModeEnforce, !m.alive(p.Object, ""), c == nil, !m.alive(c.Object, c.Spec.Mode), !slices.Contains(s.Clients, clientName):
		return false
	case s.Review.OnOverdue == "suspend" && review != nil && !m.now.Before(review.Time.Add(24*time.Hour)):
		return false
	}
	return m.takes(s, c.Spec, issuer, subject)
}

// issue is the exchange of the contract, with a policy that is told: nil where it
// is refused.
func (m model) issue(p *catalog.Of[catalog.ExchangePolicy], clientName, issuer string, subject *held, targets, asked []string) *held {
	if len(targets) == 0 || !m.admits(p, clientName, issuer, subject) {
		return nil
	}
	c, s := m.Client(clientName), p.Spec
	for _, name := range targets {
		t := m.Target(name)
		if t == nil || !m.alive(t.Object, t.Spec.Mode) || !slices.Contains(s.Targets, name) {
			return nil
		}
	}
	depth := 0
	if subject != nil {
		depth = subject.depth
	}
	if s.Flow == "delegation" {
		depth++
	}
	scopes, ok := m.scopes(s, c.Spec, subject, targets, asked)
	if !ok || depth > s.Issue.MaxActDepth {
		return nil
	}
	return &held{joined(targets), joined(scopes), clientName, depth}
}

func (m model) takes(s *catalog.ExchangePolicy, c *catalog.Client, issuer string, subject *held) bool {
	if subject == nil {
		return s.Flow == "client" && slices.Contains(c.Grants, "client_credentials")
	}
	if s.Flow == "client" || !slices.Contains(c.Grants, "token-exchange") || !slices.Contains(s.Subject.Issuers, issuer) {
		return false
	}
	if s.Flow == "delegation" && s.Actor.From == "token" {
		a := m.Issuer(s.Actor.Issuers[0])
		if a == nil || !m.alive(a.Object, a.Spec.Mode) || !slices.Contains(a.Spec.AcceptAs, "actor") {
			return false
		}
	}
	if issuer == "self" {
		served := slices.ContainsFunc(list(subject.targets), func(t string) bool { return slices.Contains(c.Serves, t) })
		return s.Flow != "federation" && (served || subject.client == c.ClientID)
	}
	i := m.Issuer(issuer)
	return m.alive(i.Object, i.Spec.Mode) && slices.Contains(i.Spec.AcceptAs, "subject") && slices.Contains(i.Spec.TokenTypes, s.Subject.TokenTypes[0])
}

// scopes is RFC 6749 §3.3 as the contract has it.
func (m model) scopes(s *catalog.ExchangePolicy, c *catalog.Client, subject *held, targets, asked []string) ([]string, bool) {
	allowed := func(scope string) bool {
		return slices.Contains(s.Scopes.Allow, scope) && !slices.ContainsFunc(targets, func(t string) bool { return !slices.Contains(m.Target(t).Spec.Scopes, scope) })
	}
	proved := func(scope string) bool {
		switch {
		case s.Flow == "client", s.Scopes.Prove == "grant" && s.Flow == "federation":
			return true
		case s.Scopes.Prove == "same":
			return slices.Contains(list(subject.scopes), scope)
		case s.Scopes.Prove == "map":
			return slices.ContainsFunc(list(subject.scopes), func(h string) bool { return slices.Contains(s.Scopes.Map[h], scope) })
		}
		return false
	}
	asked = slices.DeleteFunc(slices.Clone(asked), func(scope string) bool { return slices.Contains(c.IgnoreScopes, scope) })
	if len(asked) == 0 && len(s.Scopes.Allow) == 0 {
		return nil, true
	}
	if len(asked) == 0 {
		asked = slices.DeleteFunc(slices.Clone(s.Scopes.Default), func(scope string) bool { return !allowed(scope) || !proved(scope) })
		return asked, len(asked) > 0
	}
	fits := !slices.ContainsFunc(asked, func(scope string) bool { return !allowed(scope) || !proved(scope) })
	return asked, fits
}

// from gives every (target, scope) that an origin leads to: it presents every
// token in every request, until no new one comes.
func (m model) from(origin reach.Origin, scopes []string) map[[2]string]bool {
	found := map[[2]string]bool{}
	seen := map[held]bool{}
	var work []held
	each := func(issuer string, subject *held, only string) {
		for _, p := range m.Policies() {
			for _, c := range p.Spec.Clients {
				if only != "" && c != only || !m.admits(p, c, issuer, subject) {
					continue
				}
				for _, targets := range subsets(p.Spec.Targets) {
					for _, asked := range subsets(scopes) {
						if got := m.issue(p, c, issuer, subject, targets, asked); got != nil && !seen[*got] {
							seen[*got] = true
							work = append(work, *got)
						}
					}
				}
			}
		}
	}
	if origin.Issuer != "" {
		each(origin.Issuer, &held{scopes: origin.Holding}, "")
	} else {
		each("", nil, origin.Client)
	}
	for ; len(work) > 0; work = work[1:] {
		for _, t := range list(work[0].targets) {
			for _, s := range list(work[0].scopes) {
				found[[2]string{t, s}] = true
			}
			if work[0].scopes == "" {
				found[[2]string{t, ""}] = true
			}
		}
		each("self", &work[0], "")
	}
	return found
}

// world is a drawn catalogue and its words.
type world struct {
	*catalog.Snapshot
	scopes  []string
	origins []reach.Origin
}

func rarely(d *rand.Rand) bool { return d.IntN(16) == 0 }

// drawWorld draws a small catalogue in which everything can be missing, disabled
// or over.
func drawWorld(t *rapid.T, policies int) world {
	d := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	w := world{scopes: []string{"a", "b"}}
	var entries []*catalog.Entry
	put := func(e *catalog.Entry) {
		if rarely(d) {
			e.Governance.ExpiresAt = new(noon.Add(time.Duration(catalogtest.Pick(d, -1, 0, 1))))
		}
		entries = append(entries, e)
	}
	for _, name := range []string{"i1", "i2"} {
		put(catalogtest.Issuer(name, func(i *catalog.TrustedIssuer) {
			i.Mode = drawMode(d, catalog.ModeDisabled)
			i.AcceptAs = catalogtest.Pick(d, []string{"subject", "actor"}, []string{"subject", "actor"}, []string{"subject"}, []string{"actor"})
			i.TokenTypes = catalogtest.Pick(d, []string{"jwt"}, []string{"jwt", "id_token"}, []string{"jwt", "id_token"}, []string{"id_token"})
		}))
		for _, holding := range append([]string{""}, w.scopes...) {
			w.origins = append(w.origins, reach.Origin{Issuer: name, Holding: holding})
		}
	}
	for _, name := range []string{"t1", "t2"} {
		e := catalogtest.Target(name, catalogtest.Pick(d, w.scopes, w.scopes, []string{"a"}, []string{"b"}, nil)...)
		e.Spec.(*catalog.Target).Mode = drawMode(d, catalog.ModeDisabled)
		put(e)
	}
	for _, name := range []string{"c1", "c2"} {
		e := catalogtest.Client(name, catalogtest.Pick(d, nil, []string{"t1"}, []string{"t2"}, []string{"t1", "t2"})...)
		c := e.Spec.(*catalog.Client)
		c.Mode = drawMode(d, catalog.ModeDisabled)
		c.IgnoreScopes = catalogtest.Pick(d, nil, nil, nil, []string{"a"})
		c.Grants = catalogtest.Pick(d, []string{"token-exchange"}, []string{"token-exchange", "client_credentials"}, []string{"token-exchange", "client_credentials"}, []string{"client_credentials"})
		put(e)
		w.origins = append(w.origins, reach.Origin{Client: name})
	}
	for n := range policies {
		put(drawPolicy(d, "p"+string(rune('0'+n)), w.scopes))
	}
	w.Snapshot = catalogtest.Snapshot(entries...)
	return w
}

func drawMode(d *rand.Rand, other catalog.Mode) catalog.Mode {
	if rarely(d) {
		return other
	}
	return catalog.ModeEnforce
}

func drawPolicy(d *rand.Rand, name string, scopes []string) *catalog.Entry {
	flow := catalogtest.Pick(d, "downscope", "downscope", "federation", "delegation", "delegation", "client")
	some := func(one, two string) []string {
		return catalogtest.Pick(d, []string{one}, []string{two}, []string{one, two})
	}
	e := catalogtest.Policy(name, "", "", "", catalogtest.Pick(d, scopes, scopes, []string{"a"}, []string{"b"}, nil), func(p *catalog.ExchangePolicy) {
		p.Flow, p.Clients, p.Targets = flow, some("c1", "c2"), some("t1", "t2")
		p.Scopes.Default = catalogtest.Pick(d, subsets(p.Scopes.Allow)...)
		p.Scopes.Prove = catalogtest.Pick(d, "same", "map", "grant")
		p.Issue.MaxActDepth = catalogtest.Pick(d, 1, 2)
		p.Mode = drawMode(d, catalog.ModeShadow)
		p.Scopes.Map = map[string][]string{"a": some("a", "b")}
		if flow == "client" {
			p.Subject, p.Actor, p.Scopes.Prove, p.Scopes.Map = nil, nil, "", nil
			return
		}
		p.Subject.Issuers = catalogtest.Pick(d, []string{"self"}, []string{"i1"}, []string{"i2", "self"}, []string{"i1", "i2"})
		if flow != "federation" && p.Scopes.Prove == "grant" {
			p.Scopes.Prove = "same"
		}
		if !slices.Contains(p.Subject.Issuers, "self") && rarely(d) {
			p.Subject.TokenTypes = []string{"id_token"}
		}
		if flow == "delegation" {
			p.Actor = &catalog.PolicyActor{From: catalogtest.Pick(d, "client", "client", "token"), Issuers: []string{"i1"}}
		}
	})
	if rarely(d) {
		e.Governance.ReviewBy = catalogtest.Day("2026-11-23")
		e.Spec.(*catalog.ExchangePolicy).Review.OnOverdue = "suspend"
	}
	return e
}
