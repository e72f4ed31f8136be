package exchange

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"sort"
	"time"
)

// Outcome is how an exchange ended.
type Outcome string

// The outcomes that a record can have.
const (
	OutcomeIssued Outcome = "issued"
	OutcomeDenied Outcome = "denied"
	OutcomeError  Outcome = "error" // we answered 5xx and could still record
)

// Record is what is kept of one exchange, issued or denied. It holds hashes of
// tokens, never tokens.
type Record struct {
	ID             ID           `json:"id"`
	Time           time.Time    `json:"time"`
	Decision       Outcome      `json:"decision"`
	Reason         Reason       `json:"reason,omitempty"`
	Error          Code         `json:"error,omitempty"`
	Detail         string       `json:"detail,omitempty"`
	Client         string       `json:"client,omitempty"` // metadata.name
	Grant          GrantType    `json:"grant,omitempty"`
	Asked          *Asked       `json:"asked,omitempty"` // nil where it was refused before that was read
	Subject        *RecordParty `json:"subject,omitempty"`
	Actor          *RecordParty `json:"actor,omitempty"`
	Flow           Flow         `json:"flow,omitempty"`
	Policy         string       `json:"policy,omitempty"`
	PolicyRevision int64        `json:"policyRevision,omitempty"`
	Targets        []string     `json:"targets,omitempty"` // names
	Scopes         RecordScopes `json:"scopes"`
	Lifetime       RecordLife   `json:"lifetime"`
	JTI            string       `json:"jti,omitempty"`         // of the issued token
	Key            string       `json:"key,omitempty"`         // kid of the key that signed it
	Parent         string       `json:"parent,omitempty"`      // exchange that issued the subject token, where it is ours
	ActorParent    string       `json:"actorParent,omitempty"` // the same of the actor token
	Txn            string       `json:"txn,omitempty"`
	Narrowed       *Narrowed    `json:"narrowed,omitempty"`
	Guardrail      string       `json:"guardrail,omitempty"` // the one that forbade it
	Shadow         []Shadow     `json:"shadow,omitempty"`
	RemoteAddr     string       `json:"remoteAddr,omitempty"`
	RequestID      string       `json:"requestId,omitempty"`
	TraceID        string       `json:"traceId,omitempty"`
	ConfigRevision int64        `json:"configRevision"`

	// Claims are what an issued record uses up, in its own transaction. A
	// denial uses up nothing.
	Claims      []ReplayClaim   `json:"-"`
	revocations RevocationState // that the exchange was decided by; nil: none are known

	subject, actor *Token // those that were believed
	claims         bool   // what rules read of them is kept
}

// Asked is what a request named, so that it can be decided once more: its
// targets as they were written, none of them where the policy's default was to
// decide. A value that means no target is not kept: it can be anything, a token
// in the wrong place too.
type Asked struct {
	Audience  []string `json:"audience,omitempty"`
	Resource  []string `json:"resource,omitempty"`
	TokenType string   `json:"tokenType,omitempty"` // requested_token_type, its short name
}

// ReplayClaim is a token that may be exchanged once, by whichever replica.
type ReplayClaim struct {
	Role  Role      // the part that the token plays
	Scope string    // the trusted issuer's name
	ID    string    // the token's jti
	Until time.Time // from then on the token is refused anyway
}

// RecordParty is a presented token as a record shows it.
type RecordParty struct {
	Issuer    string `json:"issuer,omitempty"` // the trusted issuer's name
	Subject   string `json:"sub,omitempty"`    // mapped
	Original  string `json:"originalSub,omitempty"`
	JTI       string `json:"jti,omitempty"`
	TokenHash string `json:"tokenHash,omitempty"` // base64url of the SHA-256 of the token's bytes
	Act       Chain  `json:"act,omitempty"`

	Type       string         `json:"type,omitempty"` // what the request called it, the short name
	IssuerURL  string         `json:"iss,omitempty"`  // of a foreign token, byte for byte
	Audience   []string       `json:"aud,omitempty"`
	ClientID   string         `json:"clientId,omitempty"` // whom it was issued to
	IssuedAt   int64          `json:"iat,omitempty"`      // whole seconds since 1970, as exp
	Expires    int64          `json:"exp,omitempty"`
	MayAct     map[string]any `json:"mayAct,omitempty"`     // iss, sub and client_id; "other": true stands for all else
	Bound      bool           `json:"bound,omitempty"`      // it has cnf
	ScopeClaim string         `json:"scopeClaim,omitempty"` // where its scopes are, if not in scope
	Scopes     []string       `json:"scopes,omitempty"`     // of an actor; the subject's are scopes.held

	Kept // what rules have read of its claims
}

