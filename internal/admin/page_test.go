package admin

import (
	"testing"

	"pgregory.net/rapid"
)

func TestPageTokenReadsBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringN(1, 60, 120).Draw(t, "key")
		got, ok := parseCursor("targets", cursor("targets", key))
		if !ok || got != key {
			t.Fatalf("%q became %q, %v", key, got, ok)
		}
		if _, ok := parseCursor("clients", cursor("targets", key)); ok {
			t.Fatal("a list takes another list's token")
		}
	})
}

// FuzzPageToken: a token has one spelling, and none makes the parser panic.
func FuzzPageToken(f *testing.F) {
	f.Add(cursor("targets", "orders-api"))
	f.Add("MQp0YXJnZXRzCm9yZGVycy1hcGk")
	f.Add("MQp0YXJnZXRzCm9y\nZGVycy1hcGk")
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		key, ok := parseCursor("targets", token)
		if ok && cursor("targets", key) != token {
			t.Fatalf("%q is a second spelling of the token for %q", token, key)
		}
	})
}
