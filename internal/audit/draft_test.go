package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/exchange"
)

const someID = "0193a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6b"

// anyRecord draws records with hostile and ordinary texts, short and long.
func anyRecord(t *rapid.T) *exchange.Record {
	text := rapid.OneOf(
		rapid.SampledFrom([]string{"", "alice", "\x00", "a\x00b", "\xff\xfe", `","prevHash":"x`, "\u2028\r\n<&>", strings.Repeat("é", 3000), "\U0001F600"}),
		rapid.String(),
	)
	texts := rapid.OneOf(rapid.SliceOfN(text, 0, 5), rapid.SliceOfN(rapid.StringN(0, 40, 60), 200, 400))
	now := time.UnixMicro(rapid.Int64Range(0, 4e15).Draw(t, "time")).UTC()
	return &exchange.Record{
		ID: someID, Time: now, Decision: exchange.OutcomeDenied, Reason: exchange.Reason(text.Draw(t, "reason")),
		Client: text.Draw(t, "client"), Detail: text.Draw(t, "detail"), Policy: text.Draw(t, "policy"),
		PolicyRevision: rapid.Int64().Draw(t, "revision"), Targets: rapid.SliceOfN(text, 0, 4).Draw(t, "targets"),
		Subject: &exchange.RecordParty{Issuer: text.Draw(t, "issuer"), Subject: text.Draw(t, "subject")},
		Scopes:  exchange.RecordScopes{Held: texts.Draw(t, "held"), Requested: texts.Draw(t, "requested")},
		JTI:     text.Draw(t, "jti"), Parent: text.Draw(t, "parent"), Txn: text.Draw(t, "txn"),
	}
}

func TestEveryRecordIsCanonicalAndBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d, err := newEncoder().draft(anyRecord(t))
		if err != nil {
			t.Fatal(err)
		}
		head := Head{Writer: "7b0c8a52-93f1-4c55-8a6e-3d1c7f20ab01", Seq: rapid.Int64Range(0, 1<<50).Draw(t, "seq")}
		row := d.link(head)
		canonical := jsontext.Value(bytes.Clone(row.Body))
		if err := canonical.Canonicalize(); err != nil || !bytes.Equal(canonical, row.Body) {
			t.Fatalf("not canonical: %s, %v", row.Body, err)
		}
		if len(d.canonical) > maxRecord || bytes.Contains(row.Body, []byte(`\u0000`)) {
			t.Fatalf("%d bytes: %.200s", len(d.canonical), row.Body)
		}
		told, err := read(row.Body)
		if err != nil || told.Seq != head.Seq+1 || told.Writer != head.Writer || told.PrevHash != head.Hash {
			t.Fatalf("the place reads back as %+v, %v", told, err)
		}
		if !told.same(&row.Copies) {
			t.Fatalf("the copies are not what the bytes say:\n%+v\n%+v", told.Copies, row.Copies)
		}
		if row.Hash != sha256.Sum256(row.Body) {
			t.Fatal("the hash is not the SHA-256 of the bytes")
		}
		rest, hash, ok := withoutMember(row.JSON(), "hash")
		if !ok || hash != row.Hash.String() || !bytes.Equal(rest, row.Body) {
			t.Fatal("the hash cannot be taken out again")
		}
	})
}

func TestOrdinaryRecordIsKeptWhole(t *testing.T) {
	t.Parallel()
	rec := &exchange.Record{ID: someID, Time: time.Unix(1, 0), Decision: exchange.OutcomeIssued, Client: "edge", Lifetime: exchange.RecordLife{Issued: 300}}
	d, err := newEncoder().draft(rec)
	if err != nil {
		t.Fatal(err)
	}
	plainJSON, err := json.Marshal(rec)
	if err != nil {
		t.Fatal(err)
	}
	want := jsontext.Value(plainJSON)
	if err := want.Canonicalize(); err != nil || !bytes.Equal(want, d.canonical) {
		t.Errorf("kept as %s, want %s", d.canonical, want)
	}
}

func TestShortenedRecordSaysSo(t *testing.T) {
	t.Parallel()
	for name, rec := range map[string]*exchange.Record{
		"long text": {ID: someID, Client: strings.Repeat("x", 2000)},
		"long list": {ID: someID, Targets: strings.Split(strings.Repeat("x ", 9000), " ")},
		"long both": {ID: someID, Scopes: exchange.RecordScopes{Held: strings.Split(strings.Repeat(strings.Repeat("y", 900)+" ", 300), " ")}},
	} {
		d, err := newEncoder().draft(rec)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(d.canonical, []byte(`"truncated":true`)) || len(d.canonical) > maxRecord {
			t.Errorf("%s: %d bytes: %.100s", name, len(d.canonical), d.canonical)
		}
	}
	d, err := newEncoder().draft(&exchange.Record{ID: someID, Client: "a\xffb"})
	if err != nil || d.copies.Client != "a\uFFFDb" {
		t.Errorf("not UTF-8: %+v, %v", d, err)
	}
	d, err = newEncoder().draft(&exchange.Record{ID: someID, Client: "a\x00b"})
	if err != nil || d.copies.Client != "a\uFFFDb" || bytes.Contains(d.canonical, []byte("truncated")) {
		t.Errorf("NUL: %+v, %v", d, err)
	}
}

func TestIntegersStayExact(t *testing.T) {
	t.Parallel()
	for number, want := range map[string]any{
		"1":                              json.Number("1"),
		"9007199254740992":               json.Number("9007199254740992"),
		"9007199254740993":               "9007199254740993",
		"-9007199254740993":              "-9007199254740993",
		"123456789012345678901234567890": "123456789012345678901234567890",
		"1e131071":                       "1e131071",
		"0.5":                            json.Number("0.5"),
	} {
		if got := exact(json.Number(number)); got != want {
			t.Errorf("%s became %v, want %v", number, got, want)
		}
	}
}

func TestRecordNeedsAUUID(t *testing.T) {
	t.Parallel()
	for _, id := range []exchange.ID{"", "x", "0193a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a6", "0193A2B4-5C6D-7E8F-9A0B-1C2D3E4F5A6B", "0193a2b4x5c6d-7e8f-9a0b-1c2d3e4f5a6b", "0193a2b4-5c6d-7e8f-9a0b-1c2d3e4f5a-b"} {
		if _, err := newEncoder().draft(&exchange.Record{ID: id}); err == nil {
			t.Errorf("%q was taken", id)
		}
	}
	if _, err := newEncoder().draft(&exchange.Record{ID: someID}); err != nil {
		t.Error(err)
	}
}

func BenchmarkDraft(b *testing.B) {
	rec := &exchange.Record{
		ID: someID, Time: time.Now(), Decision: exchange.OutcomeIssued, Client: "edge-gateway", Grant: exchange.GrantTokenExchange,
		Subject: &exchange.RecordParty{Issuer: "okta-prod", Subject: "okta:alice", Original: "alice", TokenHash: Hash{}.String()},
		Policy:  "staff-orders", Targets: []string{"orders-api"}, JTI: someID, Txn: someID,
		Scopes: exchange.RecordScopes{Held: []string{"orders:read", "orders:write"}, Requested: []string{"orders:read"}, Issued: []string{"orders:read"}},
	}
	e := newEncoder()
	b.Run("normalise", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := e.draft(rec); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("link", func(b *testing.B) {
		d, err := newEncoder().draft(rec)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			d.link(Head{Writer: someID, Seq: 41})
		}
	})
}
