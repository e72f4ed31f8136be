package audit

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// CheckpointType is the typ (RFC 7515 §4.1.9) of a signed checkpoint, so that
// none is ever taken for a token, nor a token for one (RFC 8725 §3.11).
const CheckpointType = "strait-checkpoint+jwt"

// checkpointAlgorithm signs them, whatever tokens are signed with.
const checkpointAlgorithm = "ES256"

// Signer signs a payload as a compact JWS. Package keyring satisfies it.
type Signer interface {
	Sign(alg, typ string, payload []byte) (compact string, err error)
}

// checkpoint is the payload: the head of a chain at a time.
type checkpoint struct {
	Hash   string `json:"hash"`
	Seq    int64  `json:"seq"`
	Time   string `json:"time"` // RFC 3339, UTC
	Writer string `json:"writer"`
}

func sign(signer Signer, at Head, now time.Time) (string, error) {
	payload, err := json.Marshal(checkpoint{Hash: at.Hash.String(), Seq: at.Seq, Time: now.UTC().Format(time.RFC3339), Writer: at.Writer})
	if err != nil {
		return "", fmt.Errorf("write a checkpoint: %w", err)
	}
	compact, err := signer.Sign(checkpointAlgorithm, CheckpointType, payload)
	if err != nil {
		return "", fmt.Errorf("sign a checkpoint: %w", err)
	}
	return compact, nil
}

// head reads a checkpoint's payload.
func (c checkpoint) head() (Head, error) {
	hash, err := ParseHash(c.Hash)
	if err != nil || c.Writer == "" || c.Seq < 1 {
		return Head{}, errors.New("the payload is not a checkpoint's")
	}
	return Head{Writer: c.Writer, Seq: c.Seq, Hash: hash}, nil
}

// signedBy says whether the checkpoint was signed by then, surely: its time is
// cut to the second. The zero time is never.
func (c checkpoint) signedBy(until time.Time) bool {
	at, err := time.Parse(time.RFC3339, c.Time)
	return until.IsZero() || err == nil && !at.Add(time.Second).After(until)
}

// Anchor keeps checkpoints outside, where who can write to the database
// cannot.
type Anchor interface {
	// Append keeps a checkpoint, durable when it returns.
	Append(jws string) error
}

// FileAnchor is an anchor in a file: one checkpoint a line, only ever
// appended. Put it on another machine's disk, or on one that cannot be
// rewritten.
type FileAnchor struct {
	mu   sync.Mutex
	file *os.File
}

// OpenFileAnchor opens the file, which is made with mode 0600 where it is not
// there yet.
func OpenFileAnchor(path string) (*FileAnchor, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // G304: the path is the operator's setting
	if err != nil {
		return nil, fmt.Errorf("open the anchor: %w", err)
	}
	if err := endLine(file); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open the anchor: %w", err)
	}
	return &FileAnchor{file: file}, nil
}

// endLine ends the line that a power cut has left unfinished, so that the next
// checkpoint has a line of its own.
func endLine(file *os.File) error {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 || !info.Mode().IsRegular() {
		return err
	}
	last := make([]byte, 1)
	if _, err := file.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = file.WriteString("\n")
	return err
}

// Append writes a line and waits until the disk has it.
func (a *FileAnchor) Append(jws string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.file.WriteString(jws + "\n"); err != nil {
		return fmt.Errorf("append to the anchor: %w", err)
	}
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("append to the anchor: %w", err)
	}
	return nil
}

// Close closes the file.
func (a *FileAnchor) Close() error { return a.file.Close() }

// ReadAnchors reads the lines that a FileAnchor wrote.
func ReadAnchors(r io.Reader) ([]string, error) {
	var anchors []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			anchors = append(anchors, line)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the anchors: %w", err)
	}
	return anchors, nil
}
