// Package client is the admin API as the commands call it: how does a program
// ask a running Strait?
//
// [Client] has a method for each path of /admin/v1 that commands need; every
// answer that is no success is a [Problem] (RFC 9457), every failure to get an
// answer an error that names the URL and the mend. Redirects are refused: an
// admin API does not redirect, and the token is for the address that was named.
//
// It must not depend on the server's packages: the two meet in api/openapi.yaml
// alone.
package client
