package jws

import "strings"

// TypeMatches says whether typ, as a token spells it, is the media type want:
// case is ignored, and "application/" may be left out where no other slash
// follows (RFC 7515 §4.1.9). An absent typ, "", matches only "".
func TypeMatches(typ, want string) bool {
	return canonicalType(typ) == canonicalType(want)
}

// canonicalType folds ASCII letters only: Unicode's folds would let a Kelvin
// sign stand for a k.
func canonicalType(typ string) string {
	lower := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, typ)
	if short, found := strings.CutPrefix(lower, "application/"); found && !strings.Contains(short, "/") {
		return short
	}
	return lower
}
