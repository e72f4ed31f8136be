package lineage

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/strait-sts/strait/internal/exchange"
)

// Style is how a tree is drawn.
type Style struct {
	Width   int  // characters a line, as far as its words allow
	FullIDs bool // else each id is cut to an end that no other of the tree has
}

// minText is how much of a line its text gets, however deep it stands.
const minText = 40

// minID is how much of an id is shown at least.
const minID = 6

// Draw draws the tree, a branch an exchange. Whatever a terminal would obey is
// replaced: records hold text that strangers sent.
func Draw(w io.Writer, t *Tree, s Style) error {
	d := &drawing{w: bufio.NewWriter(w), style: s, asked: t.Asked, idLength: len(t.Asked)}
	if !s.FullIDs {
		d.idLength = shortest(t.Root)
	}
	d.title(t)
	d.node(t.Root, "", "")
	if t.Truncated {
		d.line("", "", fmt.Sprintf("There may be more: a tree is shown up to %d exchanges and %d hops.", MaxNodes, MaxDepth))
	}
	return d.w.Flush()
}

type drawing struct {
	w        *bufio.Writer // keeps the first error for Flush
	style    Style
	asked    exchange.ID
	idLength int
}

func (d *drawing) title(t *Tree) {
	from := "of another issuer's token"
	switch {
	case t.Root.Parent != "":
		from = "whose parent " + string(t.Root.Parent) + " is in no record any more"
	case t.Root.Flow == exchange.FlowClient:
		from = "of a client for itself"
	}
	d.line("", "", fmt.Sprintf("%s from root %s, %s", count(t.Exchanges, "exchange"), t.Root.ID, from))
	d.line("", "", "")
}

// node draws an exchange and what hangs from it. first stands before its first
// line, rest before all others.
func (d *drawing) node(n *Node, first, rest string) {
	under := rest + "  "
	if len(n.Children) > 0 {
		under = rest + "│ "
	}
	d.line(first, under, d.head(n))
	for _, detail := range d.details(n) {
		d.line(under, under+"  ", detail)
	}
	for i, child := range n.Children {
		if i == len(n.Children)-1 {
			d.node(child, rest+"└─ ", rest+"   ")
			continue
		}
		d.node(child, rest+"├─ ", rest+"│  ")
	}
}

// head is the line of an exchange: which, how it ended, by whom and by what
// policy.
func (d *drawing) head(n *Node) string {
	words := []string{d.id(n.ID), string(n.Decision)}
	if n.Reason != "" {
		words = []string{"✗", d.id(n.ID), string(n.Decision), string(n.Reason)}
	}
	if n.ID == d.asked {
		words = append([]string{"▶"}, words...)
	}
	words = append(words, n.Time.Format(time.RFC3339))
	if n.Client != "" {
		words = append(words, "client", n.Client)
	}
	if n.Policy != "" {
		words = append(words, "policy", n.Policy, "("+string(n.Flow)+")")
	}
	if n.Revoked != nil && *n.Revoked {
		words = append(words, "REVOKED")
	}
	return strings.Join(words, " ")
}

func (d *drawing) details(n *Node) []string {
	var lines []string
	for _, line := range []string{subject(n), acting(n), life(n), narrowed(n.Narrowed), links(n)} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// subject is of whom, for what, and which scopes.
func subject(n *Node) string {
	var words []string
	if n.Subject != nil {
		words = append(words, n.Subject.Subject)
	}
	if len(n.Targets) > 0 {
		words = append(words, "→", strings.Join(n.Targets, ", "))
	}
	if len(n.Scopes) > 0 {
		words = append(words, "["+strings.Join(n.Scopes, " ")+"]")
	}
	return strings.Join(words, " ")
}

// acting is the chain of actors, the newest first.
func acting(n *Node) string {
	var parties []string
	if n.Actor != nil {
		parties = append(parties, n.Actor.Subject)
	}
	for _, hop := range n.Act {
		parties = append(parties, hop.Subject+" ("+hop.Issuer+")")
	}
	if len(parties) == 0 {
		return ""
	}
	return "acting: " + strings.Join(parties, " for ")
}

func life(n *Node) string {
	switch {
	case n.Expires == nil:
		return ""
	case n.Left == 0:
		return fmt.Sprintf("for %s, expired", seconds(n.Lifetime))
	}
	return fmt.Sprintf("for %s, %s left", seconds(n.Lifetime), seconds(n.Left))
}

// narrowed is what the subject token had more.
func narrowed(n *exchange.Narrowed) string {
	if n == nil {
		return ""
	}
	var parts []string
	for _, lost := range []struct {
		what string
		list []string
	}{{"scopes", n.Scopes}, {"audience", n.Audience}, {"claims", n.Claims}} {
		if len(lost.list) > 0 {
			parts = append(parts, lost.what+" −"+strings.Join(lost.list, " −"))
		}
	}
	if n.Lifetime > 0 {
		parts = append(parts, "lifetime −"+seconds(n.Lifetime))
	}
	if len(parts) == 0 {
		return ""
	}
	return "narrowed: " + strings.Join(parts, ", ")
}

// links are whole ids: what they name may be in another tree.
func links(n *Node) string {
	var parts []string
	if n.ActorParent != "" {
		parts = append(parts, "actor token from "+string(n.ActorParent))
	}
	for _, id := range n.ActedIn {
		parts = append(parts, "actor token in "+string(id))
	}
	return strings.Join(parts, ", ")
}

func seconds(n int64) string { return (time.Duration(n) * time.Second).String() }

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}

// id is the end of an id: its beginning is the time, which neighbours share.
func (d *drawing) id(id exchange.ID) string {
	if d.idLength >= len(id) {
		return string(id)
	}
	return "…" + string(id[len(id)-d.idLength:])
}

// shortest is how much of the end of each id tells it from all others.
func shortest(root *Node) int {
	var ids []exchange.ID
	var collect func(*Node)
	collect = func(n *Node) {
		ids = append(ids, n.ID)
		for _, child := range n.Children {
			collect(child)
		}
	}
	collect(root)
	for length := minID; ; length++ {
		seen := make(map[exchange.ID]bool, len(ids))
		for _, id := range ids {
			seen[id[max(0, len(id)-length):]] = true
		}
		if len(seen) == len(ids) || length >= len(root.ID) {
			return length
		}
	}
}

// line writes a text behind first, and what is left of it at the width behind
// rest, word by word.
func (d *drawing) line(first, rest, text string) {
	lead, room := first, 0
	var line strings.Builder
	for _, word := range strings.Fields(visible(text)) {
		if room = max(minText, d.style.Width-width(lead)); line.Len() > 0 && width(line.String())+1+width(word) > room {
			d.put(lead, line.String())
			line.Reset()
			lead = rest
		}
		if line.Len() > 0 {
			line.WriteByte(' ')
		}
		line.WriteString(word)
	}
	d.put(lead, line.String())
}

func (d *drawing) put(lead, text string) {
	_, _ = d.w.WriteString(strings.TrimRight(lead+text, " ") + "\n")
}

// width is how many columns a text takes, counted by its characters.
func width(text string) int { return utf8.RuneCountInString(text) }

// visible replaces what a terminal would obey rather than show, marks of
// direction among it.
func visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return r
		case r < 0x20, r >= 0x7f && r < 0xa0, r >= 0x200b && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0xfeff:
			return utf8.RuneError
		}
		return r
	}, text)
}
