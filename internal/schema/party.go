package schema

import (
	"cmp"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// asymmetric is the signature algorithms that an issuer's entry can allow (RFC
// 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2): never none, never HMAC.
var asymmetric = []string{
	"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA", "Ed25519",
}

// shortTypes is the token types of RFC 8693 §3 that Strait reads.
var shortTypes = []string{
	exchange.TypeJWT.Short(), exchange.TypeAccessToken.Short(), exchange.TypeIDToken.Short(),
}

func anAlgorithm(value string) string {
	if strings.HasPrefix(value, "HS") || value == "none" {
		return quoted(value) + " is not an asymmetric algorithm: whoever can check such a token could forge one"
	}
	return oneOf(asymmetric...)(value)
}

func (r *report) trustedIssuer(spec *catalog.TrustedIssuer) {
	rule := complaint(anIssuer)
	if spec.Keys.JWKS != nil {
		rule = aURI // never fetched, so any URI will do
	}
	r.text("/spec/issuer", spec.Issuer, rule)
	r.keys(spec.Keys)
	r.authority(spec.CertificateAuthority)
	r.span("/spec/maxStale", spec.MaxStale, maxStale)
	if spec.Keys.Introspection != nil {
		r.opaque(spec)
	} else {
		r.list("/spec/audiences", spec.Audiences, aToken)
		r.list("/spec/algorithms", spec.Algorithms, anAlgorithm)
	}
	r.list("/spec/acceptAs", spec.AcceptAs, oneOf("subject", "actor"))
	r.list("/spec/tokenTypes", spec.TokenTypes, oneOf(shortTypes...))
	r.each("/spec/typ", spec.Typ, aToken)
	r.span("/spec/maxTokenAge", spec.MaxTokenAge, maxAge)
	r.skew(spec.ClockSkew)
	r.text("/spec/scopeClaim", spec.ScopeClaim, aClaim)
	r.subject(spec.ClaimMappings.Subject)
	for i, rule := range spec.ClaimValidationRules {
		r.text(below(below("/spec/claimValidationRules", i), "message"), cmp.Or(rule.Message, rule.Expression), aLine)
	}
	r.word("/spec/mode", string(spec.Mode), string(catalog.ModeEnforce), string(catalog.ModeDisabled))
}

// keys holds that they come from exactly one place.
func (r *report) keys(k catalog.Keys) {
	sources := 0
	for _, set := range []bool{k.Discovery != nil, k.JWKSURI != "", k.JWKS != nil, k.Introspection != nil} {
		if set {
			sources++
		}
	}
	if sources == 0 {
		r.add("/spec/keys", catalog.CodeRequired, "needs one of discovery (write discovery: {}), jwksUri, jwks, introspection")
	} else if sources > 1 {
		r.add("/spec/keys", catalog.CodeConflict, "has %d of discovery, jwksUri, jwks and introspection; keep one", sources)
	}
	if k.Discovery != nil && k.Discovery.URL != "" {
		r.text("/spec/keys/discovery/url", k.Discovery.URL, aURL)
	}
	if k.Discovery != nil {
		r.each("/spec/keys/discovery/jwksHosts", k.Discovery.JWKSHosts, aHost)
	}
	if k.JWKSURI != "" {
		r.text("/spec/keys/jwksUri", k.JWKSURI, aURL)
	}
	if k.JWKS != nil {
		r.keySet(k.JWKS)
	}
}

func aHost(value string) string {
	if aURL("https://"+value) != "" || strings.ContainsAny(value, "/?@") {
		return quoted(value) + " is not a host such as keys.example.com or keys.example.com:8443"
	}
	return ""
}

// keySet holds that a written JWK Set has public keys alone (RFC 7517 §5): what
// is stored here can be read back. What each key is worth, trust judges.
func (r *report) keySet(raw json.RawMessage) {
	const at = "/spec/keys/jwks/keys"
	var set struct {
		Keys []map[string]json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(raw, &set) != nil || len(set.Keys) == 0 || len(set.Keys) > 100 {
		r.add(at, catalog.CodeValue, "must be a list of 1 to 100 JSON Web Keys")
		return
	}
	for i, key := range set.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} {
			if _, holds := key[private]; holds {
				r.add(below(at, i), catalog.CodeValue, "has the member %q, so it is a private or symmetric key; write the public key alone, and consider this one leaked", private)
				break
			}
		}
	}
}

