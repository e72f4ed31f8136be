package admin

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
)

// Explain rehearses an exchange on what decides now: rehearsal.Stage.Rehearse.
type Explain func(context.Context, rehearsal.Question) (*rehearsal.Answer, error)

// ExplainAgain decides a recorded exchange once more: at the configuration of its
// revision, or of now. It answers ErrNoRecord.
type ExplainAgain func(ctx context.Context, id string, now bool) (*rehearsal.Again, error)

// explainBody is the body of POST /explain: an exchange to come, where of each
// party there is a token or what it would say, not both; or a recorded one.
type explainBody struct {
	Exchange string `json:"exchange"`
	At       string `json:"at"` // of a recorded one: its own revision, or now

	Client             string       `json:"client"`
	Grant              string       `json:"grant"`
	SubjectToken       string       `json:"subjectToken"`
	SubjectTokenType   string       `json:"subjectTokenType"`
	Subject            *explainSays `json:"subject"`
	ActorToken         string       `json:"actorToken"`
	ActorTokenType     string       `json:"actorTokenType"`
	Actor              *explainSays `json:"actor"`
	Audience           []string     `json:"audience"`
	Resource           []string     `json:"resource"`
	Scope              string       `json:"scope"`
	RequestedTokenType string       `json:"requestedTokenType"`
}

// explainSays is what a token would say.
type explainSays struct {
	Issuer string         `json:"issuer"` // a TrustedIssuer's name, or self
	Type   string         `json:"type"`
	Claims jsontext.Value `json:"claims"`
}

// explain answers POST /explain. Nothing is issued or kept, and no part of a
// token comes back.
func (a *server) explain(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	body, err := readBody(r)
	if err != nil {
		return err
	}
	var in explainBody
	if err := strict(body, &in); err != nil {
		return err
	}
	if in.Exchange != "" || in.At != "" {
		return a.explainAgain(w, r, &in)
	}
	question, faults := in.question()
	if len(faults) > 0 {
		return invalid(faults)
	}
	answer, err := a.Explain(r.Context(), question)
	if errors.Is(err, rehearsal.ErrNoClient) {
		return invalid([]catalog.FieldError{{Pointer: "/client", Code: catalog.CodeReference, Message: "there is no client of this name; strait get clients lists them"}})
	}
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, answer)
}

// The words of at.
const (
	atRecord = "record"
	atNow    = "now"
)

// explainAgain answers POST /explain about a recorded exchange.
func (a *server) explainAgain(w http.ResponseWriter, r *http.Request, in *explainBody) error {
	alone := explainBody{Exchange: in.Exchange, At: in.At}
	var faults []catalog.FieldError
	switch {
	case !reflect.DeepEqual(*in, alone):
		faults = append(faults, catalog.FieldError{Pointer: "/exchange", Code: catalog.CodeConflict, Message: "the record says what was asked; leave all else but at out"})
	case !aDecisionID.MatchString(in.Exchange):
		faults = append(faults, catalog.FieldError{Pointer: "/exchange", Code: catalog.CodeValue, Message: "is no decision id, such as X-Strait-Decision gives"})
	}
	if in.At != "" && in.At != atRecord && in.At != atNow {
		faults = append(faults, catalog.FieldError{Pointer: "/at", Code: catalog.CodeValue, Message: "is neither record nor now"})
	}
	if len(faults) > 0 {
		return invalid(faults)
	}
	again, err := a.ExplainAgain(r.Context(), in.Exchange, in.At == atNow)
	if errors.Is(err, ErrNoRecord) {
		return invalid([]catalog.FieldError{{Pointer: "/exchange", Code: catalog.CodeReference, Message: "there is no record of this decision; strait audit list shows some"}})
	}
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, again)
}

// question reads the body as a rehearsal takes it.
func (in *explainBody) question() (rehearsal.Question, []catalog.FieldError) {
	q := rehearsal.Question{
		Client: in.Client, Grant: grantOf(in.Grant), Audiences: without(in.Audience), Resources: without(in.Resource),
		Scope: in.Scope, RequestedType: typeOf(in.RequestedTokenType),
	}
	var faults []catalog.FieldError
	if in.Client == "" {
		faults = append(faults, catalog.FieldError{Pointer: "/client", Code: catalog.CodeRequired, Message: "is required: the client's name"})
	}
	if q.Subject, faults = party("subject", in.SubjectToken, in.SubjectTokenType, in.Subject, faults); q.Subject.Type == "" && q.Grant != exchange.GrantClientCredentials {
		faults = append(faults, catalog.FieldError{Pointer: "/subject", Code: catalog.CodeRequired, Message: "is required, or subjectToken is"})
	}
	q.Actor, faults = party("actor", in.ActorToken, in.ActorTokenType, in.Actor, faults)
	return q, faults
}

// party reads a token or the claims in its place; a type that is not written is
// jwt.
func party(role, token, kind string, says *explainSays, faults []catalog.FieldError) (rehearsal.Party, []catalog.FieldError) {
	switch {
	case token == "" && says == nil:
		return rehearsal.Party{}, faults
	case says == nil:
		return rehearsal.Party{Token: exchange.Secret(token), Type: typeOr(kind)}, faults
	case token != "":
		faults = append(faults, catalog.FieldError{Pointer: "/" + role, Code: catalog.CodeConflict, Message: "stands beside " + role + "Token; leave one out"})
	case says.Issuer == "":
		faults = append(faults, catalog.FieldError{Pointer: "/" + role + "/issuer", Code: catalog.CodeRequired, Message: "is required: the name of a TrustedIssuer, or self"})
	}
	claims, err := rehearsal.ReadClaims(says.Claims)
	if err != nil {
		faults = append(faults, catalog.FieldError{Pointer: "/" + role + "/claims", Code: catalog.CodeType, Message: err.Error()})
	}
	return rehearsal.Party{Type: typeOr(says.Type), Issuer: says.Issuer, Claims: claims}, faults
}

// grantOf is a grant by its name in manifests, or as /token has it.
func grantOf(word string) exchange.GrantType {
	if word == "token-exchange" {
		return exchange.GrantTokenExchange
	}
	return exchange.GrantType(word)
}

// typeOf is a token type by its short name or as /token has it (RFC 8693 §3).
func typeOf(word string) exchange.TokenType {
	if word == "" || strings.Contains(word, ":") {
		return exchange.TokenType(word)
	}
	return exchange.TypeOf(word)
}

func typeOr(word string) exchange.TokenType {
	if word == "" {
		return exchange.TypeJWT
	}
	return typeOf(word)
}

// without drops empty values: /token takes an empty parameter for an absent one
// (RFC 6749 §3.2).
func without(values []string) []string {
	var kept []string
	for _, v := range values {
		if v != "" {
			kept = append(kept, v)
		}
	}
	return kept
}
