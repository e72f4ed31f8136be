package fetch

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

// open is a policy with 10.0.0.0/8, ::1 and plain http.
func open() Policy {
	return Policy{
		AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		AllowHTTP:  true,
	}
}

func TestCheckURL(t *testing.T) {
	for raw, want := range map[string]error{
		"https://idp.example.com":                               nil,
		"https://idp.example.com:8443/a/b?p=policy":             nil,
		"https://IDP.example.com/":                              nil,
		"https://xn--idp-2na.example":                           nil,
		"https://keycloak/realms/a":                             nil,
		"":                                                      ErrForbiddenURL,
		"idp.example.com":                                       ErrForbiddenURL,
		"//idp.example.com":                                     ErrForbiddenURL,
		"https:idp.example.com":                                 ErrForbiddenURL,
		"https:///keys":                                         ErrForbiddenURL,
		"https://":                                              ErrForbiddenURL,
		"http://idp.example.com":                                ErrForbiddenURL, // JWK-068
		"file:///etc/passwd":                                    ErrForbiddenURL, // JWK-068
		"ftp://idp.example.com":                                 ErrForbiddenURL,
		"https://user@idp.example.com":                          ErrForbiddenURL,
		"https://user:pass@idp.example.com":                     ErrForbiddenURL,
		"https://@idp.example.com":                              ErrForbiddenURL,
		"https://idp.example.com/#x":                            ErrForbiddenURL,
		"https://idp.example.com#":                              ErrForbiddenURL,
		"https://idp.example.com:":                              ErrForbiddenURL,
		"https://idp.example.com:0":                             ErrForbiddenURL,
		"https://idp.example.com:65536":                         ErrForbiddenURL,
		"https://idp.example.com:http":                          ErrForbiddenURL,
		"https://idp.example.com.":                              ErrForbiddenURL,
		"https://.example.com":                                  ErrForbiddenURL,
		"https://idp..example.com":                              ErrForbiddenURL,
		"https://idp-\u0430.example":                            ErrForbiddenURL,
		"https://idp%2eexample.com":                             ErrForbiddenURL,
		"https://idp.example.com\\@evil.test":                   ErrForbiddenURL,
		"https://idp.example.com/a b":                           ErrForbiddenURL,
		" https://idp.example.com":                              ErrForbiddenURL,
		"https://idp.example.com\n":                             ErrForbiddenURL,
		"https://127.1":                                         ErrForbiddenURL,
		"https://2130706433":                                    ErrForbiddenURL,
		"https://0x7f000001":                                    ErrForbiddenURL,
		"https://0177.0.0.1":                                    ErrForbiddenURL,
		"https://" + strings.Repeat("a", 64) + ".test":          ErrForbiddenURL,
		"https://" + strings.Repeat("a.", 127) + "test":         ErrForbiddenURL,
		"https://idp.test/" + strings.Repeat("a", maxURLLength): ErrForbiddenURL,
		"https://127.0.0.1/":                                    ErrForbiddenAddress,
		"https://10.0.0.1/":                                     ErrForbiddenAddress,
		"https://1.1.1.1/":                                      ErrForbiddenAddress,
		"https://169.254.169.254/latest":                        ErrForbiddenAddress,
		"https://[::1]/":                                        ErrForbiddenAddress,
		"https://[::ffff:127.0.0.1]/":                           ErrForbiddenAddress,
	} {
		if err := (Policy{}).CheckURL(raw); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", raw, err, want)
		}
	}
}

func TestCheckURLInsideTheAllowedNetworks(t *testing.T) {
	for raw, want := range map[string]error{
		"https://10.0.0.1/keys":      nil,
		"http://10.0.0.1:8080/keys":  nil,
		"https://[::1]:8443/":        nil,
		"https://[::ffff:10.0.0.1]/": nil,
		"http://keycloak.svc/":       nil, // judged when it is dialled
		"https://11.0.0.1/":          ErrForbiddenAddress,
		"http://1.1.1.1/":            ErrForbiddenAddress,
		"https://[::1%25lo]/":        ErrForbiddenAddress,
		"http://user:pass@10.0.0.1/": ErrForbiddenURL,
		"gopher://10.0.0.1/":         ErrForbiddenURL,
	} {
		if err := open().CheckURL(raw); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", raw, err, want)
		}
	}
}

// RFC 8414 §2: an issuer has no query.
func TestCheckIssuer(t *testing.T) {
	for raw, want := range map[string]error{
		"https://idp.example.com/realms/a": nil,
		"https://idp.example.com?":         ErrForbiddenURL,
		"https://idp.example.com/?x=1":     ErrForbiddenURL,
		"http://idp.example.com":           ErrForbiddenURL,
	} {
		if err := (Policy{}).CheckIssuer(raw); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", raw, err, want)
		}
	}
}

func TestErrorsHoldNoCredentials(t *testing.T) {
	for _, raw := range []string{"https://user:hunter2@idp.test", "https://idp.test:hunter2", "ht!tp://hunter2"} {
		if err := (Policy{}).CheckURL(raw); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

// What is accepted goes to the host that it names, by the scheme that it names.
func FuzzCheckURL(f *testing.F) {
	for _, seed := range []string{
		"https://idp.example.com/a?b=c", "http://10.0.0.1:80", "https://[::1]", "https://a@b", "https://a%2fb", "https://a:b",
		"https://1.2.3.4.5", "HTTPS://A", "https://a/../b", "https://a?#",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if open().CheckURL(raw) != nil {
			return
		}
		request, err := http.NewRequest(http.MethodGet, raw, nil)
		if err != nil {
			t.Fatalf("accepted, but cannot be requested: %v", err)
		}
		scheme, rest, _ := strings.Cut(raw, "://")
		authority, _, _ := strings.Cut(rest, "/")
		authority, _, _ = strings.Cut(authority, "?")
		if request.URL.Host != authority || !strings.EqualFold(request.URL.Scheme, scheme) {
			t.Fatalf("%q goes to %s://%s", raw, request.URL.Scheme, request.URL.Host)
		}
		if addr, err := netip.ParseAddr(request.URL.Hostname()); err == nil && !open().allowed(addr) {
			t.Fatalf("%q is an address outside of the allowed networks", raw)
		}
	})
}
