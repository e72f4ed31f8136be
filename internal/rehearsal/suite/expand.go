package suite

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
)

// Ask is one request: a test's, or one of its matrix.
type Ask struct {
	Client   string   `json:"client"`
	Subject  string   `json:"subject,omitempty"` // a token of the document
	Actor    string   `json:"actor,omitempty"`
	Audience []string `json:"audience,omitempty"`
	Resource []string `json:"resource,omitempty"`
	Scope    string   `json:"scope,omitempty"`
	Type     string   `json:"requestedTokenType,omitempty"`
	Grant    string   `json:"grant,omitempty"`
}

// String gives the request in a line.
func (a Ask) String() string {
	var parts []string
	for _, p := range []struct{ name, value string }{
		{"client", a.Client}, {"grant", a.Grant}, {"subject", a.Subject}, {"actor", a.Actor}, {"audience", strings.Join(a.Audience, " ")},
		{"resource", strings.Join(a.Resource, " ")}, {"scope", a.Scope}, {"requestedTokenType", a.Type},
	} {
		if p.value != "" {
			parts = append(parts, p.name+" "+p.value)
		}
	}
	return strings.Join(parts, ", ")
}

func (r Request) grant() exchange.GrantType {
	if r.Grant == string(exchange.GrantClientCredentials) {
		return exchange.GrantClientCredentials
	}
	return exchange.GrantTokenExchange
}

// space is everything that "*" can stand for.
type space struct {
	clients []string
	targets []*catalog.Of[catalog.Target]
	tokens  []string
}

// asks gives every request of a test's matrix, but stops after maxAsks.
func (s *space) asks(r Request) []Ask {
	var all []Ask
	for _, client := range orAll(r.Client, s.clients) {
		for _, subject := range orAll(orNone(r.Subject), s.tokens) {
			for _, audience := range s.audiences(r.Audience) {
				for _, scope := range s.scopes(r.Scope, audience) {
					if len(all) > maxAsks {
						return all
					}
					all = append(all, Ask{
						Client: client, Subject: subject, Actor: r.Actor, Audience: audience, Resource: r.Resource,
						Scope: scope, Type: r.RequestedTokenType, Grant: r.Grant,
					})
				}
			}
		}
	}
	return all
}

func orAll(words Words, all []string) []string {
	if words.all() {
		return all
	}
	return words
}

// orNone makes one request of a parameter that is not there.
func orNone(words Words) Words {
	if len(words) == 0 {
		return Words{""}
	}
	return words
}

// audiences gives the targets of each request.
func (s *space) audiences(a Audiences) [][]string {
	if len(a) == 0 {
		return [][]string{nil}
	}
	var all [][]string
	if a.all() {
		for _, t := range s.targets {
			all = append(all, []string{t.Metadata.Name})
		}
		return all
	}
	for _, together := range a {
		all = append(all, together)
	}
	return all
}

// scopes gives the scope of each request; "*" is every scope of its targets, and
// none, which means the policy's default.
func (s *space) scopes(words Words, audience []string) []string {
	if !words.all() {
		return orNone(words)
	}
	all := []string{""}
	for _, t := range s.targets {
		if len(audience) > 0 && !slices.Contains(audience, t.Metadata.Name) && !slices.Contains(audience, t.Spec.Audience) {
			continue
		}
		for _, scope := range t.Spec.Scopes {
			if !slices.Contains(all, scope) {
				all = append(all, scope)
			}
		}
	}
	return all
}

// question is the request as a rehearsal takes it.
func (d *Document) question(a Ask) rehearsal.Question {
	q := rehearsal.Question{
		Client: a.Client, Subject: d.party(a.Subject), Actor: d.party(a.Actor), Audiences: a.Audience, Resources: a.Resource, Scope: a.Scope,
	}
	if a.Type != "" {
		q.RequestedType = exchange.TokenType(a.Type)
		if !strings.Contains(a.Type, ":") {
			q.RequestedType = exchange.TypeOf(a.Type)
		}
	}
	if a.Grant == string(exchange.GrantClientCredentials) {
		q.Grant = exchange.GrantClientCredentials
	}
	return q
}

func (d *Document) party(name string) rehearsal.Party {
	token, named := d.Tokens[name]
	if !named {
		return rehearsal.Party{}
	}
	return rehearsal.Party{Type: exchange.TypeOf(token.Type), Issuer: token.Issuer, Claims: token.claims}
}

// date is the NumericDate (RFC 7519 §2) of an instant after now.
func date(now time.Time, after catalog.Duration) json.Number {
	return json.Number(strconv.FormatInt(now.Add(time.Duration(after)).Unix(), 10))
}
