package expr

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/strait-sts/strait/internal/exchange"
)

// The limits of one claim's value.
const (
	maxValueBytes = 4 << 10 // as it would be written, roughly
	maxValueDepth = 16
)

// writer turns a result into what encoding/json can write, and counts: a short
// expression can name one list a million times over.
type writer struct{ bytes int }

func (w *writer) spend(bytes int) error {
	if w.bytes += bytes; w.bytes > maxValueBytes {
		return fmt.Errorf("expr: %w: more than %d bytes", ErrTooLarge, maxValueBytes)
	}
	return nil
}

// value is v as Claims would hold it: nil, bool, string, json.Number, []any or
// map[string]any.
func (w *writer) value(v ref.Val, depth int) (any, error) {
	if depth > maxValueDepth {
		return nil, fmt.Errorf("expr: %w: more than %d levels", ErrTooLarge, maxValueDepth)
	}
	switch v := v.(type) {
	case *record:
		return w.hop(v)
	case traits.Mapper:
		return w.object(v, depth)
	case traits.Lister:
		return w.list(v, depth)
	default:
		return w.scalar(v)
	}
}

func (w *writer) scalar(v ref.Val) (any, error) {
	var value any
	size := len("false")
	switch v := v.(type) {
	case types.Null:
		value = nil
	case types.Bool:
		value = bool(v)
	case types.String:
		value, size = string(v), len(v)+2
	case types.Int:
		value = json.Number(strconv.FormatInt(int64(v), 10))
	case types.Uint:
		value = json.Number(strconv.FormatUint(uint64(v), 10))
	case types.Double:
		if math.IsInf(float64(v), 0) || math.IsNaN(float64(v)) {
			return nil, fmt.Errorf("expr: %w: JSON has no infinity and no NaN", ErrNumber)
		}
		text, err := json.Marshal(float64(v))
		if err != nil {
			return nil, fmt.Errorf("expr: %w", ErrNumber)
		}
		value = json.Number(text)
	default:
		return nil, fmt.Errorf("expr: %w: a %s is no JSON value", ErrType, v.Type().TypeName())
	}
	return value, w.spend(size + 1)
}

func (w *writer) list(l traits.Lister, depth int) (any, error) {
	all := []any{}
	if err := w.spend(2); err != nil {
		return nil, err
	}
	for it := l.Iterator(); it.HasNext() == types.True; {
		value, err := w.value(it.Next(), depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, nil
}

func (w *writer) object(m traits.Mapper, depth int) (any, error) {
	all := map[string]any{}
	if err := w.spend(2); err != nil {
		return nil, err
	}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key, ok := it.Next().(types.String)
		if !ok {
			return nil, fmt.Errorf("expr: %w: an object's keys are strings", ErrType)
		}
		if err := w.spend(len(key) + 4); err != nil {
			return nil, err
		}
		member := m.Get(key)
		if types.IsError(member) {
			return nil, fmt.Errorf("expr: %w", classify(member.(*types.Err)))
		}
		value, err := w.value(member, depth+1)
		if err != nil {
			return nil, err
		}
		all[string(key)] = value
	}
	return all, nil
}

// hop writes one actor as the act claim does (RFC 8693 §4.1); no other record
// is a value.
func (w *writer) hop(r *record) (any, error) {
	hop, ok := r.of.(*exchange.Hop)
	if !ok {
		return nil, fmt.Errorf("expr: %w: a record is no JSON value", ErrType)
	}
	return map[string]any{"iss": hop.Issuer, "sub": hop.Subject}, w.spend(len(hop.Issuer) + len(hop.Subject) + 20)
}
