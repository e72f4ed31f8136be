package expr

import (
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/strait-sts/strait/internal/exchange"
)

// The variables.
const (
	varClaims  = "claims"
	varNow     = "now"
	varSubject = "subject"
	varActor   = "actor"
	varClient  = "client"
	varRequest = "request"
	varIssue   = "issue"
	varPolicy  = "policy"
)

// Exchange is what conditions and claim values speak of.
type Exchange struct {
	Now           time.Time
	Client        *exchange.Client
	Subject       *exchange.Token    // nil in a client flow: the client is its subject then
	Actor         *exchange.Token    // nil where none came: all its fields are empty
	Targets       []string           // names of the targets
	Scopes        []string           // as asked for, those that the client ignores left out
	RequestedType exchange.TokenType // RFC 8693 §2.1; expressions see its short name
}

// Issue is what a guardrail sees of the token that would be issued.
type Issue struct {
	Lifetime time.Duration
	Scopes   []string
	Targets  []string // names
	ActDepth int      // hops of the act claim (RFC 8693 §4.1), the new one counted
}

// Activation is the variables' values for one exchange. Claims are converted
// when one is first read, and then kept for the conditions that follow; so an
// Activation belongs to one goroutine.
type Activation struct {
	now            types.Timestamp
	claims         object
	subject, actor party
	client         client
	request        request
	issue          Issue
	policy         policy
	records        [6]record // what ResolveName points to, for those six in their order
	holds          holds
}

// holds says which variables an Activation has: an expression of a kind that
// needs others is an error.
type holds struct{ token, exchange, issue bool }

// party is subject or actor (RFC 8693 §1.1).
type party struct {
	issuer, sub string
	claims      object
	scopes      []string
	act         exchange.Chain
}

type client struct {
	name   string
	labels map[string]string
}

type request struct {
	targets, scopes []string
	tokenType       string
}

type policy struct{ name, flow string }

// The records' types, as docs/cel.md lists them.
var (
	hopRecord = newRecordType("hop@", map[string]field{
		"iss": textField(func(h *exchange.Hop) string { return h.Issuer }),
		"sub": textField(func(h *exchange.Hop) string { return h.Subject }),
	})
	partyRecord = newRecordType("party@", map[string]field{
		"issuer": textField(func(p *party) string { return p.issuer }),
		"sub":    textField(func(p *party) string { return p.sub }),
		"claims": fieldOf(claimsType, func(p *party) ref.Val { return &p.claims }),
		"scopes": listField(func(p *party) []string { return p.scopes }),
		"act":    fieldOf(cel.ListType(hopRecord.typ), func(p *party) ref.Val { return hops(p.act) }),
	})
	clientRecord = newRecordType("client@", map[string]field{
		"name":   textField(func(c *client) string { return c.name }),
		"labels": fieldOf(cel.MapType(cel.StringType, cel.StringType), func(c *client) ref.Val { return labels(c.labels) }),
	})
	requestRecord = newRecordType("request@", map[string]field{
		"targets":            listField(func(r *request) []string { return r.targets }),
		"scopes":             listField(func(r *request) []string { return r.scopes }),
		"requestedTokenType": textField(func(r *request) string { return r.tokenType }),
	})
	issueRecord = newRecordType("issue@", map[string]field{
		"lifetime": fieldOf(cel.DurationType, func(i *Issue) ref.Val { return types.Duration{Duration: i.Lifetime} }),
		"scopes":   listField(func(i *Issue) []string { return i.Scopes }),
		"targets":  listField(func(i *Issue) []string { return i.Targets }),
		"actDepth": fieldOf(cel.IntType, func(i *Issue) ref.Val { return types.Int(i.ActDepth) }),
	})
	policyRecord = newRecordType("policy@", map[string]field{
		"name": textField(func(p *policy) string { return p.name }),
		"flow": textField(func(p *policy) string { return p.flow }),
	})
	records = recordsByName(hopRecord, partyRecord, clientRecord, requestRecord, issueRecord, policyRecord)

	claimsType    = cel.MapType(cel.StringType, cel.DynType)
	variableTypes = map[string]*cel.Type{
		varClaims: claimsType, varNow: cel.TimestampType, varSubject: partyRecord.typ, varActor: partyRecord.typ,
		varClient: clientRecord.typ, varRequest: requestRecord.typ, varIssue: issueRecord.typ, varPolicy: policyRecord.typ,
	}
)

