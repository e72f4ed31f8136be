package jws

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// signer is a private key and the algorithms it signs with.
type signer struct {
	private    crypto.Signer
	algorithms []string
}

func signers(t testing.TB) []signer {
	return []signer{
		{ecKeyPair(t, elliptic.P256()), []string{"ES256"}},
		{ecKeyPair(t, elliptic.P384()), []string{"ES384"}},
		{ecKeyPair(t, elliptic.P521()), []string{"ES512"}},
		{rsaKeyPair(t, 2048), []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}},
		{edKeyPair(t), []string{"EdDSA", "Ed25519"}},
	}
}

// parsed is Parse with the end of the test for an error.
func parsed(t testing.TB, compact string) *Object {
	t.Helper()
	return must(t)(Parse(compact, Limits{})).(*Object)
}

// Every algorithm with every key: only the pairs that RFC 7518 §3.1 makes.
func TestVerifiesOnlyWithTheKeyAndItsAlgorithm(t *testing.T) {
	t.Parallel()
	all := signers(t)
	for i, s := range all {
		for _, alg := range s.algorithms {
			o := parsed(t, token(t, s.private, alg, `{"alg":"`+alg+`"}`, `{"sub":"a"}`))
			for j, other := range all {
				err := o.Verify(key(t, "", other.private.Public()))
				fits := slices.Contains(other.algorithms, alg)
				if same := i == j; same != (err == nil) {
					t.Errorf("%s with %T: %v", alg, other.private, err)
				} else if !same && !fits && !errors.Is(err, ErrAlgorithm) {
					t.Errorf("%s with %T: %v, want ErrAlgorithm", alg, other.private, err)
				}
			}
		}
	}
}

func TestRejectsTheRightKeyOfSomebodyElse(t *testing.T) {
	mine, theirs := ecKeyPair(t, elliptic.P256()), ecKeyPair(t, elliptic.P256())
	o := parsed(t, token(t, theirs, "ES256", plainHeader, `{}`))
	if err := o.Verify(key(t, "a1", mine.Public())); !errors.Is(err, ErrSignature) {
		t.Errorf("%v, want ErrSignature", err)
	}
}

// RFC 8725 §3.1: each key is for one algorithm, whatever its type could do.
func TestRejectsAnAlgorithmTheKeyIsNotPinnedTo(t *testing.T) {
	private := rsaKeyPair(t, 2048)
	pinned := key(t, "", private.Public(), PS256)
	if err := parsed(t, token(t, private, "PS256", `{"alg":"PS256"}`, `{}`)).Verify(pinned); err != nil {
		t.Fatal(err)
	}
	o := parsed(t, token(t, private, "RS256", `{"alg":"RS256"}`, `{}`))
	if err := o.Verify(pinned); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("%v, want ErrAlgorithm", err)
	}
}

// RFC 7518 §3.5: the salt is as long as the hash.
func TestRejectsOtherSaltLengths(t *testing.T) {
	private := rsaKeyPair(t, 2048)
	k := key(t, "", private.Public())
	for alg, want := range map[string]error{"PS256:salt32": nil, "PS256:salt20": ErrSignature, "PS256:salt64": ErrSignature} {
		o := parsed(t, token(t, private, alg, `{"alg":"PS256"}`, `{}`))
		if err := o.Verify(k); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", alg, err, want)
		}
	}
}

// RFC 7518 §3.4: R and S side by side, at full length, never DER; both in [1, n-1].
func TestRejectsECDSASignaturesOfAnotherShape(t *testing.T) {
	private := ecKeyPair(t, elliptic.P256())
	k := key(t, "", private.Public())
	o := parsed(t, token(t, private, "ES256", plainHeader, `{}`))
	good := o.signature
	n := elliptic.P256().Params().N.Bytes()
	one := append(make([]byte, 31), 1)
	zero := make([]byte, 32)
	der := must(t)(asn1.Marshal(struct{ R, S *big.Int }{
		new(big.Int).SetBytes(good[:32]), new(big.Int).SetBytes(good[32:]),
	})).([]byte)
	for name, signature := range map[string][]byte{
		"none": nil, "DER": der, "short": good[:63], "long": append(slices.Clone(good), 0),
		"long before": append([]byte{0}, good...), "long within": slices.Concat(good[:32], []byte{0}, good[32:]), "all zero": make([]byte, 64),
		"r=0": slices.Concat(zero, one), "s=0": slices.Concat(one, zero), "r=1 s=1": slices.Concat(one, one),
		"r=n s=n": slices.Concat(n, n), "s=n": slices.Concat(good[:32], n), "all ones": bytes.Repeat([]byte{255}, 64),
	} {
		o.signature = signature
		if err := o.Verify(k); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", name, err)
		}
	}
}

