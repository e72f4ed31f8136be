package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/strait-sts/strait/examples"
)

// What examples/quickstart says.
const (
	quickstartIssuer = "http://localhost:9400"
	ordersAudience   = "https://orders.example.com"
)

// story is the demo as it is told.
type story struct {
	page

	server     *server
	idp        *identityProvider
	secretFile string
	secret     string
	decisions  []string // ids, in the order in which they were made
}

// tell runs the story; it ends with an error where anything is not as it must
// be.
func (s *story) tell(ctx context.Context) error {
	s.title("One token exchange, for real")
	s.line("  identity provider  %s   (throw-away, in this process)", s.idp.url)
	s.line("  strait             %s   (admin API %s)", s.server.issuer, s.server.admin)
	for _, chapter := range []func(context.Context) error{s.apply, s.exchange, s.refusals, s.audit} {
		if err := chapter(ctx); err != nil {
			return err
		}
	}
	s.byHand()
	return nil
}

// apply writes the quickstart's manifests out, with this provider's port and a
// new client secret, and applies them with the command that a user would type.
func (s *story) apply(ctx context.Context) error {
	folder := filepath.Join(s.server.dir, "quickstart")
	if err := writeQuickstart(folder, s.idp.url); err != nil {
		return err
	}
	s.secret, s.secretFile = random(32), filepath.Join(s.server.dir, "edge-secret")
	if err := os.WriteFile(s.secretFile, []byte(s.secret+"\n"), 0o600); err != nil {
		return err
	}
	printed, err := s.server.command(ctx, []string{"EDGE_SECRET=" + s.secret}, "apply", "-f", folder)
	if err != nil {
		return err
	}
	s.title("Four manifests say who may turn what into what")
	s.line("  $ strait apply -f examples/quickstart")
	s.block(printed)
	return nil
}

func writeQuickstart(folder, idp string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	files, err := fs.Glob(examples.Quickstart, "quickstart/*.yaml")
	if err != nil {
		return err
	}
	for _, name := range files {
		text, err := examples.Quickstart.ReadFile(name)
		if err != nil {
			return err
		}
		text = []byte(strings.ReplaceAll(string(text), quickstartIssuer, idp))
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(name)), text, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// exchange trades alice's broad token for one that reads orders, and has a
// relying service verify it that knows nothing but the issuer's URL.
func (s *story) exchange(ctx context.Context) error {
	broad := s.idp.alice(time.Now())
	token, err := s.idp.sign(broad)
	if err != nil {
		return err
	}
	a, err := s.ask(ctx, token, "orders:read")
	if err != nil {
		return err
	}
	if a.Token == "" {
		return fmt.Errorf("the exchange was refused: %s", a)
	}
	issued, err := rely(ctx, s.server.issuer, a.Token)
	if err != nil {
		return fmt.Errorf("the relying service refuses the issued token: %w", err)
	}
	s.title("The gateway exchanges alice's token for one that reads orders")
	s.sideBySide(broad, issued)
	s.line("")
	s.line("  The orders service verified it with go-oidc, from %s alone.", s.server.issuer)
	s.line("  decision %s", a.Decision)
	return narrower(broad, issued, a)
}

// rely is the orders service: discovery, keys, signature, issuer, audience and
// expiry, all by an independent library.
func rely(ctx context.Context, issuer, token string) (map[string]any, error) {
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, err
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: ordersAudience}).Verify(ctx, token)
	if err != nil {
		return nil, err
	}
	claims := map[string]any{}
	return claims, verified.Claims(&claims)
}

