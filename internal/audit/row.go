package audit

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/strait-sts/strait/internal/exchange"
)

// Hash is a SHA-256; the zero Hash stands before the first record of a chain.
type Hash [sha256.Size]byte

// hashLength is the length of a Hash as text.
const hashLength = 43

// String is the hash in base64url without padding (RFC 4648 §5).
func (h Hash) String() string { return base64.RawURLEncoding.EncodeToString(h[:]) }

// ParseHash reads what String wrote.
func ParseHash(text string) (h Hash, err error) {
	if len(text) != hashLength {
		return h, fmt.Errorf("a hash has %d characters, not %d", hashLength, len(text))
	}
	_, err = base64.RawURLEncoding.Strict().Decode(h[:], []byte(text))
	return h, err
}

// Head is a place in a chain: its newest record, or that of a checkpoint.
type Head struct {
	Writer string // a UUID
	Seq    int64  // 1 for the first record; 0 before it
	Hash   Hash   // of that record
}

// Row is one record as it is kept.
type Row struct {
	Copies
	Writer string
	Seq    int64
	Hash   Hash   // SHA-256 of Body
	Body   []byte // canonical JSON (RFC 8785): the record, writer, seq and prevHash
	// Misfiled says of a row that was read for Verify that the store's filters
	// would not find it by its columns. One that no group was written for, by a
	// replica of an older version, is found without.
	Misfiled bool
	// The rest is for Append alone. Claims are what the record uses up. Issues
	// says that a token is issued, and revocations matter: Judged is the
	// revision of revocations by which it was decided.
	Claims []exchange.ReplayClaim
	Issues bool
	Judged int64
}

// Head is the row's place in its chain.
func (r *Row) Head() Head { return Head{Writer: r.Writer, Seq: r.Seq, Hash: r.Hash} }

// JSON is the whole record of the contract: Body and the hash.
func (r *Row) JSON() []byte { return withMember(r.Body, "hash", quoted(r.Hash.String())) }

// Copies are the fields of a record that filters and revocations need. Body
// alone is the truth.
type Copies struct {
	ID       string // a UUIDv7
	Time     time.Time
	Decision string
	Reason   string // "" and no targets where the record has none, here and below
	Client   string
	Issuer   string // of the subject token: the trusted issuer's name
	Subject  string // mapped
	Policy   string
	Targets  []string
	JTI      string
	Parent   string
	Txn      string

	Expires     time.Time // the issued token's, up to a second later than its exp; zero where none was issued
	Key         string    // kid of its signature
	SubjectJTI  string
	ActorIssuer string // the trusted issuer's name
	Actor       string // mapped
	ActorJTI    string
	ActorParent string
}

// contents is what a body says of itself.
type contents struct {
	Copies
	Writer   string
	Seq      int64
	PrevHash Hash
}

// body names the members of a body that are read back.
type body struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Decision string    `json:"decision"`
	Reason   string    `json:"reason"`
	Client   string    `json:"client"`
	Subject  party     `json:"subject"`
	Actor    party     `json:"actor"`
	Policy   string    `json:"policy"`
	Targets  []string  `json:"targets"`
	Lifetime struct {
		Issued int64 `json:"issued"`
	} `json:"lifetime"`
	JTI         string `json:"jti"`
	Key         string `json:"key"`
	Parent      string `json:"parent"`
	ActorParent string `json:"actorParent"`
	Txn         string `json:"txn"`
	Writer      string `json:"writer"`
	Seq         int64  `json:"seq"`
	PrevHash    string `json:"prevHash"`
}

type party struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"sub"`
	JTI     string `json:"jti"`
}

func (b *body) copies() Copies {
	return Copies{
		ID: b.ID, Time: b.Time, Decision: b.Decision, Reason: b.Reason, Client: b.Client,
		Issuer: b.Subject.Issuer, Subject: b.Subject.Subject, Policy: b.Policy, Targets: b.Targets,
		JTI: b.JTI, Parent: b.Parent, Txn: b.Txn,
		Expires: expiry(b.Time, b.Lifetime.Issued), Key: b.Key, SubjectJTI: b.Subject.JTI,
		ActorIssuer: b.Actor.Issuer, Actor: b.Actor.Subject, ActorJTI: b.Actor.JTI, ActorParent: b.ActorParent,
	}
}

// expiry is when a token that was issued for so many seconds has surely
// expired: its exp is cut to the second.
func expiry(at time.Time, issued int64) time.Time {
	if issued <= 0 {
		return time.Time{}
	}
	return at.Add(time.Duration(issued) * time.Second)
}

// read finds in a body what the columns copy and what the chain needs.
func read(canonical []byte) (contents, error) {
	var b body
	if err := json.Unmarshal(canonical, &b); err != nil {
		return contents{}, errors.New("the body is not the JSON of a record")
	}
	prev, err := ParseHash(b.PrevHash)
	if err != nil {
		return contents{}, fmt.Errorf("prevHash: %w", err)
	}
	return contents{Copies: b.copies(), Writer: b.Writer, Seq: b.Seq, PrevHash: prev}, nil
}
