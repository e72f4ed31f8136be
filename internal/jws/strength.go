package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"math/big"
	"slices"
)

// The RSA keys that are served. RFC 7518 §3.3 asks for 2048 bits; more than
// 4096 only cost us time. Exponents below 65537 have a history of forgeries,
// and the standard library holds none above 2^31-1.
const (
	minModulusBits = 2048
	maxModulusBits = 4096
	minExponent    = 65537
	maxExponent    = 1<<31 - 1
)

// checkStrength refuses keys that do not prove who signed.
func checkStrength(public crypto.PublicKey) error {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return checkRSA(key)
	case *ecdsa.PublicKey:
		if _, err := key.ECDH(); err != nil {
			return errors.New("not a point of a curve that is served")
		}
		return nil
	case ed25519.PublicKey:
		return checkEd25519(key)
	}
	return errors.New("not an RSA, EC or Ed25519 public key")
}

// checkRSA checks size, exponent and known weaknesses of an RSA key.
func checkRSA(key *rsa.PublicKey) error {
	bits := key.N.BitLen()
	switch {
	case bits < minModulusBits || bits > maxModulusBits:
		return errors.New("RSA modulus is not of 2048 to 4096 bits")
	case key.E < minExponent || key.E > maxExponent || key.E%2 == 0:
		return errors.New("RSA exponent is not an odd number of at least 65537 and below 2^31")
	case key.N.Bit(0) == 0:
		return errors.New("RSA modulus is even")
	case weakByROCA(key.N):
		return errors.New("RSA modulus has the ROCA fingerprint (CVE-2017-15361): its factors can be found")
	}
	return nil
}

// weakByROCA finds moduli of the broken generator of CVE-2017-15361: modulo
// each small prime they are a power of 65537. A sound modulus is that for all
// of these primes with a chance of 2^-27.
func weakByROCA(n *big.Int) bool {
	for _, p := range []int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157} {
		residue := new(big.Int).Mod(n, big.NewInt(p)).Int64()
		if !isPower(minExponent%p, residue, p) {
			return false
		}
	}
	return true
}

// isPower says whether residue is a power of base modulo p.
func isPower(base, residue, p int64) bool {
	for power, i := int64(1), int64(0); i < p; i++ {
		if power == residue {
			return true
		}
		power = power * base % p
	}
	return false
}

// checkEd25519 refuses keys of the wrong size and the eight points of small
// order, in every encoding: under those one signature fits any message (RFC
// 8032 §5.1.7 leaves the check to the caller).
func checkEd25519(key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return errors.New("Ed25519 key is not of 32 bytes")
	}
	y := littleEndian(key)
	y.SetBit(y, 255, 0) // the sign of x
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	if y.Cmp(p) >= 0 {
		return errors.New("Ed25519 key is not in its one encoding")
	}
	if smallOrder(y, p) {
		return errors.New("Ed25519 key is a point of small order")
	}
	return nil
}

// smallOrder says whether a point of edwards25519 with this y has an order of
// 1, 2, 4 or 8: y is 1, -1, 0, or a root of the polynomial below.
func smallOrder(y, p *big.Int) bool {
	one := big.NewInt(1)
	if y.Sign() == 0 || y.Cmp(one) == 0 || y.Cmp(new(big.Int).Sub(p, one)) == 0 {
		return true
	}
	// A point of order 8 doubles to one with y = 0, where y² = -x². On the
	// curve -x² + y² = 1 + d·x²·y² (RFC 8032 §5.1) that is d·y⁴ + 2·y² - 1 = 0.
	d := new(big.Int).ModInverse(big.NewInt(121666), p)
	d.Mul(d, big.NewInt(-121665))
	y2 := new(big.Int).Mul(y, y)
	sum := new(big.Int).Mul(d, y2)
	sum.Add(sum, big.NewInt(2)).Mul(sum, y2).Sub(sum, one)
	return sum.Mod(sum, p).Sign() == 0
}

// littleEndian reads b as a number, its first byte the least.
func littleEndian(b []byte) *big.Int {
	reversed := slices.Clone(b)
	slices.Reverse(reversed)
	return new(big.Int).SetBytes(reversed)
}
