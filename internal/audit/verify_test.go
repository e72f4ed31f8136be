package audit_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/audit"
)

// rewritten replaces text in a row and makes its hash fit again, as someone
// would who can write to the table and knows how it works.
func rewritten(t testing.TB, row audit.Row, from, to string) audit.Row {
	t.Helper()
	if !bytes.Contains(row.Body, []byte(from)) {
		t.Fatalf("the record does not hold %q", from)
	}
	row.Body = bytes.ReplaceAll(row.Body, []byte(from), []byte(to))
	row.Hash = sha256.Sum256(row.Body)
	return row
}

// forged is a row of nobody's that claims the place of row.
func forged(t testing.TB, row audit.Row) audit.Row {
	t.Helper()
	const id = "00000000-0000-7000-8000-000000000000"
	row = rewritten(t, row, row.ID, id)
	row.ID, row.JTI, row.Txn = id, id, id
	return row
}

func TestVerifyFindsEachKindOfTampering(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 6)
	if report := verify(t, rows, audit.Evidence{Checkpoints: checkpoints}); !report.OK() {
		t.Fatalf("an untouched chain: %+v", report.Findings)
	}
	type found struct {
		kind string
		seq  int64
	}
	for _, test := range []struct {
		name   string
		tamper func(rows []audit.Row) []audit.Row
		want   found
	}{
		{"bytes changed", func(r []audit.Row) []audit.Row {
			r[2].Body = bytes.Replace(r[2].Body, []byte("okta:alice"), []byte("okta:malice"), 1)
			return r
		}, found{audit.Changed, 3}},
		{"column changed", func(r []audit.Row) []audit.Row { r[2].Subject = "mallory"; return r }, found{audit.Changed, 3}},
		{"targets column changed", func(r []audit.Row) []audit.Row { r[2].Targets = nil; return r }, found{audit.Changed, 3}},
		{"hash changed", func(r []audit.Row) []audit.Row { r[2].Hash[0]++; return r }, found{audit.Changed, 3}},
		{"bytes and hash changed", func(r []audit.Row) []audit.Row {
			r[2] = rewritten(t, r[2], `"issued":300`, `"issued":301`)
			return r
		}, found{audit.Changed, 3}},
		{"last record rewritten", func(r []audit.Row) []audit.Row {
			r[5] = rewritten(t, r[5], `"issued":300`, `"issued":301`)
			return r
		}, found{audit.Changed, 6}},
		{"bytes that are no record", func(r []audit.Row) []audit.Row { r[2].Body = []byte("{"); return r }, found{audit.Changed, 3}},
		{"first removed", func(r []audit.Row) []audit.Row { return r[1:] }, found{audit.Removed, 1}},
		{"one removed", func(r []audit.Row) []audit.Row { return slices.Delete(r, 2, 3) }, found{audit.Removed, 3}},
		{"several removed", func(r []audit.Row) []audit.Row { return slices.Delete(r, 1, 4) }, found{audit.Removed, 2}},
		{"tail removed", func(r []audit.Row) []audit.Row { return r[:4] }, found{audit.Removed, 6}},
		{"all removed", func([]audit.Row) []audit.Row { return nil }, found{audit.Removed, 6}},
		{"inserted behind the genuine one", func(r []audit.Row) []audit.Row { return slices.Insert(r, 3, forged(t, r[2])) }, found{audit.Inserted, 3}},
		{"inserted before the genuine one", func(r []audit.Row) []audit.Row { return slices.Insert(r, 2, forged(t, r[2])) }, found{audit.Inserted, 3}},
		{"inserted at the end", func(r []audit.Row) []audit.Row { return slices.Insert(r, 5, forged(t, r[5])) }, found{audit.Inserted, 6}},
		{"doubled", func(r []audit.Row) []audit.Row { return slices.Insert(r, 2, r[2]) }, found{audit.Inserted, 3}},
		{"places swapped", func(r []audit.Row) []audit.Row {
			r[2], r[3] = r[3], r[2]
			r[2].Seq, r[3].Seq = 3, 4
			return r
		}, found{audit.Reordered, 3}},
		{"moved to the end", func(r []audit.Row) []audit.Row {
			moved := r[2]
			return append(slices.Delete(r, 2, 3), moved)
		}, found{audit.Reordered, 3}},
	} {
		t.Run(test.name, func(t *testing.T) {
			report := verify(t, test.tamper(slices.Clone(rows)), audit.Evidence{Checkpoints: checkpoints})
			if !slices.ContainsFunc(report.Findings, func(f audit.Finding) bool {
				return f.Kind == test.want.kind && f.Seq == test.want.seq && f.Writer == writerID && f.Detail != ""
			}) {
				t.Errorf("want %+v in %+v", test.want, report.Findings)
			}
		})
	}
}

func TestVerifyNamesTheInsertedRecordNotTheGenuineOne(t *testing.T) {
	t.Parallel()
	rows, _ := written(t, 4)
	intruder := forged(t, rows[1])
	for place := 1; place <= 2; place++ {
		report := verify(t, slices.Insert(slices.Clone(rows), place, intruder), audit.Evidence{})
		if len(report.Findings) != 1 || report.Findings[0].ID != intruder.ID {
			t.Errorf("at %d: %+v", place, report.Findings)
		}
	}
}

