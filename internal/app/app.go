package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/strait-sts/strait/internal/admin"
	"github.com/strait-sts/strait/internal/analysis"
	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/config"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/expr"
	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/keysource"
	"github.com/strait-sts/strait/internal/limit"
	"github.com/strait-sts/strait/internal/oauth"
	"github.com/strait-sts/strait/internal/pgserver"
	"github.com/strait-sts/strait/internal/policy"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/revocation"
	"github.com/strait-sts/strait/internal/server"
	"github.com/strait-sts/strait/internal/telemetry"
	"github.com/strait-sts/strait/internal/trust"
)

// What postgres, keyring and the four do for each other is checked here.
var (
	_ catalog.Store     = (*postgres.DB)(nil)
	_ keyring.Store     = (*postgres.DB)(nil)
	_ audit.Store       = (*postgres.DB)(nil)
	_ revocation.Store  = (*postgres.DB)(nil)
	_ audit.Signer      = (*keyring.Ring)(nil)
	_ trust.OwnKeys     = (*keyring.Ring)(nil)
	_ exchange.Recorder = (*audit.Recorder)(nil)

	_ exchange.Revocations = (*revocation.Set)(nil)
	_ exchange.Revoker     = (*revocation.Set)(nil)
	_ audit.Revocations    = (*revocation.Set)(nil)

	_ oauth.Sampler     = (*audit.Sampler)(nil)
	_ oauth.Limits      = (*limit.Limits)(nil)
	_ oauth.Metrics     = (*telemetry.Metrics)(nil)
	_ keysource.Metrics = (*telemetry.Metrics)(nil)
	_ admin.Audit       = proof{}
)

// How long a stop may take: first requests in flight, then the database.
const (
	drainTimeout = 10 * time.Second
	stopTimeout  = 15 * time.Second
)

// Options is what does not come from the configuration.
type Options struct {
	Version string
	Log     io.Writer // where the log goes
	Clock   func() time.Time
	// Steady is a clock for the age of what is known, whatever Clock shows; nil:
	// time.Now.
	Steady func() time.Time
}

// App is a running Strait.
type App struct {
	cfg     config.Config
	log     *slog.Logger
	clock   func() time.Time
	steady  func() time.Time
	metrics *telemetry.Metrics

	server      *server.Server
	postgres    *pgserver.Server // nil with an external database
	db          *postgres.DB
	ring        *keyring.Ring
	catalog     *catalog.Catalog
	expressions *expr.Compiler
	trust       *trust.Trust
	revocations *revocation.Set
	recorder    *audit.Recorder
	anchor      *audit.FileAnchor // nil: checkpoints are kept in the database alone
	engine      *policy.Engine
	claims      analysis.Claims
	used        usage

	world   atomic.Pointer[exchange.World]
	rebuild sync.Mutex

	stopWork context.CancelFunc // ends the background work
	work     sync.WaitGroup
}

// Run is serve: it starts Strait, says that it is ready on out, and runs until
// ctx ends or a part of it breaks.
func Run(ctx context.Context, cfg config.Config, out io.Writer, o Options) error {
	a, err := Start(ctx, cfg, o)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(out, "ready public=%s admin=%s\n", a.server.Addr("public"), a.server.Addr("admin"))
	var broken <-chan struct{}
	if a.postgres != nil {
		broken = a.postgres.Exited()
	}
	var fault error
	select {
	case <-ctx.Done():
		a.log.Info("stopping")
	case fault = <-a.server.Failed():
	case <-broken:
		fault = errors.New("the embedded PostgreSQL ended by itself; its log is in the data folder")
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return errors.Join(fault, a.Stop(stop))
}

// Start brings everything up. When it returns without an error, requests are
// answered.
func Start(ctx context.Context, cfg config.Config, o Options) (*App, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Steady == nil {
		o.Steady = time.Now
	}
	a := &App{cfg: cfg, clock: o.Clock, steady: o.Steady, log: telemetry.NewLogger(o.Log, cfg.LogFormat, cfg.LogLevel)}
	if err := a.start(ctx, o.Version); err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return nil, errors.Join(err, a.Stop(stop))
	}
	return a, nil
}

// start is the order in which the parts need each other.
func (a *App) start(ctx context.Context, version string) error {
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"listen", a.listen},
		{"database", a.openDatabase},
		{"keys", a.openKeys},
		{"catalogue", a.openCatalog},
		{"revocations", a.openRevocations},
		{"background work", func(ctx context.Context) error { return a.begin(ctx, version) }},
		{"endpoints", a.serve},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	return nil
}

// listen binds the addresses first: with no issuer set, it follows from the
// real port.
func (a *App) listen(ctx context.Context) (err error) {
	c := a.cfg
	a.server, err = server.Listen(ctx, server.Config{
		Public:     server.Address{Addr: c.PublicAddr, Cert: c.TLS.Cert, Key: c.TLS.Key},
		Admin:      server.Address{Addr: c.AdminAddr, Cert: c.AdminTLS.Cert, Key: c.AdminTLS.Key},
		Probe:      server.Address{Addr: c.ProbeAddr},
		ProxyCIDRs: c.ProxyCIDRs,
		Logger:     a.log,
	})
	if err != nil {
		return err
	}
	if !c.IssuerSet {
		_, port, err := net.SplitHostPort(a.server.Addr("public"))
		if err != nil {
			return err
		}
		a.cfg.Issuer = "http://localhost:" + port
	}
	if a.cfg.AdminAudience == "" {
		a.cfg.AdminAudience = a.cfg.Issuer + "/admin/v1"
	}
	return nil
}

// begin starts what runs beside the requests.
func (a *App) begin(ctx context.Context, version string) error {
	a.metrics = telemetry.NewMetrics(version, a.poolStats)
	a.trust = a.newTrust()
	a.metrics.WatchIssuers(a.issuerStats)
	a.metrics.WatchRevocations(a.revocationStats)
	if err := a.openRecorder(); err != nil {
		return err
	}
	a.refresh()
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stopWork = stop
	for _, run := range []func(context.Context){a.recorder.Run, a.trust.Run, a.watch, a.watchRevocations, a.keepPartitions, a.pruneClaims, a.pruneRevocations} {
		a.work.Go(func() { run(work) })
	}
	return nil
}

// Stop takes everything down: not ready, requests in flight answered, records
// flushed, database closed. It may be called on what never started whole.
func (a *App) Stop(ctx context.Context) error {
	var errs []error
	if a.server != nil {
		drain, cancel := context.WithTimeout(ctx, drainTimeout)
		errs = append(errs, a.server.Shutdown(drain))
		cancel()
	}
	if a.stopWork != nil {
		a.stopWork()
		a.work.Wait()
	}
	errs = append(errs, a.closeAnchor())
	if a.db != nil {
		a.db.Close()
	}
	if a.postgres != nil {
		errs = append(errs, a.postgres.Stop(ctx))
	}
	return errors.Join(errs...)
}

// Issuer is the issuer identifier, with the real port.
func (a *App) Issuer() string { return a.cfg.Issuer }

// Addr is the real address of a listener: "public" or "admin".
func (a *App) Addr(listener string) string { return a.server.Addr(listener) }

// AdminToken is the bootstrap admin token in force.
func (a *App) AdminToken() exchange.Secret { return a.cfg.AdminToken }
