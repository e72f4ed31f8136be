package expr

import (
	"math"

	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// sizes counts the values within a value; ten bytes of a text are one. What
// has more than the limits is as large as can be.
var sizes = types.NewSizeCalculator(types.SizeCalculatorMaxDepth(2*maxDepth), types.SizeCalculatorMaxTraversal(maxMemory))

// operatorCosts prices the operators that compare or copy whole values. cel-go
// prices them by their overload, and where a claim is involved that is not
// known before evaluation: `x in claims.groups` would cost one step, however
// many groups there are.
type operatorCosts struct{}

// CallCost is the price of one call; nil leaves it to cel-go.
func (operatorCosts) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	var cost uint64
	switch function {
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		cost = min(size(args[0]), size(args[1]))
	case operators.In:
		cost = 1
		if _, list := args[1].(traits.Lister); list {
			cost = size(args[1])
		}
	case operators.Add:
		cost = 1
		if text, ok := result.(types.String); ok {
			cost = size(text)
		}
	default:
		return nil
	}
	return &cost
}

func size(v ref.Val) uint64 {
	switch v.(type) {
	case types.String, types.Bytes, traits.Lister, traits.Mapper:
		return uint64(sizes.AggregateSize(v))
	default:
		return 1
	}
}

// weight is the size of an object, as sizes counts.
func weight(o *object, sizer types.AggregateSizer) uint32 {
	total := uint64(1)
	for _, key := range o.sorted() {
		total += uint64(len(key)/10) + 1 + uint64(sizer.AggregateSize(o.find(key)))
	}
	return uint32(min(total, math.MaxUint32))
}
