package manifest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/schema"
)

// maxFileBytes is the largest file that is read.
const maxFileBytes = 8 << 20

// Manifest is one document of a file.
type Manifest struct {
	catalog.Object // without its Spec where Test is set

	JSON []byte // the document as JSON: the body to send, after ResolveSecrets
	File string
	Line int  // of the document's first field
	Test bool // an ExchangeTest: not an object of the catalogue

	document document
}

// Fault makes a FieldError of the object, with the file and the line where the
// value at the pointer stands.
func (m Manifest) Fault(pointer, code, format string, args ...any) catalog.FieldError {
	fault := m.Object.Fault(pointer, code, format, args...)
	fault.File, fault.Line = m.File, m.document.lineOf(pointer)
	return fault
}

// document is a piece of a file as JSON, with the line of each of its values by
// JSON Pointer.
type document struct {
	json  []byte
	lines map[string]int
}

// lineOf is the line of the value at the pointer, or of the nearest one around
// it that was written.
func (d document) lineOf(pointer string) int {
	for {
		if line, written := d.lines[pointer]; written || pointer == "" {
			return line
		}
		pointer = pointer[:strings.LastIndexByte(pointer, '/')]
	}
}

// ReadPaths reads files, and all .yaml, .yml and .json files below folders, in
// the order of their names. The error is a *catalog.Invalid with every fault in
// every file, or the file system's.
func ReadPaths(paths ...string) ([]Manifest, error) {
	var all []Manifest
	var faults []catalog.FieldError
	files, err := list(paths)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		data, err := os.ReadFile(file) //nolint:gosec // G304: the caller's own path
		if err != nil {
			return nil, err
		}
		manifests, more := Parse(file, data)
		all, faults = append(all, manifests...), append(faults, more...)
	}
	if faults = append(faults, twice(all)...); len(faults) > 0 {
		return nil, &catalog.Invalid{Errors: faults}
	}
	return all, nil
}

// list is the files that the paths stand for; a folder without any is an error,
// since it is most likely the wrong one.
func list(paths []string) ([]string, error) {
	var files []string
	for _, path := range paths {
		before := len(files)
		err := filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
			switch hidden := name != path && strings.HasPrefix(entry.Name(), "."); {
			case err != nil:
				return err
			case entry.IsDir() && hidden:
				return filepath.SkipDir
			case name == path && !entry.IsDir(), !hidden && !entry.IsDir() && isManifest(name):
				files = append(files, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s has no .yaml, .yml or .json file", path)
		}
	}
	return files, nil
}

func isManifest(name string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name))
}

// twice finds objects that are written in two places.
func twice(all []Manifest) []catalog.FieldError {
	var faults []catalog.FieldError
	seen := map[catalog.Ref]Manifest{}
	for _, m := range all {
		if first, again := seen[m.Ref()]; again {
			fault := m.Fault("/metadata/name", catalog.CodeDuplicate, "%s stands in %s:%d already; keep one", m.Ref(), first.File, first.Line)
			faults = append(faults, fault)
		}
		seen[m.Ref()] = m
	}
	return faults
}

// Parse reads the documents of one file: JSON where its name ends in .json,
// else YAML. Documents without a fault are returned beside the faults of the
// others.
func Parse(file string, data []byte) ([]Manifest, []catalog.FieldError) {
	if len(data) > maxFileBytes {
		return nil, []catalog.FieldError{{File: file, Line: 1, Code: catalog.CodeTooLarge, Message: "the file has more than 8 MiB"}}
	}
	read := readYAML
	if filepath.Ext(file) == ".json" {
		read = readJSON
	}
	documents, faults := read(data)
	for i := range faults {
		faults[i].File = file
	}
	var manifests []Manifest
	for _, d := range documents {
		m, wrong := d.manifest(file)
		if len(wrong) == 0 {
			manifests = append(manifests, m)
		}
		faults = append(faults, wrong...)
	}
	return manifests, faults
}

// manifest reads the document as an object; an ExchangeTest only as far as its
// name.
func (d document) manifest(file string) (Manifest, []catalog.FieldError) {
	m := Manifest{JSON: d.json, File: file, Line: d.lineOf(""), document: d}
	var head struct {
		Kind     catalog.Kind     `json:"kind"`
		Metadata catalog.Metadata `json:"metadata"`
	}
	if json.Unmarshal(d.json, &head) == nil && head.Kind == catalog.KindExchangeTest {
		m.Kind, m.Metadata, m.Test = head.Kind, head.Metadata, true
		return m, nil
	}
	var faults []catalog.FieldError
	m.Object, faults = schema.DecodeJSON(d.json)
	for i := range faults {
		faults[i].File, faults[i].Line = file, d.lineOf(faults[i].Pointer)
	}
	return m, faults
}
