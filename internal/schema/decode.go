package schema

import (
	"encoding"
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/catalog"
)

// MaxObjectBytes is the largest object, as JSON, that is read.
const MaxObjectBytes = 256 << 10

// envelope is a [catalog.Object] whose spec waits until its kind is known.
type envelope struct {
	APIVersion string             `json:"apiVersion"`
	Kind       catalog.Kind       `json:"kind"`
	Metadata   catalog.Metadata   `json:"metadata"`
	Governance catalog.Governance `json:"governance"`
	Spec       jsontext.Value     `json:"spec"`
	Status     jsontext.Value     `json:"status"` // what the API adds to answers; ignored
}

// DecodeJSON reads one object strictly, fills in its defaults and checks all
// that can be said of it alone. Where there are errors, the object is as far as
// it could be read. An absent apiVersion means [catalog.APIVersion]. Whether names that
// it refers to exist, and how far ahead its dates are, shows on Apply.
func DecodeJSON(body []byte) (catalog.Object, []catalog.FieldError) {
	var r report
	o := decode(body, &r)
	return o, r.named(o.Kind, o.Metadata.Name)
}

// decode stops at the first step that finds a fault: what follows would only
// repeat it in other words.
func decode(body []byte, r *report) catalog.Object {
	if len(body) > MaxObjectBytes {
		r.add("", catalog.CodeTooLarge, "the object has %d bytes, at most %d are read", len(body), MaxObjectBytes)
		return catalog.Object{}
	}
	var e envelope
	r.strict("", body, &e)
	o := catalog.Object{APIVersion: e.APIVersion, Kind: e.Kind, Metadata: e.Metadata, Governance: e.Governance}
	if len(r.faults) > 0 {
		return o
	}
	if o.APIVersion == "" {
		o.APIVersion = catalog.APIVersion
	}
	r.head(o)
	if len(r.faults) == 0 {
		r.notBuilt(o.Kind, body)
	}
	if len(r.faults) > 0 {
		return o
	}
	o.Spec = newSpec(o.Kind)
	r.strict("/spec", e.Spec, o.Spec)
	if len(r.faults) == 0 {
		complete(&o)
		r.object(o)
	}
	return o
}

// Complete is the object with its defaults filled in, for objects that are
// built in Go; DecodeJSON has done it already. Secrets are dropped.
func Complete(o catalog.Object) (catalog.Object, []catalog.FieldError) {
	return DecodeJSON(o.Canonical())
}

// strict decodes body, which stands at the pointer, into value. Unknown names,
// names twice and wrong types are faults.
func (r *report) strict(pointer string, body []byte, value any) {
	if len(body) == 0 || string(body) == "null" {
		r.add(pointer, catalog.CodeRequired, "is missing")
		return
	}
	err := json.Unmarshal(body, value, json.RejectUnknownMembers(true))
	var meaning *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
	case errors.As(err, &meaning):
		r.misread(pointer+string(meaning.JSONPointer), meaning)
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		r.add(pointer+string(syntax.JSONPointer), catalog.CodeDuplicate, "is written twice; keep one")
	case errors.As(err, &syntax):
		r.add(pointer+string(syntax.JSONPointer), catalog.CodeUnreadable, "is not JSON: %v", syntax.Err)
	default:
		r.add(pointer, catalog.CodeUnreadable, "is not readable JSON")
	}
}

// misread says in an admin's words what the decoder could not take.
func (r *report) misread(pointer string, e *json.SemanticError) {
	switch {
	case errors.Is(e.Err, json.ErrUnknownName):
		name := e.JSONPointer.LastToken()
		r.add(pointer, catalog.CodeUnknownField, "there is no field %q here%s", name, hint(name, fieldNames(e.GoType)))
	case e.GoType == reflect.TypeFor[time.Time]() && e.JSONKind == '"':
		r.add(pointer, catalog.CodeValue, "want a time such as 2027-09-01T00:00:00Z")
	case e.Err != nil && e.JSONKind == '"':
		r.add(pointer, catalog.CodeValue, "%v", e.Err)
	default:
		r.add(pointer, catalog.CodeType, "want %s, not %s", wanted(e.GoType), kindWords[e.JSONKind])
	}
}

// fieldNames is what the struct calls its fields in JSON.
func fieldNames(t reflect.Type) []string {
	var names []string
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); name != "" && name != "status" {
			names = append(names, name)
		}
	}
	return names
}

// kindWords names the kinds of JSON values.
var kindWords = map[jsontext.Kind]string{
	'n': "null", 't': "true", 'f': "false", '"': "a string", '0': "a number", '{': "an object", '[': "a list",
}

// wanted names the JSON that a Go type takes.
func wanted(t reflect.Type) string {
	if t == nil {
		return "another type"
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "a string (quote it)"
	}
	switch t.Kind() { //nolint:exhaustive // the types that manifests are made of
	case reflect.String:
		return "a string (quote it)"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "an object"
	case reflect.Bool:
		return "true or false"
	}
	return "a whole number"
}
