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
	issuer  string
	keys    *ownKeys
	rules   claimRules
	targets map[string]serving // by name
	clients map[string]inForce // by client_id
}

// serving is a target as own tokens know it.
type serving struct {
	inForce
	target *exchange.Target
}

// inForce says of an object whether it counts.
type inForce struct {
	object   catalog.Object
	disabled bool
}

func (f inForce) at(now time.Time) bool { return !f.disabled && !f.object.Expired(now) }

func newOwn(s *catalog.Snapshot, options Options, keys *ownKeys) *own {
	o := &own{
		issuer: options.Issuer, keys: keys, targets: map[string]serving{}, clients: map[string]inForce{},
		rules: claimRules{skew: options.Skew, scope: claimAt("")},
	}
	for _, t := range s.Targets() {
		o.targets[t.Metadata.Name] = serving{
			inForce{t.Object, t.Spec.Mode == catalog.ModeDisabled},
			&exchange.Target{Name: t.Metadata.Name, Audience: t.Spec.Audience, Scopes: t.Spec.Scopes},
		}
	}
	for _, c := range s.Clients() {
		o.clients[c.Spec.ClientID] = inForce{c.Object, c.Spec.Mode == catalog.ModeDisabled}
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
	return r.run(r.readAudience, r.readParties, func() error { return o.checkPresenter(r.token, p) },
		r.checkTimes, func() error { return o.checkHolder(r.token, p.now) }, r.readScopes, r.readDelegation, r.readBinding, r.readTxn)
}

// checkPresenter: the client may present the token for what it does. To revoke
// it is for the client that it was issued to, to introspect it for a resource
// server that it was issued for, to exchange it for either.
func (o *own) checkPresenter(token *exchange.Token, p *presented) error {
	token.Served = o.served(token, p.client, p.now)
	held, served := token.ClientID != "" && token.ClientID == p.client.ID, len(token.Served) > 0
	switch {
	case held && p.purpose != exchange.ToIntrospect, served && p.purpose != exchange.ToRevoke:
		return nil
	case p.purpose == exchange.ToRevoke:
		return wrong(exchange.AudienceMismatch, "the token was not issued to client %q", p.client.Name)
	case p.purpose == exchange.ToIntrospect:
		return wrong(exchange.AudienceMismatch, "the token is for no target that client %q serves", p.client.Name)
	}
	return wrong(exchange.AudienceMismatch, "the token is for no target that client %q serves, nor issued to it", p.client.Name)
}

// served is the targets in force of the token that the client serves.
func (o *own) served(token *exchange.Token, client *exchange.Client, now time.Time) (found []*exchange.Target) {
	for _, name := range client.Serves {
		t, known := o.targets[name]
		if known && t.at(now) && slices.Contains(token.Audience, t.target.Audience) {
			found = append(found, t.target)
		}
	}
	return found
}

// checkHolder: the client that the token was issued to is still in force. Who
// disables a client ends what it holds, down to the last copy.
func (o *own) checkHolder(token *exchange.Token, now time.Time) error {
	holder, known := o.clients[token.ClientID]
	if token.ClientID != "" && (!known || !holder.at(now)) { // claims that are given, by explain, may have none
		return wrong(exchange.Inactive, "the client that the token was issued to is disabled, expired or gone")
	}
	return nil
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
