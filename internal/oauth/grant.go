package oauth

import (
	"context"
	"net/url"

	"github.com/ory/fosite"

	"github.com/strait-sts/strait/internal/exchange"
)

// grant is step 3, for every grant_type there is: fosite asks it about all of
// them, so that none falls through to another, and those that are not served
// are refused by the exchange itself, after the client is known.
type grant struct{ service *exchange.Service }

// newGrant makes a grant whose calls learn whether they have their record.
func newGrant(service exchange.Service) *grant {
	service.Recorder = witness{service.Recorder}
	return &grant{service: &service}
}

// CanSkipClientAuth is always false: there are no public clients (RFC 6749
// §3.2.1).
func (*grant) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// CanHandleTokenEndpointRequest is always true; see grant.
func (*grant) CanHandleTokenEndpointRequest(context.Context, fosite.AccessRequester) bool {
	return true
}

// HandleTokenEndpointRequest runs the exchange that the form asks for. fosite's
// own reading of audience and scope splits and folds; the form is what was
// sent (RFC 8693 §2.1).
func (g *grant) HandleTokenEndpointRequest(ctx context.Context, requester fosite.AccessRequester) error {
	c := requester.GetSession().(*call)
	req, form := c.request, requester.GetRequestForm()
	req.Grant = exchange.GrantType(form.Get("grant_type"))
	req.Subject = presented(form, "subject_token")
	req.Actor = presented(form, "actor_token")
	req.Audiences, req.Resources = form["audience"], form["resource"]
	req.Scope = form.Get("scope")
	req.RequestedType = exchange.TokenType(form.Get("requested_token_type"))
	var err error
	c.issued, err = g.service.Exchange(ctx, req)
	return err
}

func presented(form url.Values, name string) exchange.Presented {
	return exchange.Presented{
		Token: exchange.Secret(form.Get(name)),
		Type:  exchange.TokenType(form.Get(name + "_type")),
	}
}

// PopulateTokenEndpointResponse is the answer of RFC 8693 §2.2.1, always with
// expires_in, and with scope unless the token has none.
func (*grant) PopulateTokenEndpointResponse(_ context.Context, requester fosite.AccessRequester, responder fosite.AccessResponder) error {
	issued := requester.GetSession().(*call).issued
	responder.SetAccessToken(issued.Token.Reveal())
	responder.SetTokenType(issued.TokenType)
	responder.SetExpiresIn(issued.ExpiresIn)
	responder.SetExtra("issued_token_type", string(issued.Type))
	if len(issued.Scopes) > 0 {
		responder.SetScopes(issued.Scopes)
	}
	return nil
}

// witness notes in the call that its record is durable: only then may the
// answer, whatever it is, name the decision.
type witness struct{ exchange.Recorder }

// Record records, and notes it.
func (w witness) Record(ctx context.Context, rec *exchange.Record) error {
	err := w.Recorder.Record(ctx, rec)
	callOf(ctx).recorded = err == nil
	return err
}
