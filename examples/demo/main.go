// Command demo tells the story of one exchange, end to end and for real: what
// does Strait do for a gateway?
//
// It runs a throw-away identity provider in this process, starts the strait
// binary as a child with a database of its own, applies examples/quickstart with
// the command that a user would type, exchanges alice's broad token for a narrow
// one over HTTP, lets a relying service verify the result with an independent
// library (go-oidc) that knows nothing but the issuer's URL, and shows two
// refusals and the audit log. Then it serves on until Ctrl-C.
//
// It is no part of the product: it imports nothing of it but the example
// manifests.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// options is what the flags say.
type options struct {
	strait string // path of the binary
	dir    string // where the demo keeps its data
	ports  string // "fixed" or "free"
	once   bool
}

func main() {
	var o options
	flag.StringVar(&o.strait, "strait", "bin/strait", "the strait binary")
	flag.StringVar(&o.dir, "dir", ".strait/demo", "where the demo keeps its data")
	flag.StringVar(&o.ports, "ports", "fixed", "fixed: 8080 and 8081; free: any that are free")
	flag.BoolVar(&o.once, "once", false, "end after the story")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "\ndemo: "+err.Error())
		os.Exit(1) //nolint:gocritic // the child has been ended by run
	}
}

// run tells the story: 1. an identity provider, 2. the server, 3. the
// manifests, 4. the exchange, 5. the refusals, 6. the audit log; then it serves
// until ctx ends.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	if o.ports != "fixed" && o.ports != "free" {
		return fmt.Errorf("-ports: want fixed or free, not %q", o.ports)
	}
	idp, err := startIdentityProvider(o.ports == "free")
	if err != nil {
		return err
	}
	defer idp.stop()
	server, err := startServer(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	s := &story{server: server, idp: idp, page: page{out}}
	if err := s.tell(ctx); err != nil {
		return err
	}
	if o.once {
		return nil
	}
	s.line("Serving until Ctrl-C.")
	select {
	case <-ctx.Done():
		return nil
	case <-server.ended:
		return server.died()
	}
}