// narrower holds the story to what it says.
func narrower(broad, issued map[string]any, a answerOfToken) error {
	life := func(claims map[string]any) float64 { return number(claims["exp"]) - number(claims["iat"]) }
	for _, check := range []struct {
		what string
		ok   bool
	}{
		{"aud is the orders service alone", issued["aud"] == ordersAudience},
		{"scope is what was asked", issued["scope"] == "orders:read" && a.Scope == "orders:read"},
		{"the token lives for at most five minutes", life(issued) > 0 && life(issued) <= 300 && life(issued) < life(broad)},
		{"sub is alice of this provider", issued["sub"] == "demo:alice"},
		{"no claim came along uninvited", issued["email"] == nil && issued["groups"] == nil && issued["department"] == nil},
		{"jti is the decision id", issued["jti"] == a.Decision && a.Decision != ""},
	} {
		if !check.ok {
			return fmt.Errorf("it is not so that %s: %v", check.what, issued)
		}
	}
	return nil
}

// refusals asks for what alice does not hold, and comes with a token of an
// issuer that nobody trusts.
func (s *story) refusals(ctx context.Context) error {
	token, err := s.idp.sign(s.idp.alice(time.Now()))
	if err != nil {
		return err
	}
	s.title("Two exchanges that are refused")
	if err := s.refused(ctx, token, "orders:refund", "invalid_scope", "scope_not_held",
		"the policy allows orders:refund, but alice does not hold it"); err != nil {
		return err
	}
	key, err := newKey()
	if err != nil {
		return err
	}
	stranger := &identityProvider{url: "https://login.example.net", key: key}
	if token, err = stranger.sign(stranger.alice(time.Now())); err != nil {
		return err
	}
	return s.refused(ctx, token, "orders:read", "invalid_request", "subject_issuer_not_trusted",
		"a well-formed token of https://login.example.net, which is not on the list")
}

func (s *story) refused(ctx context.Context, token, scope, code, reason, words string) error {
	a, err := s.ask(ctx, token, scope)
	if err != nil {
		return err
	}
	s.line("  %d %s (%s)", a.Status, a.Code, a.Reason)
	s.line("      %s", words)
	s.line("      decision %s", a.Decision)
	if a.Status != 400 || a.Code != code || a.Reason != reason || a.Token != "" || a.Decision == "" {
		return fmt.Errorf("want 400 %s (%s) with a decision id, got: %s", code, reason, a)
	}
	return nil
}

// audit shows that all three stand in the log.
func (s *story) audit(ctx context.Context) error {
	printed, err := s.server.command(ctx, nil, "audit", "list", "--client", "edge-gateway", "--limit", "3")
	if err != nil {
		return err
	}
	s.title("All of it is in the audit log")
	s.line("  $ strait audit list")
	s.block(printed)
	for _, id := range s.decisions {
		if !strings.Contains(printed, id) {
			return fmt.Errorf("decision %s is not in the audit log", id)
		}
	}
	return nil
}

// byHand says how to do the same without this program, and where things lie.
func (s *story) byHand() {
	shown := func(path string) string {
		if wd, err := os.Getwd(); err == nil {
			if rel, err := filepath.Rel(wd, path); err == nil && !strings.HasPrefix(rel, "..") {
				return rel
			}
		}
		return path
	}
	s.title("By hand, while this runs")
	s.line(`  curl -s -u "edge-gateway:$(cat '%s')" %s/token \`, shown(s.secretFile), s.server.issuer)
	s.line(`    -d grant_type=urn:ietf:params:oauth:grant-type:token-exchange \`)
	s.line(`    -d subject_token="$(curl -s %s/alice)" \`, s.idp.url)
	s.line(`    -d subject_token_type=urn:ietf:params:oauth:token-type:jwt \`)
	s.line(`    -d audience=orders-api -d scope=orders:read`)
	s.line("")
	s.line("  export STRAIT_ADMIN_URL=%s STRAIT_DATA_DIR='%s'", s.server.admin, shown(filepath.Join(s.server.dir, "data")))
	s.line("  %s audit list", shown(s.server.binary))
	s.title("Where the data lives")
	for _, place := range [][2]string{
		{"data", "the database and the admin token"}, {"keys", "the key that encrypts the signing keys"},
		{"quickstart", "the manifests as they were applied"}, {"strait.log", "the server's log"},
	} {
		s.line("  %-32s %s", shown(filepath.Join(s.server.dir, place[0])), place[1])
	}
	s.line("")
}
