package admin

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/strait-sts/strait/internal/catalog"
)

// TypeBase begins the type of every problem; the rest is its [Type].
const TypeBase = "https://strait.dev/problems/"

// Type names a kind of problem: the last part of the document's type, which is
// the primary identifier of a problem (RFC 9457 §3.1.1).
type Type string

// The problem types of docs/errors.md.
const (
	Unreadable           Type = "unreadable"
	Unauthorized         Type = "unauthorized"
	Forbidden            Type = "forbidden"
	NotFound             Type = "not-found"
	MethodNotAllowed     Type = "method-not-allowed"
	Conflict             Type = "conflict"
	PreconditionFailed   Type = "precondition-failed"
	TooLarge             Type = "too-large"
	UnsupportedMediaType Type = "unsupported-media-type"
	InvalidObject        Type = "invalid"
	PreconditionRequired Type = "precondition-required"
	Unavailable          Type = "unavailable"
)

// Meaning is what is constant for a problem type: its HTTP status and its
// title (RFC 9457 §3.1.3: the same from occurrence to occurrence).
type Meaning struct {
	Status int
	Title  string
}

// Types is the closed list of problem types.
func Types() map[Type]Meaning {
	return map[Type]Meaning{
		Unreadable:           {http.StatusBadRequest, "The request cannot be read"},
		Unauthorized:         {http.StatusUnauthorized, "Credentials are missing or wrong"},
		Forbidden:            {http.StatusForbidden, "This is not allowed"},
		NotFound:             {http.StatusNotFound, "There is no such thing"},
		MethodNotAllowed:     {http.StatusMethodNotAllowed, "The method is not allowed here"},
		Conflict:             {http.StatusConflict, "The catalogue moved on"},
		PreconditionFailed:   {http.StatusPreconditionFailed, "The object is not the one named by If-Match"},
		TooLarge:             {http.StatusRequestEntityTooLarge, "The body is too large"},
		UnsupportedMediaType: {http.StatusUnsupportedMediaType, "The body is not JSON"},
		InvalidObject:        {http.StatusUnprocessableEntity, "What was asked for is not valid"},
		PreconditionRequired: {http.StatusPreconditionRequired, "If-Match is missing"},
		Unavailable:          {http.StatusServiceUnavailable, "The server cannot do this now"},
	}
}

// problem is an error with its answer: what the caller may know.
type problem struct {
	Type   Type
	Detail string
	Errors []fieldError
}

// fieldError is one entry of a problem's errors, an extension member
// (RFC 9457 §3.2).
type fieldError struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// document is a problem on the wire (RFC 9457 §3.1).
type document struct {
	Type     string       `json:"type"`
	Title    string       `json:"title"`
	Status   int          `json:"status"`
	Detail   string       `json:"detail,omitempty"`
	Instance string       `json:"instance,omitempty"`
	Errors   []fieldError `json:"errors,omitempty"`
}

// Error gives type and detail, for the log.
func (p *problem) Error() string { return string(p.Type) + ": " + p.Detail }

func refuse(t Type, detail string) *problem { return &problem{Type: t, Detail: detail} }

// invalid is the problem for faults, their pointers into the body.
func invalid(faults []catalog.FieldError) *problem {
	p := refuse(InvalidObject, "nothing was changed; errors says where and why")
	for _, f := range faults {
		if f.Code == string(Unreadable) {
			p.Type, p.Detail = Unreadable, "the body is not the JSON that is wanted here"
		}
		p.Errors = append(p.Errors, fieldError{Pointer: f.Pointer, Code: f.Code, Message: f.Message})
	}
	return p
}

// write answers with the problem document. instance is the request id's URN, so
// that a report and the log's line can be put together.
func (p *problem) write(w http.ResponseWriter, requestID string) {
	meaning := Types()[p.Type]
	doc := document{
		Type: TypeBase + string(p.Type), Title: meaning.Title, Status: meaning.Status,
		Detail: p.Detail, Errors: p.Errors,
	}
	if requestID != "" {
		doc.Instance = "urn:strait:request:" + requestID
	}
	if p.Type == Unauthorized { // RFC 6750 §3
		w.Header().Set("WWW-Authenticate", `Bearer realm="strait admin"`)
	}
	if p.Type == Unavailable {
		w.Header().Set("Retry-After", "1")
	}
	text, err := json.Marshal(doc)
	if err != nil { // strings and numbers alone: it has a JSON form
		text = []byte("{}")
	}
	send(w, meaning.Status, "application/problem+json", append(text, '\n'))
}

// reply writes an answer that is no problem.
func reply(w http.ResponseWriter, status int, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	send(w, status, "application/json", append(text, '\n'))
	return nil
}

// send writes a whole answer.
func send(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the caller went away
}
