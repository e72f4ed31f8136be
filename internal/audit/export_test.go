package audit_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/strait-sts/strait/internal/audit"
)

// exported is an export as text.
func exported(t testing.TB, e audit.Evidence, rows []audit.Row) string {
	t.Helper()
	var out bytes.Buffer
	if err := audit.Export(&out, e, sequence(rows)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// offline verifies an export.
func offline(t testing.TB, text string, anchors ...string) (*audit.Report, error) {
	t.Helper()
	evidence, rows, err := audit.ReadExport(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	evidence.Anchors = anchors
	return audit.Verify(t.Context(), rows, evidence, openPlain)
}

func TestExportCarriesWhatProvesIt(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 6)
	text := exported(t, audit.Evidence{Checkpoints: checkpoints, Retained: []audit.Head{rows[2].Head()}}, rows[3:])
	report, err := offline(t, text, checkpoints...)
	if err != nil || !report.OK() || report.Records != 3 || report.Chains[0].Signed != 6 || report.Chains[0].Unanchored != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	lines := strings.SplitAfter(text, "\n")
	for name, test := range map[string]struct{ text, kind string }{
		"the first record gone": {strings.Join(append(lines[:3:3], lines[4:]...), ""), audit.Removed},
		"the last record gone":  {strings.Join(lines[:5], ""), audit.Removed},
		"another beginning":     {strings.Replace(text, rows[2].Hash.String()+`","seq":3`, rows[1].Hash.String()+`","seq":3`, 1), audit.Changed},
		"a forged checkpoint":   {strings.Replace(text, `"checkpoint":"`, `"checkpoint":"x`, 1), audit.Checkpoint},
	} {
		report, err := offline(t, test.text)
		if err != nil || report.OK() || report.Findings[0].Kind != test.kind {
			t.Errorf("%s: %+v, %v", name, report, err)
		}
	}
}

// TestAnchorOfALaterTimeIsNotMissed: an export says until when it reaches. What
// was anchored before must be in it, what was anchored after need not.
func TestAnchorOfALaterTimeIsNotMissed(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 4)
	for _, test := range []struct {
		until time.Time
		clean bool
	}{{time.Now().Add(-time.Hour), true}, {time.Now().Add(time.Hour), false}, {time.Time{}, false}} {
		text := exported(t, audit.Evidence{Until: test.until}, rows[:2])
		report, err := offline(t, text, checkpoints...)
		if err != nil || report.OK() != test.clean || !report.Until.Equal(test.until) {
			t.Errorf("until %v: %+v, %v", test.until, report, err)
		}
	}
	// One that is of a checkpoint in the export counts, whenever it was anchored.
	text := exported(t, audit.Evidence{Until: time.Now().Add(-time.Hour), Checkpoints: checkpoints}, rows)
	if report, err := offline(t, text, checkpoints...); err != nil || !report.OK() || report.Chains[0].Anchored != 4 {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestReadExportNamesTheLineAtFault(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 2)
	text := exported(t, audit.Evidence{Checkpoints: checkpoints}, rows)
	for name, test := range map[string]struct{ text, want string }{
		"a newer form":            {`{"export":{"version":2}}` + "\n", "line 1 of the export: it is of version 2"},
		"a retained without hash": {`{"retained":{"writer":"w","seq":1,"hash":"x"}}` + "\n", "line 1 of the export: a hash has"},
		"evidence among records":  {text + `{"checkpoint":"x"}` + "\n", "line 5 of the export: it has no hash"},
		"an unknown line":         {`{"export":{"version":1}}` + "\n" + `{"anchor":"x"}` + "\n", "line 2 of the export: it has no hash"},
		"an empty line":           {text + "\n", "line 5 of the export: it is not a JSON object"},
	} {
		if _, err := offline(t, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if report, err := offline(t, ""); err != nil || !report.OK() || report.Records != 0 {
		t.Errorf("nothing at all: %+v, %v", report, err)
	}
}

// Where the source ends in an error, that is told, and no line is blamed.
func TestExportThatBreaksOffIsNoWrongLine(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 2)
	text := exported(t, audit.Evidence{Checkpoints: checkpoints}, rows)
	first, _, _ := strings.Cut(text, "\n")
	for name, test := range map[string]struct{ text, want string }{
		"at once":          {"", "gone"},
		"in the evidence":  {first + "\n", "the export breaks off before line 2: gone"},
		"after the record": {text, "the export breaks off before line 5: gone"},
	} {
		_, read, err := audit.ReadExport(io.MultiReader(strings.NewReader(test.text), iotest.ErrReader(errors.New("gone"))))
		if err == nil {
			for _, fault := range read {
				err = fault
			}
		}
		if err == nil || err.Error() != test.want {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// full is a disk that has no room left.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestExportThatCannotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	rows, _ := written(t, 1)
	if err := audit.Export(full{}, audit.Evidence{}, sequence(rows)); err == nil {
		t.Error("a full disk went unnoticed")
	}
}

// TestTornAnchorLineIsLeftAlone: what a power cut has left of a line is named,
// and spoils neither those before nor those after it.
func TestTornAnchorLineIsLeftAlone(t *testing.T) {
	t.Parallel()
	rows, checkpoints := written(t, 3)
	path := filepath.Join(t.TempDir(), "anchors")
	if err := os.WriteFile(path, []byte(checkpoints[0][:20]), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // opened again, it adds no line of its own
		anchor, err := audit.OpenFileAnchor(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := anchor.Append(checkpoints[0]); err != nil {
			t.Fatal(err)
		}
		if err := anchor.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	anchors, err := audit.ReadAnchors(bytes.NewReader(text))
	if err != nil || len(anchors) != 3 {
		t.Fatalf("%d anchors, %v", len(anchors), err)
	}
	report := verify(t, rows, audit.Evidence{Anchors: anchors})
	if len(report.Findings) != 1 || !strings.Contains(report.Findings[0].Detail, "anchor 1 does not verify") || report.Chains[0].Anchored != 3 {
		t.Errorf("%+v", report)
	}
}

// TestChainLeftByAKilledProcessIsSignedAtOnce: what it left unsigned does not
// wait for the first interval.
func TestChainLeftByAKilledProcessIsSignedAtOnce(t *testing.T) {
	t.Parallel()
	store := &memory{}
	first, stop := running(t, audit.Options{Store: store}) // no signer: as if killed
	for range 2 {
		if err := first.Record(t.Context(), record(t)); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	second, _ := running(t, audit.Options{Store: store, Signer: plainSigner{}, Interval: time.Hour})
	for began := time.Now(); second.Stats().Checkpoints == 0; {
		if time.Since(began) > 5*time.Second {
			t.Fatal("the chain was not signed")
		}
	}
	if report := verify(t, store.kept(), audit.Evidence{Checkpoints: store.checkpoints}); !report.OK() || report.Chains[0].Signed != 2 {
		t.Errorf("%+v", report)
	}
}
