package expr

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// object is a JSON object in CEL: a map with string keys, walked in the order
// of its keys, so that every replica comes to the same result. (cel-go's own
// maps are walked in Go's order, which is random.)
//
// With raw, its members are converted one by one, each whole, when first read:
// a token may carry hundreds of groups, and conditions read one claim. A
// number that cannot be held makes the whole member an error, so that `in` and
// `==`, which pass over elements that are errors, never see one.
type object struct {
	raw    map[string]any
	values map[string]ref.Val
	keys   []string // sorted; nil until the object is walked
	weight uint32   // 0 until it is asked for
}

// find is a member's value; nil where there is no such member.
func (o *object) find(key string) ref.Val {
	if value, found := o.values[key]; found {
		return value
	}
	member, found := o.raw[key]
	if !found {
		return nil
	}
	if o.values == nil {
		o.values = make(map[string]ref.Val, 4)
	}
	value := fromJSON(member)
	if !types.IsError(value) { // cel-go writes into an error where it happened: each is used once
		o.values[key] = value
	}
	return value
}

func (o *object) size() int {
	if o.raw != nil {
		return len(o.raw)
	}
	return len(o.values)
}

func (o *object) sorted() []string {
	if o.keys == nil {
		if o.raw != nil {
			o.keys = slices.Sorted(maps.Keys(o.raw))
		} else {
			o.keys = slices.Sorted(maps.Keys(o.values))
		}
	}
	return o.keys
}

// Find looks a key up; one that is no string is nowhere.
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), false
	}
	value := o.find(string(name))
	if value == nil {
		return nil, false
	}
	return value, !types.IsError(value)
}

// Get is Find for who is sure of the key.
func (o *object) Get(key ref.Val) ref.Val {
	value, found := o.Find(key)
	if !found && value == nil {
		return types.NewErr("no such key: %v", key)
	}
	return value
}

// Contains says whether there is such a key, whatever its value.
func (o *object) Contains(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key)
	}
	if _, found := o.raw[string(name)]; found {
		return types.True
	}
	_, found := o.values[string(name)]
	return types.Bool(found)
}

// Size is the number of members.
func (o *object) Size() ref.Val { return types.Int(o.size()) }

// IsZeroValue says whether the object is empty.
func (o *object) IsZeroValue() bool { return o.size() == 0 }

// Equal compares members, whatever the order.
func (o *object) Equal(other ref.Val) ref.Val {
	m, ok := other.(traits.Mapper)
	if !ok || m.Size() != o.Size() {
		return types.False
	}
	for _, key := range o.sorted() {
		theirs, found := m.Find(types.String(key))
		if !found {
			if theirs != nil {
				return theirs // an error
			}
			return types.False
		}
		if equal := types.Equal(o.find(key), theirs); equal != types.True {
			return equal
		}
	}
	return types.True
}

// AggregateSize is the count of what is in the object, for the limits.
func (o *object) AggregateSize(sizer types.AggregateSizer) uint32 {
	if o.weight == 0 {
		o.weight = weight(o, sizer)
	}
	return o.weight
}

// Iterator walks the keys in their order.
func (o *object) Iterator() traits.Iterator { return &keys{left: o.sorted()} }

// ConvertToNative is not possible: toJSON is the way out.
func (o *object) ConvertToNative(to reflect.Type) (any, error) {
	return nil, fmt.Errorf("%w: an object is not a %v", ErrType, to)
}

// ConvertToType serves type(x) and dyn(x) alone.
func (o *object) ConvertToType(to ref.Type) ref.Val {
	switch to {
	case types.MapType:
		return o
	case types.TypeType:
		return types.MapType
	}
	return types.NewErr("type conversion error")
}

// Type is map.
func (o *object) Type() ref.Type { return types.MapType }

// Value is the object itself: nobody outside sees it.
func (o *object) Value() any { return o }

// keys is an object's iterator.
type keys struct {
	ref.Val
	left []string
}

// HasNext says whether a key is left.
func (k *keys) HasNext() ref.Val { return types.Bool(len(k.left) > 0) }

// Next is the next key.
func (k *keys) Next() ref.Val {
	key := k.left[0]
	k.left = k.left[1:]
	return types.String(key)
}

// Type is that of iterators.
func (k *keys) Type() ref.Type { return types.IteratorType }

// fromJSON is a claim's value in CEL, whole; an error where any part of it
// cannot be told exactly.
func fromJSON(value any) ref.Val {
	switch v := value.(type) {
	case nil:
		return types.NullValue
	case bool:
		return types.Bool(v)
	case string:
		return types.String(v)
	case json.Number:
		return number(v)
	case []any:
		return listFromJSON(v)
	case map[string]any:
		return objectFromJSON(v)
	default:
		return types.WrapErr(fmt.Errorf("%w: a claim holds a %T", ErrType, value))
	}
}

func listFromJSON(list []any) ref.Val {
	values := make([]ref.Val, len(list))
	for i, element := range list {
		if values[i] = fromJSON(element); types.IsError(values[i]) {
			return values[i]
		}
	}
	return types.NewRefValList(types.DefaultTypeAdapter, values)
}

func objectFromJSON(members map[string]any) ref.Val {
	values := make(map[string]ref.Val, len(members))
	for name, member := range members {
		value := fromJSON(member)
		if types.IsError(value) {
			return value
		}
		values[name] = value
	}
	return &object{values: values}
}
