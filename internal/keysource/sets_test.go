package keysource

import (
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/fetch"
)

// TestWhatIsNoKeySetBringsNoKeys: the jwks_fetch area of the security cases.
// One bad key among good ones is ignored; there is no default key.
func TestWhatIsNoKeySetBringsNoKeys(t *testing.T) {
	t.Parallel()
	good := strings.TrimSuffix(strings.TrimPrefix(string(keySetJSON(t, "a1")), `{"keys":[`), `]}`)
	many := strings.TrimSuffix(strings.Repeat(good+",", 101), ",")
	for name, c := range map[string]struct {
		body string
		keys int
	}{
		"control":                             {`{"keys":[` + good + `]}`, 1},
		"JWK-036 keys is null":                {`{"keys":null}`, 0},
		"JWK-038 an array":                    {`[` + good + `]`, 0},
		"JWK-035 no keys":                     {`{"keys":[]}`, 0},
		"keys is an object":                   {`{"keys":{}}`, 0},
		"keys twice":                          {`{"keys":[],"keys":[` + good + `]}`, 0},
		"JWK-056 too many keys":               {`{"keys":[` + many + `]}`, 0},
		"JWK-045 beside RSA with e=1":         {`{"keys":[{"kty":"RSA","kid":"x","e":"AQ","n":"` + strings.Repeat("7", 342) + `"},` + good + `]}`, 1},
		"JWK-051 beside a private key":        {`{"keys":[` + strings.Replace(good, `"kid":"a1"`, `"kid":"x","d":"AAAA"`, 1) + `,` + good + `]}`, 1},
		"JWK-055 beside an alg that fits not": {`{"keys":[` + strings.Replace(good, `"kid":"a1"`, `"kid":"x","alg":"RS256"`, 1) + `,` + good + `]}`, 1},
		"beside a symmetric key":              {`{"keys":[{"kty":"oct","kid":"x","k":"AAAA"},` + good + `]}`, 1},
		"beside a point off the curve":        {`{"keys":[{"kty":"EC","crv":"P-256","kid":"x","x":"AQ","y":"AQ"},` + good + `]}`, 1},
	} {
		const uri = "https://a.test/jwks"
		r, err := newRemote(Spec{Issuer: "https://a.test", JWKSURI: uri}, &script{answers: map[string]fetch.Response{uri: {Body: []byte(c.body)}}})
		if err != nil {
			t.Fatal(err)
		}
		document, err := r.load(t.Context())
		if len(document.set.Keys) != c.keys || (err == nil) != (c.keys > 0) {
			t.Errorf("%s: %d keys, %v", name, len(document.set.Keys), err)
		}
	}
}
