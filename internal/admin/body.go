package admin

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/catalog"
)

// The bounds of a request.
const (
	maxBody   = 1 << 20
	maxReason = 500
)

// readBody reads a JSON body whole. Only application/json is taken: what a
// form of another site's page can send is not (RFC 9110 §15.5.16).
func readBody(r *http.Request) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/json" {
		return nil, refuse(UnsupportedMediaType, "send Content-Type: application/json")
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return nil, refuse(UnsupportedMediaType, "send the body without Content-Encoding")
	}
	body, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, err
	case err != nil:
		return nil, refuse(Unreadable, "the body ended early")
	case len(body) == 0:
		return nil, refuse(Unreadable, "the body is empty")
	}
	return body, nil
}

// strict decodes a body that is no object of the catalogue: no unknown member,
// none twice, none of another case.
func strict(body []byte, into any) error {
	err := json.Unmarshal(body, into, json.RejectUnknownMembers(true))
	var meaning *json.SemanticError
	var syntax *jsontext.SyntacticError
	fault := catalog.FieldError{Code: catalog.CodeUnreadable, Message: "is not readable JSON"}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &meaning) && errors.Is(err, json.ErrUnknownName):
		fault = catalog.FieldError{Pointer: string(meaning.JSONPointer), Code: catalog.CodeUnknownField, Message: "there is no such field here"}
	case errors.As(err, &meaning):
		fault = catalog.FieldError{Pointer: string(meaning.JSONPointer), Code: catalog.CodeType, Message: fmt.Sprintf("this field does not take %s", meaning.JSONKind)}
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		fault = catalog.FieldError{Pointer: string(syntax.JSONPointer), Code: catalog.CodeDuplicate, Message: "is written twice; keep one"}
	case errors.As(err, &syntax):
		fault.Pointer = string(syntax.JSONPointer)
	}
	return invalid([]catalog.FieldError{fault})
}

// accompany reads what comes with a write beside its body: who, why, and the
// precondition.
func (a *server) accompany(r *http.Request) (catalog.Write, error) {
	values, err := query(r, "dryRun")
	if err != nil {
		return catalog.Write{}, err
	}
	dryRun := false
	if text := values.Get("dryRun"); text != "" {
		if dryRun, err = strconv.ParseBool(text); err != nil {
			return catalog.Write{}, refuse(Unreadable, "dryRun is neither true nor false")
		}
	}
	reason, err := reasonOf(r)
	return catalog.Write{
		IfMatch: strings.Join(r.Header.Values("If-Match"), ","),
		DryRun:  dryRun, By: bootstrap.Name, Reason: reason, RequestID: a.id(r),
	}, err
}

// reasonOf is why a change is made: X-Change-Reason.
func reasonOf(r *http.Request) (string, error) {
	reason := r.Header.Get("X-Change-Reason")
	if len(reason) > maxReason || !utf8.ValidString(reason) {
		return "", refuse(Unreadable, fmt.Sprintf("X-Change-Reason is longer than %d bytes or not UTF-8", maxReason))
	}
	return reason, nil
}