// RecordScopes is the way of the scopes through an exchange.
type RecordScopes struct {
	Held      []string `json:"held,omitempty"`
	Requested []string `json:"requested,omitempty"`
	Ignored   []string `json:"ignored,omitempty"`
	Issued    []string `json:"issued,omitempty"`
}

// RecordLife is what was left of the subject token's life and what was issued,
// in whole seconds.
type RecordLife struct {
	Subject int64 `json:"subject,omitempty"`
	Issued  int64 `json:"issued,omitempty"`
}

// Narrowed is the proof that the issued token is less than the subject token:
// what was left behind.
type Narrowed struct {
	Scopes   []string `json:"scopes,omitempty"`   // held, not issued
	Audience []string `json:"audience,omitempty"` // of the subject token, not of the issued one
	Lifetime int64    `json:"lifetime,omitempty"` // seconds less
	Claims   []string `json:"claims,omitempty"`   // names of claims that were not carried over
}

// NewRecord begins the record of a request with what is known before any
// judgement.
func NewRecord(req *Request) *Record {
	rec := &Record{
		ID: req.ID, Time: req.Time.UTC(), Grant: req.Grant,
		RemoteAddr: req.Origin.RemoteAddr, RequestID: req.Origin.RequestID, TraceID: req.Origin.TraceID,
		Subject: presentedParty(req.Subject), Actor: presentedParty(req.Actor),
	}
	if req.World != nil {
		rec.ConfigRevision = req.World.Revision
	}
	if req.Client != nil {
		rec.Client = req.Client.Name
	}
	return rec
}

func presentedParty(p Presented) *RecordParty {
	if p.Token == "" {
		return nil
	}
	hash := sha256.Sum256([]byte(p.Token.Reveal()))
	party := &RecordParty{TokenHash: base64.RawURLEncoding.EncodeToString(hash[:])}
	if p.Type.Known() { // else it can be anything
		party.Type = p.Type.Short()
	}
	return party
}

func (r *Record) asked(req *Request) {
	r.Scopes.Requested, r.Scopes.Ignored = req.scopes, req.ignored
	r.Asked = &Asked{Audience: req.Audiences, Resource: req.Resources, TokenType: req.RequestedType.Short()}
}

func (r *Record) admitted(targets []*Target) {
	r.Targets = make([]string, len(targets))
	for i, t := range targets {
		r.Targets[i] = t.Name
	}
}

func (r *Record) believed(role Role, t *Token) {
	party := r.Subject
	if role == RoleActor {
		party, r.actor = r.Actor, t
	}
	party.of(t)
	if r.claims {
		party.keep(t.Claims, role, t.Reads)
	}
	if t.SingleUse {
		r.Claims = append(r.Claims, ReplayClaim{role, t.Issuer, t.JTI, t.Expires})
	}
	if role == RoleActor {
		party.Scopes = t.Scopes
		if t.Own() {
			r.ActorParent = t.JTI
		}
		return
	}
	r.subject = t
	r.Scopes.Held = t.Scopes
	r.Lifetime.Subject = int64(t.Expires.Sub(r.Time) / time.Second)
	if t.Own() {
		r.Parent, r.Txn = t.JTI, t.Txn
	}
}

// maxClientID bounds the client_id of a token that a record keeps. A foreign one
// can be of any length.
const maxClientID = 255

