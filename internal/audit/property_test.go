package audit_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strait-sts/strait/internal/audit"
)

// rehashed is the row with other bytes and the hash that belongs to them.
func rehashed(row audit.Row, body []byte) audit.Row {
	row.Body, row.Hash = body, sha256.Sum256(body)
	return row
}

// tampered does one thing to the rows that Verify must find.
func tampered(t *rapid.T, rows []audit.Row) []audit.Row {
	rows = slices.Clone(rows)
	at := rapid.IntRange(0, len(rows)-1).Draw(t, "at")
	other := (at + rapid.IntRange(1, len(rows)-1).Draw(t, "further")) % len(rows)
	switch rapid.SampledFrom([]string{"flip", "flip and rehash", "cut", "swap", "copy over", "double", "column", "expires", "hash"}).Draw(t, "what") {
	case "flip":
		rows[at].Body = flipped(t, rows[at].Body)
	case "flip and rehash":
		rows[at] = rehashed(rows[at], flipped(t, rows[at].Body))
	case "cut":
		return slices.Delete(rows, min(at, other), max(at, other))
	case "swap":
		rows[at], rows[other] = rows[other], rows[at]
	case "copy over":
		rows[at] = rows[other]
	case "double":
		return slices.Insert(rows, at, rows[other])
	case "column":
		column := rapid.SampledFrom([]*string{&rows[at].Client, &rows[at].Decision, &rows[at].Policy, &rows[at].Txn, &rows[at].ID, &rows[at].Writer,
			&rows[at].Key, &rows[at].SubjectJTI, &rows[at].ActorIssuer, &rows[at].Actor, &rows[at].ActorJTI, &rows[at].ActorParent}).Draw(t, "column")
		*column += "x"
	case "expires":
		rows[at].Expires = rows[at].Expires.Add(time.Second)
	case "hash":
		rows[at].Hash[rapid.IntRange(0, len(rows[at].Hash)-1).Draw(t, "byte")] ^= 1
	}
	return rows
}

func flipped(t *rapid.T, body []byte) []byte {
	body = bytes.Clone(body)
	body[rapid.IntRange(0, len(body)-1).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
	return body
}

// TestAnyTamperingBelowACheckpointIsFound: whatever single thing is done to a
// chain whose head was signed, Verify does not call it sound.
func TestAnyTamperingBelowACheckpointIsFound(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 8)
	rapid.Check(t, func(rt *rapid.T) {
		changed := tampered(rt, rows)
		if report := verify(t, changed, audit.Evidence{Anchors: checkpoints}); report.OK() {
			rt.Fatal("nothing was found")
		}
	})
}

// TestRewrittenTailIsFoundByItsCheckpoint: who makes the whole rest of a chain
// anew, hashes and all, still cannot make the signature.
func TestRewrittenTailIsFoundByItsCheckpoint(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 6)
	remade := slices.Clone(rows)
	for i := 2; i < len(remade); i++ {
		body := bytes.Replace(remade[i].Body, []byte(`"policyRevision":12`), []byte(`"policyRevision":13`), 1)
		body = bytes.Replace(body, []byte(rows[i-1].Hash.String()), []byte(remade[i-1].Hash.String()), 1)
		remade[i] = rehashed(remade[i], body)
	}
	if report := verify(t, remade, audit.Evidence{}); !report.OK() || report.Chains[0].Unanchored != 6 {
		t.Fatalf("the forgery is not consistent in itself: %+v", report.Findings)
	}
	report := verify(t, remade, audit.Evidence{Anchors: checkpoints})
	if report.OK() || report.Findings[0].Kind != audit.Changed || report.Chains[0].Anchored != 0 {
		t.Errorf("%+v", report)
	}
}

func TestReportOfManyFindingsIsBounded(t *testing.T) {
	t.Parallel()
	rows, _ := written(t, 120)
	for i := range rows {
		rows[i].Client = "mallory"
	}
	if report := verify(t, rows, audit.Evidence{}); len(report.Findings) != 100 || report.More != 20 {
		t.Errorf("%d findings and %d more", len(report.Findings), report.More)
	}
}
