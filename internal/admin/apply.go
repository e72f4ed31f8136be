package admin

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/catalog"
)

// applyBody is the body of POST /apply.
type applyBody struct {
	Objects    []jsontext.Value `json:"objects"`
	Set        string           `json:"set"`
	Prune      bool             `json:"prune"`
	IfRevision *int64           `json:"ifRevision"`
	DryRun     bool             `json:"dryRun"`
}

// applyAnswer is its answer; a dry run has the outlook too.
type applyAnswer struct {
	Revision int64         `json:"revision"`
	Results  []applyResult `json:"results"`
	outlook
}

type applyResult struct {
	Kind   catalog.Kind `json:"kind"`
	Name   string       `json:"name"`
	Result string       `json:"result"`
}

// apply answers POST /apply: all objects are read and every fault of theirs is
// told, then all are written together or none.
func (a *server) apply(w http.ResponseWriter, r *http.Request) error {
	in, err := readApply(r)
	if err != nil {
		return err
	}
	reason, err := reasonOf(r)
	if err != nil {
		return err
	}
	request := catalog.ApplyRequest{
		Set: in.Set, Prune: in.Prune, IfRevision: in.IfRevision, DryRun: in.DryRun,
		By: bootstrap.Name, Reason: reason, RequestID: a.id(r),
	}
	if request.Objects, err = a.decodeAll(in.Objects); err != nil {
		return err
	}
	done, err := a.Catalog.Apply(r.Context(), request)
	if err != nil {
		return placed(err, places(request.Objects))
	}
	answer := applyAnswer{Revision: done.Revision, Results: make([]applyResult, len(done.Results))}
	for i, result := range done.Results {
		answer.Results[i] = applyResult(result)
	}
	if in.DryRun {
		answer.outlook = a.outlook(done.Before, done.After)
	}
	return reply(w, http.StatusOK, answer)
}

func readApply(r *http.Request) (applyBody, error) {
	var in applyBody
	if _, err := query(r); err != nil {
		return in, err
	}
	body, err := readBody(r)
	if err != nil {
		return in, err
	}
	if err := strict(body, &in); err != nil {
		return in, err
	}
	if in.Objects == nil {
		return in, invalid([]catalog.FieldError{{Pointer: "/objects", Code: catalog.CodeRequired, Message: "is missing; an empty list is a list"}})
	}
	return in, nil
}

// decodeAll reads the objects and gives all their faults, each at its place.
func (a *server) decodeAll(bodies []jsontext.Value) ([]catalog.Object, error) {
	objects := make([]catalog.Object, len(bodies))
	var all *problem
	for i, body := range bodies {
		object, faults := a.Decode(body)
		objects[i] = object
		if len(faults) == 0 {
			continue
		}
		for j := range faults {
			faults[j].Pointer = fmt.Sprintf("/objects/%d", i) + faults[j].Pointer
		}
		p := invalid(faults)
		if all == nil {
			all = p
			continue
		}
		all.Errors = append(all.Errors, p.Errors...)
	}
	if all != nil {
		return nil, all
	}
	return objects, nil
}

// places gives each object's place in the body of an apply.
func places(objects []catalog.Object) map[catalog.Ref]string {
	at := make(map[catalog.Ref]string, len(objects))
	for i, o := range objects {
		at[o.Ref()] = fmt.Sprintf("/objects/%d", i)
	}
	return at
}

// placed puts the faults that the catalogue found at the objects' places in
// the body. A fault of an object that was not sent says whose it is.
func placed(err error, at map[catalog.Ref]string) error {
	var wrong *catalog.Invalid
	if !errors.As(err, &wrong) {
		return err
	}
	faults := slices.Clone(wrong.Errors)
	for i, f := range faults {
		owner := catalog.Ref{Kind: f.Kind, Name: f.Name}
		if place, sent := at[owner]; sent {
			faults[i].Pointer = place + f.Pointer
		} else if f.Name != "" {
			faults[i].Pointer, faults[i].Message = "", fmt.Sprintf("%s: %s: %s", owner, f.Pointer, f.Message)
		}
	}
	return invalid(faults)
}
