package objects

import (
	"fmt"
	"testing"
)

func TestPointerIntoAnApply(t *testing.T) {
	t.Parallel()
	for pointer, want := range map[string]string{
		"/objects/1/spec/audience": "1 /spec/audience true", "/objects/0": "0  true", "/objects/2/spec": "2 /spec false",
		"/objects/-1": "-1  false", "/set": "0  false", "/objects/x/spec": "0 /spec false",
	} {
		index, rest, ok := inObject(pointer, 2)
		if got := fmt.Sprintf("%d %s %v", index, rest, ok); got != want {
			t.Errorf("%s: %q, want %q", pointer, got, want)
		}
	}
}
