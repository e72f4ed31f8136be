package manifest

import (
	"fmt"
	"path/filepath"
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
	client, ok := m.Spec.(*catalog.Client)
	if !ok {
		return nil
	}
	for i := range client.Authentication {
		a := &client.Authentication[i]
		if a.SecretFrom == nil {
			continue
		}
		secret, err := m.resolve(*a.SecretFrom, lookupEnv, readFile)
		if err != nil {
			return fmt.Errorf("%s:%d: %s: /spec/authentication/%d/secretFrom: %w", m.File, m.Line, m.Ref(), i, err)
		}
		a.Secret, a.SecretFrom = exchange.Secret(secret), nil
	}
	body, err := withSecrets(m.JSON, client.Authentication)
	if err != nil {
		return fmt.Errorf("%s: %w", m.Ref(), err)
	}
	m.JSON = body
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

// withSecrets is the document with the secrets of its methods written out. All
// other members stay as they are, byte for byte.
func withSecrets(document []byte, methods []catalog.Authentication) ([]byte, error) {
	var object, spec map[string]jsontext.Value
	var written []map[string]jsontext.Value
	if err := json.Unmarshal(document, &object); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(object["spec"], &spec); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(spec["authentication"], &written); err != nil {
		return nil, err
	}
	for i, method := range methods {
		if secret := method.Secret.Reveal(); secret != "" {
			delete(written[i], "secretFrom")
			written[i]["secret"], _ = jsontext.AppendQuote(nil, secret)
		}
	}
	return marshalled(object, spec, written)
}

func marshalled(object, spec map[string]jsontext.Value, methods []map[string]jsontext.Value) (body []byte, err error) {
	if spec["authentication"], err = json.Marshal(methods, json.Deterministic(true)); err != nil {
		return nil, err
	}
	if object["spec"], err = json.Marshal(spec, json.Deterministic(true)); err != nil {
		return nil, err
	}
	return json.Marshal(object, json.Deterministic(true))
}
