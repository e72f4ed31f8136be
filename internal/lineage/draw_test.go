package lineage_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/strait-sts/strait/internal/exchange"
	"github.com/strait-sts/strait/internal/lineage"
)

func drawn(t testing.TB, tree *lineage.Tree, s lineage.Style) string {
	t.Helper()
	var out bytes.Buffer
	if err := lineage.Draw(&out, tree, s); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// family is a tree with all that can be drawn.
func family(t testing.TB) *lineage.Tree {
	t.Helper()
	root, child, leaf := issued(1, 0), issued(2, 1), issued(4, 2)
	root.Narrowed = &exchange.Narrowed{Scopes: []string{"orders:write", "orders:refund"}, Audience: []string{"https://gw"}, Lifetime: 1500, Claims: []string{"email"}}
	child.Actor, child.Flow = &exchange.RecordParty{Issuer: exchange.SelfIssuer, Subject: "client:orders"}, exchange.FlowDelegation
	leaf.Subject.Act, leaf.Lifetime.Issued = exchange.Chain{{Issuer: "https://sts", Subject: "client:orders"}}, 30
	leaf.ActorParent = string(id(77))
	elsewhere := issued(88, 99)
	elsewhere.ActorParent = string(id(4))
	tree := treeOf(t, 4, root, child, denied(3, 1), leaf, elsewhere)
	yes := true
	tree.Root.Children[0].Revoked = &yes
	return tree
}

func TestATreeIsDrawn(t *testing.T) {
	t.Parallel()
	want := `4 exchanges from root 0198c1d2-7a10-7c3e-9f00-2b1f6f000001, of another issuer's token

…000001 issued 2026-11-24T12:00:01Z client edge policy staff-orders (downscope)
│ okta|alice → orders-api [orders:read]
│ for 5m0s, 4m1s left
│ narrowed: scopes −orders:write −orders:refund, audience −https://gw, claims −email, lifetime −25m0s
├─ …000002 issued 2026-11-24T12:00:02Z client edge policy staff-orders (delegation) REVOKED
│  │ okta|alice → orders-api [orders:read]
│  │ acting: client:orders
│  │ for 5m0s, 4m2s left
│  └─ ▶ …000004 issued 2026-11-24T12:00:04Z client edge policy staff-orders (downscope)
│       okta|alice → orders-api [orders:read]
│       acting: client:orders (https://sts)
│       for 30s, expired
│       actor token from 0198c1d2-7a10-7c3e-9f00-2b1f6f000077, actor token in 0198c1d2-7a10-7c3e-9f00-2b1f6f000088
└─ ✗ …000003 denied scope_not_held 2026-11-24T12:00:03Z client edge policy staff-orders (downscope)
     okta|alice → orders-api [orders:refund]
`
	if got := drawn(t, family(t), lineage.Style{Width: 120}); got != want {
		t.Errorf("drawn:\n%s\nwant:\n%s", got, want)
	}
}

// Lines end at the width; only a word that is longer, and text that stands
// deep, go beyond.
func TestADrawingKeepsItsWidth(t *testing.T) {
	t.Parallel()
	text := drawn(t, family(t), lineage.Style{Width: 60})
	for _, line := range strings.Split(text, "\n") {
		if utf8.RuneCountInString(line) > 60 {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
	if !strings.Contains(text, "\n├─ …000002 issued 2026-11-24T12:00:02Z client edge policy\n│  │ staff-orders (delegation) REVOKED\n") {
		t.Errorf("drawn:\n%s", text)
	}
	var chain []*exchange.Record
	for n := range 40 {
		chain = append(chain, issued(n+1, n))
	}
	if text := drawn(t, treeOf(t, 1, chain...), lineage.Style{Width: 60}); !strings.Contains(text, "client edge") {
		t.Errorf("what stands deep is cut to nothing:\n%s", text)
	}
}

// Ids are as short as they can be, and no two are alike.
func TestShortIDsAreUnambiguous(t *testing.T) {
	t.Parallel()
	one, two := issued(1, 0), issued(2, 1)
	two.ID = "0198c1d2-7a10-7c3e-9f00-2b1f60000001" // the end of the first
	tree, err := lineage.New(id(1), bodies(t, one, two), noon, nil)
	if err != nil {
		t.Fatal(err)
	}
	text := drawn(t, tree, lineage.Style{Width: 120})
	if !strings.Contains(text, "▶ …f000001 ") || !strings.Contains(text, "─ …0000001 ") {
		t.Errorf("drawn:\n%s", text)
	}
	if text := drawn(t, tree, lineage.Style{Width: 120, FullIDs: true}); !strings.Contains(text, "▶ "+string(id(1))) || strings.Contains(text, "…") {
		t.Errorf("drawn:\n%s", text)
	}
}

func TestATreeSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	tree := treeOf(t, 2, issued(2, 1))
	tree.Truncated = true
	text := drawn(t, tree, lineage.Style{Width: 200})
	if !strings.Contains(text, "1 exchange from root") || !strings.Contains(text, "whose parent "+string(id(1))+" is in no record any more") || !strings.Contains(text, "There may be more") {
		t.Errorf("drawn:\n%s", text)
	}
	machine := issued(1, 0)
	machine.Subject, machine.Flow = nil, exchange.FlowClient
	if text := drawn(t, treeOf(t, 1, machine), lineage.Style{Width: 120}); !strings.Contains(text, "of a client for itself") {
		t.Errorf("drawn:\n%s", text)
	}
}

// Records hold what strangers sent: nothing of it moves the cursor, changes a
// colour or turns the direction of text.
func TestADrawingObeysNobody(t *testing.T) {
	t.Parallel()
	rec := denied(1, 0)
	rec.Subject.Subject = "al\x1b[31mice\x00\u202e\u2066\u200f\ufeff\u0085\rx"
	text := drawn(t, treeOf(t, 1, rec), lineage.Style{Width: 120})
	if strings.ContainsAny(text, "\x1b\x00\u202e\u2066\u200f\ufeff\u0085\r") || !strings.Contains(text, "al\ufffd[31mice\ufffd") {
		t.Errorf("drawn: %q", text)
	}
}

func TestADrawingThatCannotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	if err := lineage.Draw(full{}, family(t), lineage.Style{Width: 80}); err == nil {
		t.Error("no error")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }
