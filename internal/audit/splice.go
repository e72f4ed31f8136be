package audit

import (
	"crypto/sha256"
	"strconv"
)

// A record is brought into canonical form by the exchange that waits for it;
// its place in the chain is known only when it is written. What is put in
// then goes where RFC 8785 §3.2.3 sorts it, so that the result is canonical.

// linkRoom is more than what link adds.
const linkRoom = 160

// cuts are the places of the members that link adds.
type cuts struct{ prevHash, seq, writer int }

// cutsOf finds them in one pass: they are sorted as the members are.
func cutsOf(canonical []byte) cuts {
	end := len(canonical) - 1
	c := cuts{end, end, end}
	names, places := [...]string{"prevHash", "seq", "writer"}, [...]*int{&c.prevHash, &c.seq, &c.writer}
	found := 0
	members(canonical, func(other []byte, start, _ int) bool {
		for found < len(names) && string(other) > names[found] {
			*places[found] = start
			found++
		}
		return found < len(names)
	})
	return c
}

// link makes a draft the record after head.
func (d *draft) link(head Head) Row {
	seq := head.Seq + 1
	text := make([]byte, 0, len(d.canonical)+linkRoom)
	text = append(text, d.canonical[:d.cuts.prevHash]...)
	text = d.insert(text, d.cuts.prevHash, d.cuts.seq, "prevHash", quoted(head.Hash.String()))
	text = d.insert(text, d.cuts.seq, d.cuts.writer, "seq", strconv.FormatInt(seq, 10))
	text = d.insert(text, d.cuts.writer, len(d.canonical), "writer", quoted(head.Writer))
	return Row{Copies: d.copies, Writer: head.Writer, Seq: seq, Hash: sha256.Sum256(text), Body: text, Claims: d.rec.Claims}
}

// insert appends a member and then the draft's bytes from its place on.
func (d *draft) insert(text []byte, from, to int, name, value string) []byte {
	return append(appendMember(text, d.canonical[from], name, value), d.canonical[from:to]...)
}

// appendMember appends a member to an object that has one already, followed by
// what begins with next: another member, or the object's end.
func appendMember(text []byte, next byte, name, value string) []byte {
	if next == '}' {
		text = append(text, ',')
	}
	text = append(append(append(append(text, '"'), name...), '"', ':'), value...)
	if next != '}' {
		text = append(text, ',')
	}
	return text
}

// quoted is s, which needs no escapes, as a JSON string.
func quoted(s string) string { return `"` + s + `"` }

// withMember adds a member to a canonical object that is not empty and does
// not have it.
func withMember(object []byte, name, value string) []byte {
	at := place(object, name)
	text := append(make([]byte, 0, len(object)+len(name)+len(value)+4), object[:at]...)
	return append(appendMember(text, object[at], name, value), object[at:]...)
}

// withoutMember takes a member with a plain string value out of a canonical
// object, and says what the value was; ok is false where it has none.
func withoutMember(object []byte, name string) (rest []byte, value string, ok bool) {
	members(object, func(other []byte, start, valueAt int) bool {
		if string(other) != name || object[valueAt] != '"' {
			return true
		}
		end := stringEnd(object, valueAt)
		value, ok = string(object[valueAt+1:end]), true
		from, to := start, end+1
		if object[to] == ',' {
			to++
		} else if object[from-1] == ',' {
			from--
		}
		rest = append(append([]byte(nil), object[:from]...), object[to:]...)
		return false
	})
	return rest, value, ok
}

// place is where a member of that name belongs in a canonical object.
func place(object []byte, name string) int {
	at := len(object) - 1
	members(object, func(other []byte, start, _ int) bool {
		if string(other) <= name {
			return true
		}
		at = start
		return false
	})
	return at
}

// members visits the members of a canonical object, in order: the name, where
// the member starts and where its value does. visit answers false to stop.
func members(object []byte, visit func(name []byte, start, value int) bool) {
	depth := 0
	for i := 0; i < len(object); i++ {
		switch object[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			start := i
			i = stringEnd(object, start)
			if depth == 1 && i+1 < len(object) && object[i+1] == ':' && !visit(object[start+1:i], start, i+2) {
				return
			}
		}
	}
}

// stringEnd is where the JSON string that begins at start has its last quote.
func stringEnd(text []byte, start int) int {
	for i := start + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return len(text) - 1
}
