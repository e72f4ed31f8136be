package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/cli/console"
	"github.com/strait-sts/strait/internal/cli/judge"
	"github.com/strait-sts/strait/internal/client"
	"github.com/strait-sts/strait/internal/manifest"
)

// applied is what the flags of apply say.
type applied struct {
	paths  []string
	dryRun bool
	set    string
	prune  bool
	reason string
}

// Apply is strait apply.
func Apply(p *console.Process) *cobra.Command {
	var in applied
	cmd := &cobra.Command{
		Use:   "apply -f PATH",
		Short: "Apply a file or a folder of manifests, all or nothing",
		Long: `Applies every manifest below PATH in one step, all or nothing, and prints a line for each:
KIND/NAME created, configured, unchanged or deleted.

A secret that a manifest points to (secretFrom: an environment variable or a file) is looked up here and
sent; the server keeps a hash. With --set the objects are marked with a name; with --prune too, what was
last applied with that name and is no longer among the manifests is deleted.

A dry run also tells, on standard error, what strait lint would find that it does not find now, and what
somebody could reach that nobody can now, or the other way round (strait reach).`,
		Example: `  strait apply -f examples/quickstart
  strait apply -f policies --set policies --prune --dry-run
  strait apply -f okta.yaml --reason "new tenant, SEC-12"`,
		Args: console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return in.run(cmd.Context(), p) },
	}
	f := cmd.Flags()
	console.FilesFlag(cmd, &in.paths)
	f.BoolVar(&in.dryRun, "dry-run", false, "check everything and change nothing")
	f.StringVar(&in.set, "set", "", "mark the objects with this name")
	f.BoolVar(&in.prune, "prune", false, "delete what bears the mark of --set and is not among the manifests")
	console.ReasonFlag(cmd, &in.reason)
	return cmd
}

func (in *applied) run(ctx context.Context, p *console.Process) error {
	if in.prune && in.set == "" {
		return console.Usage("--prune needs --set: it deletes what was last applied with that name")
	}
	manifests, err := manifests(p, in.paths)
	if err != nil {
		return err
	}
	c, err := p.Connect()
	if err != nil {
		return err
	}
	done, err := send(ctx, c, manifests, client.ApplyRequest{Set: in.set, Prune: in.prune, DryRun: in.dryRun}, in.reason)
	if err != nil {
		return err
	}
	for _, r := range done.Results {
		p.Printf("%s/%s %s\n", r.Kind, r.Name, r.Result)
	}
	if in.dryRun {
		p.Note("dry run: nothing was changed\n")
		return judge.Outlook(p.Err, done)
	}
	return nil
}

// manifests reads the objects of files and folders and looks up their secrets.
// Tests are left to those who run them.
func manifests(p *console.Process, paths []string) ([]manifest.Manifest, error) {
	if len(paths) == 0 {
		return nil, console.Usage("-f PATH is needed: a file or a folder of manifests")
	}
	all, err := manifest.ReadPaths(paths...)
	if err != nil {
		return nil, err
	}
	var objects []manifest.Manifest
	for _, m := range all {
		if m.Test {
			continue
		}
		if err := m.ResolveSecrets(p.Env, os.ReadFile); err != nil {
			return nil, err
		}
		objects = append(objects, m)
	}
	return objects, nil
}

// send applies the manifests; a fault that the server finds is told with the
// file and line where it stands.
func send(ctx context.Context, c *client.Client, manifests []manifest.Manifest, request client.ApplyRequest, reason string) (client.ApplyResult, error) {
	request.Objects = make([]json.RawMessage, len(manifests))
	for i, m := range manifests {
		request.Objects[i] = m.JSON
	}
	done, err := c.Apply(ctx, request, reason)
	var p *client.Problem
	if !errors.As(err, &p) || len(p.Errors) == 0 {
		return done, err
	}
	faults := make([]catalog.FieldError, len(p.Errors))
	for i, e := range p.Errors {
		faults[i] = catalog.FieldError{Pointer: e.Pointer, Message: e.Message}
		if at, pointer, ok := inObject(e.Pointer, len(manifests)); ok {
			faults[i] = manifests[at].Fault(pointer, e.Code, "%s", e.Message)
		}
	}
	return done, &catalog.Invalid{Errors: faults}
}

// inObject splits /objects/3/spec/… into 3 and /spec/….
func inObject(pointer string, objects int) (index int, rest string, ok bool) {
	tail, ok := strings.CutPrefix(pointer, "/objects/")
	if !ok {
		return 0, "", false
	}
	number, rest, more := strings.Cut(tail, "/")
	index, err := strconv.Atoi(number)
	if more {
		rest = "/" + rest
	}
	return index, rest, err == nil && index >= 0 && index < objects
}

// Diff is strait diff.
func Diff(p *console.Process) *cobra.Command {
	var paths []string
	cmd := &cobra.Command{
		Use:   "diff -f PATH",
		Short: "Show what apply would change; exit 1 where there is a difference",
		Long: `Shows how the manifests differ from what the server has, and what that means: the findings that the change
would bring (strait lint), what becomes reachable and what no longer is (strait reach).`,
		Example: `  strait diff -f examples/quickstart
  strait diff -f policies || strait apply -f policies`,
		Args: console.Args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return diff(cmd.Context(), p, paths) },
	}
	console.FilesFlag(cmd, &paths)
	return cmd
}

// diff asks the server what would change, and shows it object by object.
func diff(ctx context.Context, p *console.Process, paths []string) error {
	manifests, err := manifests(p, paths)
	if err != nil {
		return err
	}
	c, err := p.Connect()
	if err != nil {
		return err
	}
	done, err := send(ctx, c, manifests, client.ApplyRequest{DryRun: true}, "")
	if err != nil {
		return err
	}
	differs := false
	for i, r := range done.Results {
		if r.Result == catalog.Unchanged {
			continue
		}
		differs = true
		if err := diffOne(ctx, p, c, manifests[i].Object); err != nil {
			return err
		}
	}
	if !differs {
		return nil
	}
	if err := judge.Outlook(p.Out, done); err != nil {
		return err
	}
	return &console.Silent{}
}

// diffOne shows how the object differs from the one that the server has.
func diffOne(ctx context.Context, p *console.Process, c *client.Client, proposed catalog.Object) error {
	var current []catalog.Object
	body, _, err := c.Get(ctx, proposed.Kind.Plural(), proposed.Metadata.Name)
	switch {
	case client.Is(err, http.StatusNotFound):
	case err != nil:
		return err
	default:
		read, faults := manifest.Parse("server.json", body)
		if len(faults) > 0 {
			return fmt.Errorf("the server's %s cannot be read: %w", proposed.Ref(), faults[0])
		}
		current = []catalog.Object{read[0].Object}
	}
	text := manifest.Diff(current, []catalog.Object{proposed})
	if len(text) == 0 { // the manifests are the same; what differs is never shown
		text = fmt.Appendf(nil, "%s: a secret or the set changes\n", proposed.Ref())
	}
	p.Printf("%s", text)
	return nil
}
