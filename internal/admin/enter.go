package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/strait-sts/strait/internal/exchange"
)

// administrator is who a request comes from.
type administrator struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

// bootstrap is who holds the bootstrap token: the one administrator there is
// until AdminGrants are built.
var bootstrap = administrator{Name: "bootstrap", Role: "admin"}

// door lets administrators in. It stands in front of the router, so that a
// stranger cannot even learn which paths exist.
type door struct {
	token   [sha256.Size]byte // its hash
	closed  bool              // no token is configured: nobody enters
	origins *http.CrossOriginProtection
}

func newDoor(token exchange.Secret) door {
	return door{
		token: sha256.Sum256([]byte(token.Reveal())), closed: token == "",
		origins: http.NewCrossOriginProtection(),
	}
}

// admit holds RFC 6750 §2.1: one Authorization header with the scheme Bearer;
// a token in the query or in a cookie is none. Hashes are compared, so that
// neither time nor length tells anything about the token.
func (d door) admit(r *http.Request) *problem {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return refuse(Unauthorized, "send the admin token once, as Authorization: Bearer …")
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	sent := sha256.Sum256([]byte(token))
	same := subtle.ConstantTimeCompare(sent[:], d.token[:]) == 1
	if d.closed || !strings.EqualFold(scheme, "Bearer") || !same {
		return refuse(Unauthorized, "this is not an admin token of this server")
	}
	if err := d.origins.Check(r); err != nil {
		return refuse(Forbidden, "changes from another site's page are refused")
	}
	return nil
}
