package catalog

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// APIVersion is the one version of manifests.
const APIVersion = "strait/v1"

// Kind names a kind of object.
type Kind string

// The kinds of the contract, §4.
const (
	KindTrustedIssuer  Kind = "TrustedIssuer"
	KindTarget         Kind = "Target"
	KindClient         Kind = "Client"
	KindExchangePolicy Kind = "ExchangePolicy"
	KindGuardrail      Kind = "Guardrail"
	KindAdminGrant     Kind = "AdminGrant"
	KindExchangeTest   Kind = "ExchangeTest"
)

// Kinds is every kind that the catalogue can keep, in the order in which
// commands list them.
func Kinds() []Kind {
	return []Kind{KindTrustedIssuer, KindTarget, KindClient, KindExchangePolicy, KindGuardrail}
}

// plurals is the kinds' names in paths of the admin API.
var plurals = map[Kind]string{
	KindTrustedIssuer:  "trusted-issuers",
	KindTarget:         "targets",
	KindClient:         "clients",
	KindExchangePolicy: "exchange-policies",
	KindGuardrail:      "guardrails",
	KindAdminGrant:     "admin-grants",
}

// Plural is the kind's name in paths: "exchange-policies".
func (k Kind) Plural() string { return plurals[k] }

// KindNamed finds a kind by its plural, its singular ("exchange-policy") or its
// name; case and hyphens do not matter.
func KindNamed(word string) (Kind, bool) {
	plain := strings.ToLower(strings.ReplaceAll(word, "-", ""))
	for kind, plural := range plurals {
		if plain == strings.ToLower(string(kind)) || plain == strings.ReplaceAll(plural, "-", "") {
			return kind, true
		}
	}
	return "", false
}

func kindRank(k Kind) int { return slices.Index(Kinds(), k) }

// namePattern is what names look like.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// ValidName says whether an object, or an apply set, can be called that.
func ValidName(name string) bool { return namePattern.MatchString(name) }

// Object is one manifest: what it is called, who answers for it, and its spec.
// Spec is *TrustedIssuer, *Target, *Client, *ExchangePolicy or *Guardrail.
type Object struct {
	APIVersion string     `json:"apiVersion"`
	Kind       Kind       `json:"kind"`
	Metadata   Metadata   `json:"metadata"`
	Governance Governance `json:"governance,omitzero"`
	Spec       any        `json:"spec"`
}

