package lineage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/strait-sts/strait/internal/exchange"
)

// The bounds of a tree. What lies beyond is left out, and the tree says so.
const (
	MaxNodes = 10_000 // exchanges
	MaxDepth = 1_000  // hops from the root
)

// Tree is everything that came of one root exchange.
type Tree struct {
	Asked     exchange.ID `json:"asked"`     // the exchange that was asked for
	Exchanges int         `json:"exchanges"` // in the tree
	Truncated bool        `json:"truncated"` // there may be more than the bounds allow
	Root      *Node       `json:"root"`
}

// Node is one exchange in its tree: a token that was issued, or an attempt that
// was denied.
type Node struct {
	ID       exchange.ID      `json:"id"`
	Time     time.Time        `json:"time"`
	Decision exchange.Outcome `json:"decision"`
	Reason   exchange.Reason  `json:"reason,omitempty"` // of a denial

	Client         string        `json:"client,omitempty"` // metadata.name
	Flow           exchange.Flow `json:"flow,omitempty"`
	Policy         string        `json:"policy,omitempty"`
	PolicyRevision int64         `json:"policyRevision,omitempty"`

	Subject *Party         `json:"subject,omitempty"`
	Actor   *Party         `json:"actor,omitempty"` // who acts by this exchange
	Act     exchange.Chain `json:"act,omitempty"`   // who acted before, newest first

	Targets  []string           `json:"targets,omitempty"`  // names
	Scopes   []string           `json:"scopes,omitempty"`   // issued; of a denial: asked for
	Lifetime int64              `json:"lifetime,omitempty"` // issued, in seconds
	Expires  *time.Time         `json:"expires,omitempty"`  // of the issued token
	Left     int64              `json:"left"`               // seconds until then; 0 where it has passed
	Revoked  *bool              `json:"revoked"`            // of the issued token; null where that is not known
	Narrowed *exchange.Narrowed `json:"narrowed,omitempty"` // what the subject token had more

	Parent      exchange.ID   `json:"parent,omitempty"`      // exchange of the subject token
	ActorParent exchange.ID   `json:"actorParent,omitempty"` // exchange of the actor token, where it is ours
	ActedIn     []exchange.ID `json:"actedIn,omitempty"`     // exchanges whose actor token is this one
	Children    []*Node       `json:"children,omitempty"`    // by time
}

// Party is who a token speaks of.
type Party struct {
	Issuer  string `json:"issuer"` // the trusted issuer's name
	Subject string `json:"sub"`    // mapped
}

// Known says whether an issued token was revoked; nil where that is not known.
type Known func(*exchange.Record) *bool

// New makes the tree that asked is in, of the bodies of records as JSON: those
// of the tree, and those in which a token of it was the actor token. The root is
// the first record whose parent is not there: a record that was dropped with its
// month, or a subject token of another issuer. revoked may be nil.
func New(asked exchange.ID, bodies [][]byte, now time.Time, revoked Known) (*Tree, error) {
	nodes := make(map[exchange.ID]*Node, len(bodies))
	for _, body := range bodies {
		var rec exchange.Record
		if err := json.Unmarshal(body, &rec); err != nil {
			return nil, fmt.Errorf("a record of the lineage cannot be read: %w", err)
		}
		nodes[rec.ID] = newNode(&rec, now, revoked)
	}
	t := &Tree{Asked: asked}
	if t.Root = rootOf(nodes, asked); t.Root == nil {
		return nil, fmt.Errorf("exchange %s is not among the records of its lineage", asked)
	}
	link(nodes)
	depth := t.measure(t.Root, 1)
	t.Truncated = t.Exchanges >= MaxNodes || depth >= MaxDepth
	return t, nil
}

func newNode(rec *exchange.Record, now time.Time, revoked Known) *Node {
	n := &Node{
		ID: rec.ID, Time: rec.Time.UTC(), Decision: rec.Decision, Reason: rec.Reason, Client: rec.Client, Flow: rec.Flow,
		Policy: rec.Policy, PolicyRevision: rec.PolicyRevision, Subject: partyOf(rec.Subject), Actor: partyOf(rec.Actor), Targets: rec.Targets,
		Scopes: rec.Scopes.Requested, Parent: exchange.ID(rec.Parent), ActorParent: exchange.ID(rec.ActorParent),
	}
	if rec.Subject != nil {
		n.Act = rec.Subject.Act
	}
	if rec.Decision != exchange.OutcomeIssued {
		return n
	}
	expires := rec.IssuedToken().Expires.UTC()
	n.Scopes, n.Narrowed = rec.Scopes.Issued, rec.Narrowed
	n.Lifetime, n.Expires, n.Left = rec.Lifetime.Issued, &expires, max(0, int64(expires.Sub(now)/time.Second))
	if revoked != nil {
		n.Revoked = revoked(rec)
	}
	return n
}

func partyOf(p *exchange.RecordParty) *Party {
	if p == nil || p.Issuer == "" { // a token that was not believed
		return nil
	}
	return &Party{Issuer: p.Issuer, Subject: p.Subject}
}

// rootOf climbs from a node to where no parent is; nil where the node is not
// there.
func rootOf(nodes map[exchange.ID]*Node, from exchange.ID) (root *Node) {
	node := nodes[from]
	for range nodes { // a circle, which only a forged record makes, ends too
		if node == nil {
			break
		}
		root, node = node, nodes[node.Parent]
	}
	return root
}

// link hangs each node under its parent, and names it at the exchange of its
// actor token.
func link(nodes map[exchange.ID]*Node) {
	inOrder := make([]*Node, 0, len(nodes))
	for _, n := range nodes {
		inOrder = append(inOrder, n)
	}
	slices.SortFunc(inOrder, func(a, b *Node) int { return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.ID, b.ID)) })
	for _, n := range inOrder {
		if parent := nodes[n.Parent]; parent != nil {
			parent.Children = append(parent.Children, n)
		}
		if actor := nodes[n.ActorParent]; actor != nil {
			actor.ActedIn = append(actor.ActedIn, n.ID)
		}
	}
}

// measure counts the exchanges under a node and gives how deep they go. Nothing
// hangs deeper than the bound.
func (t *Tree) measure(n *Node, depth int) (deepest int) {
	t.Exchanges++
	if depth >= MaxDepth {
		n.Children = nil
	}
	deepest = depth
	for _, child := range n.Children {
		deepest = max(deepest, t.measure(child, depth+1))
	}
	return deepest
}