func recordsByName(kinds ...*recordType) map[string]*recordType {
	all := map[string]*recordType{}
	for _, kind := range kinds {
		all[kind.name] = kind
	}
	return all
}

// ForToken is the activation of an issuer's rules, its subject mapping and
// admin conditions: the payload of one token (RFC 7519 §4).
func ForToken(claims exchange.Claims, now time.Time) *Activation {
	return &Activation{now: types.Timestamp{Time: now.UTC()}, claims: object{raw: claims}, holds: holds{token: true}}
}

// ForExchange is the activation of a policy's conditions and claim values.
func ForExchange(x Exchange) *Activation {
	a := &Activation{now: types.Timestamp{Time: x.Now.UTC()}, holds: holds{exchange: true}}
	if x.Client != nil {
		a.client = client{x.Client.Name, x.Client.Labels}
	}
	a.request = request{x.Targets, x.Scopes, x.RequestedType.Short()}
	switch {
	case x.Subject != nil:
		a.subject = speaksOf(x.Subject)
	case x.Client != nil:
		a.subject = party{issuer: exchange.SelfIssuer, sub: exchange.ClientSubjectPrefix + x.Client.ID}
	}
	if x.Actor != nil {
		a.actor = speaksOf(x.Actor)
	}
	a.point()
	return a
}

// WithIssue is the activation of guardrails: a and what would be issued, under
// which policy. a itself stays as it is; what it has read of claims so far is
// not read again.
func (a *Activation) WithIssue(issue Issue, p *exchange.Policy) *Activation {
	b := *a
	b.issue, b.policy, b.holds.issue = issue, policy{p.Name, string(p.Flow)}, true
	b.point()
	return &b
}

// point makes the records point into a, not into what it was copied from.
func (a *Activation) point() {
	a.records = [...]record{
		{partyRecord, &a.subject}, {partyRecord, &a.actor}, {clientRecord, &a.client},
		{requestRecord, &a.request}, {issueRecord, &a.issue}, {policyRecord, &a.policy},
	}
}

func speaksOf(t *exchange.Token) party {
	return party{issuer: t.Issuer, sub: t.Subject, claims: object{raw: t.Claims}, scopes: t.Scopes, act: t.Act}
}

func hops(chain exchange.Chain) ref.Val {
	list := make([]ref.Val, len(chain))
	for i := range chain {
		list[i] = &record{hopRecord, &chain[i]}
	}
	return types.NewRefValList(types.DefaultTypeAdapter, list)
}

func labels(all map[string]string) ref.Val {
	values := make(map[string]ref.Val, len(all))
	for name, value := range all {
		values[name] = types.String(value)
	}
	return &object{values: values}
}

// ResolveName gives cel-go a variable.
func (a *Activation) ResolveName(name string) (any, bool) {
	switch name {
	case varClaims:
		return &a.claims, a.holds.token
	case varNow:
		return a.now, true
	case varSubject:
		return &a.records[0], a.holds.exchange
	case varActor:
		return &a.records[1], a.holds.exchange
	case varClient:
		return &a.records[2], a.holds.exchange
	case varRequest:
		return &a.records[3], a.holds.exchange
	case varIssue:
		return &a.records[4], a.holds.issue
	case varPolicy:
		return &a.records[5], a.holds.issue
	default:
		return nil, false
	}
}

// Parent is none: there is no scope around an exchange.
func (a *Activation) Parent() cel.Activation { return nil }
