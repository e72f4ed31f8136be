package postgres_test

import (
	"testing"

	"github.com/strait-sts/strait/internal/audit"
	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/catalog/catalogtest"
	"github.com/strait-sts/strait/internal/keyring"
	"github.com/strait-sts/strait/internal/postgres"
)

var (
	_ catalog.Store = (*postgres.DB)(nil)
	_ keyring.Store = (*postgres.DB)(nil)
	_ audit.Store   = (*postgres.DB)(nil)
)

func TestCatalogStoreConforms(t *testing.T) {
	t.Parallel()
	catalogtest.TestStore(t, func(t *testing.T) catalog.Store {
		db, _ := opened(t)
		return db
	})
}
