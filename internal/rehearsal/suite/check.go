package suite

import (
	"maps"
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/rehearsal"
)

// any stands for every reason in expect.denied.
const anyReason = "any"

// The words of unlisted.
const (
	unlistedDenied  = "denied"
	unlistedIgnored = "ignored"
)

// checker gathers the faults of a document.
type checker struct {
	doc    *Document
	faults []catalog.FieldError
}

func (c *checker) add(at, code, format string, args ...any) {
	c.faults = append(c.faults, c.doc.manifest.Fault(at, code, format, args...))
}

func (c *checker) head() {
	if v := c.doc.APIVersion; v != "" && v != catalog.APIVersion {
		c.add("/apiVersion", catalog.CodeValue, "want %s", catalog.APIVersion)
	}
	if !catalog.ValidName(c.doc.Metadata.Name) {
		c.add("/metadata/name", catalog.CodeValue, "is not a name: [a-z0-9]([a-z0-9-]{0,62})")
	}
	if c.doc.Now.IsZero() {
		c.add("/now", catalog.CodeRequired, "is required: tests have an instant of their own, such as 2026-11-23T12:00:00Z")
	}
	if !slices.Contains([]string{"", unlistedDenied, unlistedIgnored}, c.doc.Unlisted) {
		c.add("/unlisted", catalog.CodeValue, "want denied or ignored")
	}
}

// tokens reads the claims of every fixture and puts its end into them.
func (c *checker) tokens() {
	for _, name := range slices.Sorted(maps.Keys(c.doc.Tokens)) {
		token, at := c.doc.Tokens[name], pointer("tokens", name)
		if token.Issuer == "" {
			c.add(at+"/issuer", catalog.CodeRequired, "is required: the name of a TrustedIssuer, or self")
		}
		if token.Type == "" {
			token.Type = exchange.TypeJWT.Short()
		}
		if !exchange.TypeOf(token.Type).Known() {
			c.add(at+"/type", catalog.CodeValue, "want jwt, access_token or id_token")
		}
		var err error
		if token.claims, err = rehearsal.ReadClaims(token.Claims); err != nil {
			c.add(at+"/claims", catalog.CodeType, "%v", err)
			continue
		}
		c.ends(at, &token)
		c.doc.Tokens[name] = token
	}
}

// ends: expiresIn is exp, counted from now, and is written once.
func (c *checker) ends(at string, token *Token) {
	if token.ExpiresIn == 0 {
		return
	}
	if _, twice := token.claims["exp"]; twice {
		c.add(at+"/expiresIn", catalog.CodeConflict, "claims.exp says when the token ends already; keep one")
		return
	}
	token.claims["exp"] = date(c.doc.Now, token.ExpiresIn)
}

func (c *checker) tests() {
	if len(c.doc.Tests) == 0 {
		c.add("/tests", catalog.CodeRequired, "is required: a document without tests proves nothing")
	}
	for i, t := range c.doc.Tests {
		at := pointer("tests", i)
		if strings.TrimSpace(t.Name) == "" {
			c.add(at+"/name", catalog.CodeRequired, "is required: what the test shows, in words")
		}
		c.request(at+"/request", t.Request)
		c.expect(at+"/expect", t.Expect)
	}
}

func (c *checker) request(at string, r Request) {
	if len(r.Client) == 0 {
		c.add(at+"/client", catalog.CodeRequired, "is required: a client's name, a list of them, or *")
	}
	clientOnly := r.grant() == exchange.GrantClientCredentials
	if len(r.Subject) == 0 && !clientOnly {
		c.add(at+"/subject", catalog.CodeRequired, "is required: the name of a token of this document, a list of them, or *")
	}
	if !slices.Contains([]string{"", "token-exchange", string(exchange.GrantClientCredentials)}, r.Grant) {
		c.add(at+"/grant", catalog.CodeValue, "want token-exchange or client_credentials")
	}
	for _, name := range r.Subject {
		if name != "*" {
			c.fixture(at+"/subject", name)
		}
	}
	if r.Actor != "" {
		c.fixture(at+"/actor", r.Actor)
	}
}

func (c *checker) fixture(at, name string) {
	if _, known := c.doc.Tokens[name]; !known {
		c.add(at, catalog.CodeReference, "tokens has no %q; it has %s", name, strings.Join(slices.Sorted(maps.Keys(c.doc.Tokens)), ", "))
	}
}

func (c *checker) expect(at string, e Expect) {
	if e.Issued != nil && e.Denied != "" {
		c.add(at, catalog.CodeConflict, "is issued or denied, not both")
	}
	if e.Denied != "" && e.Denied != anyReason && !knownReason(e.Denied) {
		c.add(at+"/denied", catalog.CodeValue, "%q is no reason; docs/reasons.md lists them, and any is for all", e.Denied)
	}
}