// Metadata names an object.
type Metadata struct {
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Governance says who answers for an object, why it exists and until when.
type Governance struct {
	Owner         string     `json:"owner,omitempty"`
	Justification string     `json:"justification,omitempty"`
	Ticket        string     `json:"ticket,omitempty"`
	ReviewBy      *Date      `json:"reviewBy,omitzero"`
	ExpiresAt     *time.Time `json:"expiresAt,omitzero"`
}

// Mode says whether an object has effect.
type Mode string

// The modes; shadow is for policies alone.
const (
	ModeEnforce  Mode = "enforce"
	ModeShadow   Mode = "shadow"
	ModeDisabled Mode = "disabled"
)

// TrustedIssuer is an entry of the trust list: whose tokens are believed, by
// which keys, under which conditions.
type TrustedIssuer struct {
	Issuer               string        `json:"issuer"`
	Keys                 Keys          `json:"keys"`
	CertificateAuthority string        `json:"certificateAuthority,omitempty"`
	MaxStale             Duration      `json:"maxStale,omitzero"`
	Audiences            []string      `json:"audiences,omitempty"`
	Algorithms           []string      `json:"algorithms,omitempty"`
	AcceptAs             []string      `json:"acceptAs"`
	TokenTypes           []string      `json:"tokenTypes,omitempty"` // short names of RFC 8693 §3
	Typ                  []string      `json:"typ,omitempty"`
	MaxTokenAge          Duration      `json:"maxTokenAge,omitzero"`
	ClockSkew            *Duration     `json:"clockSkew,omitzero"` // nil: the server's default
	SingleUse            bool          `json:"singleUse,omitzero"`
	ScopeClaim           string        `json:"scopeClaim,omitempty"` // a claim's name, or a JSON Pointer
	ClaimValidationRules []Rule        `json:"claimValidationRules,omitempty"`
	ClaimMappings        ClaimMappings `json:"claimMappings"`
	Mode                 Mode          `json:"mode,omitempty"`
}

// Keys says where an issuer's keys come from: exactly one member is set.
type Keys struct {
	Discovery     *Discovery      `json:"discovery,omitzero"`
	JWKSURI       string          `json:"jwksUri,omitempty"`
	JWKS          json.RawMessage `json:"jwks,omitempty"` // a JWK Set (RFC 7517 §5)
	Introspection *Introspection  `json:"introspection,omitzero"`
}

// Introspection is for opaque tokens: their issuer is asked about each (RFC
// 7662 §2).
type Introspection struct {
	URL      string `json:"url"`
	ClientID string `json:"clientId"` // who we are there
	// ClientSecret is write-only: the catalogue keeps it sealed, in [Entry].
	ClientSecret exchange.Secret `json:"clientSecret,omitzero"`
	// ClientSecretFrom stands in files alone, as SecretFrom does.
	ClientSecretFrom *SecretFrom `json:"clientSecretFrom,omitzero"`
	AllowedClientIDs []string    `json:"allowedClientIds"`      // whom the tokens may be issued to
	TokenPrefix      string      `json:"tokenPrefix,omitempty"` // its tokens begin so; no other issuer's do
}

// Discovery finds the jwks_uri in the issuer's metadata (OIDC Discovery §4,
// RFC 8414 §3).
type Discovery struct {
	URL       string   `json:"url,omitempty"`       // of the document, where it is elsewhere
	JWKSHosts []string `json:"jwksHosts,omitempty"` // further hosts that jwks_uri may name
}

// Rule is a CEL expression that must hold, and what to say when it does not.
type Rule struct {
	Expression string `json:"expression"`
	Message    string `json:"message,omitempty"`
}

// ClaimMappings says which claims become what.
type ClaimMappings struct {
	Subject SubjectMapping `json:"subject"`
}

// SubjectMapping makes the issued sub: prefix + the claim's value.
type SubjectMapping struct {
	Claim      string  `json:"claim,omitempty"`
	Expression string  `json:"expression,omitempty"`
	Prefix     *string `json:"prefix"` // must be written, may be ""
	Shared     bool    `json:"shared,omitzero"`
}

// Target is a downstream service that issued tokens are for.
type Target struct {
	Audience     string      `json:"audience"`
	Resources    []string    `json:"resources,omitempty"`
	Scopes       []string    `json:"scopes,omitempty"`
	Token        TargetToken `json:"token"`
	RequireProof string      `json:"requireProof,omitempty"`
	Mode         Mode        `json:"mode,omitempty"`
}

// TargetToken shapes the tokens for a target.
type TargetToken struct {
	Algorithm   string   `json:"algorithm,omitempty"` // ES256 (default), EdDSA or RS256
	MaxLifetime Duration `json:"maxLifetime,omitzero"`
}

// Client may call /token.
type Client struct {
	ClientID       string           `json:"clientId,omitempty"` // default: the name
	Authentication []Authentication `json:"authentication,omitempty"`
	Grants         []string         `json:"grants"` // token-exchange, client_credentials
	IgnoreScopes   []string         `json:"ignoreScopes,omitempty"`
	Serves         []string         `json:"serves,omitempty"`
	RequireProof   string           `json:"requireProof,omitempty"`
	Mode           Mode             `json:"mode,omitempty"`
}

// Authentication is one way for a client to authenticate.
type Authentication struct {
	Method string `json:"method"`
	// Secret is write-only: the catalogue keeps its digest, in [Entry], alone.
	Secret exchange.Secret `json:"secret,omitzero"`
	// SecretFrom stands in files alone: the command puts the secret in its place.
	SecretFrom *SecretFrom `json:"secretFrom,omitzero"`
}

// SecretFrom says where the command that sends a manifest finds a secret:
// exactly one member is set.
type SecretFrom struct {
	Env  string `json:"env,omitempty"`
	File string `json:"file,omitempty"` // relative to the manifest's folder
}

// ExchangePolicy is one approved flow.
type ExchangePolicy struct {
	Flow     string         `json:"flow"`
	Priority int            `json:"priority,omitzero"`
	Clients  []string       `json:"clients"`
	Subject  *PolicySubject `json:"subject,omitzero"`
	Actor    *PolicyActor   `json:"actor,omitzero"`
	Targets  []string       `json:"targets"`
	Scopes   PolicyScopes   `json:"scopes"`
	Issue    PolicyIssue    `json:"issue"`
	Review   *PolicyReview  `json:"review,omitzero"`
	Mode     Mode           `json:"mode,omitempty"`
}

// Suspends says whether the policy denies once its review is overdue.
func (p *ExchangePolicy) Suspends() bool { return p.Review != nil && p.Review.OnOverdue == "suspend" }

// PolicySubject says whose tokens a policy takes.
type PolicySubject struct {
	Issuers    []string `json:"issuers"`
	TokenTypes []string `json:"tokenTypes"`
	Audiences  []string `json:"audiences,omitempty"`
	Conditions []Rule   `json:"conditions,omitempty"`
}

// PolicyActor says who may act.
type PolicyActor struct {
	From       string   `json:"from,omitempty"` // one of the Actor words
	Issuers    []string `json:"issuers,omitempty"`
	Conditions []Rule   `json:"conditions,omitempty"`
}

// The words of actor.from.
const (
	ActorNone   = "none"   // nobody acts
	ActorClient = "client" // the client that asks
	ActorToken  = "token"  // whom the actor token speaks of
	ActorAny    = "any"    // the token's, if one came, else the client
)

// Who is the word that says who acts: none where the policy says nothing of it.
func (a *PolicyActor) Who() string {
	if a == nil || a.From == "" {
		return ActorNone
	}
	return a.From
}

// PolicyScopes says which scopes a policy can issue and what proves them.
type PolicyScopes struct {
	Allow   []string            `json:"allow,omitempty"`
	Default []string            `json:"default,omitempty"`
	Prove   string              `json:"prove,omitempty"` // same, map, grant
	Map     map[string][]string `json:"map,omitempty"`
}

// PolicyIssue shapes the issued token.
type PolicyIssue struct {
	TokenType   string            `json:"tokenType,omitempty"` // access_token
	Lifetime    Duration          `json:"lifetime"`
	MaxActDepth int               `json:"maxActDepth,omitzero"`
	Claims      map[string]string `json:"claims,omitempty"` // CEL, by the claim's name
}

// PolicyReview says what an overdue review does.
type PolicyReview struct {
	OnOverdue string `json:"onOverdue,omitempty"` // warn, suspend
}

// Guardrail is a rule that no policy overrides: it only forbids.
type Guardrail struct {
	Match GuardrailMatch `json:"match,omitzero"`
	Deny  []Rule         `json:"deny"` // each forbids where it is true
}

// GuardrailMatch says which exchanges a guardrail is about. Each list is empty
// for all; nowhere else does an empty list mean all.
type GuardrailMatch struct {
	Clients []string `json:"clients,omitempty"`
	Issuers []string `json:"issuers,omitempty"` // of subjects; self in a client flow
	Targets []string `json:"targets,omitempty"` // one of those of the exchange
	Flows   []string `json:"flows,omitempty"`
}
