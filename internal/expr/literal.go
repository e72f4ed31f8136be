package expr

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// sortedMap is a map literal whose value is an object.
type sortedMap struct {
	interpreter.InterpretableConstructor
}

// Exec builds the map and puts its keys in order.
func (s *sortedMap) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return sorted(s.InterpretableConstructor.Exec(frame))
}

// Eval is Exec for callers without a frame.
func (s *sortedMap) Eval(a cel.Activation) ref.Val {
	return sorted(s.InterpretableConstructor.Eval(a))
}

func sorted(v ref.Val) ref.Val {
	m, ok := v.(traits.Mapper)
	if !ok {
		return v
	}
	values := make(map[string]ref.Val)
	for it := m.Iterator(); it.HasNext() == types.True; {
		key, ok := it.Next().(types.String)
		if !ok {
			return types.NoSuchOverloadErr()
		}
		values[string(key)] = m.Get(key)
	}
	return &object{values: values}
}
