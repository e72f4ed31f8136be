// Command strait is an OAuth 2.0 token exchange server (RFC 8693) and the
// commands that administer it. Everything is in package cli.
package main

import (
	"os"

	"github.com/strait-sts/strait/internal/cli"
)

func main() { os.Exit(cli.Main()) }
