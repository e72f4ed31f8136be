package exchange_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	secret := exchange.Secret("hunter2-hunter2")
	holder := struct {
		Token exchange.Secret
		In    *exchange.Presented
	}{secret, &exchange.Presented{Token: secret}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&out, verb, secret)
	}
	fmt.Fprintf(&out, "%v %+v %#v", holder, holder, holder)
	fmt.Fprintln(&out, secret, holder, []exchange.Secret{secret}, map[exchange.Secret]exchange.Secret{secret: secret})
	fmt.Fprintln(&out, fmt.Errorf("refused %v", secret))
	for _, handler := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(handler).Info("request", "token", secret, "holder", holder, slog.Any("list", []exchange.Secret{secret}))
	}
	text, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(text)
	if strings.Contains(out.String(), "hunter2") || strings.Contains(out.String(), "68756e746572") {
		t.Errorf("the secret was printed:\n%s", out.String())
	}
	if secret.Reveal() != "hunter2-hunter2" {
		t.Error("Reveal does not give the secret")
	}
}

func TestIDIsAUUIDv7OfItsInstant(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(0x0123456789ab)
	id, err := exchange.NewID(now, bytes.NewReader(bytes.Repeat([]byte{0xff}, 10)))
	if err != nil {
		t.Fatal(err)
	}
	// RFC 9562 §5.7: 48 bits of milliseconds, version 7, variant 10.
	if id != "01234567-89ab-7fff-bfff-ffffffffffff" {
		t.Errorf("id = %s", id)
	}
	zero, err := exchange.NewID(now, bytes.NewReader(make([]byte, 10)))
	if err != nil || zero != "01234567-89ab-7000-8000-000000000000" {
		t.Errorf("id = %s, %v", zero, err)
	}
}

func TestNoIDWithoutRandomness(t *testing.T) {
	t.Parallel()
	if id, err := exchange.NewID(time.Now(), iotest.ErrReader(errors.New("no entropy"))); err == nil {
		t.Errorf("id = %s without randomness", id)
	}
	if id, err := exchange.NewID(time.Now(), strings.NewReader("short")); err == nil {
		t.Errorf("id = %s of half the randomness", id)
	}
}

func TestTokenTypesHaveTheirShortNames(t *testing.T) {
	t.Parallel()
	for short, long := range map[string]exchange.TokenType{
		"access_token": exchange.TypeAccessToken, "jwt": exchange.TypeJWT, "id_token": exchange.TypeIDToken,
	} {
		if long.Short() != short || exchange.TypeOf(short) != long || !long.Known() {
			t.Errorf("%s and %s do not belong together", short, long)
		}
	}
	for _, other := range []exchange.TokenType{"", "jwt", exchange.TypeOf("saml2"), exchange.TypeOf("refresh_token"), exchange.TypeJWT + "x"} {
		if other.Known() {
			t.Errorf("%q is read", other)
		}
	}
}

func TestEachReasonHasItsCode(t *testing.T) {
	t.Parallel()
	for reason, code := range map[exchange.Reason]exchange.Code{
		exchange.MalformedRequest:                                 exchange.InvalidRequest,
		exchange.NoPolicy:                                         exchange.InvalidRequest,
		exchange.RoleSubject.Reason(exchange.Expired):             exchange.InvalidRequest, // RFC 8693 §2.2.2
		exchange.RoleActor.Reason(exchange.Expired):               exchange.InvalidRequest,
		exchange.GrantNotAllowed:                                  exchange.UnauthorizedClient,
		exchange.TargetUnknown:                                    exchange.InvalidTarget,
		exchange.TargetAmbiguous:                                  exchange.InvalidTarget,
		exchange.TargetNotAllowed:                                 exchange.InvalidTarget,
		exchange.ScopeNotHeld:                                     exchange.InvalidScope,
		exchange.AuditUnavailable:                                 exchange.TemporarilyUnavailable,
		exchange.RoleSubject.Reason(exchange.AudienceMismatch):    exchange.InvalidRequest,
		exchange.RoleSubject.Reason(exchange.AlgorithmNotAllowed): exchange.InvalidRequest,
	} {
		if got := exchange.Refuse(reason, "x").Code; got != code {
			t.Errorf("%s answers %s, want %s", reason, got, code)
		}
	}
	if e := exchange.RefuseClient("x"); e.Code != exchange.UnauthorizedClient || e.Reason != exchange.NoPolicy {
		t.Errorf("RefuseClient = %v", e)
	}
}

func TestOurFaultIsNeverTheCallers(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk full")
	fault := exchange.Unavailable(exchange.AuditUnavailable, cause)
	if !fault.OurFault() || !errors.Is(fault, cause) {
		t.Errorf("%v is not our fault with its cause", fault)
	}
	if exchange.Refuse(exchange.RateLimited, "x").OurFault() {
		t.Error("too many requests are not our fault")
	}
	if exchange.Refuse(exchange.NoPolicy, "x").OurFault() {
		t.Error("a refusal is not our fault")
	}
}
