package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
)

// opened is a fresh database as the application's role sees it, and the ways
// to it.
func opened(t testing.TB) (*postgres.DB, ststest.Database) {
	t.Helper()
	d := ststest.Migrated(t)
	return open(t, d.AppURL), d
}

func open(t testing.TB, url string) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), url, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return db
}

// execute runs statements at url, as its role.
func execute(t testing.TB, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// attempt runs a statement at url, as its role.
func attempt(t testing.TB, url, statement string) error {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	_, err = conn.Exec(t.Context(), statement)
	return err
}
