package pgserver

import (
	"errors"
	"log/slog"
)

// The names in every cluster: neither role is a superuser.
const (
	Owner    = "strait_owner" // owns the database; for migrations alone
	App      = "strait"       // what serve works as
	Database = "strait"
)

var (
	// ErrNotFound says that PostgreSQL's programs are not on this machine. The
	// error that wraps it names the command that installs them.
	ErrNotFound = errors.New("PostgreSQL's programs (initdb and postgres) were not found")
	// ErrHeld says that another Strait works on the data folder.
	ErrHeld = errors.New("another strait holds the data folder")
)

// Config says what to start.
type Config struct {
	DataDir  string            // STRAIT_DATA_DIR; made if it is not there
	BinDir   string            // STRAIT_POSTGRES_BIN; empty: found
	Settings map[string]string // of PostgreSQL, beside ours; tests turn fsync off
	Logger   *slog.Logger      // nil: nowhere
}
