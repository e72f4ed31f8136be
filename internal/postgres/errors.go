package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnavailable is what errors.Is finds in an error that says nothing about
// the request: the database is down, full, read-only, too slow or unreachable.
// The caller answers 503.
var ErrUnavailable = errors.New("the database is unavailable")

// SQLSTATEs of what is there already.
const (
	uniqueViolation   = "23505"
	duplicateObject   = "42710"
	duplicateDatabase = "42P04"
)

// unavailableClasses are the SQLSTATE classes (the first two characters) that
// blame the server or the connection: connection exception, insufficient
// resources, operator intervention, system error. Two of another class do too:
// a primary that became a standby (read_only_sql_transaction), and a session
// that was ended since it hung (idle_in_transaction_session_timeout).
var (
	unavailableClasses = []string{"08", "53", "57", "58"}
	unavailableStates  = []string{"25006", "25P03"}
)

// lost are the errors that a connection ends with.
var lost = []error{context.DeadlineExceeded, io.ErrUnexpectedEOF, io.EOF, net.ErrClosed, pgconn.ErrConnClosed}

// unavailable is an error of the database's being, not of the statement.
type unavailable struct {
	doing string
	err   error
}

func (u *unavailable) Error() string {
	return fmt.Sprintf("%s: %v: %v", u.doing, ErrUnavailable, u.err)
}
func (u *unavailable) Unwrap() error        { return u.err }
func (u *unavailable) Is(target error) bool { return target == ErrUnavailable }

// failed gives err the words of what was being done, and makes it
// ErrUnavailable where it is one. It keeps nil.
func failed(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case isUnavailable(err):
		return &unavailable{doing, err}
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

func isUnavailable(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return slices.Contains(unavailableStates, server.Code) || slices.Contains(unavailableClasses, server.Code[:2])
	}
	var connect *pgconn.ConnectError
	var network net.Error // timeouts too
	if errors.As(err, &connect) || errors.As(err, &network) {
		return true
	}
	return slices.ContainsFunc(lost, func(sign error) bool { return errors.Is(err, sign) })
}

// exists says whether err is that something is there already.
func exists(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && slices.Contains([]string{uniqueViolation, duplicateObject, duplicateDatabase}, server.Code)
}
