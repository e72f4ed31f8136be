package keyring_test

import (
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/keyring/keyringtest"
)

func TestSecretMatchesItsDigestAlone(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	secret := strings.Repeat("s3cr3t-", 6)
	digest, err := ring.Digest(secret)
	if err != nil {
		t.Fatal(err)
	}
	if !ring.Matches(digest, secret) {
		t.Error("the secret does not match its digest")
	}
	for _, wrong := range []string{"", secret[1:], secret + "x", strings.ToUpper(secret), digest} {
		if ring.Matches(digest, wrong) {
			t.Errorf("%d characters that are not the secret match", len(wrong))
		}
	}
	if strings.Contains(digest, secret) {
		t.Error("the digest holds the secret")
	}
}

func TestDigestsAreSalted(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	one, _ := ring.Digest("the same secret")
	other, _ := ring.Digest("the same secret")
	if one == other {
		t.Error("two clients with one secret have one digest")
	}
	if !strings.HasPrefix(one, "hmac-sha256$v1$") || strings.Count(one, "$") != 3 {
		t.Errorf("digest reads %q, want hmac-sha256$v1$<salt>$<mac>", one)
	}
}

func TestDigestIsWorthlessWithoutThePepper(t *testing.T) {
	t.Parallel()
	digest, _ := keyringtest.Ring(t).Digest("a secret")
	if keyringtest.Ring(t).Matches(digest, "a secret") {
		t.Error("another pepper gives the same digest")
	}
}

func TestRejectsDigestsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	ring := keyringtest.Ring(t)
	digest, _ := ring.Digest("a secret")
	for _, bad := range []string{
		"", "$", "hmac-sha256$v1$", "hmac-sha256$v1$$", digest[:len(digest)-1], digest + "A", " " + digest, digest + "$x",
		strings.Replace(digest, "v1", "v2", 1), strings.Replace(digest, "hmac-sha256", "hmac-sha512", 1), digest + "\n",
	} {
		if ring.Matches(bad, "a secret") || ring.Matches(bad, "") {
			t.Errorf("digest %q matches", bad)
		}
	}
}

func FuzzMatchesNeverAcceptsAForeignDigest(f *testing.F) {
	ring := keyringtest.Ring(f)
	digest, err := ring.Digest("the one secret")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", digest, digest[:30], "hmac-sha256$v1$AAAA$AAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, candidate string) {
		if ring.Matches(candidate, "the one secret") != (candidate == digest) {
			t.Errorf("digest %q decides wrongly", candidate)
		}
	})
}
