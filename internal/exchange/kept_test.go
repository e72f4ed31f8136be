package exchange

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// paths are claim paths by their names.
func paths(names ...string) []ClaimPath {
	var all []ClaimPath
	for _, name := range names {
		all = append(all, NewClaimPath("", claimPath(name)))
	}
	return all
}

func keptOf(claims Claims, names ...string) *Kept {
	k := &Kept{}
	k.keep(claims, RoleSubject, paths(names...))
	return k
}

func TestOnlyClaimsThatAreReadAreKept(t *testing.T) {
	t.Parallel()
	claims := Claims{
		"sub": "alice", "email": "alice@example.com", "dept": "shop", "/odd": "yes", "level": json.Number("3"),
		"address": map[string]any{"country": "DE", "street": "Hauptstraße 1"}, "groups": []any{"a", "b"},
	}
	for name, c := range map[string]struct {
		read []string
		want Kept
	}{
		"none":                {nil, Kept{}},
		"a claim":             {[]string{"dept"}, Kept{Claims: map[string]any{"dept": "shop"}}},
		"a member of one":     {[]string{"/address/country"}, Kept{Claims: map[string]any{"/address/country": "DE"}}},
		"a name with a slash": {[]string{"/~1odd"}, Kept{Claims: map[string]any{"/~1odd": "yes"}}},
		"an absent one":       {[]string{"tenant"}, Kept{Absent: []string{"tenant"}}},
		"an absent member":    {[]string{"/address/zip/digits"}, Kept{Absent: []string{"/address/zip"}}},
		"below what has none": {[]string{"/dept/name"}, Kept{Claims: map[string]any{"dept": "shop"}}},
		"twice":               {[]string{"dept", "dept", "tenant", "tenant"}, Kept{Claims: map[string]any{"dept": "shop"}, Absent: []string{"tenant"}}},
		"a list and a number": {[]string{"groups", "level"}, Kept{Claims: map[string]any{"groups": []any{"a", "b"}, "level": json.Number("3")}}},
		"the empty name":      {[]string{"/"}, Kept{Absent: []string{""}}},
	} {
		got := keptOf(claims, c.read...)
		got.size = 0
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("%s: kept %+v, want %+v", name, *got, c.want)
		}
	}
	k := &Kept{}
	k.keep(claims, RoleSubject, []ClaimPath{NewClaimPath(RoleActor, []string{"dept"}), NewClaimPath(RoleSubject, []string{"level"})})
	if len(k.Claims) != 1 || k.Claims["level"] == nil {
		t.Errorf("kept %+v of the subject, where the actor's dept is read", k.Claims)
	}
}

// TestAWholeTokenIsNeverKept: rules that may read any claim, claims that are too
// long, and those that would come back as another value leave nothing behind, and
// it is said.
func TestAWholeTokenIsNeverKept(t *testing.T) {
	t.Parallel()
	claims := Claims{
		"dept": "shop", "long": strings.Repeat("x", maxKept), "half": strings.Repeat("y", maxKept/2), "quotes": strings.Repeat(`"`, maxKept/2),
		"one": json.Number("1.0"), "exp": json.Number("1e3"), "big": json.Number("12345678901234567890"), "small": json.Number("0.0000001"),
		"minus": json.Number("-0"), "nul": "a\x00b", "deep": map[string]any{"list": []any{json.Number("1.0")}}, "name": map[string]any{"a\x00": "b"},
	}
	for _, read := range [][]string{{"long"}, {"half", "dept", "quotes"}, {"one"}, {"exp"}, {"big"}, {"small"}, {"minus"}, {"nul"}, {"deep"}, {"name"}} {
		if k := keptOf(claims, append([]string{"dept"}, read...)...); !k.Clipped || k.Claims != nil || k.Absent != nil || k.Knows([]string{"dept"}) {
			t.Errorf("%v: kept %v", read, k.Claims)
		}
	}
	k := &Kept{}
	k.keep(claims, RoleSubject, []ClaimPath{NewClaimPath("", []string{"dept"}), NewClaimPath("", nil), NewClaimPath("", []string{"dept"})})
	if !k.Clipped || k.Claims != nil {
		t.Errorf("a rule that reads any claim kept %v", k.Claims)
	}
}

