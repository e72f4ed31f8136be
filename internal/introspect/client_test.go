package introspect_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/fetch"
	"github.com/strait-sts/strait/internal/introspect"
	"github.com/strait-sts/strait/internal/ststest"
)

var now = time.Unix(1800000000, 0)

// loopback reaches the tests' endpoints.
func loopback() *fetch.Client {
	return fetch.New(fetch.Policy{AllowCIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, AllowHTTP: true})
}

func newClient(t testing.TB, poster introspect.Poster, url string) *introspect.Client {
	t.Helper()
	c, err := introspect.New(introspect.Spec{Name: "acme", URL: url, ClientID: "strait:1 é", Secret: "p%:ss wörd+"}, poster)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAQuestionIsThatOfTheRFC(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIntrospector(t)
	idp.Activate(t, "tok/en+=", now, nil)
	claims, err := newClient(t, loopback(), idp.URL).Ask(t.Context(), "tok/en+=", now)
	if err != nil || claims["sub"] != "alice" {
		t.Fatalf("%v, %v", claims, err)
	}
	q := idp.Asked()[0]
	if q.User != "strait:1 é" || q.Password != "p%:ss wörd+" {
		t.Errorf("asked as %q with %q", q.User, q.Password)
	}
	if got := q.Form.Encode(); got != "token=tok%2Fen%2B%3D&token_type_hint=access_token" {
		t.Errorf("form %s", got)
	}
	if q.Header.Get("Cookie") != "" || q.Header.Get("Accept") != "application/json" {
		t.Errorf("header %v", q.Header)
	}
}

// TestOnlyTrueIsActive: the introspection area of the security cases.
func TestOnlyTrueIsActive(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIntrospector(t)
	c := newClient(t, loopback(), idp.URL)
	for i, one := range []struct {
		name, answer string
		want         error
	}{
		{"control", `{"active":true}`, nil},
		{"inactive", `{"active":false}`, introspect.ErrInactive},
		{"inactive with claims", `{"active":false,"sub":"alice"}`, introspect.ErrInactive},
		{"INT-002 active is a string", `{"active":"true"}`, introspect.ErrUnavailable},
		{"active is a number", `{"active":1}`, introspect.ErrUnavailable},
		{"active is null", `{"active":null}`, introspect.ErrUnavailable},
		{"INT-004 active is missing", `{"sub":"alice"}`, introspect.ErrUnavailable},
		{"INT-008 active twice", `{"active":false,"active":true}`, introspect.ErrUnavailable},
		{"active twice, escaped", `{"active":false,"\u0061ctive":true}`, introspect.ErrUnavailable},
		{"INT-009 Active", `{"Active":true}`, introspect.ErrUnavailable},
		{"a list", `[{"active":true}]`, introspect.ErrUnavailable},
		{"two objects", `{"active":true}{"active":true}`, introspect.ErrUnavailable},
		{"not UTF-8", "{\"active\":true,\"sub\":\"\xff\"}", introspect.ErrUnavailable},
		{"nothing", ``, introspect.ErrUnavailable},
		{"too deep", `{"active":true,"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, introspect.ErrUnavailable},
	} {
		token := exchange.Secret(fmt.Sprint("t", i))
		idp.Know(token.Reveal(), one.answer)
		claims, err := c.Ask(t.Context(), token, now)
		if !errors.Is(err, one.want) || (err == nil) != (claims != nil) {
			t.Errorf("%s: %v, %v", one.name, claims, err)
		}
		if err != nil && (strings.Contains(err.Error(), "alice") || strings.Contains(err.Error(), token.Reveal()+" ")) {
			t.Errorf("%s: the error quotes the answer: %v", one.name, err)
		}
	}
}

func TestAnEndpointThatGivesNoAnswerSaysNothing(t *testing.T) {
	t.Parallel()
	other := ststest.NewIntrospector(t)
	write := func(kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, behave := range map[string]http.HandlerFunc{
		"INT-006 HTML": write("text/html", `{"active":true}`),
		"INT-030 a JWT": write("application/token-introspection+jwt",
			"eyJhbGciOiJub25lIn0.eyJ0b2tlbl9pbnRyb3NwZWN0aW9uIjp7ImFjdGl2ZSI6dHJ1ZX19."),
		"INT-028 an error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"not authorized":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
		"a redirect":       func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, 307) },
		"huge":             write("application/json", `{"active":true,"x":"`+strings.Repeat("x", 1<<20)+`"}`),
		"cut": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			write("application/json", `{"active":true}`)(w, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			idp := ststest.NewIntrospector(t)
			idp.Activate(t, "token", now, nil)
			c := newClient(t, loopback(), idp.URL)
			idp.Behave(behave)
			if _, err := c.Ask(t.Context(), "token", now); !errors.Is(err, introspect.ErrUnavailable) {
				t.Errorf("%v", err)
			}
			if h := c.Health(); h.Failures != 1 || h.LastError == "" || !h.Answered.IsZero() {
				t.Errorf("health %+v", h)
			}
			idp.Behave(nil) // INT-028: a failure is not remembered
			if _, err := c.Ask(t.Context(), "token", now); err != nil {
				t.Errorf("after it mended: %v", err)
			}
			if h := c.Health(); h.LastError != "" || !h.Answered.Equal(now) {
				t.Errorf("health %+v", h)
			}
		})
	}
	if n := len(other.Asked()); n != 0 {
		t.Errorf("%d requests went where a redirect led", n)
	}
}

// TestPositiveAnswersAreKeptForAMoment: INT-027, and no negative answer is kept.
func TestPositiveAnswersAreKeptForAMoment(t *testing.T) {
	t.Parallel()
	idp := ststest.NewIntrospector(t)
	idp.Activate(t, "good", now, nil)
	c := newClient(t, loopback(), idp.URL)
	ask := func(token exchange.Secret, at time.Time) error {
		_, err := c.Ask(t.Context(), token, at)
		return err
	}
	for _, later := range []time.Duration{0, 0, 29 * time.Second} {
		if err := ask("good", now.Add(later)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(idp.Asked()); n != 1 {
		t.Errorf("asked %d times in 30 s", n)
	}
	idp.Know("good", `{"active":false}`)
	if err := ask("good", now.Add(30*time.Second)); !errors.Is(err, introspect.ErrInactive) {
		t.Errorf("revoked 30 s ago: %v", err)
	}
	if err := ask("good", now); !errors.Is(err, introspect.ErrInactive) {
		t.Errorf("a negative answer leaves the positive one in force: %v", err)
	}
	_ = ask("other", now)
	idp.Activate(t, "other", now, nil)
	if err := ask("other", now); err != nil {
		t.Errorf("a negative answer was kept: %v", err)
	}
	if err := ask("goo", now); !errors.Is(err, introspect.ErrInactive) {
		t.Errorf("another token: %v", err)
	}
}

// slow answers after all of a number are there, or the context ends.
type slow struct {
	open, most atomic.Int32
	gate       chan struct{}
}

func (s *slow) PostForm(ctx context.Context, _ fetch.Form) (fetch.Response, error) {
	n := s.open.Add(1)
	defer s.open.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	select {
	case <-s.gate:
	case <-ctx.Done():
	}
	return fetch.Response{Body: []byte(`{"active":true}`)}, ctx.Err()
}

func TestOpenQuestionsAreBounded(t *testing.T) {
	t.Parallel()
	s := &slow{gate: make(chan struct{})}
	c := newClient(t, s, "https://acme.test/introspect")
	impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	var failed atomic.Int32
	for i := range 100 {
		all.Go(func() {
			if _, err := c.Ask(impatient, exchange.Secret(fmt.Sprint(i)), now); errors.Is(err, introspect.ErrUnavailable) {
				failed.Add(1)
			}
		})
	}
	all.Wait()
	if s.most.Load() != 32 || failed.Load() != 100 {
		t.Errorf("%d questions were open at once, %d failed", s.most.Load(), failed.Load())
	}
	close(s.gate)
	if _, err := c.Ask(t.Context(), "token", now); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestKeptAnswersAreBounded(t *testing.T) {
	t.Parallel()
	s := &slow{gate: make(chan struct{})}
	close(s.gate)
	c := newClient(t, s, "https://acme.test/introspect")
	for i := range 5000 {
		if _, err := c.Ask(t.Context(), exchange.Secret(fmt.Sprint(i)), now); err != nil {
			t.Fatal(err)
		}
	}
	if n := introspect.Kept(c); n == 0 || n > 1024 {
		t.Errorf("%d answers are kept", n)
	}
}

func TestAuthoritiesMustBeReadable(t *testing.T) {
	t.Parallel()
	if _, err := introspect.New(introspect.Spec{Authorities: "no PEM"}, loopback()); err == nil {
		t.Error("an authority that cannot be read must not fall back to the system's roots")
	}
}

// FuzzAnswer: whatever the issuer answers, only a JSON true is active.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`{"active":true}`, `{"active":false}`, `{"active":"true"}`, `{"active":true,"active":true}`, `{"a":{"active":true}}`, `[]`, `{`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		claims, err := introspect.Read(body)
		if err == nil && claims["active"] != true {
			t.Errorf("%q is taken for active", body)
		}
		if err != nil && (claims != nil || !errors.Is(err, introspect.ErrInactive) && !errors.Is(err, introspect.ErrUnavailable)) {
			t.Errorf("%q: %v, %v", body, claims, err)
		}
	})
}
