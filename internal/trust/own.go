package trust

import (
	"crypto"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/jws"
)

// OwnKeys is the public half of our signing keys (package keyring).
type OwnKeys interface {
	// Public gives the key with this kid and the alg that it signs with; not ok
	// where our JWKS has none.
	Public(kid string) (alg string, key crypto.PublicKey, ok bool)
}

// own judges the tokens that Strait issued, under the reserved name "self".
type own struct {
	issuer string
	keys   *ownKeys
	rules  claimRules
	aud    map[string]serving // by the targets' names
}

// serving is a target as own tokens know it.
type serving struct {
	audience string
	object   catalog.Object
	disabled bool
}

func newOwn(s *catalog.Snapshot, options Options, keys *ownKeys) *own {
	o := &own{
		issuer: options.Issuer, keys: keys, aud: map[string]serving{},
		rules: claimRules{skew: options.Skew, scope: claimAt("")},
	}
	for _, t := range s.Targets() {
		o.aud[t.Metadata.Name] = serving{t.Spec.Audience, t.Object, t.Spec.Mode == catalog.ModeDisabled}
	}
	return o
}

// issued: the token says that it is ours.
func (o *own) issued(p *presented) bool { return o.issuer != "" && p.issuer == o.issuer }

// verify is steps 2 to 5 of the package comment for a token of ours: an access
// token as RFC 9068 §4 has it verified, nothing else that our keys sign.
func (o *own) verify(p *presented) (*exchange.Token, error) {
	if err := checkOwnType(p.typ); err != nil {
		return nil, err
	}
	if !jws.TypeMatches(p.jws.Header.Type, "at+jwt") {
		return nil, wrong(exchange.TypeMismatch, "the typ header of our own tokens is at+jwt")
	}
	key, err := o.keys.key(p.jws.Header.KeyID)
	if err != nil {
		return nil, joseFault(err)
	}
	if err := p.prove(key); err != nil {
		return nil, joseFault(err)
	}
	return o.judge(p)
}

func checkOwnType(typ exchange.TokenType) error {
	if typ != exchange.TypeAccessToken && typ != exchange.TypeJWT {
		return wrong(exchange.TypeMismatch, "our own tokens are of type access_token or jwt")
	}
	return nil
}

// judge is step 5 of the package comment for a token of ours.
func (o *own) judge(p *presented) (*exchange.Token, error) {
	r := o.rules.reading(exchange.SelfIssuer, p)
	if p.jws != nil { // else its claims are given, by explain
		r.token.KeyID = p.jws.Header.KeyID
	}
	return r.run(r.readAudience, r.readParties, func() error { return o.checkServed(r.token, p.client, p.now) },
		r.checkTimes, r.readScopes, r.readDelegation, r.readBinding, r.readTxn)
}

// checkServed: the client may present the token. It does as the resource server
// that the token was issued for, or because the token was issued to it.
func (o *own) checkServed(token *exchange.Token, client *exchange.Client, now time.Time) error {
	if token.ClientID != "" && token.ClientID == client.ID {
		return nil
	}
	for _, name := range client.Serves {
		t, known := o.aud[name]
		if known && !t.disabled && !t.object.Expired(now) && slices.Contains(token.Audience, t.audience) {
			return nil
		}
	}
	return wrong(exchange.AudienceMismatch, "the token is for no target that client %q serves, nor issued to it", client.Name)
}

// readTxn reads the root exchange of one of our tokens.
func (r *reading) readTxn() error {
	txn, present := r.claims["txn"]
	var isString bool
	if r.token.Txn, isString = txn.(string); present && !isString {
		return wrong(exchange.TokenMalformed, "txn is not a string")
	}
	return nil
}

// ownKeys keeps our keys in the form that verifies. A kid is the thumbprint of
// its key (RFC 7638), so that it never means another one; whether it still
// holds is asked each time.
type ownKeys struct {
	ring OwnKeys
	made sync.Map // kid → *jws.Key
}

func (o *ownKeys) key(kid string) (*jws.Key, error) {
	if o.ring == nil {
		return nil, jws.ErrNoKey
	}
	alg, public, ok := o.ring.Public(kid)
	if !ok {
		return nil, jws.ErrNoKey
	}
	if made, found := o.made.Load(kid); found {
		if key, isKey := made.(*jws.Key); isKey {
			return key, nil
		}
	}
	key, err := jws.NewKey(kid, public, jws.Algorithm(alg))
	if err != nil {
		return nil, errors.Join(jws.ErrNoKey, err)
	}
	o.made.Store(kid, key)
	return key, nil
}
