package catalog

// Snapshot is one revision of the catalogue, whole and immutable: every object
// valid by itself and with the others, defaults filled in. Nobody writes to it
// or to what it points to.
type Snapshot struct {
	Revision int64
	Objects  map[Ref]*Entry
}

// Ref names an object.
type Ref struct {
	Kind Kind
	Name string
}

// Entry is an object of the catalogue with the revision that last changed it.
type Entry struct {
	Object
	Revision int64
	Set      string // the apply set that it was last written with
}
