package ststest

import (
	"bytes"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// spoil changes a token's signature in one of the ways of the catalogue.
func spoil(t testing.TB, compact, mode string) string {
	t.Helper()
	if mode == "" {
		return compact
	}
	input, encoded := compact[:strings.LastIndexByte(compact, '.')], compact[strings.LastIndexByte(compact, '.')+1:]
	signature, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	switch mode {
	case "empty":
		signature = nil
	case "zero":
		signature = make([]byte, 64)
	case "r0s1":
		signature = big.NewInt(1).FillBytes(make([]byte, 64))
	case "rn_sn":
		signature = bytes.Repeat(elliptic.P256().Params().N.Bytes(), 2)
	case "flip":
		signature[10] ^= 1
	case "trunc":
		signature = signature[:len(signature)-1]
	case "ed25519_s_plus_l":
		addOrder(signature[32:])
	default:
		t.Fatalf("unknown sig %q", mode)
	}
	return input + "." + encode(signature)
}

// addOrder adds the order of edwards25519 (RFC 8032 §5.1) to a little-endian S.
func addOrder(s []byte) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	slices.Reverse(s)
	new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(s)
	slices.Reverse(s)
}

// rewire changes the spelling of a token in one of the ways of the catalogue.
func rewire(t testing.TB, compact, mode string) string {
	t.Helper()
	if mode == "" {
		return compact
	}
	part := strings.Split(compact, ".")
	spellings := map[string]func() string{
		"json_flattened": func() string {
			return fmt.Sprintf(`{"protected":%q,"header":{"kid":"a2"},"payload":%q,"signature":%q}`, part[0], part[1], part[2])
		},
		"segments_1":        func() string { return part[0] },
		"segments_2":        func() string { return part[0] + "." + part[1] },
		"segments_6":        func() string { return compact + ".a.b.c" },
		"empty_payload":     func() string { return part[0] + ".." + part[2] },
		"pad_sig":           func() string { return compact + "==" },
		"std_alphabet":      func() string { return part[0] + "." + part[1] + ".+/" + part[2][2:] },
		"trailing_lf":       func() string { return compact + "\n" },
		"noncanonical_last": func() string { return nonCanonical(compact) },
		"nul":               func() string { return part[0] + "\x00." + part[1] + "." + part[2] },
		"pct_dots":          func() string { return strings.ReplaceAll(compact, ".", "%2E") },
		"unicode_dot":       func() string { return strings.ReplaceAll(compact, ".", "\u2024") },
	}
	spelling, known := spellings[mode]
	if !known {
		t.Fatalf("unknown wire %q", mode)
	}
	return spelling()
}

// nonCanonical sets a bit of the last character that no byte uses.
func nonCanonical(compact string) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(digits, compact[len(compact)-1])
	return compact[:len(compact)-1] + string(digits[last|1])
}
