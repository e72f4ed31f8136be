package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/strait-sts/strait/internal/admin"
	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/limit"
	"github.com/strait-sts/strait/internal/mint"
	"github.com/strait-sts/strait/internal/oauth"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/rehearsal"
	"github.com/strait-sts/strait/internal/schema"
	"github.com/strait-sts/strait/internal/server"
)

// Records of requests that nobody has authenticated: so many a second, and so
// many at once.
const (
	strangersPerSecond = 50
	strangersBurst     = 200
)

// serve puts the endpoints together and begins to answer.
func (a *App) serve(context.Context) error {
	front, err := a.newFront()
	if err != nil {
		return err
	}
	var public []server.Route
	for _, r := range front.Routes() {
		public = append(public, server.Route{Pattern: r.Pattern, Handler: r.Handler})
	}
	a.server.Serve(server.Handlers{
		Public:  public,
		Admin:   []server.Route{{Pattern: admin.Root, Prefix: true, Handler: a.admin()}},
		Metrics: a.metrics.Handler(),
		Checks: []server.Check{{Name: "database", Ready: a.db.Ping}, {Name: "audit", Ready: a.recorder.Ready},
			{Name: "revocations", Ready: a.revocations.Ready}},
	})
	return nil
}

// newFront makes the OAuth endpoints.
func (a *App) newFront() (*oauth.Handler, error) {
	return oauth.New(oauth.Options{
		Service: a.service(), World: a.world.Load, Matches: a.ring.Matches, JWKS: a.ring.JWKS, Algorithms: keyring.Algorithms,
		Issuer: a.cfg.Issuer, ErrorDetail: a.cfg.ErrorDetail, Clock: a.clock, Rand: rand.Reader, Logger: a.log,
		Sampler: audit.NewSampler(strangersPerSecond, strangersBurst), Metrics: a.metrics,
		Limits: limit.New(limit.Options{Failures: a.cfg.RateFailures, Requests: a.cfg.RateRequests}),
	})
}

// service is the use case with its parts that outlive every World.
func (a *App) service() *exchange.Service {
	return &exchange.Service{
		Minter:   mint.New(mint.Options{Keys: a.ring, Issuer: a.cfg.Issuer, Logger: a.log}),
		Recorder: a.recorder, Revocations: a.revocations, Revoker: a.revocations,
		Issuer: a.cfg.Issuer,

		KeepClaims: a.cfg.AuditClaims != "none",
	}
}

func (a *App) admin() http.Handler {
	return admin.New(admin.Options{
		Token: a.cfg.AdminToken, Catalog: writes{a.catalog, a}, Decode: schema.DecodeJSON, Records: records{a.db}, Audit: proof{a},
		Changes: a.db.Changes, Keys: a.keys, Trust: issuers{a}, Explain: a.explain, ExplainAgain: a.explainAgain, Claims: a.claims, Usage: a.usage, Clock: a.clock,
		Revocations: revocations{a.revocations, a.db}, Revoked: a.revoked,
		RequestID: func(r *http.Request) string { return server.RequestID(r.Context()) }, Logger: a.log,
	})
}

// revocations is what no longer holds, as the admin API writes and reads it.
type revocations struct {
	exchange.Revoker
	*postgres.DB
}

// Revoke keeps an order and has it in force here.
func (r revocations) Revoke(ctx context.Context, order exchange.Revocation) (exchange.RevocationResult, error) {
	return r.Revoker.Revoke(ctx, order)
}

// explain rehearses an exchange on the World that decides now.
func (a *App) explain(ctx context.Context, q rehearsal.Question) (*rehearsal.Answer, error) {
	stage := a.stage()
	stage.Revocations = a.revocations
	return stage.Explain(ctx, q)
}

// records is the audit log as the admin API reads it.
type records struct{ *postgres.DB }

// Record reads one record.
func (r records) Record(ctx context.Context, id string) (audit.Row, error) {
	row, err := r.DB.Record(ctx, id)
	if errors.Is(err, postgres.ErrNotFound) {
		err = admin.ErrNoRecord
	}
	return row, err
}

// Lineage reads the records of a tree.
func (r records) Lineage(ctx context.Context, id string, nodes, hops int) ([]audit.Row, error) {
	rows, err := r.DB.Lineage(ctx, id, nodes, hops)
	if errors.Is(err, postgres.ErrNotFound) {
		err = admin.ErrNoRecord
	}
	return rows, err
}

// keys lists the signing keys by their public side.
func (a *App) keys(ctx context.Context) ([]admin.Key, error) {
	sealed, err := a.db.Sealed(ctx)
	if err != nil {
		return nil, err
	}
	var list []admin.Key
	for _, k := range sealed {
		if k.Purpose != keyring.PurposeSigning {
			continue
		}
		var public struct {
			KeyID string `json:"kid"`
		}
		if err := json.Unmarshal(k.Public, &public); err != nil {
			return nil, err
		}
		list = append(list, admin.Key{
			ID: public.KeyID, Algorithm: k.Algorithm, State: k.State, Created: k.Created,
			Activated: orNil(k.Activated), Retired: orNil(k.Retired),
		})
	}
	return list, nil
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
