package ststest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/strait-sts/strait/internal/pgserver"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/migrations"
)

// Migrated gives the test a database of its own with today's schema and
// grants. The migrations run once a test process; their hash names the
// template that every test's database is copied from.
func Migrated(t testing.TB) Database {
	t.Helper()
	return NewDatabase(t, migrated(t))
}

// Migrated is like the function, on a server that the test may kill.
func (p *PrivateServer) Migrated(t testing.TB) Database {
	t.Helper()
	return p.Database(t, migrated(t))
}

func migrated(t testing.TB) Template {
	t.Helper()
	return Template{Key: schemaHash(t), Build: func(ctx context.Context, ownerURL string) error {
		return postgres.Migrate(ctx, ownerURL, pgserver.App)
	}}
}

// schemaHash is the SHA-256 of the migrations' names and texts.
func schemaHash(t testing.TB) string {
	t.Helper()
	files, err := migrations.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	for _, file := range files {
		text, err := migrations.Files.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		sum.Write([]byte(file.Name() + "\x00"))
		sum.Write(append(text, 0))
	}
	return hex.EncodeToString(sum.Sum(nil))
}
