package manifest

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/strait-sts/strait/internal/catalog"
	"github.com/strait-sts/strait/internal/exchange"
)

// ResolveSecrets puts the secret in the place of each secretFrom, both in the
// object and in the JSON that is sent. A file is found relative to the
// manifest's folder, and one end of line at its end is dropped. The error names
// the variable or the file, never the secret.
func (m *Manifest) ResolveSecrets(lookupEnv func(name string) (string, bool), readFile func(path string) ([]byte, error)) error {
	for _, field := range m.secretFields() {
		if *field.from == nil {
			continue
		}
		secret, err := m.resolve(**field.from, lookupEnv, readFile)
		if err != nil {
			return fmt.Errorf("%s:%d: %s: %sFrom: %w", m.File, m.Line, m.Ref(), field.pointer, err)
		}
		*field.secret, *field.from = exchange.Secret(secret), nil
		body, err := withSecret([]byte(m.JSON), strings.Split(field.pointer, "/")[1:], secret)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Ref(), err)
		}
		m.JSON = body
	}
	return nil
}

// secretField is where a manifest can have a secret; its From stands beside it.
type secretField struct {
	pointer string
	secret  *exchange.Secret
	from    **catalog.SecretFrom
}

func (m *Manifest) secretFields() []secretField {
	switch spec := m.Spec.(type) {
	case *catalog.Client:
		fields := make([]secretField, len(spec.Authentication))
		for i := range spec.Authentication {
			a := &spec.Authentication[i]
			fields[i] = secretField{fmt.Sprintf("/spec/authentication/%d/secret", i), &a.Secret, &a.SecretFrom}
		}
		return fields
	case *catalog.TrustedIssuer:
		if in := spec.Keys.Introspection; in != nil {
			return []secretField{{"/spec/keys/introspection/clientSecret", &in.ClientSecret, &in.ClientSecretFrom}}
		}
	}
	return nil
}

// resolve finds one secret.
func (m *Manifest) resolve(from catalog.SecretFrom, lookupEnv func(string) (string, bool), readFile func(string) ([]byte, error)) (string, error) {
	if from.Env != "" {
		if value, set := lookupEnv(from.Env); set && value != "" {
			return value, nil
		}
		return "", fmt.Errorf("the environment variable %s is not set", from.Env)
	}
	path := from.File
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(m.File), path)
	}
	data, err := readFile(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if text == "" {
		return "", fmt.Errorf("the file %s is empty", path)
	}
	return text, nil
}

// withSecret is the document with the secret at the pointer in the place of its
// From. All other members stay as they are, byte for byte.
func withSecret(document []byte, pointer []string, secret string) ([]byte, error) {
	if i, err := strconv.Atoi(pointer[0]); err == nil {
		var list []jsontext.Value
		if err := json.Unmarshal(document, &list); err != nil {
			return nil, err
		}
		list[i], err = withSecret(list[i], pointer[1:], secret)
		if err != nil {
			return nil, err
		}
		return json.Marshal(list, json.Deterministic(true))
	}
	var object map[string]jsontext.Value
	err := json.Unmarshal(document, &object)
	if err != nil {
		return nil, err
	}
	if name := pointer[0]; len(pointer) == 1 {
		delete(object, name+"From")
		object[name], err = jsontext.AppendQuote(nil, secret)
	} else {
		object[name], err = withSecret(object[name], pointer[1:], secret)
	}
	if err != nil {
		return nil, err
	}
	return json.Marshal(object, json.Deterministic(true))
}
