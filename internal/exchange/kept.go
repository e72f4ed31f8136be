package exchange

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxKept bounds what a record keeps of the claims of one token, as JSON.
const maxKept = 4 << 10

// ClaimPath is a claim that a rule of an administrator reads. A record keeps its
// value, so that the exchange can be decided once more.
type ClaimPath struct {
	Of   Role     // whose claims; "" for the one token of an issuer's rules
	Path []string // empty: the rule may read any claim, and none is kept for it
	Name string   // the path as records write it: [ClaimName]
}

// NewClaimPath is the path with its name, to be made once and used often.
func NewClaimPath(of Role, path []string) ClaimPath { return ClaimPath{of, path, ClaimName(path)} }

// ClaimName is a path as manifests and records write it: the claim's name, or a
// JSON Pointer (RFC 6901) where that is not enough.
func ClaimName(path []string) string {
	if len(path) == 1 && !strings.HasPrefix(path[0], "/") {
		return path[0]
	}
	var name strings.Builder
	for _, step := range path {
		name.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
	}
	return name.String()
}

// claimPath reads what ClaimName wrote.
func claimPath(name string) []string {
	if !strings.HasPrefix(name, "/") {
		return []string{name}
	}
	steps := strings.Split(name[1:], "/")
	for i, step := range steps {
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(step) // RFC 6901 §4
	}
	return steps
}

// Kept is the claims of a token that rules have read. None of its members is
// anything but what a rule names.
type Kept struct {
	Claims  map[string]any `json:"claims,omitempty"`       // by their ClaimName
	Absent  []string       `json:"claimsAbsent,omitempty"` // those that the token does not have
	Clipped bool           `json:"claimsTruncated,omitempty"`

	size int
}

// keep adds the claims that the paths lead to. Once they are more than a record
// has room for, or may be any, or could not be written so that they are read back
// the same, none is kept and Clipped says so: half of them would decide wrongly.
func (k *Kept) keep(claims Claims, role Role, paths []ClaimPath) {
	for _, p := range paths {
		if p.Of != role && p.Of != "" || k.Clipped {
			continue
		}
		if len(p.Path) == 0 || !k.add(claims, p) {
			*k = Kept{Clipped: true}
		}
	}
}

// add keeps one claim: its value, or how far the path leads.
func (k *Kept) add(claims Claims, p ClaimPath) bool {
	var value any = map[string]any(claims)
	for i, step := range p.Path {
		object, isObject := value.(map[string]any)
		if !isObject { // nothing is below it: what is there is all that a rule can see
			return k.put(ClaimName(p.Path[:i]), value)
		}
		var found bool
		if value, found = object[step]; !found {
			return k.miss(ClaimName(p.Path[:i+1]))
		}
	}
	return k.put(p.Name, value)
}

func (k *Kept) put(name string, value any) bool {
	if _, kept := k.Claims[name]; kept {
		return true
	}
	size, exact := sizeOf(value)
	if k.size += len(name) + size; !exact || k.size > maxKept {
		return false
	}
	if k.Claims == nil {
		k.Claims = map[string]any{}
	}
	k.Claims[name] = value
	return true
}

func (k *Kept) miss(name string) bool {
	if !slices.Contains(k.Absent, name) {
		k.Absent = append(k.Absent, name)
		k.size += len(name)
	}
	return k.size <= maxKept
}

// sizeOf is at least the length of a value as JSON, and whether canonical JSON
// (RFC 8785) brings it back as it is.
func sizeOf(value any) (size int, exact bool) {
	switch value := value.(type) {
	case string:
		return sizeOfText(value)
	case json.Number:
		return len(value), exactNumber(string(value))
	case []any:
		size = 2
		for _, element := range value {
			n, ok := sizeOf(element)
			if size += n + 1; !ok {
				return size, false
			}
		}
		return size, true
	case map[string]any:
		size = 2
		for name, member := range value {
			n, ok := sizeOf(member)
			m, text := sizeOfText(name)
			if size += n + m + 2; !ok || !text {
				return size, false
			}
		}
		return size, true
	}
	return len("false"), true
}

// sizeOfText: NUL is what PostgreSQL's text cannot hold.
func sizeOfText(s string) (size int, exact bool) {
	size, exact = len(s)+2, utf8.ValidString(s)
	for i := range len(s) {
		switch c := s[i]; {
		case c == 0:
			return size, false
		case c < 0x20:
			size += len(`\u0000`) - 1
		case c == '"' || c == '\\':
			size++
		}
	}
	return size, exact
}

// exactNumber: RFC 8785 §3.2.2.3 writes the number as the token did. 1.0 and 1e3
// would come back as integers, and those are others to an expression.
func exactNumber(digits string) bool {
	f, err := strconv.ParseFloat(digits, 64)
	small := f != 0 && f > -1e-6 && f < 1e-6 // written with an exponent
	return err == nil && len(digits) <= maxNumber && !small && strconv.FormatFloat(f, 'f', -1, 64) == digits && digits != "-0"
}

// maxNumber is the characters of a number that is surely written without an
// exponent, and survives a reader with 53 bits.
const maxNumber = 15

// Knows says whether the record tells what the token's claims have at the path.
func (k *Kept) Knows(path []string) bool {
	if k.Clipped || len(path) == 0 {
		return false
	}
	for i := range path {
		name := ClaimName(path[:i+1])
		if _, kept := k.Claims[name]; kept || slices.Contains(k.Absent, name) {
			return true
		}
	}
	return false
}

// Into puts the claims that were kept back to their places.
func (k *Kept) Into(claims Claims) {
	for name, value := range k.Claims {
		path := claimPath(name)
		at := objectAt(claims, path[:len(path)-1])
		at[path[len(path)-1]] = value
	}
	for _, name := range k.Absent {
		path := claimPath(name)
		delete(objectAt(claims, path[:len(path)-1]), path[len(path)-1])
	}
}

// objectAt is the object that the path leads to, made where it is not there.
func objectAt(claims Claims, path []string) map[string]any {
	at := map[string]any(claims)
	for _, step := range path {
		next, isObject := at[step].(map[string]any)
		if !isObject {
			next = map[string]any{}
			at[step] = next
		}
		at = next
	}
	return at
}

// NotKeptError is why an exchange that is recalled from its record cannot be
// decided: a rule reads what the record does not hold.
type NotKeptError struct {
	Of    Role
	Claim string // its ClaimName, or what else is missing; "" is all of the token
}

// Error names what is missing.
func (e *NotKeptError) Error() string {
	if e.Claim == "" {
		return "the record keeps nothing of the " + string(e.Of) + " token: it was not believed, or not looked at"
	}
	return "the record does not keep " + e.Claim + " of the " + string(e.Of) + " token"
}

// Unread is the first claim that the paths read of a token and that its record
// does not tell; nil for none, and for tokens that were not recalled.
func (t *Token) Unread(role Role, paths []ClaimPath) error {
	if t == nil || t.Knows == nil {
		return nil
	}
	for _, p := range paths {
		if (p.Of == role || p.Of == "") && !t.Knows(p.Path) {
			name := "claim " + p.Name
			if len(p.Path) == 0 {
				name = "every claim"
			}
			return &NotKeptError{role, name}
		}
	}
	return nil
}