// authority holds that it is PEM with certificates and nothing else.
func (r *report) authority(text string) {
	if text == "" {
		return
	}
	rest := []byte(strings.TrimSpace(text))
	for len(rest) > 0 {
		block, next := pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" {
			r.add("/spec/certificateAuthority", catalog.CodeValue, "must be PEM blocks of type CERTIFICATE and nothing else")
			return
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			r.add("/spec/certificateAuthority", catalog.CodeValue, "holds a certificate that cannot be read")
			return
		}
		rest = next
	}
}

func (r *report) skew(skew *catalog.Duration) {
	if skew != nil && (*skew < 0 || time.Duration(*skew) > maxSkew) {
		r.add("/spec/clockSkew", catalog.CodeValue, "must be between 0s and 5m")
	}
}

// aClaim is the rule for a claim's name or, with a slash in front, a JSON
// Pointer to it (RFC 6901 §3).
func aClaim(value string) string {
	if strings.HasPrefix(value, "/") && strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(value), "~") {
		return quoted(value) + " is not a JSON Pointer: a ~ is written ~0, a / within a name ~1"
	}
	return aLine(value)
}

func (r *report) subject(m catalog.SubjectMapping) {
	const at = "/spec/claimMappings/subject"
	switch {
	case m.Expression == "":
		r.text(at+"/claim", m.Claim, aLine)
	case m.Claim != "":
		r.add(at+"/expression", catalog.CodeConflict, "stands beside claim; the subject comes from one of them, leave the other out")
	}
	switch {
	case m.Prefix == nil:
		r.add(at+"/prefix", catalog.CodeRequired, `must be written, so that two issuers cannot name one person by accident; it may be ""`)
	case strings.HasPrefix(*m.Prefix, exchange.ClientSubjectPrefix):
		r.add(at+"/prefix", catalog.CodeValue, "must not begin with %s, which is reserved for clients", exchange.ClientSubjectPrefix)
	case len(*m.Prefix) > 100 || !printable(*m.Prefix):
		r.add(at+"/prefix", catalog.CodeValue, "must be at most 100 bytes without control characters")
	}
}

func (r *report) target(spec *catalog.Target) {
	r.text("/spec/audience", spec.Audience, aToken)
	r.each("/spec/resources", spec.Resources, aURI)
	r.each("/spec/scopes", spec.Scopes, aScope)
	r.word("/spec/token/algorithm", spec.Token.Algorithm, "ES256", "EdDSA", "RS256")
	r.span("/spec/token/maxLifetime", spec.Token.MaxLifetime, maxLifetime)
	r.word("/spec/requireProof", spec.RequireProof, "none")
	r.word("/spec/mode", string(spec.Mode), string(catalog.ModeEnforce), string(catalog.ModeDisabled))
}

func (r *report) client(spec *catalog.Client) {
	r.text("/spec/clientId", spec.ClientID, matches(clientIDPattern, "[A-Za-z0-9._~:/-]{1,200}"))
	methods := make([]string, len(spec.Authentication))
	for i, a := range spec.Authentication {
		at := below("/spec/authentication", i)
		if slices.Contains(methods[:i], a.Method) {
			r.add(at, catalog.CodeDuplicate, "is a second entry for method %s; keep one", quoted(a.Method))
		}
		methods[i] = a.Method
		r.word(at+"/method", a.Method, "client_secret")
		if from := a.SecretFrom; from != nil && (from.Env == "") == (from.File == "") {
			r.add(at+"/secretFrom", catalog.CodeConflict, "needs one of env and file")
		}
		if a.SecretFrom != nil && a.Secret != "" {
			r.add(at+"/secretFrom", catalog.CodeConflict, "stands beside secret; keep one")
		}
	}
	if len(methods) == 0 {
		r.add("/spec/authentication", catalog.CodeRequired, "is required: a client that cannot authenticate can do nothing")
	}
	r.list("/spec/grants", spec.Grants, oneOf("token-exchange", "client_credentials"))
	r.each("/spec/ignoreScopes", spec.IgnoreScopes, aScope)
	r.each("/spec/serves", spec.Serves, aName)
	r.word("/spec/requireProof", spec.RequireProof, "none")
	r.word("/spec/mode", string(spec.Mode), string(catalog.ModeEnforce), string(catalog.ModeDisabled))
}
