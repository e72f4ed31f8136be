package expr

import (
	"fmt"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// recordType is a variable with fixed, typed fields, as the type checker sees
// it: a field that it does not list is refused on write. Reflection is not
// used, so that no field of ours is reached by its Go name.
type recordType struct {
	name   string // no identifier has a '@': authors cannot build one
	typ    *types.Type
	fields map[string]field
}

// field is one field of a record: its type, and how to read it of a *T.
type field struct {
	typ  *cel.Type
	read func(of any) ref.Val
}

func newRecordType(name string, fields map[string]field) *recordType {
	return &recordType{name: name, typ: types.NewObjectType(name, traits.FieldTesterType|traits.IndexerType), fields: fields}
}

// fieldOf is a field of records whose Go form is T.
func fieldOf[T any](typ *cel.Type, read func(*T) ref.Val) field {
	return field{typ: typ, read: func(of any) ref.Val {
		t, ok := of.(*T)
		if !ok {
			return types.NoSuchOverloadErr()
		}
		return read(t)
	}}
}

func textField[T any](read func(*T) string) field {
	return fieldOf(cel.StringType, func(of *T) ref.Val { return types.String(read(of)) })
}

func listField[T any](read func(*T) []string) field {
	return fieldOf(cel.ListType(cel.StringType), func(of *T) ref.Val { return texts(read(of)) })
}

func texts(list []string) ref.Val {
	return types.NewStringList(types.DefaultTypeAdapter, list)
}

// record is a value of a recordType.
type record struct {
	kind *recordType
	of   any
}

// Get reads a field.
func (r *record) Get(index ref.Val) ref.Val {
	name, _ := index.(types.String)
	field, found := r.kind.fields[string(name)]
	if !found {
		return types.NewErr("no such field")
	}
	return field.read(r.of)
}

// IsSet says whether a field has anything in it: has(actor.sub) asks whether
// there is an actor.
func (r *record) IsSet(index ref.Val) ref.Val {
	value := r.Get(index)
	if types.IsError(value) {
		return value
	}
	return types.Bool(!zero(value))
}

func zero(value ref.Val) bool {
	z, ok := value.(traits.Zeroer)
	return ok && z.IsZeroValue()
}

// Equal compares field by field.
func (r *record) Equal(other ref.Val) ref.Val {
	o, ok := other.(*record)
	if !ok || o.kind != r.kind {
		return types.False
	}
	for _, field := range r.kind.fields {
		if field.read(r.of).Equal(field.read(o.of)) != types.True {
			return types.False
		}
	}
	return types.True
}

// ConvertToNative is not possible: records stay in here.
func (r *record) ConvertToNative(to reflect.Type) (any, error) {
	return nil, fmt.Errorf("%w: a record is not a %v", ErrType, to)
}

// ConvertToType serves type(x) alone.
func (r *record) ConvertToType(to ref.Type) ref.Val {
	if to == types.TypeType {
		return r.kind.typ
	}
	return types.NewErr("type conversion error")
}

// Type is the record's type.
func (r *record) Type() ref.Type { return r.kind.typ }

// Value is what the fields are read of.
func (r *record) Value() any { return r.of }

// provider adds our records to the types that cel-go knows.
type provider struct {
	types.Provider
}

// FindStructType knows a record by its name.
func (p provider) FindStructType(name string) (*types.Type, bool) {
	if kind, found := records[name]; found {
		return types.NewTypeTypeWithParam(kind.typ), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames lists a record's fields.
func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	kind, found := records[name]
	if !found {
		return p.Provider.FindStructFieldNames(name)
	}
	var names []string
	for name := range kind.fields {
		names = append(names, name)
	}
	return names, true
}

// FindStructFieldType is how the checker types a field, and the planner reads
// it without looking it up again.
func (p provider) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	kind, found := records[name]
	if !found {
		return p.Provider.FindStructFieldType(name, fieldName)
	}
	field, found := kind.fields[fieldName]
	if !found {
		return nil, false
	}
	return &types.FieldType{
		Type:    field.typ,
		IsSet:   func(of any) bool { return !zero(field.read(of)) },
		GetFrom: func(of any) (any, error) { return field.read(of), nil },
	}, true
}
