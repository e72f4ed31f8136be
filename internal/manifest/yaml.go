package manifest

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/strait-sts/strait/internal/catalog"
)

// maxDepth is how deep lists and mappings may stand in each other.
const maxDepth = 64

// marker begins or ends a document (YAML 1.2.2 §9.1). Within one, no line looks
// like it, not even in a block of text.
var marker = regexp.MustCompile(`^(---|\.\.\.)(\s|$)`)

// jsonNumber is a number as JSON writes it (RFC 8259 §6).
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// piece is the text of one YAML document and the line before it.
type piece struct {
	text   []byte
	before int
}

// where is the line within a complaint of the parser.
var where = regexp.MustCompile(`^yaml: line ([0-9]+): (.*)`)

// readYAML reads one document after another. They are taken apart here, so that
// a fault in one hides no other, and none goes unread.
func readYAML(data []byte) ([]document, []catalog.FieldError) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, []catalog.FieldError{unreadable(1, "is not UTF-8")}
	}
	var documents []document
	var faults []catalog.FieldError
	for _, p := range split(data) {
		d, wrong := p.read()
		if len(wrong) == 0 && d.json != nil {
			documents = append(documents, d)
		}
		faults = append(faults, wrong...)
	}
	return documents, faults
}

func unreadable(line int, format string, args ...any) catalog.FieldError {
	return catalog.FieldError{Line: line, Code: catalog.CodeUnreadable, Message: fmt.Sprintf(format, args...)}
}

// split takes a file apart at its markers; "---" stays with what it begins.
func split(data []byte) []piece {
	pieces := []piece{{}}
	line := 0
	for text := range bytes.Lines(data) {
		if marker.Match(text) {
			pieces = append(pieces, piece{before: line})
			text = bytes.TrimPrefix(text, []byte("..."))
		}
		last := &pieces[len(pieces)-1]
		last.text = append(last.text, text...)
		line++
	}
	return pieces
}

// blank says whether there are only comments and space.
func (p piece) blank() bool {
	for text := range bytes.Lines(p.text) {
		text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("---")))
		if len(text) > 0 && text[0] != '#' {
			return false
		}
	}
	return true
}

// read parses the piece; an empty one has no JSON.
func (p piece) read() (document, []catalog.FieldError) {
	if p.blank() {
		return document{}, nil
	}
	if p.text[0] == '%' {
		return document{}, []catalog.FieldError{unreadable(p.before+1, "directives such as %%YAML are not read; leave it out")}
	}
	var root yaml.Node
	if err := yaml.Unmarshal(p.text, &root); err != nil || len(root.Content) != 1 {
		return document{}, []catalog.FieldError{p.syntax(err)}
	}
	c := converter{before: p.before, lines: map[string]int{}}
	c.value("", root.Content[0], 0)
	return document{c.out, c.lines}, c.faults
}

// syntax is the parser's complaint. The line that it gives is where it gave up,
// which can be a line beside the slip.
func (p piece) syntax(err error) catalog.FieldError {
	found := where.FindStringSubmatch(fmt.Sprint(err))
	if found == nil {
		return unreadable(p.before+1, "is not YAML: %s", strings.TrimPrefix(fmt.Sprint(err), "yaml: "))
	}
	line, _ := strconv.Atoi(found[1])
	return unreadable(p.before+line, "is not YAML, here or just after: %s", found[2])
}

// converter writes a YAML tree as JSON and notes the line of each value.
type converter struct {
	out    []byte
	lines  map[string]int
	before int
	faults []catalog.FieldError
}

func (c *converter) refuse(pointer jsontext.Pointer, n *yaml.Node, format string, args ...any) {
	fault := unreadable(c.before+n.Line, format, args...)
	fault.Pointer = string(pointer)
	c.faults = append(c.faults, fault)
}

// note keeps the line where a value begins; of a member, that of its name.
func (c *converter) note(pointer jsontext.Pointer, n *yaml.Node) {
	if _, noted := c.lines[string(pointer)]; !noted {
		c.lines[string(pointer)] = c.before + n.Line
	}
}

func (c *converter) value(pointer jsontext.Pointer, n *yaml.Node, depth int) {
	c.note(pointer, n)
	switch {
	case depth > maxDepth:
		c.refuse(pointer, n, "stands more than %d levels deep", maxDepth)
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		c.refuse(pointer, n, "anchors and aliases (&, *) are not read: write the value out, or quote it")
	case n.Style&yaml.TaggedStyle != 0:
		c.refuse(pointer, n, "tags (!) are not read: leave it out, or quote the value")
	case n.Kind == yaml.MappingNode:
		c.object(pointer, n.Content, depth)
	case n.Kind == yaml.SequenceNode:
		c.list(pointer, n.Content, depth)
	default:
		c.scalar(pointer, n)
	}
}

// object writes members, which are names and values by turns.
func (c *converter) object(pointer jsontext.Pointer, members []*yaml.Node, depth int) {
	seen := map[string]bool{}
	c.out = append(c.out, '{')
	for i := 0; i+1 < len(members); i += 2 {
		name := members[i]
		at := pointer.AppendToken(name.Value)
		c.name(at, name, seen[name.Value])
		c.note(at, name)
		seen[name.Value] = true
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.text(name.Value)
		c.out = append(c.out, ':')
		c.value(at, members[i+1], depth+1)
	}
	c.out = append(c.out, '}')
}

// name holds that a member's name is one, and new.
func (c *converter) name(pointer jsontext.Pointer, n *yaml.Node, again bool) {
	switch {
	case n.ShortTag() == "!!merge":
		c.refuse(pointer, n, "merge keys (<<) are not read: write the fields out")
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0:
		c.refuse(pointer, n, "the name of a field must be a plain string: quote it")
	case again:
		c.faults = append(c.faults, catalog.FieldError{Line: c.before + n.Line, Pointer: string(pointer), Code: catalog.CodeDuplicate, Message: "is written twice; keep one"})
	}
}

func (c *converter) list(pointer jsontext.Pointer, items []*yaml.Node, depth int) {
	c.out = append(c.out, '[')
	for i, item := range items {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.value(pointer.AppendToken(strconv.Itoa(i)), item, depth+1)
	}
	c.out = append(c.out, ']')
}

// scalar writes a number digit by digit, so that none is rounded, and refuses
// those that are no JSON or read differently elsewhere (.inf, 0755, 1_000).
// Whatever else YAML has, dates above all, stays a string.
func (c *converter) scalar(pointer jsontext.Pointer, n *yaml.Node) {
	switch tag := n.ShortTag(); tag {
	case "!!null":
		c.out = append(c.out, "null"...)
	case "!!bool":
		c.out = append(c.out, strings.ToLower(n.Value)...)
	case "!!int", "!!float":
		if !jsonNumber.MatchString(n.Value) {
			c.refuse(pointer, n, "%s is read differently by different programs: write a decimal number, or quote it", n.Value)
		}
		c.out = append(c.out, n.Value...)
	default:
		c.text(n.Value)
	}
}

// text writes a string; the file is UTF-8, and what an escape made of it is
// replaced where it is not.
func (c *converter) text(s string) {
	c.out, _ = jsontext.AppendQuote(c.out, s)
}
