package catalog

// Change is a change record as a store keeps it.
type Change struct {
	ID       int64 // grows with time
	Revision int64 // of the catalogue, after the change
	ChangeRecord
}
