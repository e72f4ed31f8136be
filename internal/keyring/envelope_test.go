package keyring_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/keyring/keyringtest"
)

func TestASealedSecretOpensInItsPlaceAlone(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	const secret = "what we present"
	sealed, err := ring.SealSecret("TrustedIssuer", "acme", "/spec/x", secret)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := ring.OpenSecret("TrustedIssuer", "acme", "/spec/x", sealed); err != nil || opened != secret {
		t.Fatalf("positive control: %v", err)
	}
	for _, place := range [][3]string{
		{"TrustedIssuer", "evil", "/spec/x"}, {"Client", "acme", "/spec/x"}, {"TrustedIssuer", "acme", "/spec/y"}, {"TrustedIssuer", "acme/spec", "/x"},
	} {
		if opened, err := ring.OpenSecret(place[0], place[1], place[2], sealed); err == nil || opened != "" {
			t.Errorf("it opens as %v", place)
		}
	}
	again, err := ring.SealSecret("TrustedIssuer", "acme", "/spec/x", secret)
	if err != nil || bytes.Equal(again, sealed) || bytes.Contains(sealed, []byte(secret)) {
		t.Error("sealing is not random, or hides nothing")
	}
}

func TestADamagedEnvelopeIsRefused(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	sealed, err := ring.SealSecret("k", "n", "f", "secret")
	if err != nil {
		t.Fatal(err)
	}
	for _, damaged := range []string{"", "null", "{}", "[]", string(sealed[:len(sealed)-1]), strings.Replace(string(sealed), `"kek":"`, `"kek":"../`, 1)} {
		if opened, err := ring.OpenSecret("k", "n", "f", []byte(damaged)); err == nil || strings.Contains(err.Error(), "secret\"") {
			t.Errorf("%q opens as %q: %v", damaged, opened.Reveal(), err)
		}
	}
}
