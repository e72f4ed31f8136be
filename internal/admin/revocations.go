package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/revocation"
)

// Revocations keeps revocations and tells of them.
type Revocations interface {
	exchange.Revoker
	// Revocations lists orders, newest first: at most limit, of those with an id
	// below before ("": all).
	Revocations(ctx context.Context, before exchange.ID, limit int) ([]revocation.Order, error)
}

// maxSelector is the most bytes of a jti, a subject or a kid.
const maxSelector = 1024

// selectorBody names what is revoked; exactly one member is there.
type selectorBody struct {
	Token    *exchange.RevokedToken   `json:"token,omitempty"`
	Exchange *string                  `json:"exchange,omitempty"`
	Subject  *exchange.RevokedSubject `json:"subject,omitempty"`
	Client   *string                  `json:"client,omitempty"`
	Policy   *string                  `json:"policy,omitempty"`
	Issuer   *string                  `json:"issuer,omitempty"`
	Key      *string                  `json:"key,omitempty"`
}

// revokeBody is the body of POST /revocations.
type revokeBody struct {
	selectorBody

	Before  *time.Time `json:"before"`
	Cascade *bool      `json:"cascade"`
}

// revokeAnswer is its answer.
type revokeAnswer struct {
	ID       exchange.ID `json:"id"`
	Revision int64       `json:"revision"`
	Tokens   int         `json:"tokens"`
}

// revocationBody is an order in GET /revocations.
type revocationBody struct {
	selectorBody

	ID        exchange.ID `json:"id"`
	Revision  int64       `json:"revision"`
	Time      time.Time   `json:"time"`
	By        string      `json:"by"`
	Reason    string      `json:"reason,omitempty"`
	RequestID string      `json:"requestId,omitempty"`
	Before    time.Time   `json:"before"`
	Cascade   bool        `json:"cascade"`
	Tokens    int         `json:"tokens"`
}

// revoke answers POST /revocations. What is named need not be there: it may have
// been, and its tokens live on. An answer that is no problem says that the order
// is durable, in force here, and on its way to the other replicas.
func (a *server) revoke(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	var in revokeBody
	if err := strict(body, &in); err != nil {
		return err
	}
	reason, err := reasonOf(r)
	if err != nil {
		return err
	}
	order, faults := in.order(a.Clock())
	if len(faults) > 0 {
		return invalid(faults)
	}
	if order.ID, err = exchange.NewID(order.Time, a.Rand); err != nil {
		return err
	}
	order.By, order.Reason, order.RequestID = bootstrap.Name, reason, a.id(r)
	done, err := a.Revocations.Revoke(r.Context(), order)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, revokeAnswer{ID: order.ID, Revision: done.Revision, Tokens: done.Tokens})
}

// order is what the body asks for, given now.
func (in *revokeBody) order(now time.Time) (exchange.Revocation, []catalog.FieldError) {
	order := exchange.Revocation{Time: now, Before: now, Cascade: in.Cascade == nil || *in.Cascade}
	faults := in.selector(&order)
	if in.Before != nil {
		order.Before = *in.Before
		switch {
		case order.Before.After(now):
			faults = append(faults, value("/before", "lies in the future: only what was issued already can be revoked"))
		case order.Before.Before(time.Unix(0, 0)): // the zero time, which stands for now, among it
			faults = append(faults, value("/before", "lies before 1970, when there were no tokens"))
		}
	}
	return order, faults
}

// selector reads what is named into the order.
func (in *selectorBody) selector(order *exchange.Revocation) (faults []catalog.FieldError) {
	named := ""
	name := func(member string, faulty ...catalog.FieldError) {
		if named != "" {
			faulty = append(faulty, catalog.FieldError{Pointer: "/" + member, Code: catalog.CodeConflict, Message: "stands beside " + named + "; one order names one of them"})
		}
		named, faults = member, append(faults, faulty...)
	}
	if in.Token != nil {
		order.Token = in.Token
		name("token", append(aNamed("/token/issuer", in.Token.Issuer), aText("/token/jti", in.Token.JTI)...)...)
	}
	if in.Subject != nil {
		order.Subject = in.Subject
		name("subject", append(aNamed("/subject/issuer", in.Subject.Issuer), aText("/subject/sub", in.Subject.Subject)...)...)
	}
	for _, plain := range []struct {
		member string
		sent   *string
		into   func(string)
		check  func(pointer, text string) []catalog.FieldError
	}{
		{"exchange", in.Exchange, func(s string) { order.Exchange = exchange.ID(s) }, anExchange},
		{"client", in.Client, func(s string) { order.Client = s }, aNamed},
		{"policy", in.Policy, func(s string) { order.Policy = s }, aNamed},
		{"issuer", in.Issuer, func(s string) { order.Issuer = s }, aNamed},
		{"key", in.Key, func(s string) { order.Key = s }, aText},
	} {
		if plain.sent != nil {
			plain.into(*plain.sent)
			name(plain.member, plain.check("/"+plain.member, *plain.sent)...)
		}
	}
	if named == "" {
		faults = append(faults, catalog.FieldError{Code: catalog.CodeRequired, Message: "names nothing: want one of token, exchange, subject, client, policy, issuer, key"})
	}
	return faults
}

func value(pointer, message string) catalog.FieldError {
	return catalog.FieldError{Pointer: pointer, Code: catalog.CodeValue, Message: message}
}

// aNamed wants the name of a catalogue's object, such as an issuer, of which
// self is one.
func aNamed(pointer, text string) []catalog.FieldError {
	if aName.MatchString(text) {
		return nil
	}
	return []catalog.FieldError{value(pointer, "is not a name: want lower-case letters, digits and hyphens, at most 63")}
}

func anExchange(pointer, text string) []catalog.FieldError {
	if aDecisionID.MatchString(text) {
		return nil
	}
	return []catalog.FieldError{value(pointer, "is not a decision id, such as strait audit list prints")}
}

func aText(pointer, text string) []catalog.FieldError {
	switch {
	case text == "":
		return []catalog.FieldError{{Pointer: pointer, Code: catalog.CodeRequired, Message: "is missing or empty"}}
	case len(text) > maxSelector || !clean(text):
		return []catalog.FieldError{value(pointer, fmt.Sprintf("is longer than %d bytes, or holds control characters", maxSelector))}
	}
	return nil
}

// revocations answers GET /revocations.
func (a *server) revocations(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, "limit", "pageToken")
	if err != nil {
		return err
	}
	p, err := readPage(values, "revocations", aDecisionID.MatchString)
	if err != nil {
		return err
	}
	found, err := a.Revocations.Revocations(r.Context(), exchange.ID(p.after), p.limit+1)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, cut(p, "revocations", found, func(o revocation.Order) string { return string(o.ID) }, showRevocation))
}

func showRevocation(o revocation.Order) revocationBody {
	body := revocationBody{
		selectorBody: selectorBody{Token: o.Token, Subject: o.Subject},
		ID:           o.ID, Revision: o.Revision, Time: o.Time, By: o.By, Reason: o.Reason, RequestID: o.RequestID,
		Before: o.Before, Cascade: o.Cascade, Tokens: o.Tokens,
	}
	id := string(o.Exchange)
	for text, into := range map[*string]**string{
		&id: &body.Exchange, &o.Client: &body.Client, &o.Policy: &body.Policy, &o.Issuer: &body.Issuer, &o.Key: &body.Key,
	} {
		if *text != "" {
			*into = text
		}
	}
	return body
}