// Both S and n-S are valid, and honest issuers send either: no test of replay
// may rest on the bytes of a token.
func TestAcceptsBothHalvesOfS(t *testing.T) {
	private := ecKeyPair(t, elliptic.P256())
	o := parsed(t, token(t, private, "ES256", plainHeader, `{}`))
	s := new(big.Int).SetBytes(o.signature[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(o.signature[32:])
	if err := o.Verify(key(t, "", private.Public())); err != nil {
		t.Error(err)
	}
}

// RFC 8032 §5.1.7: S is below the group's order, else one signature has two forms.
func TestRejectsMalleableEd25519(t *testing.T) {
	private := edKeyPair(t)
	o := parsed(t, token(t, private, "EdDSA", `{"alg":"EdDSA"}`, `{}`))
	addOrder(o.signature[32:])
	if err := o.Verify(key(t, "", private.Public())); !errors.Is(err, ErrSignature) {
		t.Errorf("%v, want ErrSignature", err)
	}
}

// addOrder adds the order of edwards25519 to a scalar, little-endian.
func addOrder(s []byte) {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	sum := littleEndian(s)
	sum.Add(sum, order).FillBytes(s)
	slices.Reverse(s)
}

func TestOneFlippedBitIsNoSignature(t *testing.T) {
	t.Parallel()
	for _, s := range signers(t) {
		alg := s.algorithms[0]
		k := key(t, "", s.private.Public())
		compact := token(t, s.private, alg, `{"alg":"`+alg+`"}`, `{"sub":"alice","n":1}`)
		rapid.Check(t, func(rt *rapid.T) {
			o := parsed(t, compact)
			of := rapid.SampledFrom([][]byte{o.signed, o.signature}).Draw(rt, "of")
			at := rapid.IntRange(0, 8*len(of)-1).Draw(rt, "bit")
			of[at/8] ^= 1 << (at % 8)
			if err := o.Verify(k); !errors.Is(err, ErrSignature) {
				rt.Fatalf("%s: %v, want ErrSignature", alg, err)
			}
		})
	}
}

// The encodings of points of small order, as published with libsodium.
func smallOrderKeys(t *testing.T) []ed25519.PublicKey {
	var keys []ed25519.PublicKey
	for _, s := range []string{
		strings.Repeat("00", 32),
		"01" + strings.Repeat("00", 31),
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ec" + strings.Repeat("ff", 30) + "7f",
		"ed" + strings.Repeat("ff", 30) + "7f",
		"ee" + strings.Repeat("ff", 30) + "7f",
	} {
		plain := must(t)(hex.DecodeString(s)).([]byte)
		signed := slices.Clone(plain)
		signed[31] |= 0x80
		keys = append(keys, plain, signed)
	}
	return keys
}

func TestRejectsEd25519KeysThatSignEverything(t *testing.T) {
	for _, public := range smallOrderKeys(t) {
		if _, err := NewKey("", public); !errors.Is(err, ErrKey) {
			t.Errorf("%x: %v, want ErrKey", public, err)
		}
	}
	identity := smallOrderKeys(t)[2]
	forged := append(slices.Clone([]byte(identity)), make([]byte, 32)...)
	if !ed25519.Verify(identity, []byte("any message"), forged) {
		t.Error("the forgery that the rule is there for does not work: is the rule still needed?")
	}
}

func TestNewKeyRejects(t *testing.T) {
	t.Parallel()
	small := rsaKeyPair(t, 1024).PublicKey
	good := rsaKeyPair(t, 2048).PublicKey
	three, even, evenExponent, huge := good, good, good, good
	three.E, evenExponent.E = 3, 65538
	even.N = new(big.Int).Add(good.N, big.NewInt(1))
	huge.N = new(big.Int).Lsh(good.N, 2049)
	ec := ecKeyPair(t, elliptic.P256())
	for name, public := range map[string]crypto.PublicKey{
		"nothing": nil, "a secret": []byte("secret"), "1024 bits": &small, "4097 bits": &huge, "e=3": &three,
		"even e": &evenExponent, "even modulus": &even, "short Ed25519": ed25519.PublicKey("short"),
		"P-224":         ecKeyPair(t, elliptic.P224()).Public(),
		"not on curve":  &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, //nolint:staticcheck // SA1019: the point is the point
		"a private key": ec,
	} {
		if _, err := NewKey("", public); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v, want ErrKey", name, err)
		}
	}
	if _, err := NewKey("", ec.Public(), ES256, ES384); !errors.Is(err, ErrKey) {
		t.Errorf("P-256 for ES384: %v, want ErrKey", err)
	}
	if _, err := NewKey("", &good); err != nil {
		t.Errorf("positive control: %v", err)
	}
}

func TestKeysCannotBeWidened(t *testing.T) {
	k := key(t, "id", rsaKeyPair(t, 2048).Public(), RS256)
	k.Algorithms()[0] = PS256
	if k.Allows(PS256) || !k.Allows(RS256) || k.ID() != "id" {
		t.Error("Algorithms handed out the key's own slice")
	}
}