func TestWhatIsNotAnchoredIsSaid(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 5)
	// Nobody outside saw the tail: nothing can be found, and so much is said.
	report := verify(t, rows[:3], audit.Evidence{})
	if !report.OK() || report.Chains[0].Unanchored != 3 || report.Chains[0].Anchored != 0 {
		t.Errorf("without anchors: %+v", report)
	}
	// A checkpoint beside the records proves them, but goes when they go.
	report = verify(t, rows, audit.Evidence{Checkpoints: checkpoints})
	if c := report.Chains[0]; c.Signed != 5 || c.Anchored != 0 || c.Unanchored != 5 {
		t.Errorf("with a checkpoint inside: %+v", c)
	}
	report = verify(t, rows, audit.Evidence{Anchors: checkpoints})
	if c := report.Chains[0]; !report.OK() || c.Anchored != 5 || c.Unanchored != 0 || c.First != 1 || c.Last != 5 {
		t.Errorf("anchored: %+v", report)
	}
	report = verify(t, rows[:3], audit.Evidence{Anchors: checkpoints})
	if report.OK() || report.Findings[0].Kind != audit.Removed {
		t.Errorf("a cut tail that was anchored: %+v", report)
	}
}

func TestCheckpointsMustBeOursAndAgree(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 3)
	another := strings.Replace(checkpoints[0], rows[2].Hash.String(), rows[1].Hash.String(), 1)
	for name, set := range map[string][]string{
		"foreign":     {"ES256|at+jwt|{}"},
		"no payload":  {"ES256|" + audit.CheckpointType + "|{}"},
		"conflicting": {checkpoints[0], another},
		"wrong hash":  {another},
	} {
		if report := verify(t, rows, audit.Evidence{Checkpoints: set}); report.OK() {
			t.Errorf("%s: nothing found", name)
		}
	}
}

func TestRetentionIsNotTampering(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 6)
	e := audit.Evidence{Anchors: checkpoints, Retained: []audit.Head{rows[2].Head()}}
	if report := verify(t, rows[3:], e); !report.OK() || report.Chains[0].First != 4 {
		t.Errorf("after retention: %+v", report)
	}
	// A record of the dropped months' edge may outlive its neighbours.
	if report := verify(t, append([]audit.Row{rows[1]}, rows[3:]...), e); !report.OK() {
		t.Errorf("with a straggler: %+v", report)
	}
	if report := verify(t, rows[4:], e); report.OK() {
		t.Error("a record removed after what retention dropped was not found")
	}
	e.Retained[0].Hash[0]++
	if report := verify(t, rows[3:], e); report.OK() {
		t.Error("a cut that the chain does not follow on was not found")
	}
}

func TestExportVerifiesOffline(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 4)
	var out bytes.Buffer
	if err := audit.Export(&out, audit.Evidence{}, sequence(rows)); err != nil {
		t.Fatal(err)
	}
	lines := out.String()
	read := func(text string) (*audit.Report, error) {
		evidence, rows, err := audit.ReadExport(strings.NewReader(text))
		if err != nil {
			return nil, err
		}
		evidence.Anchors = checkpoints
		return audit.Verify(t.Context(), rows, evidence, openPlain)
	}
	report, err := read(lines)
	if err != nil || !report.OK() || report.Records != 4 || report.Chains[0].Unanchored != 0 {
		t.Fatalf("as exported: %+v, %v", report, err)
	}
	// The same JSON, spelled otherwise, is the same record.
	var spelled strings.Builder
	for line := range strings.Lines(lines) {
		value := jsontext.Value(line)
		if err := value.Format(jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true)); err != nil {
			t.Fatal(err)
		}
		spelled.WriteString(string(value) + "\n")
	}
	if report, err := read(spelled.String()); err != nil || !report.OK() {
		t.Errorf("with spaces: %+v, %v", report, err)
	}
	if report, err := read(strings.Replace(lines, `"issued":300`, `"issued":301`, 1)); err != nil || report.OK() || report.Findings[0].Seq != 1 {
		t.Errorf("changed: %+v, %v", report, err)
	}
	for name, text := range map[string]string{
		"no JSON": "x\n", "no object": "[]\n", "no hash": "{\"id\":\"x\"}\n", "long line": strings.Repeat("x", 1<<17),
		"twice the same name": `{"hash":"` + rows[0].Hash.String() + `","hash":""}` + "\n",
	} {
		if _, err := read(text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzReadExport(f *testing.F) {
	rows, _ := written(f, 2)
	for _, row := range rows {
		f.Add(row.JSON())
	}
	f.Add([]byte(`{"hash":"","prevHash":1}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		_, read, err := audit.ReadExport(bytes.NewReader(line))
		if err != nil {
			return
		}
		for row, err := range read {
			if err != nil {
				return
			}
			// What was read as sound must say the same again.
			_, second, err := audit.ReadExport(bytes.NewReader(row.JSON()))
			if err != nil {
				t.Fatal(err)
			}
			again := slices.Collect(func(yield func(audit.Row) bool) {
				for r, err := range second {
					if err == nil && !yield(r) {
						return
					}
				}
			})
			if len(again) != 1 || !bytes.Equal(again[0].Body, row.Body) || again[0].Hash != row.Hash {
				t.Fatalf("%q does not survive a second reading", line)
			}
		}
	})
}
