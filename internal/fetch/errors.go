package fetch

import "errors"

// Why a request failed; each error of the package wraps exactly one of these.
// Their texts name the host, never the path or the query, which may hold a
// secret, and nothing of the answer.
var (
	// ErrForbiddenURL: the text of the URL is not one that may be fetched.
	ErrForbiddenURL = errors.New("URL not allowed")
	// ErrForbiddenAddress: the host is, or resolves to, a closed network.
	ErrForbiddenAddress = errors.New("address not allowed")
	// ErrUnreachable: no connection, no TLS, or no answer that HTTP allows.
	ErrUnreachable = errors.New("unreachable")
	// ErrTimeout: too slow to connect, to answer or to finish.
	ErrTimeout = errors.New("timed out")
	// ErrRedirect: the answer points elsewhere.
	ErrRedirect = errors.New("redirects are not followed")
	// ErrStatus: a status other than 200, or than 304 where an ETag was sent.
	ErrStatus = errors.New("unexpected status")
	// ErrContent: a content type that is not JSON, or a content encoding.
	ErrContent = errors.New("unexpected content")
	// ErrTooLarge: the body is longer than allowed.
	ErrTooLarge = errors.New("answer too large")
	// ErrCertificates: not PEM certificates.
	ErrCertificates = errors.New("not a list of PEM certificates")
)
