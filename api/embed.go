// Package api holds the contract of Strait's HTTP interfaces, openapi.yaml
// (OpenAPI 3.1), so that the server can show the one it was built with. It owns
// no behaviour: package admin serves the document, and its tests hold every
// route and every answer against it.
package api

import _ "embed"

// OpenAPI is the document, as YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
