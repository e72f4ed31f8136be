package admin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/strait-sts/strait/internal/catalog"
)

// aName matches a name of the contract, §4.
var aName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// status is what the server adds to an object. A write may carry it and it is
// ignored.
type status struct {
	Revision int64  `json:"revision"`
	ETag     string `json:"etag,omitempty"`
	Set      string `json:"set,omitempty"`
	Health   any    `json:"health,omitempty"` // of a trusted issuer
	outlook         // of a dry run
}

// view is an entry as it is answered: its canonical form, which holds no
// secret, with status as the last member.
func view(e *catalog.Entry, etag string, health map[string]any) json.RawMessage {
	return withStatus(e, status{Revision: e.Revision, ETag: etag, Set: e.Set, Health: health[e.Metadata.Name]})
}

func withStatus(e *catalog.Entry, s status) json.RawMessage {
	canonical := e.Canonical()
	added, err := json.Marshal(s)
	if err != nil || len(canonical) == 0 {
		return nil // answered as an error by reply
	}
	return fmt.Appendf(canonical[:len(canonical)-1:len(canonical)-1], `,"status":%s}`, added)
}

// list answers GET /{plural}: a page of a kind's objects, by name.
func (a *server) list(kind catalog.Kind) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		values, err := query(r, "limit", "pageToken")
		if err != nil {
			return err
		}
		p, err := readPage(values, kind.Plural(), aName.MatchString)
		if err != nil {
			return err
		}
		health := a.health(kind)
		body := cut(p, kind.Plural(), ofKind(a.Catalog.Current(), kind, p),
			func(e *catalog.Entry) string { return e.Metadata.Name },
			func(e *catalog.Entry) json.RawMessage { return view(e, e.ETag(), health) })
		return reply(w, http.StatusOK, body)
	}
}

// ofKind is the entries of a page and one more, by name.
func ofKind(s *catalog.Snapshot, kind catalog.Kind, p page) []*catalog.Entry {
	var found []*catalog.Entry
	for ref, e := range s.Objects {
		if ref.Kind == kind && ref.Name > p.after {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b *catalog.Entry) int { return strings.Compare(a.Metadata.Name, b.Metadata.Name) })
	return found[:min(len(found), p.limit+1)]
}

// get answers GET /{plural}/{name}.
func (a *server) get(kind catalog.Kind) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if _, err := query(r); err != nil {
			return err
		}
		e := a.Catalog.Current().Objects[catalog.Ref{Kind: kind, Name: mux.Vars(r)["name"]}]
		if e == nil {
			return catalog.ErrNotFound
		}
		return a.replyObject(w, http.StatusOK, e)
	}
}

// put answers PUT /{plural}/{name}: 201 for a new object, 200 for a change of
// the version that If-Match names.
func (a *server) put(kind catalog.Kind) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		write, err := a.accompany(r)
		if err != nil {
			return err
		}
		body, err := readBody(r)
		if err != nil {
			return err
		}
		object, faults := a.Decode(body)
		if len(faults) == 0 {
			faults = misplaced(object, catalog.Ref{Kind: kind, Name: mux.Vars(r)["name"]})
		}
		if len(faults) > 0 {
			return invalid(faults)
		}
		e, result, err := a.Catalog.Put(r.Context(), object, write)
		if err != nil {
			return placed(err, map[catalog.Ref]string{object.Ref(): ""})
		}
		code := http.StatusOK
		if result == catalog.Created {
			code = http.StatusCreated
		}
		if write.DryRun {
			return a.preview(w, r, code, e, object)
		}
		return a.replyObject(w, code, e)
	}
}

// preview answers a dry run: the object as it would be, which has no entity tag
// since it does not exist, and what the change would mean.
func (a *server) preview(w http.ResponseWriter, r *http.Request, code int, e *catalog.Entry, sent catalog.Object) error {
	planned, err := a.Catalog.Apply(r.Context(), catalog.ApplyRequest{Objects: []catalog.Object{sent}, DryRun: true})
	if err != nil {
		return placed(err, map[catalog.Ref]string{sent.Ref(): ""})
	}
	return reply(w, code, withStatus(e, status{Revision: e.Revision, Set: e.Set, outlook: a.outlook(planned.Before, planned.After)}))
}

// misplaced holds that a body is the object that its path names.
func misplaced(o catalog.Object, path catalog.Ref) []catalog.FieldError {
	var faults []catalog.FieldError
	if o.Kind != path.Kind {
		faults = append(faults, catalog.FieldError{Pointer: "/kind", Code: catalog.CodeValue, Message: "must be " + string(path.Kind) + ", as in the path"})
	}
	if o.Metadata.Name != path.Name {
		faults = append(faults, catalog.FieldError{Pointer: "/metadata/name", Code: catalog.CodeValue, Message: "must be " + path.Name + ", as in the path"})
	}
	return faults
}

// replyObject answers with an object and its strong entity tag (RFC 9110
// §8.8.3).
func (a *server) replyObject(w http.ResponseWriter, code int, e *catalog.Entry) error {
	etag := e.ETag()
	w.Header().Set("ETag", etag)
	return reply(w, code, view(e, etag, a.health(e.Kind)))
}

// delete answers DELETE /{plural}/{name}: 204, or of a dry run 200 and what the
// change would mean.
func (a *server) delete(kind catalog.Kind) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		write, err := a.accompany(r)
		if err != nil {
			return err
		}
		ref := catalog.Ref{Kind: kind, Name: mux.Vars(r)["name"]}
		if err = a.Catalog.Delete(r.Context(), ref, write); err != nil {
			return placed(err, nil)
		}
		if write.DryRun {
			return reply(w, http.StatusOK, a.outlookWithout(ref))
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

// health is what is known of the issuers; nil for objects of another kind.
func (a *server) health(kind catalog.Kind) map[string]any {
	if kind != catalog.KindTrustedIssuer || a.Trust == nil {
		return nil
	}
	return a.Trust.Health()
}

// probe answers POST /trusted-issuers/{name}:probe: 200 with what was found,
// also where the issuer could not be reached.
func (a *server) probe(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	if a.Trust == nil {
		return catalog.ErrNotFound
	}
	found, err := a.Trust.Probe(r.Context(), mux.Vars(r)["name"])
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, found)
}
