package admin

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/strait-sts/strait/internal/audit"
)

// Audit proves the records and gives them away.
type Audit interface {
	// Verify reads every record and proves the chains.
	Verify(ctx context.Context) (*audit.Report, error)
	// Export writes the records of a time, zero for without end, as JSON
	// lines.
	Export(ctx context.Context, since, until time.Time, w io.Writer) error
}

// verify answers GET /audit/verify.
func (a *server) verify(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	patient(w)
	report, err := a.Audit.Verify(r.Context())
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, report)
}

// export answers GET /audit/export, line by line as the records are read.
func (a *server) export(w http.ResponseWriter, r *http.Request) error {
	values, err := query(r, "since", "until")
	if err != nil {
		return err
	}
	var since, until time.Time
	if err := readSpan(values, &since, &until); err != nil {
		return err
	}
	patient(w)
	out := &begun{w: w}
	err = a.Audit.Export(r.Context(), since, until, out)
	if err != nil && out.any {
		// The status has left: only a connection that breaks says that it is not whole.
		a.Logger.ErrorContext(r.Context(), "an export of the records broke off", "requestId", a.id(r), "error", err.Error())
		panic(http.ErrAbortHandler)
	}
	return err
}

// patient lifts the deadline for answers: millions of records take their time.
func patient(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) // a writer without deadlines needs no lifting
}

// begun is an answer whose header leaves with its first byte.
type begun struct {
	w   http.ResponseWriter
	any bool
}

// Write writes a part of the answer.
func (b *begun) Write(part []byte) (int, error) {
	if !b.any {
		b.any = true
		b.w.Header().Set("Content-Type", "application/jsonl")
		b.w.WriteHeader(http.StatusOK)
	}
	return b.w.Write(part)
}
