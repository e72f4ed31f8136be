package catalog_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

const secretField = "/spec/keys/introspection/clientSecret"

// vault is a catalogue that can keep secrets: sealed with their place.
func vault(t *testing.T) (*catalog.Catalog, *memory) {
	t.Helper()
	store := &memory{}
	c := open(store)
	sealings := 0
	c.Seal = func(o catalog.Ref, field string, secret exchange.Secret) ([]byte, error) {
		sealings++
		return []byte(o.String() + field + "|" + strings.Repeat("*", sealings) + "|" + secret.Reveal()), nil
	}
	c.Unseal = func(o catalog.Ref, field string, sealed []byte) (exchange.Secret, error) {
		place, rest, _ := strings.Cut(string(sealed), "|")
		_, secret, _ := strings.Cut(rest, "|")
		if place != o.String()+field {
			return "", errors.New("sealed for another place")
		}
		return exchange.Secret(secret), nil
	}
	return c, store
}

// opaque is an issuer of opaque tokens.
func opaque(t *testing.T, change func(*catalog.Introspection)) catalog.Object {
	t.Helper()
	o := object(t, `{"kind": "TrustedIssuer", "metadata": {"name": "acme"},
		"governance": {"owner": "id@example.com", "justification": "Partners", "reviewBy": "2027-03-01"},
		"spec": {"issuer": "https://acme.test", "acceptAs": ["subject"], "claimMappings": {"subject": {"prefix": "acme:"}},
			"keys": {"introspection": {"url": "https://acme.test/introspect", "clientId": "strait", "allowedClientIds": ["webshop"]}}}}`)
	change(o.Spec.(*catalog.TrustedIssuer).Keys.Introspection)
	return o
}

func TestAPresentedSecretIsSealedAndNeverReadBack(t *testing.T) {
	t.Parallel()
	c, store := vault(t)
	sent := opaque(t, func(in *catalog.Introspection) { in.ClientSecret = "s3cret-s3cret" })
	e, result, err := c.Put(t.Context(), sent, catalog.Write{})
	if err != nil || result != catalog.Created {
		t.Fatal(result, err)
	}
	if got := string(e.Sealed[secretField]); !strings.HasPrefix(got, "TrustedIssuer/acme"+secretField+"|") {
		t.Errorf("sealed %q", got)
	}
	for _, change := range store.changes {
		if bytes.Contains(change.After, []byte("s3cret")) {
			t.Error("a change record holds the secret")
		}
	}
	if bytes.Contains(e.Canonical(), []byte("ecret")) {
		t.Errorf("the object shows its secret: %s", e.Canonical())
	}
	if _, result, err = c.Put(t.Context(), sent, catalog.Write{IfMatch: "*"}); result != catalog.Unchanged || err != nil {
		t.Errorf("the same secret again: %s, %v", result, err)
	}
	before := e.Sealed[secretField]
	e, result, err = c.Put(t.Context(), opaque(t, func(in *catalog.Introspection) { in.TokenPrefix = "acme_" }), catalog.Write{IfMatch: "*"})
	if err != nil || result != catalog.Configured || !bytes.Equal(e.Sealed[secretField], before) {
		t.Errorf("without a secret: %s, %v, sealed %q", result, err, e.Sealed[secretField])
	}
	e, result, err = c.Put(t.Context(), opaque(t, func(in *catalog.Introspection) { in.ClientSecret = "another" }), catalog.Write{IfMatch: "*"})
	if err != nil || result != catalog.Configured || !strings.HasSuffix(string(e.Sealed[secretField]), "|another") {
		t.Errorf("with another secret: %s, %v", result, err)
	}
}

// TestAKeptSecretGoesNowhereElse: who may write entries must not be able to have
// it sent to a host or under a name of their choice.
func TestAKeptSecretGoesNowhereElse(t *testing.T) {
	t.Parallel()
	c, _ := vault(t)
	refused := func(name, code string, o catalog.Object) {
		t.Helper()
		_, _, err := c.Put(t.Context(), o, catalog.Write{IfMatch: "*"})
		var invalid *catalog.Invalid
		if !errors.As(err, &invalid) || len(invalid.Errors) != 1 || !strings.HasPrefix(invalid.Errors[0].Pointer, secretField) || invalid.Errors[0].Code != code {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := c.Put(t.Context(), opaque(t, func(*catalog.Introspection) {}), catalog.Write{}); err == nil {
		t.Error("a new entry without a secret was taken")
	}
	if _, _, err := c.Put(t.Context(), opaque(t, func(in *catalog.Introspection) { in.ClientSecret = "s3cret" }), catalog.Write{}); err != nil {
		t.Fatal(err)
	}
	refused("another url", catalog.CodeRequired, opaque(t, func(in *catalog.Introspection) { in.URL = "https://evil.test/" }))
	refused("another clientId", catalog.CodeRequired, opaque(t, func(in *catalog.Introspection) { in.ClientID = "evil" }))
	refused("a file's", catalog.CodeValue, opaque(t, func(in *catalog.Introspection) { in.ClientSecretFrom = &catalog.SecretFrom{Env: "X"} }))
	refused("a line's end", catalog.CodeValue, opaque(t, func(in *catalog.Introspection) { in.ClientSecret = "x\n" }))
	refused("long", catalog.CodeValue, opaque(t, func(in *catalog.Introspection) { in.ClientSecret = exchange.Secret(strings.Repeat("x", 1001)) }))
	moved := opaque(t, func(in *catalog.Introspection) { in.URL, in.ClientSecret = "https://new.test/", "s3cret" })
	if _, _, err := c.Put(t.Context(), moved, catalog.Write{IfMatch: "*"}); err != nil {
		t.Errorf("another url with the secret: %v", err)
	}
	// Elsewhere and back again, with inline keys in between: the secret is gone.
	plain := opaque(t, func(*catalog.Introspection) {})
	spec := plain.Spec.(*catalog.TrustedIssuer)
	spec.Keys, spec.TokenTypes = catalog.Keys{JWKSURI: "https://acme.test/jwks"}, []string{"jwt"}
	spec.Audiences, spec.Algorithms = []string{"https://gateway.example.com"}, []string{"ES256"}
	if _, _, err := c.Put(t.Context(), plain, catalog.Write{IfMatch: "*"}); err != nil {
		t.Fatal(err)
	}
	refused("after inline keys", catalog.CodeRequired, opaque(t, func(in *catalog.Introspection) { in.URL = "https://new.test/" }))
}
