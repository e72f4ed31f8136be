// Package fetch answers one question: may we connect there? Every request that
// Strait sends out on an issuer's behalf goes through it: key sets, discovery
// documents, introspection.
//
// A URL is checked twice. [Policy.CheckURL] looks at its text, when a manifest
// is written and again before each request. [Client.GetJSON] and
// [Client.PostForm] then look at each address that is dialled, after the name was resolved: a name that meant a
// public host a moment ago and means our own metadata service now is refused
// now. Private, local and reserved networks are closed unless
// [Policy.AllowCIDRs] opens them; RFC 8725 §3.10 warns of what happens else.
//
// One request is one connection, without proxy, cookies, redirects or
// compression, and with no credentials but those of a form, bounded in time and size; its answer is 200 with JSON or an
// error. What the JSON means is for the caller to say.
//
// The package owns outbound HTTP. It knows no issuers, no keys and no settings,
// and imports none of our packages.
package fetch