// of takes over what the token says.
func (p *RecordParty) of(t *Token) {
	p.Issuer, p.Subject, p.Original, p.JTI, p.Act = t.Issuer, t.Subject, t.Original, t.JTI, t.Act
	p.Audience, p.Bound, p.ScopeClaim, p.Expires = t.Audience, t.Bound, t.ScopeClaim, t.Expires.Unix()
	if !t.IssuedAt.IsZero() {
		p.IssuedAt = t.IssuedAt.Unix()
	}
	if !t.Own() {
		p.IssuerURL = t.IssuerURL
	}
	if len(t.ClientID) <= maxClientID {
		p.ClientID = t.ClientID
	}
	if t.MayAct != nil {
		p.MayAct = t.MayAct.identity()
	}
}

// read keeps what the policies and guardrails that could decide read of claims.
func (r *Record) read(paths []ClaimPath) {
	if !r.claims || len(paths) == 0 {
		return
	}
	if r.subject != nil {
		r.Subject.keep(r.subject.Claims, RoleSubject, paths)
	}
	if r.actor != nil {
		r.Actor.keep(r.actor.Claims, RoleActor, paths)
	}
}

func (r *Record) decided(d Decision) {
	r.read(d.Reads)
	if d.Policy != nil {
		r.Policy, r.PolicyRevision, r.Flow = d.Policy.Name, d.Policy.Revision, d.Policy.Flow
	}
	if d.Targets != nil {
		r.admitted(d.Targets)
	}
	r.Guardrail, r.Shadow = d.Guardrail, d.Shadow
	if d.Grant != nil && d.Grant.ceiling.Adds != nil && r.Actor == nil { // the client itself acts
		hop := d.Grant.ceiling.Adds.Subject
		r.Actor = &RecordParty{Issuer: SelfIssuer, Subject: hop, Original: hop}
	}
}

func (r *Record) minted(g *Grant, issued *Issued) {
	r.JTI, r.Key, r.Txn = string(r.ID), issued.KeyID, g.Txn()
	r.Scopes.Issued = g.Scopes()
	r.Lifetime.Issued = int64(issued.ExpiresIn / time.Second)
	if r.Subject == nil { // of a client for itself, so that orders for this subject find it
		r.Subject = &RecordParty{Issuer: SelfIssuer, Subject: g.Subject(), Original: g.Subject()}
	}
	if r.subject != nil {
		r.Narrowed = narrowed(r.subject, g, r.Lifetime, issued.Claims)
	}
}

// narrowed compares the subject token with what was issued.
func narrowed(t *Token, g *Grant, life RecordLife, claims []string) *Narrowed {
	n := &Narrowed{
		Scopes:   without(t.Scopes, g.Scopes()),
		Audience: without(t.Audience, g.Audience()),
		Lifetime: max(0, life.Subject-life.Issued),
	}
	for name := range t.Claims {
		if !slices.Contains(claims, name) {
			n.Claims = append(n.Claims, name)
		}
	}
	sort.Strings(n.Claims)
	return n
}

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

// withdraw makes an issued record that of a refusal: its token has left
// nowhere.
func (r *Record) withdraw(refusal *Error) {
	r.JTI, r.Key, r.Narrowed = "", "", nil
	r.Scopes.Issued, r.Lifetime.Issued = nil, 0
	if r.Parent == "" {
		r.Txn = "" // the root was this exchange
	}
	r.conclude(nil, refusal)
}

// conclude closes the record with how the exchange ended.
func (r *Record) conclude(issued *Issued, refusal error) {
	if issued != nil {
		r.Decision = OutcomeIssued
		return
	}
	r.Decision, r.Claims = OutcomeDenied, nil
	var e *Error
	if errors.As(refusal, &e) {
		r.Reason, r.Error, r.Detail = e.Reason, e.Code, e.Detail
		if e.OurFault() {
			r.Decision = OutcomeError
		}
		if e.Reason == TargetUnknown && r.Asked != nil {
			r.Asked.Audience, r.Asked.Resource = nil, nil
		}
	}
}
