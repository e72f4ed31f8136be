package exchange

import (
	"slices"
	"strings"
	"time"
)

// Request is one request to the token endpoint, its form read and its client
// authenticated, nothing else judged yet.
type Request struct {
	ID     ID
	Time   time.Time // the one instant of this exchange
	World  *World    // the configuration that decides it
	Client *Client   // nil only in the record of a failed authentication
	Grant  GrantType

	Purpose Purpose // what the subject token is presented for

	Subject, Actor Presented
	Audiences      []string
	Resources      []string
	Scope          string // as sent
	RequestedType  TokenType
	Origin         Origin

	// Issuers are the names of the issuers that the policies for client and
	// targets take subjects of: among them is whom a Verifier may ask about an
	// opaque token. Exchange sets it once it has admitted the request.
	Issuers func() []string

	// Trace takes what explain tells; nil on /token.
	Trace *Trace

	scopes, ignored []string
}

// Presented is a token as it came: nothing is believed yet.
type Presented struct {
	Token Secret
	Type  TokenType
}

// Purpose is what a token is presented for. It decides which client may present
// one of ours.
type Purpose int

// The purposes.
const (
	// ToExchange is for a new token: by the resource server that the token is
	// for, or by the client that it was issued to.
	ToExchange Purpose = iota
	// ToIntrospect is to learn whether the token holds: by a resource server
	// that it is for, and by nobody else (RFC 7662 §4).
	ToIntrospect
	// ToRevoke is to end it: by the client that it was issued to, and by nobody
	// else (RFC 7009 §2.1).
	ToRevoke
)

// Origin is where a request came from, for its record.
type Origin struct {
	RemoteAddr string
	RequestID  string
	TraceID    string
}

// Client is a registered caller of the token endpoint (RFC 6749 §2).
type Client struct {
	Name         string // metadata.name: what policies and records say
	ID           string // client_id
	Disabled     bool
	Expires      time.Time // from then on it is as if disabled; zero: never
	Labels       map[string]string
	Grants       []GrantType
	IgnoreScopes []string // dropped from its requests, and recorded
	Serves       []string // names of the targets whose tokens it may present
	Secrets      []string // digests of its client secrets
}

// Enabled says whether the client may authenticate at this instant.
func (c *Client) Enabled(now time.Time) bool {
	return !c.Disabled && (c.Expires.IsZero() || now.Before(c.Expires))
}

// Party is the client as an actor: what a hop of an act claim says of it.
func (c *Client) Party(issuer string) Hop {
	return Hop{Issuer: issuer, Subject: ClientSubjectPrefix + c.ID}
}

// Presented is the token that plays the role in this request.
func (r *Request) Presented(role Role) Presented {
	if role == RoleActor {
		return r.Actor
	}
	return r.Subject
}

// Scopes is what was asked for, each once, without those the client's entry
// ignores. It is nil until the request has been checked.
func (r *Request) Scopes() []string { return r.scopes }

// check judges the parameters alone: the grant, the token types and the
// scope's grammar, in this order.
func (r *Request) check() error {
	err := r.checkGrant()
	r.Trace.Ended(CheckGrant, err)
	if err == nil {
		err = r.checkParameters()
		r.Trace.Ended(CheckParameters, err)
	}
	return err
}

func (r *Request) checkGrant() error {
	if r.Grant != GrantTokenExchange && r.Grant != GrantClientCredentials {
		return &Error{Code: UnsupportedGrantType, Reason: MalformedRequest, Detail: "grant_type is not one that is served here"}
	}
	if !slices.Contains(r.Client.Grants, r.Grant) {
		return Refuse(GrantNotAllowed, "client %q has no grant %s", r.Client.Name, r.Grant)
	}
	return nil
}

func (r *Request) checkParameters() error {
	if err := r.checkTokens(); err != nil {
		return err
	}
	if r.RequestedType != "" && !r.RequestedType.Known() {
		return Refuse(UnsupportedTokenType, "requested_token_type is not one that can be issued")
	}
	return r.checkScope()
}

// checkTokens holds RFC 8693 §2.1: which token parameters belong together. A
// token beside client_credentials is refused rather than ignored: whoever sent
// it did not ask for a token of the client's own.
func (r *Request) checkTokens() error {
	if r.Grant == GrantClientCredentials {
		if r.Subject != (Presented{}) || r.Actor != (Presented{}) {
			return Refuse(MalformedRequest, "subject_token and actor_token belong to the token-exchange grant")
		}
		return nil
	}
	switch {
	case r.Subject.Token == "":
		return Refuse(MalformedRequest, "subject_token is missing")
	case r.Subject.Type == "":
		return Refuse(MalformedRequest, "subject_token_type is missing")
	case r.Actor.Token != "" && r.Actor.Type == "":
		return Refuse(MalformedRequest, "actor_token came without actor_token_type")
	case r.Actor.Token == "" && r.Actor.Type != "":
		return Refuse(MalformedRequest, "actor_token_type came without actor_token")
	case !r.Subject.Type.Known():
		return Refuse(UnsupportedTokenType, "subject_token_type is not one that is read here")
	case r.Actor.Token != "" && !r.Actor.Type.Known():
		return Refuse(UnsupportedTokenType, "actor_token_type is not one that is read here")
	}
	return nil
}

// maxScopes is how many scopes can be asked for at once: all of them are
// compared and recorded.
const maxScopes = 100

// maxScope is the longest scope. Any signed token is longer, so that one that
// is sent in the wrong place is not recorded as a scope.
const maxScope = 200

// checkScope holds the grammar of RFC 6749 §3.3: tokens of %x21 / %x23-5B /
// %x5D-7E with single spaces between them.
func (r *Request) checkScope() error {
	r.scopes, r.ignored = nil, nil
	if r.Scope == "" {
		return nil
	}
	if strings.Count(r.Scope, " ") >= maxScopes {
		return Refuse(ScopeMalformed, "scope has more than %d scope tokens", maxScopes)
	}
	for scope := range strings.SplitSeq(r.Scope, " ") {
		if !ValidScope(scope) {
			return Refuse(ScopeMalformed, "scope is not a list of scope tokens with single spaces between them")
		}
		switch {
		case slices.Contains(r.scopes, scope), slices.Contains(r.ignored, scope):
		case slices.Contains(r.Client.IgnoreScopes, scope):
			r.ignored = append(r.ignored, scope)
		default:
			r.scopes = append(r.scopes, scope)
		}
	}
	return nil
}

// ValidScope says whether s is one scope-token of RFC 6749 §3.3, of at most 200
// characters.
func ValidScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= maxScope
}
