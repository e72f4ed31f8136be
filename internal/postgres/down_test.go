package postgres_test

import (
	"strings"
	"testing"

	"github.com/strait-sts/strait/internal/pgserver"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
	"github.com/strait-sts/strait/migrations"
)

// TestDownLeavesNothingBehindAndUpWorksAgain runs the Down part of each
// migration, newest first: no command does, so nothing else would notice that
// it is wrong.
func TestDownLeavesNothingBehindAndUpWorksAgain(t *testing.T) {
	t.Parallel()
	d := ststest.NewDatabase(t, ststest.Template{Key: "empty"})
	if err := postgres.Migrate(t.Context(), d.OwnerURL, pgserver.App); err != nil {
		t.Fatal(err)
	}
	files, err := migrations.Files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for i := len(files) - 1; i >= 0; i-- {
		text, err := migrations.Files.ReadFile(files[i].Name())
		if err != nil {
			t.Fatal(err)
		}
		_, down, found := strings.Cut(string(text), "-- +goose Down")
		if !found || strings.TrimSpace(down) == "" {
			t.Fatalf("%s has no way down", files[i].Name())
		}
		for statement := range strings.SplitSeq(strings.TrimSpace(down), ";") {
			if statement = strings.TrimSpace(statement); statement != "" {
				execute(t, d.OwnerURL, statement)
			}
		}
	}
	if err := attempt(t, d.OwnerURL, `DO $$ BEGIN
		ASSERT NOT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'goose_db_version%');
		ASSERT NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'public'::regnamespace);
		END $$`); err != nil {
		t.Errorf("something is left: %v", err)
	}
	execute(t, d.OwnerURL, "DROP TABLE goose_db_version")
	if err := postgres.Migrate(t.Context(), d.OwnerURL, pgserver.App); err != nil {
		t.Errorf("up again: %v", err)
	}
}
