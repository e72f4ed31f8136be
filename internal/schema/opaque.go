package schema

import (
	"slices"
	"strings"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// minPrefix is the shortest tokenPrefix: a shorter one would be many tokens' by
// chance.
const minPrefix = 3

// opaque holds the rules of an entry whose issuer is asked about each token
// (RFC 7662 §2): what it says of JWTs would have no effect.
func (r *report) opaque(spec *catalog.TrustedIssuer) {
	const at = "/spec/keys/introspection"
	in := spec.Keys.Introspection
	r.text(at+"/url", in.URL, aURL)
	r.text(at+"/clientId", in.ClientID, aLine)
	r.list(at+"/allowedClientIds", in.AllowedClientIDs, aLine)
	if in.TokenPrefix != "" {
		r.text(at+"/tokenPrefix", in.TokenPrefix, aTokenPrefix)
	}
	if from := in.ClientSecretFrom; from != nil && (from.Env == "") == (from.File == "") {
		r.add(at+"/clientSecretFrom", catalog.CodeConflict, "needs one of env and file")
	}
	if in.ClientSecretFrom != nil && in.ClientSecret != "" {
		r.add(at+"/clientSecretFrom", catalog.CodeConflict, "stands beside clientSecret; keep one")
	}
	r.each("/spec/audiences", spec.Audiences, aToken)
	if len(spec.Algorithms) > 0 {
		r.add("/spec/algorithms", catalog.CodeConflict, "is for JWTs, and the tokens of this issuer are opaque; leave it out")
	}
	if len(spec.Typ) > 0 {
		r.add("/spec/typ", catalog.CodeConflict, "is for JWTs, and the tokens of this issuer are opaque; leave it out")
	}
	if !slices.Equal(spec.TokenTypes, []string{exchange.TypeAccessToken.Short()}) {
		r.add("/spec/tokenTypes", catalog.CodeValue, "must be [access_token], or be left out: opaque tokens come as nothing else")
	}
}

// aTokenPrefix: a part of an access token that no JWT begins with. A JWT begins
// with the base64url of an open brace and what may follow it, a quote or white
// space: ey or ew.
func aTokenPrefix(value string) string {
	switch {
	case aToken(value) != "":
		return aToken(value)
	case len(value) < minPrefix:
		return "must have at least 3 characters"
	case strings.HasPrefix(value, "ey") || strings.HasPrefix(value, "ew"):
		return "is how JWTs begin: other issuers' tokens would be sent to this one"
	}
	return ""
}

// opaqueRoutes holds that it is clear whom an opaque token is asked about: no
// tokenPrefix begins another, and no client's policies have two issuers without
// one.
func (t *together) opaqueRoutes() {
	var prefixed []*catalog.Of[catalog.TrustedIssuer]
	plain := map[string]*catalog.Of[catalog.TrustedIssuer]{}
	for _, i := range t.Issuers() {
		switch in := i.Spec.Keys.Introspection; {
		case in == nil:
		case in.TokenPrefix != "":
			for _, other := range prefixed {
				t.apart(i, other)
			}
			prefixed = append(prefixed, i)
		case i.Spec.Mode != catalog.ModeDisabled:
			plain[i.Metadata.Name] = i
		}
	}
	t.oneEach(plain)
}

// apart: a token cannot begin with both prefixes.
func (t *together) apart(a, b *catalog.Of[catalog.TrustedIssuer]) {
	if t.newer(b.Ref(), a.Ref()) {
		a, b = b, a
	}
	mine, other := a.Spec.Keys.Introspection.TokenPrefix, b.Spec.Keys.Introspection.TokenPrefix
	if strings.HasPrefix(mine, other) || strings.HasPrefix(other, mine) {
		t.add(claim{a.Ref(), "/spec/keys/introspection/tokenPrefix"}, catalog.CodeConflict,
			"begins like that of "+b.Ref().String()+": it would not be clear whom to ask about a token; choose another")
	}
}

// oneEach: the policies that name a client, and are not disabled, have at most
// one issuer of opaque tokens without a prefix between them.
func (t *together) oneEach(plain map[string]*catalog.Of[catalog.TrustedIssuer]) {
	asked := map[string]string{} // by client
	for _, p := range t.Policies() {
		if p.Spec.Subject == nil || p.Spec.Mode == catalog.ModeDisabled {
			continue
		}
		for i, issuer := range p.Spec.Subject.Issuers {
			if plain[issuer] == nil {
				continue
			}
			for _, client := range p.Spec.Clients {
				if other, taken := asked[client]; taken && other != issuer {
					t.add(claim{p.Ref(), below("/spec/subject/issuers", i)}, catalog.CodeConflict,
						"and "+other+" both have opaque tokens without a tokenPrefix, and client "+client+" has policies for both: it would not be clear whom to ask; give one a tokenPrefix")
					break
				}
				asked[client] = issuer
			}
		}
	}
}
