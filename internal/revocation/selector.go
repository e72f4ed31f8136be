package revocation

import (
	"errors"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// Kind is what an order names.
type Kind string

// The kinds of an order.
const (
	KindToken    Kind = "token"
	KindExchange Kind = "exchange"
	KindSubject  Kind = "subject"
	KindClient   Kind = "client"
	KindPolicy   Kind = "policy"
	KindIssuer   Kind = "issuer"
	KindKey      Kind = "key"
)

// Selector is what an order names, as one comparable value.
type Selector struct {
	Kind   Kind
	Issuer string // of a token or a subject; else ""
	Value  string // jti, exchange id, mapped subject, name or kid
}

// errSelector is what an order without exactly one selector gets.
var errSelector = errors.New("a revocation names exactly one of token, exchange, subject, client, policy, issuer and key")

// SelectorOf is what the order names. An error says that it does not name
// exactly one thing, or names it in part.
func SelectorOf(order exchange.Revocation) (Selector, error) {
	candidates := []Selector{
		{KindExchange, "", string(order.Exchange)},
		{KindClient, "", order.Client},
		{KindPolicy, "", order.Policy},
		{KindIssuer, "", order.Issuer},
		{KindKey, "", order.Key},
	}
	if t := order.Token; t != nil {
		candidates = append(candidates, Selector{KindToken, t.Issuer, t.JTI})
	}
	if s := order.Subject; s != nil {
		candidates = append(candidates, Selector{KindSubject, s.Issuer, s.Subject})
	}
	var found []Selector
	for _, c := range candidates {
		pair := c.Kind == KindToken || c.Kind == KindSubject
		if c.Value != "" || pair {
			found = append(found, c)
		}
		if pair && (c.Value == "" || c.Issuer == "") {
			return Selector{}, errSelector
		}
	}
	if len(found) != 1 {
		return Selector{}, errSelector
	}
	return found[0], nil
}

// Put sets the field of the order that the selector stands for.
func (s Selector) Put(order *exchange.Revocation) {
	switch s.Kind {
	case KindToken:
		order.Token = &exchange.RevokedToken{Issuer: s.Issuer, JTI: s.Value}
	case KindExchange:
		order.Exchange = exchange.ID(s.Value)
	case KindSubject:
		order.Subject = &exchange.RevokedSubject{Issuer: s.Issuer, Subject: s.Value}
	case KindClient:
		order.Client = s.Value
	case KindPolicy:
		order.Policy = s.Value
	case KindIssuer:
		order.Issuer = s.Value
	case KindKey:
		order.Key = s.Value
	}
}

// Foreign says that the selector is about tokens of another issuer's: those of
// ours are reached as made from them.
func (s Selector) Foreign() bool {
	switch s.Kind {
	case KindToken, KindSubject:
		return s.Issuer != exchange.SelfIssuer
	case KindIssuer:
		return s.Value != exchange.SelfIssuer
	default:
		return false
	}
}

// Names is the id of the one token of ours that the selector names, if it names
// one.
func (s Selector) Names() (id [16]byte, ok bool) {
	if s.Kind == KindExchange || s.Kind == KindToken && !s.Foreign() {
		return parseID(s.Value)
	}
	return id, false
}

// How long what an order reaches can be alive.
const (
	// Grace is how far apart the clocks of replicas and resource servers may be.
	Grace = 5 * time.Minute
	// ourLife is the longest life of a token of ours (contract §4).
	ourLife = 24 * time.Hour
	// foreignLife is the highest maxTokenAge that a trusted issuer's entry takes:
	// a foreign token with an older iat is refused anyway.
	foreignLife = 400 * 24 * time.Hour
	// underWay is more than any request takes.
	underWay = 10 * time.Minute
)

// until is when nothing that the order reaches can be alive any more, tokens of
// ours apart, whose ids are kept one by one.
func until(order exchange.Revocation, s Selector) time.Time {
	end := order.Time.Add(underWay)
	later := func(life time.Duration) time.Time {
		if at := order.Before.Add(life); at.After(end) {
			return at
		}
		return end
	}
	switch id, named := s.Names(); {
	case named:
		return instantOf(id, order.Time).Add(ourLife + Grace)
	case s.Kind == KindToken && s.Foreign(): // whatever its iat
		return order.Time.Add(foreignLife + Grace)
	case s.Foreign():
		return later(foreignLife).Add(Grace)
	case s.Kind == KindClient || s.Kind == KindPolicy:
		return end.Add(Grace)
	default: // a key, a subject or the issuer of our own
		return later(ourLife).Add(Grace)
	}
}

// instantOf is the instant of a UUIDv7 (RFC 9562 §5.7), or now where that would be
// later.
func instantOf(id [16]byte, now time.Time) time.Time {
	var ms int64
	for _, b := range id[:6] {
		ms = ms<<8 | int64(b)
	}
	if at := time.UnixMilli(ms); at.Before(now) {
		return at
	}
	return now
}

// parseID reads the 36 characters of a UUID without allocating.
func parseID(text string) (id [16]byte, ok bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, false
	}
	for i, at := range [...]int{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34} {
		high, low := digit(text[at]), digit(text[at+1])
		if high > 15 || low > 15 {
			return [16]byte{}, false
		}
		id[i] = high<<4 | low
	}
	return id, true
}

// digit is the value of a hexadecimal digit; more than 15 for another byte.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	default:
		return 255
	}
}