// drawValue draws a claim's value.
func drawValue(depth int) *rapid.Generator[any] {
	leaves := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.String().AsAny(), rapid.SampledFrom([]any{
			json.Number("0"), json.Number("12"), json.Number("-7"), json.Number("1.5"), json.Number("1.0"), json.Number("1e9"), json.Number("0.000001"),
			json.Number("123456789012345"), json.Number("9007199254740993"),
		}),
	}
	if depth == 0 {
		return rapid.OneOf(leaves...)
	}
	below := rapid.Deferred(func() *rapid.Generator[any] { return drawValue(depth - 1) })
	return rapid.OneOf(append(leaves, rapid.SliceOfN(below, 0, 3).AsAny(),
		rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "/c", "~d"}), below, 0, 3).AsAny())...)
}

// TestWhatIsKeptComesBack: through canonical JSON, each path that was read leads
// to the same value, or to none, as in the token.
func TestWhatIsKeptComesBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		claims := Claims(rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "/c", "~d"}), drawValue(2), 0, 4).Draw(t, "claims"))
		read := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "/c", "~d"}), 1, 3), 0, 4).Draw(t, "read")
		k := &Kept{}
		for _, path := range read {
			k.keep(claims, RoleSubject, []ClaimPath{NewClaimPath("", path)})
		}
		text, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		canonical := jsontext.Value(text)
		if err := canonical.Canonicalize(); err != nil {
			t.Fatal(err)
		}
		var back Kept
		decoder := json.NewDecoder(strings.NewReader(string(canonical)))
		decoder.UseNumber()
		if err := decoder.Decode(&back); err != nil {
			t.Fatal(err)
		}
		recalled := Claims{}
		back.Into(recalled)
		for _, path := range read {
			if back.Clipped {
				continue
			}
			want, was := lookup(claims, path)
			if got, is := lookup(recalled, path); !back.Knows(path) || was != is || !reflect.DeepEqual(got, want) {
				t.Fatalf("%q: %v %v, came back as %v %v of %s", path, want, was, got, is, canonical)
			}
		}
	})
}

func lookup(claims Claims, path []string) (value any, found bool) {
	value = map[string]any(claims)
	for _, step := range path {
		object, isObject := value.(map[string]any)
		if !isObject {
			return nil, false
		}
		if value, found = object[step]; !found {
			return nil, false
		}
	}
	return value, true
}

func TestMayActIsKeptByItsParty(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ full, want MayAct }{
		"a party":     {MayAct{"sub": "agent", "iss": "https://idp"}, MayAct{"sub": "agent", "iss": "https://idp"}},
		"a client":    {MayAct{"client_id": "edge"}, MayAct{"client_id": "edge"}},
		"more":        {MayAct{"sub": "agent", "email": "agent@example.com"}, MayAct{"sub": "agent", "other": true}},
		"not strings": {MayAct{"sub": json.Number("5")}, MayAct{"other": true}},
		"too long":    {MayAct{"sub": strings.Repeat("x", 256)}, MayAct{"other": true}},
	} {
		got := c.full.identity()
		if !maps.EqualFunc(got, c.want, func(a, b any) bool { return a == b }) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		for _, client := range []string{"", "edge"} {
			party := Hop{"https://idp", "agent"}
			if MayAct(got).Permits("https://idp", party, client) != c.full.Permits("https://idp", party, client) {
				t.Errorf("%s: what is kept decides otherwise", name)
			}
		}
	}
}

// TestATargetThatIsNoneIsNotKept: what was sent in its place can be a secret.
func TestATargetThatIsNoneIsNotKept(t *testing.T) {
	t.Parallel()
	req := &Request{Audiences: []string{"not-a-target"}, Resources: []string{"https://not.example"}, RequestedType: TypeJWT}
	for refusal, kept := range map[*Error]bool{Refuse(TargetUnknown, ""): false, Refuse(TargetNotAllowed, ""): true} {
		rec := &Record{}
		rec.asked(req)
		rec.conclude(nil, refusal)
		text, err := json.Marshal(rec)
		if err != nil || strings.Contains(string(text), "not-a-target") != kept || strings.Contains(string(text), "not.example") != kept || rec.Asked.TokenType != "jwt" {
			t.Errorf("%s: %s, %v", refusal.Reason, text, err)
		}
	}
	if slices.Contains(presentedNames(), "garbage") {
		t.Error("a token type that is none is kept")
	}
}

func presentedNames() []string {
	var all []string
	for _, typ := range []TokenType{TypeJWT, "garbage"} {
		all = append(all, presentedParty(Presented{Token: "t", Type: typ}).Type)
	}
	return all
}
