package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/jws"
)

// CheckpointOpener verifies checkpoints with the keys of a JWK Set (RFC 7517
// §5), such as the one that Strait publishes.
func CheckpointOpener(jwks []byte) (audit.Opener, error) {
	keys, err := jws.ParseKeySet(jwks)
	if err != nil {
		return nil, err
	}
	return func(compact string) ([]byte, error) {
		object, err := jws.Parse(compact, jws.Limits{})
		if err != nil {
			return nil, err
		}
		if !jws.TypeMatches(object.Header.Type, audit.CheckpointType) {
			return nil, fmt.Errorf("its typ is not %s", audit.CheckpointType)
		}
		key, err := keys.Select(object.Header.KeyID, object.Header.Algorithm)
		if err != nil {
			return nil, err
		}
		return object.Payload, object.Verify(key)
	}, nil
}

// openRecorder makes the recorder, with the anchor that is set.
func (a *App) openRecorder() error {
	o := audit.Options{Store: a.db, Clock: a.clock, Logger: a.log, Signer: a.ring, Revocations: a.revocations}
	if path := a.cfg.AuditAnchor; path != "" {
		var err error
		if a.anchor, err = audit.OpenFileAnchor(path); err != nil {
			return fmt.Errorf("STRAIT_AUDIT_ANCHOR: %w", err)
		}
		o.Anchor = a.anchor
	}
	a.recorder = audit.New(o)
	return nil
}

// proof is the audit log as the admin API proves it and gives it away.
type proof struct{ *App }

// Verify proves every record in the database, against the checkpoints there
// and against those of the anchor, if this server has one.
func (p proof) Verify(ctx context.Context) (report *audit.Report, err error) {
	jwks, _ := p.ring.JWKS()
	open, err := CheckpointOpener(jwks)
	if err != nil {
		return nil, err
	}
	anchors, err := p.anchors() // first: what is anchored while we read is not held against it
	if err != nil {
		return nil, err
	}
	err = p.db.Log(ctx, time.Time{}, time.Time{}, func(e audit.Evidence, rows audit.Rows) error {
		e.Anchors = anchors
		report, err = audit.Verify(ctx, rows, e, open)
		return err
	})
	return report, err
}

func (p proof) anchors() ([]string, error) {
	if p.cfg.AuditAnchor == "" {
		return nil, nil
	}
	file, err := os.Open(p.cfg.AuditAnchor)
	if err != nil {
		return nil, fmt.Errorf("STRAIT_AUDIT_ANCHOR: %w", err)
	}
	defer func() { _ = file.Close() }()
	return audit.ReadAnchors(file)
}

// Export writes the records of a time and what proves them. The export ends
// now at the latest, and says so.
func (p proof) Export(ctx context.Context, since, until time.Time, w io.Writer) error {
	now := p.clock()
	return p.db.Log(ctx, since, until, func(e audit.Evidence, rows audit.Rows) error {
		if e.Until.IsZero() || e.Until.After(now) {
			e.Until = now
		}
		return audit.Export(w, e, rows)
	})
}

// closeAnchor closes the anchor, if there is one.
func (a *App) closeAnchor() error {
	if a.anchor == nil {
		return nil
	}
	err := a.anchor.Close()
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
