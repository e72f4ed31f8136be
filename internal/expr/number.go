package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// number is a JSON number (RFC 8259 §6) in CEL: written as an integer an int,
// a uint where only that holds it; written with a point or an exponent a
// double. One that the type cannot hold is an error: a limit or an account
// number that changed on its way in must not decide anything.
func number(n json.Number) ref.Val {
	text := string(n)
	if strings.ContainsAny(text, ".eE") {
		return double(text)
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return types.Int(i)
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return types.Uint(u)
	}
	return inexact()
}

// double takes a decimal if the nearest double, written as short as possible,
// is that decimal again: 0.1 is, 9007199254740993.0 is not.
func double(text string) ref.Val {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || !sameDecimal(text, strconv.FormatFloat(f, 'e', -1, 64)) {
		return inexact()
	}
	return types.Double(f)
}

func inexact() ref.Val {
	return types.WrapErr(fmt.Errorf("%w", ErrNumber))
}

func sameDecimal(a, b string) bool {
	digitsA, exponentA, okA := decimal(a)
	digitsB, exponentB, okB := decimal(b)
	return okA && okB && digitsA == digitsB && exponentA == exponentB
}

// decimal takes a number apart: 0.digits × 10^exponent, without zeros around
// the digits. Zero has neither.
func decimal(text string) (digits string, exponent int, ok bool) {
	text = strings.TrimPrefix(text, "-")
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		var err error
		if exponent, err = strconv.Atoi(text[at+1:]); err != nil {
			return "", 0, false
		}
		text = text[:at]
	}
	whole, fraction, _ := strings.Cut(text, ".")
	digits = whole + fraction
	exponent += len(whole)
	trimmed := strings.TrimLeft(digits, "0")
	exponent -= len(digits) - len(trimmed)
	trimmed = strings.TrimRight(trimmed, "0")
	if trimmed == "" {
		exponent = 0
	}
	return trimmed, exponent, true
}
