package ststest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/strait-sts/strait/internal/ststest"
)

func one(t *testing.T, url, query string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func withTable() ststest.Template {
	return ststest.Template{Key: "one table", Build: func(ctx context.Context, ownerURL string) error {
		conn, err := pgx.Connect(ctx, ownerURL)
		if err != nil {
			return err
		}
		defer func() { _ = conn.Close(ctx) }()
		_, err = conn.Exec(ctx, "CREATE TABLE seen (n int); INSERT INTO seen VALUES (7); GRANT SELECT ON seen TO strait")
		return err
	}}
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	for _, name := range []string{"first", "second", "third"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := ststest.NewDatabase(t, withTable())
			if n := one(t, db.OwnerURL, "WITH new AS (INSERT INTO seen VALUES (1) RETURNING n) SELECT (SELECT count(*) FROM seen)::int + count(*)::int FROM new"); n != 2 {
				t.Errorf("%d rows, want the template's one and our own", n)
			}
			if n := one(t, db.AppURL, "SELECT count(*)::int FROM seen"); n != 2 {
				t.Errorf("the application's role sees %d rows", n)
			}
		})
	}
}

func TestServerComesBackAfterAKill(t *testing.T) {
	server := ststest.StartServer(t)
	db := server.Database(t, withTable())
	server.Kill(t)
	if _, err := pgx.Connect(t.Context(), db.AppURL); err == nil {
		t.Fatal("a killed server answered")
	}
	server.Start(t)
	if n := one(t, db.AppURL, "SELECT n FROM seen"); n != 7 {
		t.Errorf("n = %d after recovery", n)
	}
}
