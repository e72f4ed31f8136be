package catalog_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/catalog/catalogtest"
)

// memory is a Store that keeps its rows in a map.
type memory struct {
	mu       sync.Mutex
	revision int64
	rows     map[catalog.Ref]catalog.Row
	changes  []catalog.ChangeRecord
	commits  int
	before   func(*memory) // runs ahead of a commit, as another replica would
}

func (m *memory) Load(context.Context) (int64, []catalog.Row, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.revision, slices.Collect(maps.Values(m.rows)), nil
}

func (m *memory) Commit(ctx context.Context, base int64, c catalog.Commit) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.before != nil {
		m.before(m)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if base != m.revision {
		return 0, catalog.ErrMoved
	}
	m.revision++
	m.commits++
	for _, row := range c.Puts {
		row.Revision = m.revision
		m.put(row)
	}
	for _, ref := range c.Deletes {
		delete(m.rows, ref)
	}
	m.changes = append(m.changes, c.Changes...)
	return m.revision, nil
}

func (m *memory) put(row catalog.Row) {
	if m.rows == nil {
		m.rows = map[catalog.Ref]catalog.Row{}
	}
	m.rows[row.Ref()] = row
}

func TestMemoryIsAStore(t *testing.T) {
	catalogtest.TestStore(t, func(*testing.T) catalog.Store { return &memory{} })
}
