package postgres_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/strait-sts/strait/internal/pgserver"
	"github.com/strait-sts/strait/internal/postgres"
	"github.com/strait-sts/strait/internal/ststest"
)

func TestMigrationsAreIdempotentAndConcurrent(t *testing.T) {
	t.Parallel()
	d := ststest.NewDatabase(t, ststest.Template{Key: "empty"})
	if pending, err := postgres.Pending(t.Context(), d.AppURL); err != nil || !pending {
		t.Fatalf("an empty database is pending: %v, %v", pending, err)
	}
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := postgres.Migrate(t.Context(), d.OwnerURL, pgserver.App); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if pending, err := postgres.Pending(t.Context(), d.AppURL); err != nil || pending {
		t.Errorf("a migrated database is pending: %v, %v", pending, err)
	}
	steps, err := postgres.Status(t.Context(), d.OwnerURL)
	if err != nil || len(steps) == 0 {
		t.Fatalf("status: %v, %v", steps, err)
	}
	for _, step := range steps {
		if !step.Applied {
			t.Errorf("migration %d %s is not applied", step.Version, step.Name)
		}
	}
}

func TestMigrateRefusesRolesWithoutLimits(t *testing.T) {
	t.Parallel()
	d := ststest.NewDatabase(t, ststest.Template{Key: "empty"})
	for role, want := range map[string]string{
		"":             "no name",
		"postgres":     "superuser",
		pgserver.Owner: "owner",
		`no"body`:      "does not exist",
	} {
		if err := postgres.Migrate(t.Context(), d.OwnerURL, role); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("role %q: %v, want %q", role, err, want)
		}
	}
	if err := postgres.Migrate(t.Context(), d.OwnerURL, pgserver.App); err != nil {
		t.Errorf("the application's role: %v", err)
	}
}

func TestServingRoleCannotAlterWhatHappened(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	if err := db.CheckPrivileges(t.Context()); err != nil {
		t.Errorf("the application's role: %v", err)
	}
	for _, grant := range []string{
		"UPDATE ON records", "DELETE ON records", "TRUNCATE ON records", "UPDATE (client) ON records",
		"DELETE ON records_default", "UPDATE ON catalog_changes", "DELETE ON checkpoints", "UPDATE ON record_groups",
	} {
		execute(t, d.OwnerURL, "GRANT "+grant+" TO "+pgserver.App)
		err := db.CheckPrivileges(t.Context())
		if err == nil || !strings.Contains(err.Error(), "migrate up") {
			t.Errorf("%s: %v, want a refusal that says how to mend it", grant, err)
		}
		execute(t, d.OwnerURL, "REVOKE "+grant+" FROM "+pgserver.App)
	}
	for name, url := range map[string]string{"owner": d.OwnerURL, "superuser": strings.Replace(d.OwnerURL, pgserver.Owner, "postgres", 1)} {
		if err := open(t, url).CheckPrivileges(t.Context()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("serving as the %s: %v", name, err)
		}
	}
}

func TestMigrateTakesBackWhatIsTooMuch(t *testing.T) {
	t.Parallel()
	db, d := opened(t)
	execute(t, d.OwnerURL, "GRANT UPDATE, DELETE ON records, checkpoints TO "+pgserver.App)
	if err := postgres.Migrate(t.Context(), d.OwnerURL, pgserver.App); err != nil {
		t.Fatal(err)
	}
	if err := db.CheckPrivileges(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestServerThatIsDownIsUnavailable(t *testing.T) {
	t.Parallel()
	url := "postgres://strait@localhost/strait?host=" + t.TempDir()
	if _, err := postgres.Open(t.Context(), url, postgres.Options{}); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("open: %v", err)
	}
	if _, err := postgres.Pending(t.Context(), url); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("pending: %v", err)
	}
	if err := postgres.Migrate(t.Context(), url, "strait"); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("migrate: %v", err)
	}
}

func TestErrorsHideThePassword(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://strait:hush-hush@localhost:1/strait?connect_timeout=1",
		"postgres://strait:hush-hush@localhost:none/strait",
	} {
		_, err := postgres.Open(t.Context(), url, postgres.Options{})
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
	}
}
