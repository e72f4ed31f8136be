package keyring_test

import (
	"encoding/base64"
	"flag"
	"strings"
	"sync"
	"testing"

	"github.com/strait-sts/strait/internal/keyring/keyringtest"
)

// signatures is how many are made; OUT-008 has a million: two minutes.
var signatures = flag.Int("signatures", 4000, "how many signatures TestOUT008_NoNonceComesTwice makes")

// TestOUT008_NoNonceComesTwice: r of an ECDSA signature is its nonce's point, and
// two signatures with one r give the key away (FIPS 186-5 §6.3). The same payload
// is signed each time, by several callers at once: nothing of the message may be
// all that makes nonces differ.
func TestOUT008_NoNonceComesTwice(t *testing.T) {
	t.Parallel()
	ring, seen := keyringtest.Ring(t), sync.Map{}
	const callers = 4
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for range *signatures / callers {
				compact, err := ring.Sign("ES256", "at+jwt", []byte(`{"sub":"alice"}`))
				if err != nil {
					t.Error(err)
					return
				}
				raw, err := base64.RawURLEncoding.DecodeString(compact[strings.LastIndexByte(compact, '.')+1:])
				if err != nil || len(raw) != 64 {
					t.Errorf("a signature of %d bytes: %v", len(raw), err)
					return
				}
				if _, twice := seen.LoadOrStore([32]byte(raw), true); twice {
					t.Errorf("r came twice: %x", raw[:32])
					return
				}
			}
		})
	}
	all.Wait()
}
