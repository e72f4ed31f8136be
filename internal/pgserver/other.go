//go:build !linux && !darwin

package pgserver

import (
	"context"
	"fmt"
	"runtime"
)

// Server is never made on this system.
type Server struct{}

// Start refuses: signals, sockets and locks are those of Linux and macOS.
func Start(context.Context, Config) (*Server, error) {
	return nil, fmt.Errorf("the embedded PostgreSQL does not run on %s: set STRAIT_DATABASE_URL", runtime.GOOS)
}

// URL is empty.
func (*Server) URL(_, _ string) string { return "" }

// OwnerURL is empty.
func (*Server) OwnerURL() string { return "" }

// AppURL is empty.
func (*Server) AppURL() string { return "" }

// Exited is never closed.
func (*Server) Exited() <-chan struct{} { return nil }

// Stop does nothing.
func (*Server) Stop(context.Context) error { return nil }
