package rehearsal

import (
	"context"
	"errors"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/mint"
)

// Judge is a Verifier that can also judge claims without a token, by the same
// rules as a token whose signature holds. The one of package trust is.
type Judge interface {
	exchange.Verifier
	// Judge judges claims of the issuer that the trust list calls by that name,
	// as what req presents in the role.
	Judge(req *exchange.Request, role exchange.Role, issuer string, claims exchange.Claims) (*exchange.Token, error)
}

// ErrNoClient is the error for a question about a client that is not there.
var ErrNoClient = errors.New("there is no client of this name")

// ID is the decision id of every rehearsal: a UUIDv7 of 1970 that no exchange
// can have.
const ID exchange.ID = "00000000-0000-7000-8000-000000000000"

// Stage is where exchanges are rehearsed: one World, as /token would meet it,
// at one instant.
type Stage struct {
	World  *exchange.World
	Issuer string // our issuer identifier
	Now    time.Time
	// Revocations is what no longer holds now; nil: nothing is known to.
	Revocations exchange.Revocations

	// Snapshot is what World was made of, and Compile how its Decider was: for
	// [Stage.Explain] alone.
	Snapshot *catalog.Snapshot
	Compile  func(*catalog.Snapshot) exchange.Decider
}

// Rehearse tells what an exchange would come to, without its candidates. The
// error is ErrNoClient, or ctx's; a refusal is an answer.
func (s *Stage) Rehearse(ctx context.Context, q Question) (*Answer, error) {
	return s.rehearse(ctx, q, s.World.Decider, map[exchange.Role]belief{})
}

// rehearse runs the exchange with a Decider, and with what is known already of
// the tokens.
func (s *Stage) rehearse(ctx context.Context, q Question, decider exchange.Decider, known map[exchange.Role]belief) (*Answer, error) {
	client := s.client(q.Client)
	if client == nil {
		return nil, ErrNoClient
	}
	a := &Answer{Checks: []Check{}, Candidates: []Candidate{}}
	q.Subject, q.Actor = a.dated(q.Subject, exchange.RoleSubject, s.Now), a.dated(q.Actor, exchange.RoleActor, s.Now)
	a.question = q
	world := *s.World
	world.Verifier, world.Decider = castVerifier{s.World.Verifier, a, known}, castDecider{decider, a}
	req := &exchange.Request{
		ID: ID, Time: s.Now, World: &world, Client: client, Grant: q.grant(),
		Subject: q.Subject.presented(), Actor: q.Actor.presented(),
		Audiences: q.Audiences, Resources: q.Resources, Scope: q.Scope, RequestedType: q.RequestedType,
	}
	if !q.brief {
		req.Trace = &a.trace
	}
	err := s.exchange(ctx, req, a)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	a.conclude(err)
	return a, nil
}

// exchange is what /token does once a request's form is read: the client, then
// the use case.
func (s *Stage) exchange(ctx context.Context, req *exchange.Request, a *Answer) error {
	if !req.Client.Enabled(req.Time) {
		return exchange.Refuse(exchange.ClientAuthenticationFailed, "client %q is disabled or expired", req.Client.Name)
	}
	a.phase = atParameters
	service := exchange.Service{Minter: &previewer{issuer: s.Issuer, into: a}, Recorder: a, Revocations: s.Revocations, Issuer: s.Issuer}
	_, err := service.Exchange(ctx, req)
	return err
}

// client finds a client by its name.
func (s *Stage) client(name string) *exchange.Client {
	if c := s.World.Clients[name]; c != nil && c.Name == name { // its client_id, most of the time
		return c
	}
	for _, c := range s.World.Clients {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// previewer is a Minter that cannot sign: it holds the claims to the narrowing
// check, and shows them.
type previewer struct {
	issuer string
	into   *Answer
}

// Mint shows what would be signed.
func (p *previewer) Mint(_ context.Context, req *exchange.Request, g *exchange.Grant) (*exchange.Issued, error) {
	p.into.phase = atMint
	payload, issued, err := mint.Preview(p.issuer, req, g)
	if err != nil {
		return nil, exchange.Unavailable(exchange.SignerUnavailable, err)
	}
	p.into.phase = done
	p.into.Preview = &Preview{Claims: payload, ExpiresIn: int64(issued.ExpiresIn / time.Second)}
	return issued, nil
}
