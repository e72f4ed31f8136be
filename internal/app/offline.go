package app

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/expr"
	"github.com/strait-sts/strait/internal/fetch"
	"github.com/strait-sts/strait/internal/policy"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/schema"
	"github.com/strait-sts/strait/internal/trust"
)

// Offline makes a stage for rehearsals of a set of objects, with the World that
// serve would make of them, without a server, a database, a network and a key:
// what is judged is claims that are given. Its instant is for the caller to set.
// The objects are held to the rules of a write but for what
// may be fetched, since nothing is. skew is the leeway of entries that have no
// clockSkew.
func Offline(objects []catalog.Object, issuer string, skew time.Duration, clock func() time.Time) (rehearsal.Stage, []catalog.FieldError) {
	entries := make([]*catalog.Entry, len(objects))
	for i, o := range objects {
		entries[i] = &catalog.Entry{Object: o, Revision: 1}
	}
	snapshot := catalog.NewSnapshot(1, entries...)
	anywhere := fetch.Policy{AllowHTTP: true, AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
	expressions, err := expr.NewCompiler(programs)
	if err != nil {
		return rehearsal.Stage{}, []catalog.FieldError{{Code: catalog.CodeExpression, Message: err.Error()}}
	}
	engine := policy.NewEngine(issuer, expressions)
	var faults []catalog.FieldError
	for _, check := range []catalog.Checker{
		schema.Check(schema.Identity{Issuer: issuer, AdminAudience: issuer + "/admin/v1"}),
		trust.Checker(anywhere), checkExpressions(expressions), engine.Check,
	} {
		faults = append(faults, check(snapshot)...)
	}
	if len(faults) > 0 {
		return rehearsal.Stage{}, faults
	}
	list := trust.New(trust.Options{Fetch: noNetwork{}, Rules: compileIssuer(expressions), Issuer: issuer, Clock: clock, Skew: skew})
	return rehearsal.Stage{World: world(snapshot, list, engine), Issuer: issuer, Snapshot: snapshot, Compile: engine.Compile}, nil
}

// noNetwork refuses every request.
type noNetwork struct{}

var errOffline = errors.New("nothing is fetched here")

// GetJSON refuses.
func (noNetwork) GetJSON(context.Context, fetch.Request) (fetch.Response, error) {
	return fetch.Response{}, errOffline
}

// PostForm refuses.
func (noNetwork) PostForm(context.Context, fetch.Form) (fetch.Response, error) {
	return fetch.Response{}, errOffline
}
