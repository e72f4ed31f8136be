package expr

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Kind is where an expression stands: it says which variables there are and
// what the result must be.
type Kind int

// The kinds. "dyn" is the type of a claim; it passes where its value, once
// known, is of the type that the kind asks for.
const (
	// IssuerRule is one of an issuer's claimValidationRules: claims → bool.
	IssuerRule Kind = iota
	// SubjectMapping is claimMappings.subject.expression: claims → string.
	SubjectMapping
	// AdminCondition is an AdminGrant's condition: claims → bool.
	AdminCondition
	// Condition is a policy's condition on subject or actor: an exchange → bool.
	Condition
	// ClaimValue is a value of issue.claims: an exchange → any JSON value, or
	// an optional one.
	ClaimValue
	// GuardrailRule is a guardrail's deny rule: an exchange and what it would
	// issue → bool.
	GuardrailRule
)

// kindNames are the kinds as error messages speak of them.
var kindNames = map[Kind]string{
	IssuerRule: "an issuer's rule", SubjectMapping: "a subject mapping", AdminCondition: "an admin condition",
	Condition: "a condition", ClaimValue: "a claim's value", GuardrailRule: "a guardrail's rule",
}

// String is the kind with its article: "a condition".
func (k Kind) String() string { return kindNames[k] }

// Variables are the names that an expression of this kind may use.
func (k Kind) Variables() []string {
	switch k {
	case IssuerRule, SubjectMapping, AdminCondition:
		return []string{varClaims, varNow}
	case GuardrailRule:
		return []string{varSubject, varActor, varClient, varRequest, varIssue, varPolicy, varNow}
	case Condition, ClaimValue:
		return []string{varSubject, varActor, varClient, varRequest, varNow}
	default:
		return nil
	}
}

// accepts refuses a program whose result can never be what the kind asks for.
func (k Kind) accepts(result *cel.Type) error {
	if result.Kind() == types.DynKind {
		return nil
	}
	if k == ClaimValue {
		return jsonable(result, true)
	}
	want := cel.BoolType
	if k == SubjectMapping {
		want = cel.StringType
	}
	if result.IsExactType(want) {
		return nil
	}
	hint := ""
	if optional(result) {
		hint = ": end it with .orValue(…)"
	}
	return fmt.Errorf("%s must be a %s, this is %s%s", k, want, article(result), hint)
}

// jsonable refuses a type that no claim can have. An optional is one only as
// the whole result: it leaves the claim out.
func jsonable(t *cel.Type, whole bool) error {
	switch t.Kind() {
	case types.DynKind, types.BoolKind, types.IntKind, types.UintKind, types.DoubleKind, types.StringKind, types.NullTypeKind, types.TypeParamKind:
		return nil
	case types.ListKind:
		return jsonable(t.Parameters()[0], false)
	case types.MapKind:
		return jsonable(t.Parameters()[1], false)
	case types.StructKind:
		if t.TypeName() == hopRecord.name {
			return nil
		}
	case types.OpaqueKind:
		if whole && optional(t) {
			return jsonable(t.Parameters()[0], false)
		}
	default:
	}
	return fmt.Errorf("a claim's value must be JSON, this is %s: convert it with string(…) or int(…)", article(t))
}

func optional(t *cel.Type) bool {
	return t.Kind() == types.OpaqueKind && t.TypeName() == types.OptionalType.TypeName()
}

func article(t *cel.Type) string {
	name := typeName(t)
	if strings.ContainsRune("aeiou", rune(name[0])) {
		return "an " + name
	}
	return "a " + name
}

// typeName is a type as authors know it.
func typeName(t *cel.Type) string {
	switch {
	case t.Kind() == types.TimestampKind:
		return "timestamp"
	case t.Kind() == types.DurationKind:
		return "duration"
	case optional(t):
		return "optional"
	default:
		return t.String()
	}
}
