package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// belief is what the World's Verifier said of a token.
type belief struct {
	token *exchange.Token
	err   error
}

// castVerifier is the World's Verifier, which also plays tokens that exist only
// as claims. It and castDecider note how far the exchange came. known keeps what
// was said of each token, so that none is asked about twice.
type castVerifier struct {
	exchange.Verifier
	answer *Answer
	known  map[exchange.Role]belief
}

var errNoJudge = errors.New("this trust list can judge real tokens alone")

// Verify judges the claims that were given for the role, else the real token.
func (c castVerifier) Verify(ctx context.Context, req *exchange.Request, role exchange.Role) (*exchange.Token, error) {
	party := c.answer.question.Subject
	c.answer.phase = atSubject
	if role == exchange.RoleActor {
		party, c.answer.phase = c.answer.question.Actor, atActor
	}
	said, asked := c.known[role]
	if !asked {
		said.token, said.err = c.judge(ctx, req, role, party)
		c.known[role] = said
	}
	if said.err == nil {
		c.answer.phase = atMayAct
	}
	return said.token, said.err
}

func (c castVerifier) judge(ctx context.Context, req *exchange.Request, role exchange.Role, party Party) (*exchange.Token, error) {
	switch {
	case party.recorded != nil:
		return party.recorded.verify(c.Verifier, req, role)
	case party.Claims == nil:
		return c.Verifier.Verify(ctx, req, role)
	}
	judge, can := c.Verifier.(Judge)
	if !can {
		return nil, exchange.Unavailable(exchange.IssuerKeysUnavailable, errNoJudge)
	}
	return judge.Judge(req, role, party.Issuer, party.Claims)
}

// castDecider is the World's Decider.
type castDecider struct {
	exchange.Decider
	answer *Answer
}

// Admit notes that parameters were in order.
func (c castDecider) Admit(req *exchange.Request) (exchange.Case, error) {
	c.answer.phase = atTargets
	admitted, err := c.Decider.Admit(req)
	if err != nil {
		return nil, err
	}
	return castCase{admitted, c.answer}, nil
}

// castCase is the Decider's Case.
type castCase struct {
	exchange.Case
	answer *Answer
}

// Decide notes that the tokens were believed.
func (c castCase) Decide(subject, actor *exchange.Token) (exchange.Decision, error) {
	c.answer.phase = atDecision
	return c.Case.Decide(subject, actor)
}

// assumedLife is how long claims without exp are taken to live.
const assumedLife = time.Hour

// dated gives claims that say nothing of when they were issued and end the
// times of a fresh token: who asks what alice may do need not count seconds.
func (a *Answer) dated(p Party, role exchange.Role, now time.Time) Party {
	if p.Claims == nil {
		return p
	}
	p.Claims = maps.Clone(p.Claims)
	for _, at := range []struct {
		claim string
		time  time.Time
		words string
	}{{"iat", now, "now"}, {"exp", now.Add(assumedLife), "an hour from now"}} {
		if _, written := p.Claims[at.claim]; !written {
			p.Claims[at.claim] = json.Number(strconv.FormatInt(at.time.Unix(), 10))
			a.Assumed = append(a.Assumed, fmt.Sprintf("%s.claims.%s is %s", role, at.claim, at.words))
		}
	}
	return p
}
